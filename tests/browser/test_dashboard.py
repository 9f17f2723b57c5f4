"""The dashboard: what its charts draw."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.brokers import Broker
from tests.browser.tabs import Tabs

pytestmark = pytest.mark.slow

COUNT_PIXELS = """canvas => {
  const probe = document.createElement("i");
  probe.style.color = "var(--done)";
  document.body.append(probe);
  const wanted = getComputedStyle(probe).color.match(/[0-9]+/g).map(Number);
  probe.remove();
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (wanted.every((part, index) => data[at + index] === part) && data[at + 3] === 255) count++;
  }
  return count;
}"""


def show_one_second(page: Page) -> None:
    """Let the history that the tab hears of be the one second in which 7 jobs were completed."""

    def connect(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            assert isinstance(message, bytes), "a tab speaks MessagePack"
            told = msgspec.msgpack.decode(message)
            if isinstance(told, dict) and told.get("event") == "history":
                told["data"]["buckets"] = one_second(told["data"])
                message = msgspec.msgpack.encode(told)
            route.send(message)

        server.on_message(pass_on)

    page.route_web_socket("**", connect)


def one_second(history: dict[str, Any]) -> dict[str, list[int | None]]:
    """In the first event; nothing new in those that follow."""
    is_first = bool(history["takeovers"])
    values = {name: [0] if is_first else [] for name in history["buckets"]}
    return {**values, "completed": [7] if is_first else []}


def test_first_second_of_a_queue_is_drawn(broker: Broker, tabs: Tabs) -> None:
    page = tabs.open("about:blank")
    show_one_second(page)
    page.goto(broker.url)
    throughput = page.get_by_role("region", name="Throughput")
    expect(throughput).to_contain_text("completed 7/s")
    canvas = throughput.locator("canvas").element_handle()
    page.wait_for_function(f"canvas => ({COUNT_PIXELS})(canvas) > 0", arg=canvas)

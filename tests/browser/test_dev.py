"""What `make dev` serves: the sources of the page, in front of a broker that runs elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.brokers import Broker
from tests.browser.conftest import ROOT
from tests.browser.tabs import Tabs
from tests.emulators.programs import free_port, tied

pytestmark = pytest.mark.slow

WEBUI = ROOT / "webui"
VITE = WEBUI / "node_modules" / ".bin" / "vite"


@pytest.fixture
def address(broker: Broker, tmp_path: Path) -> Iterator[str]:
    """Where the sources are served, on all interfaces, in front of `broker`."""
    port = free_port()
    environment = {**os.environ, "VITE_BROKER_URL": broker.url, "DEV_HOST": "0.0.0.0"}
    log = tmp_path / "vite.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            tied([str(VITE), "--port", str(port), "--strictPort", "--clearScreen", "false"]),
            cwd=WEBUI,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            # Printed on every machine, with codes of colour around it where CI is set.
            lines = iter(process.stdout.readline, b"")
            assert any(b"Local" in line for line in lines), log.read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def test_page_talks_to_the_broker_that_is_named(broker: Broker, address: str, tabs: Tabs) -> None:
    with broker.client() as client:
        client.submit({}, job_id="seen")
    page = tabs.open(f"{address}/jobs")
    expect(page.locator(".badge")).to_contain_text(f"leader {broker.address}")
    expect(page.locator(".job-row")).to_contain_text("seen")


def test_state_is_a_page_for_people_and_a_document_for_the_page(address: str, tabs: Tabs) -> None:
    page = tabs.open(f"{address}/state")
    expect(page.get_by_text("queue.json as committed")).to_be_visible()

"""What a browser loads to show the page: little, and nothing from anywhere but the broker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.brokers import Broker
from tests.browser.tabs import Tabs

pytestmark = pytest.mark.slow

BYTES_MAX = 90_000
"""As they go over the wire, gzipped; `webui/plugins/page_weight.ts` refuses to build more."""
PAGES = ("/", "/jobs", "/dead", "/producer", "/worker", "/state")
READ_LOADED = """() =>
  ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
    .filter(({ initiatorType }) => initiatorType !== "fetch")
    .map(({ name, encodedBodySize }) => ({ name, bytes: encodedBodySize }))"""


def test_every_page_loads_within_the_budget_and_from_its_broker_alone(
    broker: Broker, tabs: Tabs
) -> None:
    for address in PAGES:
        page = tabs.open(broker.url + address)
        page.locator(".badge[data-state=leading]").wait_for()
        loaded: list[dict[str, Any]] = page.evaluate(READ_LOADED)
        assert all(one["name"].startswith(broker.url) for one in loaded), loaded
        assert all(one["bytes"] > 0 for one in loaded), loaded
        assert sum(one["bytes"] for one in loaded) <= BYTES_MAX, loaded

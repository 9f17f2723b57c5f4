"""Every page as people see it: light and dark, at a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.brokers import Broker, run_broker
from tests.browser.conftest import ARTIFACTS
from tests.browser.measures import find_hidden_text, find_violations
from tests.browser.scenes import fill_queue
from tests.browser.tabs import DESKTOP, PHONE, Tabs

pytestmark = pytest.mark.slow

PAGES = {"state": "/state"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with jobs in every status, for tests that change nothing."""
    with run_broker(tmp_path_factory.mktemp("shop")) as broker:
        with broker.client() as client:
            fill_queue(client)
        yield broker


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["1280", "390"])
@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_readable_and_accessible(
    shop: Broker,
    tabs: Tabs,
    name: str,
    size: tuple[int, int],
    theme: Literal["light", "dark"],
) -> None:
    page = tabs.open(shop.url + PAGES[name], theme=theme, size=size)
    settle(page)
    keep(page, f"{name}-{size[0]}-{theme}")
    complaints = find_hidden_text(page) + find_violations(page)
    assert not complaints, "\n".join(complaints)


def settle(page: Page) -> None:
    """Wait until the page is connected and nothing on it is loading."""
    expect(page.locator(".badge[data-state=leading]")).to_be_attached()
    expect(page.get_by_text("loading…")).to_have_count(0)


def keep(page: Page, name: str) -> None:
    """Keep a screenshot."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png")

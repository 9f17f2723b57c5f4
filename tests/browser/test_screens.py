"""Every page as people see it: light and dark, at a desk and on a phone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.brokers import Broker, run_broker
from tests.browser.conftest import ARTIFACTS, ROOT
from tests.browser.measures import find_hidden_text, find_violations
from tests.browser.scenes import DEAD_JOB_ID, SEEN_JOB_ID, fill_queue
from tests.browser.tabs import DESKTOP, PHONE, Tabs

pytestmark = pytest.mark.slow

IMAGES = ROOT / "docs" / "images"
SHOWN = {"jobs-drawer-1280-light": "jobs.png"}
"""What the README shows, written only for UPDATE_SCREENSHOTS=1."""
Theme = Literal["light", "dark"]


def leave(page: Page) -> None:
    """Look at the page as it opens."""


def select_three(page: Page) -> None:
    """Select the first three jobs."""
    for row in range(3):
        page.locator(".job-row input[type=checkbox]").nth(row).click()


def ask_to_delete(page: Page) -> None:
    """Be asked for a confirmation."""
    select_three(page)
    page.get_by_role("region", name="Actions").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def search(page: Page) -> None:
    """Find a job in the document, and unfold it."""
    page.get_by_label("Search the document").fill("ada@")
    page.locator(".hit").click()
    page.get_by_role("button", name='"epoch":1').focus()


def show_keys(page: Page) -> None:
    """Open the sheet of keys."""
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


SCENES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "dashboard": ("/", leave),
    "jobs": ("/jobs", leave),
    "jobs-selected": ("/jobs?status=dead", select_three),
    "jobs-confirmed": ("/jobs?status=dead", ask_to_delete),
    "jobs-drawer": (f"/jobs?status=dead&job={DEAD_JOB_ID}", leave),
    "jobs-none": ("/jobs?type=nobody", leave),
    "job": (f"/jobs/{DEAD_JOB_ID}", leave),
    "job-done": (f"/jobs/{SEEN_JOB_ID}", leave),
    "job-unknown": ("/jobs/nobody", leave),
    "dead": ("/dead", leave),
    "state": ("/state", leave),
    "state-searched": ("/state", search),
    "keys": ("/state", show_keys),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with jobs in every status, for tests that change nothing."""
    with run_broker(tmp_path_factory.mktemp("shop")) as broker:
        with broker.client() as client:
            fill_queue(client)
        yield broker


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["1280", "390"])
@pytest.mark.parametrize("name", SCENES)
def test_page_is_whole_readable_and_accessible(
    shop: Broker, tabs: Tabs, name: str, size: tuple[int, int], theme: Theme
) -> None:
    address, prepare = SCENES[name]
    page = tabs.open(shop.url + address, theme=theme, size=size)
    settle(page)
    prepare(page)
    keep(page, f"{name}-{size[0]}-{theme}")
    complaints = find_hidden_text(page) + find_violations(page)
    assert not complaints, "\n".join(complaints)


def settle(page: Page) -> None:
    """Wait until the page is connected and nothing on it is loading."""
    expect(page.locator(".badge[data-state=leading]")).to_be_attached()
    expect(page.get_by_text("loading…")).to_have_count(0)


def keep(page: Page, name: str) -> None:
    """Keep a screenshot, and put it where the README finds it if that is asked for."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    image = page.screenshot(path=ARTIFACTS / f"{name}.png")
    if name in SHOWN and os.environ.get("UPDATE_SCREENSHOTS") == "1":
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / SHOWN[name]).write_bytes(image)

"""Every page as people see it: light and dark, at a desk and on a phone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.brokers import Broker, run_broker, run_traffic
from tests.browser.conftest import ARTIFACTS, ROOT
from tests.browser.measures import find_hidden_text, find_violations
from tests.browser.scenes import DEAD_JOB_ID, SEEN_JOB_ID, fill_queue
from tests.browser.stations import tile
from tests.browser.tabs import DESKTOP, PHONE, Tabs

pytestmark = pytest.mark.slow

IMAGES = ROOT / "docs" / "images"
SHOWN = {
    "dashboard-busy-1280-light": "dashboard-light.png",
    "dashboard-busy-1280-dark": "dashboard-dark.png",
    "jobs-drawer-1280-light": "jobs.png",
    "producer-submitted-1280-light": "producer.png",
    "worker-working-1280-light": "worker.png",
}
"""What the documents show, written only for UPDATE_SCREENSHOTS=1."""
IS_UPDATING = os.environ.get("UPDATE_SCREENSHOTS") == "1"
DONE_LEAST = 3_500 if IS_UPDATING else 30
"""What a busy shop has done before it is looked at; two minutes of it where that is shown."""
PROGRESS_LEAST = 0.3 if IS_UPDATING else 0.0
"""How far a job has come when it is looked at."""
Theme = Literal["light", "dark"]
OPENED_IN: dict[tuple[int, int], tuple[Theme, Theme]] = {
    DESKTOP: ("light", "dark"),
    PHONE: ("dark", "light"),
}
"""The theme in which a tab of this size is opened, and the one that it is turned to."""
NEXT_FRAME = """() =>
  new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"""
Scene = tuple[str, Callable[[Page], None]]
"""An address, and what is done there before one looks."""


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


def produce(page: Page) -> None:
    """Submit one job, then a burst."""
    page.get_by_role("button", name="Submit one job").click()
    expect(page.get_by_text("commit 1-")).to_have_count(1)
    page.get_by_role("button", name="Burst").click()
    page.get_by_role("button", name="Submit 200 jobs").click()
    expect(page.get_by_text("commit 1-")).to_have_count(2)


def mistype(page: Page) -> None:
    """Leave a comma too many in the payload."""
    page.get_by_label("Payload, JSON").fill('{\n  "order": 48211,\n}')
    expect(page.get_by_label("Payload, JSON")).to_have_attribute("aria-invalid", "true")


def work(page: Page) -> None:
    """Hold jobs for longer than anybody looks."""
    page.get_by_label(re.compile("^Work time")).fill("10000")
    page.get_by_role("button", name="Start working").click()
    expect(page.get_by_role("progressbar")).to_have_count(4)
    page.wait_for_function(
        "least => document.querySelector('progress').value >= least", arg=PROGRESS_LEAST
    )


def see_it_busy(page: Page) -> None:
    """Wait until much has been done, some of it before the eyes of this tab."""
    expect(page.get_by_role("table", name="Activity")).to_be_visible()
    page.wait_for_function(
        "([tile, least]) => Number(tile.textContent.replaceAll(',', '')) >= least",
        arg=[tile(page, "Done").element_handle(), DONE_LEAST],
        timeout=DONE_LEAST * 100,
    )


SCENES: dict[str, Scene] = {
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
    "producer": ("/producer", leave),
    "producer-mistyped": ("/producer", mistype),
    "worker": ("/worker", leave),
    "state": ("/state", leave),
    "state-searched": ("/state", search),
    "keys": ("/state", show_keys),
}

DEEDS: dict[str, Scene] = {
    "producer-submitted": ("/producer", produce),
    "worker-working": ("/worker", work),
}
"""Scenes that change the queue; each has one of its own."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with jobs in every status, for tests that change nothing."""
    with run_broker(tmp_path_factory.mktemp("shop")) as broker:
        with broker.client() as client:
            fill_queue(client)
        yield broker


@pytest.fixture
def own_shop(broker: Broker) -> Broker:
    """The same for one test alone."""
    with broker.client() as client:
        fill_queue(client)
    return broker


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["1280", "390"])
@pytest.mark.parametrize("name", SCENES)
def test_page_is_whole_readable_and_accessible(
    shop: Broker, tabs: Tabs, name: str, size: tuple[int, int]
) -> None:
    look(tabs, shop, SCENES[name], name, size=size)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["1280", "390"])
@pytest.mark.parametrize("name", DEEDS)
def test_page_is_whole_readable_and_accessible_while_it_acts(
    own_shop: Broker, tabs: Tabs, name: str, size: tuple[int, int]
) -> None:
    look(tabs, own_shop, DEEDS[name], name, size=size)


def test_phone_shows_which_page_it_is_on(shop: Broker, tabs: Tabs) -> None:
    page = tabs.open(f"{shop.url}/state", size=PHONE)
    settle(page)
    here = page.get_by_role("link", name="State")
    expect(here).to_have_attribute("aria-current", "page")
    expect(here).to_be_in_viewport(ratio=0.9)
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page.get_by_role("link", name="Dashboard", exact=True)).to_be_in_viewport(ratio=0.9)


@pytest.fixture(scope="module")
def busy_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that writes as often as on a bucket, with jobs that come and go as one looks."""
    settings = {"GROUP_COMMIT_INTERVAL_MS": "100"}
    with run_broker(tmp_path_factory.mktemp("busy"), settings=settings) as broker:
        with broker.client() as client:
            fill_queue(client, waiting=0)
        with run_traffic(broker):
            yield broker


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["1280", "390"])
def test_dashboard_is_whole_readable_and_accessible_on_a_busy_day(
    busy_shop: Broker, tabs: Tabs, size: tuple[int, int]
) -> None:
    look(tabs, busy_shop, ("/", see_it_busy), "dashboard-busy", size=size)


def look(tabs: Tabs, shop: Broker, scene: Scene, name: str, *, size: tuple[int, int]) -> None:
    """Prepare a scene, keep its screenshots, and check what everybody needs of every page.

    In both themes, the second of which it is turned to as it stands.
    """
    address, prepare = scene
    first, second = OPENED_IN[size]
    page = tabs.open(shop.url + address, theme=first, size=size)
    settle(page)
    prepare(page)
    check(page, f"{name}-{size[0]}-{first}")
    page.emulate_media(color_scheme=second)
    page.evaluate(NEXT_FRAME)
    check(page, f"{name}-{size[0]}-{second}")


def check(page: Page, name: str) -> None:
    """Keep a screenshot, and check what can be read and used by whom."""
    keep(page, name)
    complaints = find_hidden_text(page) + find_violations(page)
    assert not complaints, f"{name}: " + "\n".join(complaints)


def settle(page: Page) -> None:
    """Wait until the page is connected and nothing on it is loading."""
    expect(page.locator(".badge[data-state=leading]")).to_be_attached()
    expect(page.get_by_text("loading…")).to_have_count(0)


def keep(page: Page, name: str) -> None:
    """Keep a screenshot, and put it where the README finds it if that is asked for."""
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    image = page.screenshot(path=ARTIFACTS / f"{name}.png")
    if name in SHOWN and IS_UPDATING:
        IMAGES.mkdir(parents=True, exist_ok=True)
        (IMAGES / SHOWN[name]).write_bytes(image)

"""Tabs at their work: one produces, some work, one is watched while its numbers move."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.brokers import Broker
from tests.browser.tabs import Tabs

__all__ = [
    "open_producer",
    "open_worker",
    "read_number",
    "seen_numbers",
    "tile",
    "wait_for_number",
    "watch_numbers",
]

WATCH_NUMBERS = """element => {
  window.seenNumbers = [Number(element.textContent.replace(/[^0-9]/g, ""))];
  new MutationObserver(() => {
    const number = Number(element.textContent.replace(/[^0-9]/g, ""));
    if (number !== window.seenNumbers.at(-1)) window.seenNumbers.push(number);
  }).observe(element, { childList: true, characterData: true, subtree: true });
}"""

READ_NUMBER = """element =>
  element.querySelector("[data-value]")?.dataset.value ?? element.textContent"""


def open_producer(tabs: Tabs, broker: Broker, *, mode: str, field: str, value: int) -> Page:
    """A tab on Producer, its form filled in: `value` jobs at once (`Burst`) or a second (`Steady`).

    Results are kept, so that whatever was submitted can be counted at the end.
    """
    page = tabs.open(f"{broker.url}/producer")
    page.get_by_label("Keep result, min").fill("60")
    page.get_by_role("button", name=mode).click()
    page.get_by_label(field, exact=True).fill(str(value))
    return page


def open_worker(tabs: Tabs, broker: Broker, *, concurrency: int, work_ms: int) -> Page:
    """A tab on Worker that has been started, and fails no job."""
    page = tabs.open(f"{broker.url}/worker")
    page.get_by_label(re.compile("^At the same time")).fill(str(concurrency))
    page.get_by_label(re.compile("^Work time")).fill(str(work_ms))
    page.get_by_label(re.compile("^Failures")).fill("0")
    page.get_by_role("button", name="Start working").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    return page


def tile(page: Page, name: str) -> Locator:
    """One of the large numbers of the dashboard."""
    return page.get_by_role("link", name=re.compile(f"^{name}")).locator(".tile-count")


def read_number(page: Page, name: str) -> int:
    """A figure of Producer or Worker, by the word above it; not what it shows on its way there."""
    return int(number_of(page, name).evaluate(READ_NUMBER).replace(",", ""))


def wait_for_number(page: Page, name: str, least: int) -> None:
    """Wait until a figure of Producer or Worker is at least this.

    Raises:
        TimeoutError: Playwright's; it stayed below for as long as a tab is given.
    """
    number = number_of(page, name).element_handle()
    page.wait_for_function(
        "([element, least]) => Number(element.textContent.replaceAll(',', '')) >= least",
        arg=[number, least],
    )


def number_of(page: Page, name: str) -> Locator:
    """The element of such a figure."""
    return page.locator(".numbers div", has=page.get_by_text(name, exact=True)).locator("dd")


def watch_numbers(number: Locator) -> None:
    """Note within the tab every number that stands there from now on; a reload would forget it."""
    number.evaluate(WATCH_NUMBERS)


def seen_numbers(page: Page) -> list[int]:
    """What the watched number of this tab was, one after the other."""
    return page.evaluate("window.seenNumbers")

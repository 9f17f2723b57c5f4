"""The frame around the pages: where focus goes, what is said, addresses that lead nowhere."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.brokers import Broker
from tests.browser.scenes import fill_queue
from tests.browser.tabs import PHONE, Tabs

pytestmark = pytest.mark.slow


def test_page_that_a_key_leads_to_is_said_and_has_the_focus(broker: Broker, tabs: Tabs) -> None:
    page = tabs.open(broker.url)
    content = page.locator("#content")
    page.get_by_role("link", name="Dashboard", exact=True).focus()
    page.keyboard.press("g")
    page.keyboard.press("x")
    expect(page.get_by_role("heading", name="Dead letters")).to_be_visible()
    expect(content).to_be_focused()
    expect(page.locator("[aria-live=polite].spoken")).to_have_text("Dead")
    # Who steps through the links of the bar stays there.
    page.get_by_role("link", name="Producer", exact=True).press("Enter")
    expect(page.get_by_label("Payload, JSON")).to_be_visible()
    expect(page.get_by_role("link", name="Producer", exact=True)).to_be_focused()
    page.go_back()
    expect(content).to_be_focused()


def test_address_that_leads_nowhere_shows_where_to_go(broker: Broker, tabs: Tabs) -> None:
    tabs.expect("status of 404")
    page = tabs.open(f"{broker.url}/nonsense")
    expect(page.get_by_text("There is no such page")).to_be_visible()
    page.locator("main").get_by_role("link", name="dashboard").click()
    expect(page.get_by_role("region", name="Throughput")).to_be_visible()
    page.goto(f"{broker.url}/jobs/%zz")
    expect(page.get_by_role("link", name="Look for it in all jobs")).to_be_visible()
    page.goto(f"{broker.url}/jobs/?status=dead")
    expect(page).to_have_url(f"{broker.url}/jobs?status=dead")
    expect(page.get_by_text("No job is dead")).to_be_visible()


def test_back_leads_to_where_one_was_in_a_long_list(broker: Broker, tabs: Tabs) -> None:
    with broker.client() as client:
        fill_queue(client)
    page = tabs.open(f"{broker.url}/dead", size=(390, 300))
    page.locator(".group").nth(2).get_by_role("link").scroll_into_view_if_needed()
    left = page.evaluate("scrollY")
    assert left > 100, "there is something to scroll"
    page.locator(".group").nth(2).get_by_role("link").click()
    expect(page.locator(".job-row").first).to_be_visible()
    page.go_back()
    page.wait_for_function("left => scrollY === left", arg=left)

    page = tabs.open(f"{broker.url}/jobs", size=PHONE)
    rows = page.locator(".job-rows")
    expect(page.locator(".job-row").first).to_be_visible()
    rows.evaluate("rows => rows.scrollTo(0, 2000)")
    page.locator(".job-row[aria-rowindex='42']").get_by_text("waiting").click()
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    page.go_back()
    expect(page.locator(".job-row").first).to_be_visible()
    page.wait_for_function("document.querySelector('.job-rows').scrollTop === 2000")

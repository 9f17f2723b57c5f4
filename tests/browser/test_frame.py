"""The frame around the pages: where focus goes, what is said, addresses that lead nowhere."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.brokers import Broker
from tests.browser.tabs import Tabs

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
    page.goto(f"{broker.url}/jobs/?status=dead")
    expect(page).to_have_url(f"{broker.url}/jobs?status=dead")
    expect(page.get_by_text("No job is dead")).to_be_visible()

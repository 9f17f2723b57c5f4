"""Dead letters: grouped by what they died of, and redriven one, some or all."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.brokers import Broker
from tests.browser.scenes import fill_queue
from tests.browser.tabs import Tabs

pytestmark = pytest.mark.slow


@pytest.fixture
def page(broker: Broker, tabs: Tabs) -> Page:
    """The page Dead, with seven dead jobs in three groups."""
    with broker.client() as client:
        fill_queue(client)
    return tabs.open(f"{broker.url}/dead")


def test_one_job_is_redriven_from_the_list_of_its_group(page: Page) -> None:
    expect(page.locator(".group")).to_have_count(3)
    page.get_by_role("link", name=re.compile("Open the jobs of thumbnail:make")).click()
    rows = page.locator(".job-row")
    expect(rows).to_have_count(2)
    rows.first.click()
    page.get_by_role("complementary").get_by_role("button", name="Retry").click()
    expect(rows.first).to_contain_text("waiting")
    expect(page.get_by_role("link", name=re.compile("^Dead"))).to_contain_text("6")


def test_group_is_redriven_and_keeps_its_place(page: Page) -> None:
    page.get_by_role("button", name=re.compile("Redrive email:send")).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Redrive 4 jobs of type email:send?")
    dialog.get_by_role("button", name="Redrive 4 jobs").click()
    expect(page.locator(".notice")).to_contain_text("Redrove 4 jobs · commit 1-")
    expect(page.locator(".group-count").first).to_have_text("0")
    expect(page.get_by_text("3 jobs in 2 groups")).to_be_visible()


def test_some_groups_are_redriven(page: Page) -> None:
    page.get_by_label(re.compile("Select invoice:render")).check()
    page.get_by_label(re.compile("Select thumbnail:make")).check()
    page.get_by_role("button", name="Redrive 3 jobs").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Redrive 3 jobs of 2 types?")
    dialog.get_by_role("button", name="Redrive 3 jobs").click()
    expect(page.get_by_text("4 jobs in 1 group")).to_be_visible()


def test_all_are_redriven(page: Page) -> None:
    page.get_by_role("button", name="Redrive all").click()
    page.get_by_role("button", name="Redrive 7 jobs").click()
    expect(page.locator(".notice")).to_contain_text("Redrove 7 jobs")
    expect(page.get_by_role("link", name="Dead", exact=True)).to_be_visible()


def test_empty_page_teaches(broker: Broker, tabs: Tabs) -> None:
    page = tabs.open(f"{broker.url}/dead")
    expect(page.get_by_text("No dead letters")).to_be_visible()

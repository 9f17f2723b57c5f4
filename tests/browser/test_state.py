"""State: the document as committed, explained, folded and searchable, whatever its size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.brokers import Broker, run_broker
from tests.browser.scenes import submit_numbered
from tests.browser.tabs import Tabs

pytestmark = pytest.mark.slow

MANY_JOBS = 20_000
ELEMENTS_MAX = 2_500


def test_header_says_what_its_fields_mean_when_they_are_pointed_at_or_focused(
    broker: Broker, tabs: Tabs
) -> None:
    page = tabs.open(f"{broker.url}/state")
    meaning = page.locator("#header-meaning")
    expect(meaning).to_contain_text("Point at a field")
    page.get_by_role("button", name='"epoch":1').hover()
    expect(meaning).to_contain_text("The leader's term")
    page.get_by_role("button", name='"paused":false').focus()
    expect(meaning).to_contain_text("Whether claims get nothing")


def test_search_leads_to_the_job_and_newer_commits_wait_to_be_shown(
    broker: Broker, tabs: Tabs
) -> None:
    with broker.client() as client:
        client.submit({"to": "ada@example.org"}, type="email:send", job_id="receipt-1")
        page = tabs.open(f"{broker.url}/state")
        page.get_by_label("Search the document").fill("ada@example")
        hit = page.get_by_role("button", name=re.compile("ada@example"))
        expect(hit).to_have_count(1)
        hit.click()
        expect(page.locator(".item[data-sought=true] pre")).to_contain_text('"receipt-1"')

        client.submit({}, job_id="receipt-2")
        newer = page.get_by_role("button", name=re.compile("newer commit"))
        expect(newer).to_be_visible()
        expect(page.get_by_text("receipt-2")).to_have_count(0)
        newer.click()
        expect(page.get_by_text("receipt-2")).to_have_count(1)


def test_large_document_leaves_the_tab_awake(tmp_path: Path, tabs: Tabs) -> None:
    with run_broker(tmp_path, settings={"STORAGE_BACKEND": "memory"}) as broker:
        with broker.client() as client:
            submit_numbered(client, MANY_JOBS)
        page = tabs.open(f"{broker.url}/state")
        expect(page.locator(".section", has_text="jobs").last).to_contain_text("lines")
        page.get_by_label("Search the document").fill(f'"number":{MANY_JOBS - 1}')
        page.get_by_role("button", name=re.compile(str(MANY_JOBS - 1))).click()
        expect(page.locator(".item[data-sought=true] pre")).to_contain_text(str(MANY_JOBS - 1))
        assert page.evaluate("document.querySelectorAll('*').length") < ELEMENTS_MAX

"""A tab that works, beyond the demo: what it gives back, finishes, and lets go of."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.brokers import Broker, run_broker
from tests.browser.stations import open_worker, read_number, wait_for_number
from tests.browser.tabs import Tabs

pytestmark = pytest.mark.slow

LONG = {"LEASE_MS": "60000"}
"""Longer than any of these tests: what comes back was given back, it has not run out."""


def test_tab_that_is_left_gives_its_jobs_back_and_spends_no_attempt(
    tmp_path: Path, tabs: Tabs
) -> None:
    with run_broker(tmp_path, settings=LONG) as broker, broker.client() as client:
        client.submit({}, job_id="held")
        page = open_worker(tabs, broker, concurrency=2, work_ms=10_000)
        expect(page.get_by_role("progressbar")).to_have_count(1)
        page.goto("about:blank")
        [job] = client.claim("another", wait_ms=10_000)
        assert job.job_id == "held"
        # As many are left as there were before: of three the first had been begun.
        assert job.max_attempts - job.attempt == 2


def test_stopped_tab_finishes_what_it_holds_and_claims_no_more(broker: Broker, tabs: Tabs) -> None:
    with broker.client() as client:
        client.submit({}, job_id="held")
        page = open_worker(tabs, broker, concurrency=1, work_ms=2_000)
        expect(page.get_by_role("progressbar")).to_have_count(1)
        page.get_by_role("button", name="Stop").click()
        client.submit({}, job_id="later")
        wait_for_number(page, "Completed", 1)
        expect(page.get_by_text("Not working")).to_be_visible()
        [job] = client.claim("another")
        assert job.job_id == "later"
        assert read_number(page, "Lost") == 0


def test_job_that_is_cancelled_leaves_the_tab(broker: Broker, tabs: Tabs) -> None:
    with broker.client() as client:
        client.submit({}, job_id="unwanted")
        page = open_worker(tabs, broker, concurrency=1, work_ms=10_000)
        expect(page.get_by_role("progressbar")).to_have_count(1)
        client.cancel("unwanted")
        expect(page.get_by_role("progressbar")).to_have_count(0)
        wait_for_number(page, "Given back", 1)
        assert [job.status for job in client.iterate_jobs()] == []

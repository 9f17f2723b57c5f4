"""The first minute: one tab submits, two work, and the fourth shows it as it happens."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.brokers import Broker
from tests.browser.stations import (
    open_producer,
    open_worker,
    read_number,
    seen_numbers,
    tile,
    watch_numbers,
)
from tests.browser.tabs import Tabs

pytestmark = pytest.mark.slow

JOBS = 200


def test_burst_of_one_tab_is_worked_off_by_two_others_and_seen_live_in_a_fourth(
    broker: Broker, tabs: Tabs
) -> None:
    dashboard = tabs.open(f"{broker.url}/")
    expect(tile(dashboard, "Done")).to_have_text("0")
    watch_numbers(tile(dashboard, "Done"))
    workers = [open_worker(tabs, broker, concurrency=5, work_ms=150) for _ in range(2)]
    expect(dashboard.get_by_text("waits for jobs")).to_have_count(2)

    producer = open_producer(tabs, broker, mode="Burst", field="Jobs", value=JOBS)
    producer.get_by_role("button", name=f"Submit {JOBS} jobs").click()
    expect(producer.locator(".submissions li")).to_contain_text(f"and {JOBS - 1} more")
    expect(producer.locator(".submissions li")).to_contain_text(re.compile("commit 1-"))

    expect(tile(dashboard, "Running")).not_to_have_text("0")
    expect(tile(dashboard, "Done")).to_have_text(str(JOBS))
    expect(tile(dashboard, "Waiting")).to_have_text("0")
    expect(tile(dashboard, "Running")).to_have_text("0")
    seen = seen_numbers(dashboard)
    assert seen == sorted(seen), "the count of done jobs went back"
    assert len(seen) > 10, f"the dashboard jumped instead of counting: {seen}"
    expect(dashboard.get_by_role("table", name="Activity")).to_contain_text("completed")

    completed = [read_number(page, "Completed") for page in workers]
    assert sum(completed) == JOBS
    assert min(completed) > 0, completed
    assert [read_number(page, "Lost") for page in workers] == [0, 0]
    with broker.client() as client:
        jobs = list(client.iterate_jobs())
        assert client.stats().completed_total == JOBS
    assert len({job.id for job in jobs}) == JOBS
    assert {job.status for job in jobs} == {"completed"}

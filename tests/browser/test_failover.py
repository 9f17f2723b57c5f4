"""The leader is killed, and the tabs go on with the broker that takes over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.brokers import Broker, run_broker, run_pair
from tests.browser.stations import (
    open_producer,
    open_worker,
    read_number,
    seen_numbers,
    tile,
    wait_for_number,
    watch_numbers,
)
from tests.browser.tabs import Tabs

pytestmark = pytest.mark.slow

GONE = r"WebSocket connection to '.*' failed"
"""What the browser itself says of a broker that does not answer."""


def test_tabs_go_on_by_themselves_when_the_leader_is_killed(tmp_path: Path, tabs: Tabs) -> None:
    tabs.expect(GONE)
    with run_pair(tmp_path) as (leader, standby):
        with leader.client() as client:
            client.submit({}, job_id="before")
        page = tabs.open(f"{leader.url}/jobs")
        badge = page.locator(".badge")
        expect(badge).to_contain_text(f"leader {leader.address} · epoch 1")
        expect(page.locator(".job-row")).to_have_count(1)

        leader.kill()
        expect(page.get_by_text("Connection lost")).to_be_visible()
        expect(badge).to_contain_text(f"leader {standby.address} · epoch 2")
        expect(page.get_by_text("Connection lost")).to_have_count(0)

        with standby.client() as client:
            client.submit({}, job_id="after")
        page.get_by_role("button", name=re.compile("Show")).click()
        expect(page.locator(".job-row")).to_have_count(2)
        page.get_by_label("Select job before").click()
        page.get_by_role("region", name="Actions").get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Delete 1 job").click()
        expect(page.get_by_role("region", name="Actions")).to_contain_text("Deleted 1 job")


def test_what_is_old_turns_grey_and_tells_its_age(tmp_path: Path, tabs: Tabs) -> None:
    tabs.expect(GONE)
    with run_broker(tmp_path) as broker:
        page = tabs.open(broker.url)
        workers = page.get_by_role("region", name="Workers")
        expect(workers).to_contain_text("No workers yet")
        expect(workers).to_have_css("filter", "none")
        broker.kill()
        expect(page.get_by_text(re.compile(r"What you see is [\d.]+ s old"))).to_be_visible()
        expect(workers).to_have_css("filter", "grayscale(1)")
        expect(tile(page, "Waiting")).to_have_attribute("data-stale", "true")


def test_leader_that_hangs_is_shown_as_silent_until_it_answers(broker: Broker, tabs: Tabs) -> None:
    page = tabs.open(broker.url)
    badge = page.locator(".badge")
    expect(badge).to_contain_text("leader")
    broker.hang()
    # Before it is given up, so within ten seconds; on an idle queue, where silence is usual.
    expect(badge).to_contain_text(re.compile(rf"{broker.address} silent for [\d.]+ s"))
    expect(page.get_by_text("The leader does not answer.")).to_be_visible()
    expect(tile(page, "Waiting")).to_have_attribute("data-stale", "true")
    broker.go_on()
    expect(badge).to_contain_text(f"leader {broker.address}")
    expect(tile(page, "Waiting")).to_have_attribute("data-stale", "false")


def test_producer_workers_and_dashboard_go_on_and_nothing_is_lost(
    tmp_path: Path, tabs: Tabs
) -> None:
    tabs.expect(GONE)
    with run_pair(tmp_path) as (leader, standby):
        dashboard = tabs.open(f"{leader.url}/")
        expect(tile(dashboard, "Done")).to_have_text("0")
        watch_numbers(tile(dashboard, "Done"))
        workers = [open_worker(tabs, leader, concurrency=5, work_ms=200) for _ in range(2)]
        producer = open_producer(tabs, leader, mode="Steady", field="Jobs a second", value=20)
        producer.get_by_role("button", name="Start").click()
        for page in workers:
            wait_for_number(page, "Completed", 10)
        before = [read_number(page, "Completed") for page in workers]
        submitted = read_number(producer, "Submitted")

        leader.kill()
        for page in (dashboard, producer, *workers):
            expect(page.locator(".badge")).to_contain_text(f"leader {standby.address} · epoch 2")
        for page, count in zip(workers, before, strict=True):
            wait_for_number(page, "Completed", count + 20)
        wait_for_number(producer, "Submitted", submitted + 60)
        producer.get_by_role("button", name=re.compile("^Stop")).click()

        submitted = settled_count(producer)
        expect(tile(dashboard, "Done")).to_have_text(f"{submitted:,}")
        seen = seen_numbers(dashboard)
        assert seen == sorted(seen), "the count of done jobs went back"
        # Each took its part on both sides; every job was done once, by one of them.
        completed = [read_number(page, "Completed") for page in workers]
        assert sum(completed) == submitted, [page.inner_text("main") for page in workers]
        assert [read_number(page, "Lost") for page in workers] == [0, 0]
        check_everything_is_done(standby, submitted)


def settled_count(producer: Page) -> int:
    """How many jobs the tab has submitted, once all of its submits are answered; none failed."""
    expect(producer.get_by_text("committing…")).to_have_count(0)
    assert read_number(producer, "Failed") == 0, producer.inner_text("main")
    return read_number(producer, "Submitted")


def check_everything_is_done(broker: Broker, submitted: int) -> None:
    """Check that the queue holds as many jobs as were acknowledged, each done in one attempt."""
    with broker.client() as client:
        jobs = list(client.iterate_jobs())
        assert client.stats().completed_total == submitted
    assert len(jobs) == submitted
    assert {(job.status, job.attempts) for job in jobs} == {("completed", 1)}

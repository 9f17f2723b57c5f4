"""A tab that works while its timers are held back, as browsers do to tabs that nobody sees."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from osqueue.client.requests import NewJob
from tests.browser.brokers import Broker
from tests.browser.stations import read_number
from tests.browser.tabs import Tabs

pytestmark = pytest.mark.slow

JOBS = 4
HOLD_TIMERS_BACK = """() => {
  const soon = window.setTimeout.bind(window);
  window.setInterval = () => 0;
  window.setTimeout = (act, ms, ...rest) => (ms >= 100 ? 0 : soon(act, ms, ...rest));
}"""
"""Harder than a browser does, which wakes them once a minute. A thread has timers of its own."""


def test_worker_whose_page_is_held_back_keeps_its_leases(broker: Broker, tabs: Tabs) -> None:
    page = tabs.open("about:blank")
    page.add_init_script(f"({HOLD_TIMERS_BACK})()")
    page.goto(f"{broker.url}/worker")
    # Each takes 4.5 to 13.5 s, and the lease of this broker is 5 s.
    page.get_by_label(re.compile("^Work time")).fill("9000")
    page.get_by_label(re.compile("^Failures")).fill("0")
    page.get_by_role("button", name="Start working").click()
    with broker.client() as client:
        client.submit_many(NewJob(payload={"number": number}) for number in range(JOBS))
    expect(page.get_by_role("progressbar")).to_have_count(JOBS)
    expect(page.locator(".numbers")).to_contain_text(f"Completed{JOBS}")
    assert (read_number(page, "Claimed"), read_number(page, "Lost")) == (JOBS, 0)

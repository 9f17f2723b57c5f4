"""The leader is killed, and the tabs go on with the broker that takes over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.brokers import run_pair
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

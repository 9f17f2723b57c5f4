"""A browser, its tabs, and brokers to point them at.

Playwright's synchronous interface runs an event loop of its own under the tests, so these tests are
plain functions. A tab whose console reports an error fails its test, whatever the test looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.brokers import Broker, run_broker
from tests.browser.chromium import CHROMIUM_FLAGS, NoChromium, find_chromium
from tests.browser.tabs import Tabs

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "build" / "browser"
INDEX = ROOT / "osqueue" / "server" / "static" / "index.html"


@pytest.fixture(scope="package")
def built_page() -> None:
    """The page as `make page` leaves it; the tests drive what the wheel would carry."""
    if not INDEX.exists():
        pytest.exit("The page is not built: run `make page` (or `make test`, which does)", 2)


@pytest.fixture(scope="package")
def browser(built_page: None) -> Iterator[Browser]:
    """One Chromium for all tests; each test has contexts of its own."""
    with sync_playwright() as playwright:
        try:
            path = find_chromium(playwright.chromium.executable_path, is_root=os.geteuid() == 0)
        except NoChromium as reason:
            pytest.exit(str(reason), 2)
        browser = playwright.chromium.launch(
            executable_path=path,
            args=list(CHROMIUM_FLAGS),
            # The sandbox refuses to run as root.
            chromium_sandbox=os.geteuid() != 0,
        )
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def tabs(browser: Browser) -> Iterator[Tabs]:
    """Opens tabs; at the end of the test no console may have reported an error."""
    with Tabs(browser) as tabs:
        yield tabs
        tabs.check_consoles()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A leader on an empty file store."""
    with run_broker(tmp_path) as broker:
        yield broker

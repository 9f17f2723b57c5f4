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
CHROMIUM = pytest.StashKey[str]()
"""Where this run's browser is."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find what these tests need before the first of all: a wait for apt-get is no test that hangs.

    Nothing is found for a run that has none of them.
    """
    if not any("browser" in getattr(item, "fixturenames", ()) for item in session.items):
        return
    if not INDEX.exists():
        pytest.exit("The page is not built: run `make page` (or `make test`, which does)", 2)
    with sync_playwright() as playwright:
        bundled = playwright.chromium.executable_path
    try:
        session.stash[CHROMIUM] = find_chromium(bundled, is_root=os.geteuid() == 0)
    except NoChromium as reason:
        pytest.exit(str(reason), 2)


@pytest.fixture(scope="package")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """One Chromium for all tests; each test has contexts of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=request.session.stash[CHROMIUM],
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

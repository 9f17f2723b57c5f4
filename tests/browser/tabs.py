"""Tabs of the browser whose consoles are watched."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Literal, Self

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, WebError, expect

__all__ = ["DESKTOP", "PHONE", "Tabs"]

DESKTOP = (1280, 800)
PHONE = (390, 844)
PATIENCE_MS = 15_000
"""How long a tab may take for what is expected of it, on a machine that has much to do."""

expect.set_options(timeout=PATIENCE_MS)


class Tabs:
    """Opens tabs, each in a context of its own, and collects what their consoles complain about."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._complaints: list[str] = []
        self._expected: list[re.Pattern[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for context in self._contexts:
            context.close()

    def open(
        self,
        url: str,
        *,
        theme: Literal["light", "dark"] = "light",
        size: tuple[int, int] = DESKTOP,
    ) -> Page:
        """A tab at `url`; 390 pixels wide it is a phone, with touch."""
        width, height = size
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            has_touch=size == PHONE,
            is_mobile=size == PHONE,
            reduced_motion="reduce",
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", self._hear)
        context.on("weberror", self._hear_error)
        page = context.new_page()
        page.goto(url)
        return page

    def expect(self, pattern: str) -> None:
        """Let the consoles say this: what the browser reports by itself when a broker is gone."""
        self._expected.append(re.compile(pattern))

    def check_consoles(self) -> None:
        """Check that no console reported an error or a warning.

        Raises:
            AssertionError: one did; with all that they said.
        """
        complaints = [
            complaint
            for complaint in self._complaints
            if not any(pattern.search(complaint) for pattern in self._expected)
        ]
        assert not complaints, "\n".join(complaints)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self._complaints.append(f"{message.location['url']}: {message.type}: {message.text}")

    def _hear_error(self, error: WebError) -> None:
        self._complaints.append(f"uncaught: {error.error}")

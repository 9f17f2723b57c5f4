"""Failures in a row, and which of them to tell: an outage is some lines in a log, not a flood."""

from __future__ import annotations

__all__ = ["Trouble"]

TOLD_EVERY_MS = 30_000


class Trouble:
    """What keeps one kind of call from succeeding, from its first failure to its next success."""

    def __init__(self) -> None:
        self.failures_count = 0
        """In a row, up to now."""
        self.kind = ""
        """Of the last failure; empty after a success."""
        self._told_ms = 0
        self._failed_ms = 0

    def is_news(self, kind: str, steady_ms: int) -> bool:
        """Note a failure, and whether to tell it: the first of its kind, and one each 30 s."""
        self.failures_count += 1
        self._failed_ms = steady_ms
        if kind == self.kind and steady_ms < self._told_ms + TOLD_EVERY_MS:
            return False
        self.kind, self._told_ms = kind, steady_ms
        return True

    def lasts(self, steady_ms: int) -> bool:
        """Whether it is more than one failure, and goes on. Calls that nobody makes do not fail."""
        return self.failures_count > 1 and steady_ms <= self._failed_ms + TOLD_EVERY_MS

    def end(self) -> int:
        """Note a success. Returns the failures in a row that it ends."""
        ended, self.failures_count, self.kind = self.failures_count, 0, ""
        return ended

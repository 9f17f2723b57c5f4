"""Failures in a row, and which of them to tell: an outage is some lines in a log, not a flood."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EndedTrouble", "Trouble"]

TOLD_EVERY_MS = 30_000
_STALL_MS_MIN = 1_000
"""From here on callers have felt it, though it was one failure."""


class EndedTrouble(NamedTuple):
    """Failures in a row that a success has ended."""

    failures_count: int
    lasted_ms: int
    """From the beginning of the first call that failed."""

    @property
    def is_news(self) -> bool:
        """Whether to tell that it is over: not so of one call that failed at once."""
        return self.failures_count > 1 or self.lasted_ms >= _STALL_MS_MIN


class Trouble:
    """What keeps one kind of call from succeeding, from its first failure to its next success."""

    def __init__(self) -> None:
        self.failures_count = 0
        """In a row, up to now."""
        self.kind = ""
        """Of the last failure; empty after a success."""
        self._told_ms = 0
        self._failed_ms = 0
        self._began_ms = 0

    def is_news(self, kind: str, steady_ms: int, *, began_ms: int | None = None) -> bool:
        """Note a failure, and whether to tell it: the first of its kind, and one each 30 s.

        `began_ms` is when the call began that failed; None: now.
        """
        if not self.failures_count:
            self._began_ms = steady_ms if began_ms is None else began_ms
        self.failures_count += 1
        self._failed_ms = steady_ms
        if kind == self.kind and steady_ms < self._told_ms + TOLD_EVERY_MS:
            return False
        self.kind, self._told_ms = kind, steady_ms
        return True

    def lasts(self, steady_ms: int) -> bool:
        """Whether it is more than one failure, and goes on. Calls that nobody makes do not fail."""
        return self.failures_count > 1 and steady_ms <= self._failed_ms + TOLD_EVERY_MS

    def end(self, steady_ms: int) -> EndedTrouble:
        """Note a success. Returns what it ends, which may be nothing."""
        lasted_ms = steady_ms - self._began_ms if self.failures_count else 0
        ended = EndedTrouble(self.failures_count, lasted_ms)
        self.failures_count, self.kind = 0, ""
        return ended

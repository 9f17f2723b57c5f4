"""How far apart writes are kept: by the minimum interval, by what the store bears, by a budget.

The interval and the budget hold back batches only: a heartbeat, a takeover and a release never ask
them, and a heartbeat carries whatever waits. The gap holds back every attempt of a term, for a
store that refuses two writes of one object within it.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["WriteBudget", "WriteSpacing"]


class WriteBudget(Protocol):
    """Bounds how many writes are made. Whoever carries a write out counts it there."""

    def next_write_ms(self, now_ms: int, steady_ms: int) -> int:
        """The steady time from which a batch may be written; `steady_ms` or earlier: now."""
        ...

    def write_held(self, steady_ms: int) -> None:
        """Something waits for the write that `next_write_ms` holds back."""
        ...


class WriteSpacing:
    """When the writes of one broker process may start. All times are steady ones, in ms."""

    def __init__(
        self, *, interval_ms: int = 0, gap_ms: int = 0, budget: WriteBudget | None = None
    ) -> None:
        """`interval_ms` is the shortest time between the starts of two writes that carry
        mutations, `gap_ms` that between any two attempts."""
        self._interval_ms = interval_ms
        self._gap_ms = gap_ms
        self._budget = budget
        self.free_ms: int | None = None
        """From when on the store bears another attempt; None before the first."""

    def attempted(self, steady_ms: int) -> None:
        """An attempt to write begins."""
        self.free_ms = steady_ms + self._gap_ms

    def is_free(self, steady_ms: int) -> bool:
        """Whether the store bears an attempt now."""
        return self.free_ms is None or steady_ms >= self.free_ms

    def batch_ms(self, written_ms: int, *, now_ms: int, steady_ms: int) -> int:
        """From when on a batch may be written whose predecessor was formed at `written_ms`."""
        earliest_ms = max(written_ms + self._interval_ms, self.free_ms or written_ms)
        if self._budget is None:
            return earliest_ms
        return max(earliest_ms, self._budget.next_write_ms(now_ms, steady_ms))

    def held(self, *, now_ms: int, steady_ms: int) -> None:
        """Something waits for its batch: the budget counts that where it is the one that holds."""
        budget = self._budget
        if budget is not None and budget.next_write_ms(now_ms, steady_ms) > steady_ms:
            budget.write_held(steady_ms)

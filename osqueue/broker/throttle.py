"""What a broker asks of the throttle before its store, which is made by `osqueue.cli`."""

from __future__ import annotations

from typing import Protocol

from osqueue.core.writes.write_spacing import WriteBudget

__all__ = ["StoreThrottle", "ThrottleCounts"]


class ThrottleCounts(Protocol):
    """What a throttle did since its process was started."""

    @property
    def total_reads(self) -> int: ...

    @property
    def total_writes(self) -> int: ...

    @property
    def throttled_reads(self) -> int: ...

    @property
    def throttled_writes(self) -> int: ...

    @property
    def total_read_delay_ms(self) -> int: ...

    @property
    def total_write_delay_ms(self) -> int: ...

    @property
    def daily_write_count(self) -> int: ...

    @property
    def daily_budget_exceeded(self) -> bool: ...


class StoreThrottle(WriteBudget, Protocol):
    """Bounds the writes of a broker, and says what it did."""

    def statistics(self, now_ms: int) -> ThrottleCounts:
        """What it did until now (wall clock, ms)."""
        ...

"""A store whose reads and writes keep to a budget, and the budget that decides.

`Throttle` decides and counts; times come as arguments. `ThrottledStore` is the thin shell around
any store: a read waits for its turn, a write is only counted. Whoever writes asks `next_write_ms`
before it makes up what to write, so that what gathers meanwhile shares one write; the writes that
keep a broker in the lead do not ask, but they count.

The budgets are those of one process since its start: they start anew with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import trio

from storage_adapters.contract import Condition, ObjectStore, StoredObject, Unchanged, Version

__all__ = ["Throttle", "ThrottleStatistics", "ThrottledStore"]

MINUTE_MS = 60_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class ThrottleStatistics:
    """What a throttle did since its process was started."""

    total_reads: int
    total_writes: int
    throttled_reads: int
    """Reads that had to wait."""
    throttled_writes: int
    """Writes that something waited for because the budget held them back."""
    total_read_delay_ms: int
    total_write_delay_ms: int
    daily_write_count: int
    """Writes of the present UTC day."""
    daily_budget_exceeded: bool
    """The writes of the day are used up; always false where no daily budget is set."""


class TokenBucket:
    """So many tokens a minute; unused ones are kept, at most a minute's worth.

    All in whole numbers: a token is `MINUTE_MS` parts, and every millisecond brings one part for
    each token a minute. Tokens may be taken before they are there; that debt is paid off first.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._parts_max = per_minute * MINUTE_MS
        self._parts = self._parts_max
        self._at_ms: int | None = None

    def ready_ms(self, steady_ms: int) -> int:
        """From when on a token is there; now, where one is there now."""
        self._refill(steady_ms)
        missing_parts = MINUTE_MS - self._parts
        return steady_ms + max(0, -(-missing_parts // self._per_minute))

    def take(self, steady_ms: int) -> None:
        """Take a token, there or not."""
        self._refill(steady_ms)
        self._parts -= MINUTE_MS

    def _refill(self, steady_ms: int) -> None:
        elapsed_ms = 0 if self._at_ms is None else max(0, steady_ms - self._at_ms)
        self._at_ms = steady_ms
        self._parts = min(self._parts_max, self._parts + elapsed_ms * self._per_minute)


class Throttle:
    """Decides when a store may be read and written. `now_ms` is the wall clock, which tells the
    day; `steady_ms` never goes back."""

    def __init__(
        self,
        *,
        reads_per_minute: int = 0,
        writes_per_minute: int = 0,
        writes_per_day: int = 0,
    ) -> None:
        """A budget of 0 is none.

        Writes within the day's budget do not touch the minute's. Those beyond it keep to the
        minute's; where that is none, they wait for the next day.
        """
        self._reads = TokenBucket(reads_per_minute) if reads_per_minute else None
        self._writes = TokenBucket(writes_per_minute) if writes_per_minute else None
        self._writes_per_day = writes_per_day
        self._day = 0
        self._day_writes = 0
        self._total_reads = 0
        self._total_writes = 0
        self._throttled_reads = 0
        self._throttled_writes = 0
        self._read_delay_ms = 0
        self._write_delay_ms = 0
        self._held_since_ms: int | None = None

    def next_write_ms(self, now_ms: int, steady_ms: int) -> int:
        """The steady time from which a write may be made: `steady_ms` or earlier means now."""
        self._begin_day(now_ms)
        if self._day_writes < self._writes_per_day:
            return steady_ms
        ready_ms = steady_ms if self._writes is None else self._writes.ready_ms(steady_ms)
        if not self._writes_per_day:
            return ready_ms
        midnight_ms = steady_ms + (self._day + 1) * DAY_MS - now_ms
        return midnight_ms if self._writes is None else min(ready_ms, midnight_ms)

    def write_held(self, steady_ms: int) -> None:
        """Something waits for the next write, which `next_write_ms` holds back."""
        if self._held_since_ms is None:
            self._held_since_ms = steady_ms

    def write_begins(self, now_ms: int, steady_ms: int) -> None:
        """A write is made, whether it asked or not."""
        self._begin_day(now_ms)
        if self._day_writes >= self._writes_per_day and self._writes is not None:
            self._writes.take(steady_ms)
        self._day_writes += 1
        self._total_writes += 1
        if self._held_since_ms is not None:
            self._throttled_writes += 1
            self._write_delay_ms += steady_ms - self._held_since_ms
            self._held_since_ms = None

    def read_begins(self, steady_ms: int) -> int:
        """A read is to be made. Returns how long it must wait first, in ms; its turn is kept."""
        self._total_reads += 1
        if self._reads is None:
            return 0
        delay_ms = self._reads.ready_ms(steady_ms) - steady_ms
        self._reads.take(steady_ms)
        if delay_ms:
            self._throttled_reads += 1
            self._read_delay_ms += delay_ms
        return delay_ms

    def statistics(self, now_ms: int) -> ThrottleStatistics:
        """What it did until now."""
        self._begin_day(now_ms)
        return ThrottleStatistics(
            total_reads=self._total_reads,
            total_writes=self._total_writes,
            throttled_reads=self._throttled_reads,
            throttled_writes=self._throttled_writes,
            total_read_delay_ms=self._read_delay_ms,
            total_write_delay_ms=self._write_delay_ms,
            daily_write_count=self._day_writes,
            daily_budget_exceeded=0 < self._writes_per_day <= self._day_writes,
        )

    def _begin_day(self, now_ms: int) -> None:
        day = now_ms // DAY_MS
        # A clock that is set back begins no new day.
        if day > self._day:
            self._day, self._day_writes = day, 0


class ThrottledStore:
    """A store with a throttle before it. Promises what the store promises, only later."""

    def __init__(
        self,
        store: ObjectStore,
        throttle: Throttle,
        *,
        now_ms: Callable[[], int],
        steady_ms: Callable[[], int],
    ) -> None:
        """`now_ms` reads the wall clock, `steady_ms` one that only runs forwards."""
        self._store = store
        self._throttle = throttle
        self._now_ms = now_ms
        self._steady_ms = steady_ms

    @property
    def description(self) -> str:
        """The store's own."""
        return self._store.description

    @property
    def clock_offset_ms(self) -> int | None:
        """The store's own."""
        return self._store.clock_offset_ms

    async def read(
        self,
        key: str,
        *,
        if_changed_from: Version | None = None,
        head_bytes: int | None = None,
    ) -> StoredObject | Unchanged:
        """Wait for its turn, then read. Raises what the store raises.

        Cancellation: the read is given up; its turn is used up.
        """
        delay_ms = self._throttle.read_begins(self._steady_ms())
        if delay_ms:
            await trio.sleep(delay_ms / 1_000)
        return await self._store.read(key, if_changed_from=if_changed_from, head_bytes=head_bytes)

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        """Count the write and make it at once. Raises what the store raises.

        Cancellation: as the store has it.
        """
        self._throttle.write_begins(self._now_ms(), self._steady_ms())
        return await self._store.put(key, chunks, condition=condition, metadata=metadata)

    async def delete(self, key: str) -> None:
        """Delete, uncounted: buckets do not charge for it. Raises what the store raises.

        Cancellation: as the store has it.
        """
        await self._store.delete(key)

    async def list(self, prefix: str) -> list[str]:
        """List, counted as a write because it costs the same. Raises what the store raises.

        Cancellation: the listing is given up; it counts all the same.
        """
        self._throttle.write_begins(self._now_ms(), self._steady_ms())
        return await self._store.list(prefix)

    async def aclose(self) -> None:
        """Close the store."""
        await self._store.aclose()

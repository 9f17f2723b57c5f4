"""How long a store takes for what a broker asks of it, one call after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from osqueue.cli.doctor.report import Latencies
from storage_adapters.contract import (
    ABSENT,
    Match,
    NotApplied,
    ObjectMissing,
    ObjectStore,
    StoredObject,
    StoreUnavailable,
    VersionConflict,
    WriteOutcomeUnknown,
)

__all__ = ["Samples", "latencies_of", "take_samples"]


@dataclass
class Samples:
    """Durations in ms, in the order in which they were measured."""

    writes: list[float] = field(default_factory=list[float])
    reads: list[float] = field(default_factory=list[float])
    unchanged_reads: list[float] = field(default_factory=list[float])
    failed: int = 0
    """Calls without a clear answer; they are not among the durations."""


async def take_samples(
    store: ObjectStore, key: str, *, count: int, document_bytes: int, gap_ms: int = 0
) -> Samples:
    """Write and read an object of that size `count` times; `key` is used by nobody else, and left
    behind.

    Raises:
        AccessDenied, StoreMisconfigured: an operator has to act.

    Cancellation: `key` is left behind.
    """
    samples = Samples()
    known: StoredObject | None = None
    for number in range(count):
        if number:
            await trio.sleep(gap_ms / 1_000)
        head = f"sample {number}, {key} ".encode()
        body = head + bytes(max(0, document_bytes - len(head)))
        condition = ABSENT if known is None else Match(known.version)
        try:
            began = trio.current_time()
            await store.put(key, [body], condition=condition)
            samples.writes.append(since_ms(began))
        except (WriteOutcomeUnknown, NotApplied, VersionConflict, ObjectMissing):
            samples.failed += 1
        try:
            began = trio.current_time()
            found = await store.read(key)
            samples.reads.append(since_ms(began))
            assert isinstance(found, StoredObject), "an unconditional read gives the object"
            known = found
            began = trio.current_time()
            await store.read(key, if_changed_from=known.version)
            samples.unchanged_reads.append(since_ms(began))
        except (StoreUnavailable, ObjectMissing):
            samples.failed += 1
    return samples


def since_ms(began: float) -> float:
    """How long ago a Trio time was, in ms."""
    return (trio.current_time() - began) * 1_000


def latencies_of(durations_ms: Sequence[float]) -> Latencies | None:
    """Percentiles by nearest rank; None where nothing was measured."""
    if not durations_ms:
        return None
    ordered = sorted(durations_ms)

    def percentile(percent: int) -> float:
        return round(ordered[math.ceil(len(ordered) * percent / 100) - 1], 2)

    return Latencies(
        samples=len(ordered),
        p50=percentile(50),
        p90=percentile(90),
        p99=percentile(99),
        slowest=round(ordered[-1], 2),
    )

"""Latencies: what is measured on a store of known slowness, and percentiles by nearest rank."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from osqueue.cli.doctor.latency import latencies_of, take_samples
from storage_adapters.contract import NotApplied, WriteOutcomeUnknown
from storage_adapters.memory import MemoryStore
from tests.storage_adapters.ignoring_store import RestlessStore


async def test_each_kind_of_call_is_measured(autojump_clock: MockClock) -> None:
    store = MemoryStore(latency_ms=40)
    samples = await take_samples(store, "object", count=5, document_bytes=1_000)
    for durations in (samples.writes, samples.reads, samples.unchanged_reads):
        assert durations == pytest.approx([40] * 5)
    assert samples.failed == 0
    assert len((await store.read("object")).data) == 1_000  # pyright: ignore


async def test_calls_without_a_clear_answer_are_counted_apart() -> None:
    failures = {2: WriteOutcomeUnknown("lost"), 4: NotApplied("busy")}
    store = RestlessStore(failures, is_applied=True)
    samples = await take_samples(store, "object", count=5, document_bytes=0)
    assert (len(samples.writes), len(samples.reads), samples.failed) == (3, 5, 2)


async def test_object_that_was_not_created_is_tried_again() -> None:
    store = RestlessStore({1: NotApplied("busy")})
    samples = await take_samples(store, "object", count=2, document_bytes=10)
    assert (len(samples.writes), len(samples.reads), samples.failed) == (1, 1, 2)


async def test_writes_are_as_far_apart_as_the_store_wants(autojump_clock: MockClock) -> None:
    await take_samples(MemoryStore(), "object", count=3, document_bytes=1, gap_ms=1_000)
    assert trio.current_time() == pytest.approx(2.0)


def test_percentiles_are_by_nearest_rank() -> None:
    latencies = latencies_of([float(number) for number in range(100, 0, -1)])
    assert latencies is not None
    assert (latencies.p50, latencies.p90, latencies.p99) == (50, 90, 99)
    assert (latencies.slowest, latencies.samples) == (100, 100)
    one = latencies_of([7.0])
    assert one is not None
    assert (one.p50, one.p99) == (7, 7)
    assert latencies_of([]) is None

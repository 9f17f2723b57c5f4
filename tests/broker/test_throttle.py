"""A real broker behind a throttled store: how many writes it makes, and what it says of them."""

from __future__ import annotations

import random

import msgspec
import pytest
import trio
from trio.testing import MockClock

from osqueue.broker.broker import Broker
from osqueue.clocks import TrioClock
from osqueue.core.leadership import BrokerIdentity
from osqueue.core.mutations import ReadStats
from osqueue.core.outcomes import JobsSubmitted, QueueStats
from osqueue.settings import Settings
from storage_adapters.memory import MemoryStore
from storage_adapters.throttled import Throttle, ThrottledStore
from tests.broker.brokers import ask, make_broker
from tests.broker.scripted_store import ScriptedStore
from tests.core.driven import submit_job

PER_MINUTE = 40


def throttled_broker(throttle: Throttle, **settings: object) -> Broker:
    clock = TrioClock()
    return Broker(
        ThrottledStore(MemoryStore(), throttle, now_ms=clock.now_ms, steady_ms=clock.steady_ms),
        msgspec.structs.replace(Settings(storage_backend="memory"), **settings),
        BrokerIdentity(name=f"{1:016x}", address="10.0.0.1:8080", host="host-1"),
        clock=clock,
        random=random.Random(1),
        throttle=throttle,
    )


async def test_busy_broker_keeps_to_its_budget_and_loses_nothing(autojump_clock: MockClock) -> None:
    throttle = Throttle(writes_per_minute=PER_MINUTE)
    broker = throttled_broker(throttle)
    submitted = 0

    async def submit_all_the_time(first: int) -> None:
        nonlocal submitted
        for number in range(first, first + 1_000_000):
            outcome = await ask(broker, submit_job(number))
            assert isinstance(outcome, JobsSubmitted)
            submitted += 1

    with trio.move_on_after(600):
        async with trio.open_nursery() as nursery:
            await nursery.start(broker.run)
            for producer in range(5):
                nursery.start_soon(submit_all_the_time, producer * 1_000_000)
            await trio.sleep(599)
            stats = await ask(broker, ReadStats())
            assert isinstance(stats, QueueStats)
            assert submitted <= stats.total <= submitted + 5
            counts = broker.throttle_counts()
            assert counts is not None
            assert 10 * PER_MINUTE <= counts.total_writes <= 11 * PER_MINUTE + 1
            assert counts.total_writes == broker.statistics.writes
            assert counts.throttled_writes >= 9 * PER_MINUTE
            # Heartbeats share the budget: five producers are served by each write.
            assert submitted >= 5 * 9 * PER_MINUTE
            nursery.cancel_scope.cancel()


async def test_spent_day_leaves_heartbeats_and_the_lead(autojump_clock: MockClock) -> None:
    throttle = Throttle(writes_per_day=3)
    broker = throttled_broker(throttle)
    async with trio.open_nursery() as nursery:
        await nursery.start(broker.run)
        for number in range(8):
            began = trio.current_time()
            await ask(broker, submit_job(number))
            assert trio.current_time() - began <= 3.0
        assert broker.is_trusted_leader
        counts = broker.throttle_counts()
        assert counts is not None
        assert counts.daily_budget_exceeded
        nursery.cancel_scope.cancel()


async def test_gcs_gets_one_write_a_second(autojump_clock: MockClock) -> None:
    broker = throttled_broker(Throttle(), storage_backend="gcs", gcs_bucket="jobs")
    async with trio.open_nursery() as nursery:
        await nursery.start(broker.run)
        began = trio.current_time()
        for number in range(20):
            await ask(broker, submit_job(number))
        assert trio.current_time() - began == pytest.approx(20.0, abs=0.1)
        nursery.cancel_scope.cancel()


def test_broker_without_a_throttle_says_so() -> None:
    assert make_broker(ScriptedStore()).throttle_counts() is None

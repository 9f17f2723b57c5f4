"""Brokers whose wall clock jumps: what is kept stays, and what is scheduled does not start."""

from __future__ import annotations

import structlog.testing
import trio
import trio.testing

from osqueue.broker.broker import Broker
from osqueue.broker.queue_clock import QueueClock
from osqueue.clocks import TrioClock
from osqueue.core.mutations import CompleteJobs, Completion, Lease, ReadJob
from osqueue.core.outcomes import JobRead, JobsClaimed
from tests.broker.brokers import ask, make_broker
from tests.broker.scripted_store import ScriptedStore
from tests.core.driven import claim_jobs, submit_job

Clock = trio.testing.MockClock
HOUR_MS = 60 * 60 * 1_000
TWO_DAYS_MS = 48 * HOUR_MS
KEPT, SCHEDULED = "job-1", "job-2"


class JumpingClock(TrioClock):
    """A machine whose wall clock somebody sets."""

    jump_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.jump_ms


async def start(nursery: trio.Nursery, store: ScriptedStore, clock: JumpingClock) -> Broker:
    """A leader with a kept result and a scheduled job, both due in an hour."""
    broker = make_broker(store, clock=QueueClock(clock, store))
    await nursery.start(broker.run)
    await ask(broker, submit_job(1, result_ttl_ms=HOUR_MS))
    assert isinstance(await ask(broker, claim_jobs()), JobsClaimed)
    done = Completion(lease=Lease(KEPT, 1))
    await ask(broker, CompleteJobs(worker_id="worker-1", completions=[done]))
    await ask(broker, submit_job(2, delay_ms=HOUR_MS))
    return broker


async def statuses(broker: Broker) -> list[str]:
    """Of the two jobs; the name of a refusal where one has gone."""
    outcomes = [await ask(broker, ReadJob(job_id=job_id)) for job_id in (KEPT, SCHEDULED)]
    return [
        outcome.job.status if isinstance(outcome, JobRead) else type(outcome).__name__
        for outcome in outcomes
    ]


async def test_nothing_is_due_before_its_time_though_the_wall_clock_jumps(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    clock = JumpingClock()
    broker = await start(nursery, ScriptedStore(), clock)
    for jump_ms in (TWO_DAYS_MS, -TWO_DAYS_MS):
        clock.jump_ms = jump_ms
        began_ms = broker.now_ms()
        await trio.sleep(20 * 60)
        assert await statuses(broker) == ["completed", "scheduled"]
        assert 20 * 60_000 <= broker.now_ms() - began_ms < 21 * 60_000
    # An hour of steady time is an hour, whatever the wall clock says.
    await trio.sleep(20 * 60)
    assert await statuses(broker) == ["JobNotFound", "unclaimed"]
    nursery.cancel_scope.cancel()


async def test_jump_that_the_store_confirms_is_time_that_has_passed(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store, clock = ScriptedStore(), JumpingClock()
    broker = await start(nursery, store, clock)
    clock.jump_ms, store.clock_offset_ms = TWO_DAYS_MS, -TWO_DAYS_MS
    await trio.sleep(10)
    assert await statuses(broker) == ["completed", "scheduled"]
    # The machine had been paused by its hypervisor: the next answer of the store says so.
    store.clock_offset_ms = 0
    await trio.sleep(10)
    assert await statuses(broker) == ["JobNotFound", "unclaimed"]
    nursery.cancel_scope.cancel()


async def test_new_broker_begins_with_the_time_of_its_machine(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store, clock = ScriptedStore(), JumpingClock()
    first = await start(nursery, store, clock)
    clock.jump_ms = TWO_DAYS_MS
    await first.drain()
    second = make_broker(store, 2, clock=QueueClock(clock, store))
    await nursery.start(second.run)
    await trio.sleep(1)
    assert await statuses(second) == ["JobNotFound", "unclaimed"]
    nursery.cancel_scope.cancel()


async def test_standby_takes_over_without_a_jump_of_its_wall_clock(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store, clock = ScriptedStore(), JumpingClock()
    leader = await start(nursery, store, clock)
    standby = make_broker(store, 2, clock=QueueClock(clock, store))
    await nursery.start(standby.run)
    clock.jump_ms = TWO_DAYS_MS
    await leader.drain()
    await trio.sleep(20)
    assert await statuses(standby) == ["completed", "scheduled"]
    nursery.cancel_scope.cancel()


async def test_jump_is_told_once_and_its_end_as_well(autojump_clock: Clock) -> None:
    store, clock = ScriptedStore(), JumpingClock()
    time = QueueClock(clock, store)
    assert time.now_ms() == 1_700_000_000_000
    with structlog.testing.capture_logs() as lines:
        clock.jump_ms = 3_600_000
        assert (time.now_ms(), time.now_ms()) == (1_700_000_000_000, 1_700_000_000_000)
        await trio.sleep(7)
        clock.jump_ms = 0
        assert time.now_ms() == 1_700_000_007_000
    [began, ended] = lines
    assert began["event"] == "the wall clock has jumped"
    assert began["log_level"] == "warning"
    assert began["wall_clock"] == "2023-11-14T23:13:20.000+00:00"
    assert began["queue_time"] == "2023-11-14T22:13:20.000+00:00"
    assert (began["jump_ms"], began["jump_ms_max"]) == (3_600_000, 60_000)
    assert "restart the brokers of this machine" in began["advice"]
    assert ended == {
        "event": "the wall clock is followed",
        "log_level": "info",
        "reason": "it is right again",
        "lasted_ms": 7_000,
    }


async def test_jump_that_is_confirmed_when_it_is_noticed_is_told_as_well(
    autojump_clock: Clock,
) -> None:
    store, clock = ScriptedStore(), JumpingClock()
    store.clock_offset_ms = 0
    time = QueueClock(clock, store)
    time.now_ms()
    clock.jump_ms = -TWO_DAYS_MS
    with structlog.testing.capture_logs() as lines:
        assert time.now_ms() == 1_700_000_000_000 - TWO_DAYS_MS
        assert time.steady_ms() == 0
    [line] = lines
    assert (line["reason"], line["lasted_ms"]) == ("the store's clock says the same", 0)

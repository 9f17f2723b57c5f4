"""What costs a write, and what does not: counted, not measured."""

from __future__ import annotations

import trio
import trio.testing

from osqueue.core.mutations import HeartbeatJobs, Lease, ReadStats
from osqueue.core.outcomes import JobsClaimed, JobsExtended, JobsSubmitted, Outcome, QueueStats
from tests.broker.brokers import ask, start, stored_job_ids
from tests.broker.scripted_store import ScriptedStore
from tests.core.driven import claim_jobs, claimed_ids, submit_job

Clock = trio.testing.MockClock


async def test_thousand_empty_claims_cost_no_write(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    attempts_count = len(store.bodies)
    for _ in range(1_000):
        assert await ask(broker, claim_jobs()) == JobsClaimed([])
    assert broker.statistics.mutation_writes == 0
    assert len(store.bodies) == attempts_count
    nursery.cancel_scope.cancel()


async def test_thousand_heartbeats_cost_no_write_beyond_the_brokers_own(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    await ask(broker, submit_job())
    await ask(broker, claim_jobs())
    writes_count = broker.statistics.mutation_writes
    attempts_count = len(store.bodies)
    for _ in range(1_000):
        beat = HeartbeatJobs(worker_id="worker-1", leases=[Lease("job-1")])
        assert await ask(broker, beat) == JobsExtended(["job-1"], [], [])
        await trio.sleep(0.03)
    assert broker.statistics.mutation_writes == writes_count
    # Thirty seconds passed: the broker's own heartbeats, one every three.
    assert 9 <= len(store.bodies) - attempts_count <= 10
    nursery.cancel_scope.cancel()


async def test_submit_to_delivery_for_a_waiting_worker_is_one_write(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    delivered: list[Outcome] = []

    async def work() -> None:
        delivered.append(await ask(broker, claim_jobs(wait_until_ms=broker.steady_ms() + 60_000)))

    async with trio.open_nursery() as workers:
        workers.start_soon(work)
        await trio.sleep(1)
        attempts_count = len(store.bodies)
        await ask(broker, submit_job())
    assert claimed_ids(delivered[0]) == ["job-1"]
    assert broker.statistics.mutation_writes == 1
    assert len(store.bodies) == attempts_count + 1
    nursery.cancel_scope.cancel()


async def test_thousand_submits_during_a_write_are_one_more_write(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    async with trio.open_nursery() as callers:
        callers.start_soon(ask, broker, submit_job(0))
        await trio.sleep(0.0005)
        for number in range(1, 1_001):
            callers.start_soon(ask, broker, submit_job(number))
    assert broker.statistics.mutation_writes == 2
    assert broker.statistics.last_commit is not None
    assert broker.statistics.last_commit.mutations == 1_000
    assert len(await stored_job_ids(store)) == 1_001
    nursery.cancel_scope.cancel()


async def test_repeats_and_reads_cost_no_write(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    await ask(broker, submit_job(1, sequence=1))
    for _ in range(100):
        outcomes = await broker.submit([submit_job(1, sequence=1), ReadStats()])
        assert outcomes[0] == JobsSubmitted(["job-1"])
    assert broker.statistics.mutation_writes == 1
    nursery.cancel_scope.cancel()


async def test_thousand_confirmed_reads_at_once_share_a_write(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    attempts_count = len(store.bodies)
    outcomes: list[Outcome] = []

    async def read(number: int) -> None:
        await trio.sleep(number / 1_000_000)
        outcomes.append(await ask(broker, ReadStats(is_confirmed=True)))

    async with trio.open_nursery() as readers:
        for number in range(1_000):
            readers.start_soon(read, number)
    assert [type(outcome) for outcome in outcomes] == [QueueStats] * 1_000
    assert 1 <= len(store.bodies) - attempts_count <= 2
    assert broker.statistics.mutation_writes == 0
    nursery.cancel_scope.cancel()

"""The life of a broker: submitting, being cancelled, draining, ending."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from osqueue.broker.broker import SETTLE_S_MAX, Broker
from osqueue.core.errors import NotLeader, OutcomeUnknown, Unavailable
from osqueue.core.mutations import ClaimJobs, CompleteJobs, Completion, Lease, ReadStats
from osqueue.core.outcomes import JobRead, JobsClaimed, JobsSubmitted, Outcome, QueueStats
from storage_adapters.contract import Match, StoredObject, StoreMisconfigured, Version
from tests.broker.brokers import TIMEOUT_S, ask, document, make_broker, start, stored_job_ids
from tests.broker.scripted_store import KEY, Put, ScriptedStore
from tests.core.driven import claim_jobs, claimed_ids, submit_job

Clock = trio.testing.MockClock


class Caller:
    """Somebody who asks in a task of its own."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.outcomes: list[Outcome] = []
        self.scope = trio.CancelScope()
        self.task: trio.lowlevel.Task | None = None

    async def ask(self, *requests: ClaimJobs) -> None:
        self.task = trio.lowlevel.current_task()
        with self.scope:
            self.outcomes = await self.broker.submit(requests)


def waiting_claim(broker: Broker, **fields: object) -> ClaimJobs:
    return claim_jobs(wait_until_ms=broker.steady_ms() + 60_000, **fields)


class TestTerms:
    async def test_each_term_is_told_of_with_the_queue_in_memory(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        told: list[bool] = []
        broker = make_broker(ScriptedStore(), on_loaded=lambda: told.append(broker.epoch > 0))
        await nursery.start(broker.run)
        assert told == [True]
        nursery.cancel_scope.cancel()

    async def test_leader_whose_permission_ends_says_so_instead_of_letting_callers_wait(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        store.always = Put.DENY
        # Its trust has not run out yet, and the permission may come back: this one waits for it.
        assert isinstance(await ask(broker, submit_job()), OutcomeUnknown)
        asked_s = trio.current_time()
        for request in (submit_job(), ReadStats()):
            refused = await ask(broker, request)
            assert isinstance(refused, NotLeader)
            assert "until its credentials or permissions are fixed" in refused.message
            assert (refused.epoch, refused.broker_address) == (1, "")
        assert trio.current_time() == asked_s
        store.always = Put.LAND
        await trio.sleep(2)
        # It has given its lead up, and wins the next election.
        assert await ask(broker, submit_job()) == JobsSubmitted(["job-1"])
        assert broker.epoch == 2
        nursery.cancel_scope.cancel()


class StuckStore(ScriptedStore):
    """Answers no write while it is stuck."""

    is_stuck = False

    async def put(self, *arguments: Any, **options: Any) -> Version:
        if self.is_stuck:
            await trio.sleep_forever()
        return await super().put(*arguments, **options)


class CancellingStore(ScriptedStore):
    """Cancels somebody once a write has landed, before anybody hears of that."""

    cancelled: trio.CancelScope | None = None

    async def put(self, *arguments: Any, **options: Any) -> Version:
        version = await super().put(*arguments, **options)
        if self.cancelled is not None:
            self.cancelled.cancel()
        return version


class CancelWhenWoken(trio.abc.Instrument):
    """Cancels a caller that has been woken, before it runs."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        if task is self._caller.task:
            self._caller.scope.cancel()


class TestSubmit:
    async def test_submit_of_nothing_is_answered_with_nothing(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        broker = await start(nursery, ScriptedStore())
        assert await broker.submit([]) == []
        nursery.cancel_scope.cancel()

    async def test_submit_gives_the_outcomes_in_the_order_of_the_requests(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        broker = await start(nursery, ScriptedStore())
        outcomes = await broker.submit([claim_jobs(), submit_job(1), ReadStats(), submit_job(2)])
        assert outcomes[0] == JobsClaimed([])
        assert outcomes[1] == JobsSubmitted(["job-1"])
        assert isinstance(outcomes[2], QueueStats)
        assert outcomes[3] == JobsSubmitted(["job-2"])
        nursery.cancel_scope.cancel()

    async def test_cancelled_caller_leaves_its_mutation_committed(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        with trio.move_on_after(0.0005):
            await ask(broker, submit_job())
        await trio.sleep(1)
        assert await stored_job_ids(store) == ["job-1"]
        nursery.cancel_scope.cancel()

    async def test_cancelled_waiting_claim_takes_nothing(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        with trio.move_on_after(1):
            await ask(broker, waiting_claim(broker))
        await ask(broker, submit_job())
        assert claimed_ids(await ask(broker, claim_jobs(worker_id="worker-2"))) == ["job-1"]
        nursery.cancel_scope.cancel()

    async def test_claim_of_a_caller_that_is_cancelled_during_the_write_is_given_back(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        await ask(broker, submit_job())
        with trio.move_on_after(0.0015):
            await ask(broker, claim_jobs("claim-1"))
        await trio.sleep(1)
        job = (await document(store)).state.table.by_id["job-1"]
        assert (job.status, job.attempts, job.max_attempts) == ("unclaimed", 1, 4)
        nursery.cancel_scope.cancel()

    @pytest.mark.parametrize("is_woken", [False, True])
    async def test_claim_that_is_cancelled_in_the_moment_of_its_settlement_is_given_back(
        self, autojump_clock: Clock, nursery: trio.Nursery, is_woken: bool
    ) -> None:
        store = CancellingStore()
        broker = await start(nursery, store)
        caller = Caller(broker)
        nursery.start_soon(caller.ask, waiting_claim(broker))
        await trio.testing.wait_all_tasks_blocked()
        if is_woken:
            trio.lowlevel.add_instrument(CancelWhenWoken(caller))
        else:
            store.cancelled = caller.scope
        await broker.submit([submit_job(1, max_attempts=1)])
        await trio.sleep(1)
        assert not caller.outcomes
        job = (await document(store)).state.table.by_id["job-1"]
        assert (job.status, job.attempts, job.max_attempts) == ("unclaimed", 1, 2)
        nursery.cancel_scope.cancel()

    async def test_cancelled_caller_stays_for_its_settlement_at_most_a_minute(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = StuckStore()
        broker = await start(
            nursery, store, broker_heartbeat_timeout_ms=600_000, lease_ms=1_200_000
        )
        store.is_stuck = True
        with trio.move_on_after(1):
            await broker.submit([submit_job()], until_settled=True)
        assert trio.current_time() == pytest.approx(1 + SETTLE_S_MAX, abs=0.1)
        nursery.cancel_scope.cancel()

    async def test_many_waiters_are_all_woken_even_when_the_broker_is_cancelled(
        self, autojump_clock: Clock
    ) -> None:
        store = ScriptedStore()
        broker = make_broker(store)
        answered: list[Outcome] = []
        first_answered = trio.Event()

        async def submit(number: int) -> None:
            answered.append(await ask(broker, submit_job(number)))
            first_answered.set()

        async with trio.open_nursery() as callers, trio.open_nursery() as nursery:
            await nursery.start(broker.run)
            for number in range(1_500):
                callers.start_soon(submit, number)
            await first_answered.wait()
            nursery.cancel_scope.cancel()
        assert len(answered) == 1_500
        assert all(isinstance(outcome, JobsSubmitted) for outcome in answered)


class TestRun:
    async def test_run_is_started_once_the_broker_leads_or_knows_who_does(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        assert broker.is_trusted_leader
        assert broker.leader_address == broker.advertised_address
        assert broker.now_ms() - broker.steady_ms() == 1_700_000_000_000
        follower = await start(nursery, store, 2)
        assert follower.leader_address == broker.advertised_address
        nursery.cancel_scope.cancel()

    @pytest.mark.parametrize("is_written", [True, False])
    async def test_cancelled_run_leaves_no_caller_waiting(
        self, autojump_clock: Clock, is_written: bool
    ) -> None:
        store = ScriptedStore()
        broker = make_broker(store)
        async with trio.open_nursery() as callers, trio.open_nursery() as nursery:
            await nursery.start(broker.run)
            store.script.append(Put.HANG)
            writing, waiting = Caller(broker), Caller(broker)
            callers.start_soon(waiting.ask, waiting_claim(broker, types=["none"]))
            await trio.sleep(0.1)
            if is_written:
                callers.start_soon(writing.ask, submit_job())
                await trio.sleep(0.1)
            nursery.cancel_scope.cancel()
        assert isinstance(waiting.outcomes[0], NotLeader)
        if is_written:
            assert isinstance(writing.outcomes[0], OutcomeUnknown)
        assert isinstance(await ask(broker, ReadStats()), NotLeader)

    async def test_misconfigured_store_ends_the_run(self, autojump_clock: Clock) -> None:
        broker = make_broker(ScriptedStore(), key="..")
        with pytest.raises(StoreMisconfigured):
            await broker.run()

    async def test_statistics_count_on_from_term_to_term(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        await ask(broker, submit_job(1))
        store.script.append(Put.LOSE_REPLY)
        store.reads_fail = True
        await ask(broker, submit_job(2))
        store.reads_fail = False
        await trio.sleep(1)
        await ask(broker, submit_job(3))
        counts = broker.statistics
        assert (counts.terms, counts.mutation_writes, counts.commits) == (2, 3, 2)
        assert counts.unknown_outcomes == 1
        assert counts.writes == len(store.bodies)
        assert counts.reads == store.reads_count
        assert counts.bytes_written > 0
        assert counts.bytes_read > 0
        assert counts.last_commit is not None
        assert counts.last_commit.mutations == 1
        nursery.cancel_scope.cancel()

    async def test_wait_lead_lost_ends_with_the_term(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        broker = await start(nursery, ScriptedStore())
        nursery.start_soon(broker.drain)
        with trio.fail_after(1):
            await broker.wait_lead_lost()
        nursery.cancel_scope.cancel()


class TestDrain:
    async def test_drain_answers_what_is_here_and_releases(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        submitting, waiting = Caller(broker), Caller(broker)
        nursery.start_soon(submitting.ask, submit_job())
        nursery.start_soon(waiting.ask, waiting_claim(broker, types=["none"]))
        await trio.sleep(0.0005)
        await broker.drain()
        assert submitting.outcomes == [JobsSubmitted(["job-1"])]
        assert waiting.outcomes == [JobsClaimed([])]
        assert (await document(store)).header.broker is None
        assert not broker.may_still_lead
        assert isinstance(await ask(broker, ReadStats()), Unavailable)

    @pytest.mark.parametrize("always", [Put.REFUSE, Put.VANISH])
    async def test_release_that_the_store_does_not_take_is_known_as_such(
        self, autojump_clock: Clock, nursery: trio.Nursery, always: Put
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        store.always = always
        await broker.drain()
        assert broker.may_still_lead
        assert (await document(store)).header.broker is not None

    async def test_drain_twice_is_drained_once(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        async with trio.open_nursery() as both:
            both.start_soon(broker.drain)
            both.start_soon(broker.drain)
        attempts_count = len(store.bodies)
        await broker.drain()
        await trio.sleep(TIMEOUT_S)
        assert len(store.bodies) == attempts_count

    async def test_drain_that_is_cancelled_goes_on(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        with trio.move_on_after(0):
            await broker.drain()
        await trio.sleep(1)
        assert (await document(store)).header.broker is None

    async def test_drain_before_run_makes_run_end_at_once(self, autojump_clock: Clock) -> None:
        store = ScriptedStore()
        broker = make_broker(store)
        await broker.drain()
        assert isinstance(await ask(broker, ReadStats()), Unavailable)
        async with trio.open_nursery() as nursery:
            await nursery.start(broker.run)
        assert store.reads_count == 0

    async def test_drain_of_a_standby_ends_it(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        leader = await start(nursery, store)
        follower = await start(nursery, store, 2)
        await follower.drain()
        assert isinstance(await ask(follower, ReadStats()), Unavailable)
        assert leader.is_trusted_leader
        nursery.cancel_scope.cancel()

    async def test_drain_before_the_election_is_won_lets_start_return(
        self, autojump_clock: Clock
    ) -> None:
        store = ScriptedStore()
        store.reads_fail = True
        broker = make_broker(store)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain_after, broker, 0.5)
            await nursery.start(broker.run)

    @pytest.mark.parametrize("delay_us", range(0, 12_000, 250))
    async def test_drain_at_any_moment_of_an_election_ends_the_broker(
        self, autojump_clock: Clock, delay_us: int
    ) -> None:
        # Also at the very moment at which the takeover's answer arrives.
        store = ScriptedStore()
        broker = make_broker(store)
        with trio.fail_after(TIMEOUT_S):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drain_after, broker, delay_us / 1_000_000)
                await nursery.start(broker.run)

    async def test_drain_as_the_takeover_is_answered_still_releases(
        self, autojump_clock: Clock
    ) -> None:
        class DrainingStore(ScriptedStore):
            """Told to drain while an answer is on its way that cannot be called off any more."""

            async def put(self, *args: object, **kwargs: object) -> object:
                version = await super().put(*args, **kwargs)
                if len(self.bodies) == 1:
                    nursery.start_soon(broker.drain)
                    while not broker.is_draining:
                        await trio.lowlevel.cancel_shielded_checkpoint()
                return version

        store = DrainingStore()
        broker = make_broker(store)
        with trio.fail_after(TIMEOUT_S):
            async with trio.open_nursery() as nursery:
                await nursery.start(broker.run)
        assert (await document(store)).header.broker is None

    async def test_drain_with_a_store_that_is_gone_ends_after_the_timeout(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store)
        store.always = Put.VANISH
        store.reads_fail = True
        began_s = trio.current_time()
        await broker.drain()
        assert trio.current_time() - began_s < TIMEOUT_S + 2


async def drain_after(broker: Broker, delay_s: float) -> None:
    await trio.sleep(delay_s)
    await broker.drain()


class TestConfirmedReads:
    @pytest.mark.parametrize(("is_ended", "writes_count"), [(False, 1), (True, 1)])
    async def test_wait_for_an_end_confirms_what_it_answers(
        self, autojump_clock: Clock, nursery: trio.Nursery, is_ended: bool, writes_count: int
    ) -> None:
        store = ScriptedStore()
        broker = await start(nursery, store, broker_heartbeat_interval_ms=3_000)
        await ask(broker, submit_job(result_ttl_ms=60_000))
        if is_ended:
            await ask(broker, claim_jobs())
            done = Completion(lease=Lease("job-1", 1))
            await ask(broker, CompleteJobs(worker_id="worker-1", completions=[done]))
        before = len(store.bodies)
        until_ms = broker.steady_ms() + 1_000
        read = await broker.wait_until_ended("job-1", until_ms, is_confirmed=True)
        assert isinstance(read, JobRead)
        assert read.job.has_ended is is_ended
        assert len(store.bodies) - before == writes_count
        nursery.cancel_scope.cancel()

    async def test_deposed_leader_that_trusts_itself_confirms_nothing(
        self, autojump_clock: Clock, nursery: trio.Nursery
    ) -> None:
        store = ScriptedStore()
        first = await start(nursery, store)
        # Whoever takes over now breaks what trust rests on: a clock, or a refused port.
        found = await store.read(KEY)
        assert isinstance(found, StoredObject)
        await store.put(
            KEY,
            [found.data.replace(b"10.0.0.1", b"10.0.0.2").replace(b'"epoch":1', b'"epoch":2')],
            condition=Match(found.version),
        )
        assert first.is_trusted_leader
        assert isinstance(await ask(first, ReadStats()), QueueStats)
        assert not isinstance(await ask(first, ReadStats(is_confirmed=True)), QueueStats)
        nursery.cancel_scope.cancel()

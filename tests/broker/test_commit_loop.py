"""The real commit loop over a store that refuses, loses, delays and repeats."""

from __future__ import annotations

import msgspec
import pytest
import trio
import trio.testing

from osqueue.broker.broker import Broker
from osqueue.core.errors import (
    NotLeader,
    OutcomeUnknown,
    QueueError,
    StoredDataInvalid,
    Unavailable,
)
from osqueue.core.mutations import ReadStats
from osqueue.core.outcomes import JobsSubmitted, Outcome, QueueStats
from tests.broker.brokers import TIMEOUT_S, ask, document, make_broker, start, stored_job_ids
from tests.broker.scripted_store import Put, ScriptedStore
from tests.core.driven import submit_job

APPLIED = JobsSubmitted(["job-1"])


@pytest.mark.parametrize("step", [Put.LAND, Put.LOSE_REPLY, Put.HANG, Put.NO_VERSION])
async def test_rule_1_write_that_landed_is_found_and_settled(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery, step: Put
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    attempts_count = len(store.bodies)
    store.script.append(step)
    assert await ask(broker, submit_job()) == APPLIED
    assert len(store.bodies) == attempts_count + 1
    assert await stored_job_ids(store) == ["job-1"]
    assert await ask(broker, submit_job(2)) == JobsSubmitted(["job-2"])
    nursery.cancel_scope.cancel()


async def test_rule_1_refusal_of_a_second_copy_is_no_refusal_of_the_first(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    store.script.append(Put.DENY_COPY)
    # Were it taken for a refusal, nothing would tell any more that the write has landed.
    store.always = Put.REFUSE
    assert await ask(broker, submit_job()) == APPLIED
    assert await stored_job_ids(store) == ["job-1"]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("step", [Put.REFUSE, Put.DENY, Put.VANISH, Put.HANG_UNAPPLIED])
async def test_rule_2_write_still_open_is_sent_again_as_the_same_bytes(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery, step: Put
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    attempts_count = len(store.bodies)
    store.script.append(step)
    assert await ask(broker, submit_job()) == APPLIED
    attempts = store.bodies[attempts_count:]
    assert len(attempts) == 2
    assert len(set(attempts)) == 1
    assert await stored_job_ids(store) == ["job-1"]
    nursery.cancel_scope.cancel()


async def test_rule_2_attempt_that_lands_after_the_read_is_not_applied_twice(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    store.script.append(Put.LAND_LATE)
    assert await ask(broker, submit_job()) == APPLIED
    assert await stored_job_ids(store) == ["job-1"]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("step", [Put.LOSE_REPLY, Put.VANISH])
async def test_rule_3_lineage_tells_a_deposed_leader_whether_its_write_landed(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery, step: Put
) -> None:
    store = ScriptedStore()
    deposed = await start(nursery, store)
    store.script.append(step)
    outcomes: list[object] = []

    async def submit_and_be_deposed() -> None:
        outcomes.append(await ask(deposed, submit_job()))

    store.reads_fail = True
    nursery.start_soon(submit_and_be_deposed)
    await trio.sleep(0.02)
    await take_over_by_hand(store, 2)
    store.reads_fail = False
    with trio.fail_after(TIMEOUT_S):
        await deposed.wait_lead_lost()
    await trio.sleep(0.02)
    [outcome] = outcomes
    if step is Put.LOSE_REPLY:
        assert outcome == APPLIED
        assert await stored_job_ids(store) == ["job-1"]
    else:
        assert isinstance(outcome, NotLeader)
        assert outcome.broker_address == "10.0.0.2:8080"
        assert await stored_job_ids(store) == []
    nursery.cancel_scope.cancel()


async def test_rule_4_replaced_document_means_that_nothing_can_tell(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    backup = await store.stored()
    await ask(broker, submit_job(1))

    async def restore_backup() -> None:
        await store.replace(backup)

    store.before_put = restore_backup
    assert isinstance(await ask(broker, submit_job(2)), OutcomeUnknown)
    # It takes over anew what it finds, under its own name.
    assert await ask_until_led(broker) == JobsSubmitted(["job-3"])
    assert await stored_job_ids(store) == ["job-3"]
    assert broker.epoch == 2
    nursery.cancel_scope.cancel()


async def test_write_of_a_rival_deposes_and_the_caller_learns_where_to_ask(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)

    async def rival() -> None:
        await take_over_by_hand(store, 2)

    store.before_put = rival
    refusal = await ask(broker, submit_job())
    assert isinstance(refusal, NotLeader)
    assert (refusal.epoch, refusal.broker_address) == (2, "10.0.0.2:8080")
    await trio.sleep(1)
    assert broker.leader_address == "10.0.0.2:8080"
    assert not broker.is_trusted_leader
    assert broker.statistics.conflicts == 1
    nursery.cancel_scope.cancel()


async def test_store_that_refuses_for_the_timeout_undoes_the_batch(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    await ask(broker, submit_job(9))
    store.always = Put.REFUSE
    began_s = trio.current_time()
    assert isinstance(await ask(broker, submit_job(1, sequence=1)), Unavailable)
    assert TIMEOUT_S <= trio.current_time() - began_s < TIMEOUT_S + 2
    store.always = Put.LAND
    assert await ask(broker, submit_job(1, sequence=1)) == APPLIED
    assert await stored_job_ids(store) == ["job-9", "job-1"]
    assert broker.statistics.terms == 1
    nursery.cancel_scope.cancel()


async def test_store_that_never_answers_ends_the_term_and_the_next_one_finds_the_truth(
    autojump_clock: trio.testing.MockClock,
    nursery: trio.Nursery,
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    store.script.append(Put.LOSE_REPLY)
    store.reads_fail = True
    began_s = trio.current_time()
    assert isinstance(await ask(broker, submit_job(1, sequence=1)), OutcomeUnknown)
    assert TIMEOUT_S <= trio.current_time() - began_s < TIMEOUT_S + 2
    store.reads_fail = False
    assert await ask_until_led(broker) == JobsSubmitted(["job-3"])
    assert await ask(broker, submit_job(1, sequence=1)) == APPLIED
    assert await stored_job_ids(store) == ["job-1", "job-3"]
    assert broker.statistics.terms == 2
    nursery.cancel_scope.cancel()


async def test_reads_that_hang_are_given_up_and_tried_again(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    store.script.append(Put.LOSE_REPLY)
    store.reads_hang = 1
    assert await ask(broker, submit_job()) == APPLIED
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("data", [None, b"not a queue", b'{"format":2,"broker":null,"jobs":[]}'])
async def test_unusable_document_answers_the_callers_and_ends_the_broker(
    data: bytes | None,
) -> None:
    store = ScriptedStore()
    outcomes: list[object] = []

    async def ruin() -> None:
        if data is None:
            await store.delete("queue.json")
        else:
            await store.replace(data)

    with pytest.RaisesGroup(StoredDataInvalid):
        async with trio.open_nursery() as nursery:
            broker = await start(nursery, store)
            store.before_put = ruin

            async def submit() -> None:
                outcomes.append(await ask(broker, submit_job()))

            nursery.start_soon(submit)
    assert isinstance(outcomes[0], OutcomeUnknown)
    if data is not None:
        assert await store.stored() == data


async def test_zombie_never_answers_from_its_old_memory(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    # Cut off from the store for longer than the timeout, while another leads and goes on.
    store = ScriptedStore()
    zombie = await start(nursery, store)
    keyed = submit_job(1, unique_key="only-one")
    await ask(zombie, keyed)
    assert isinstance(await ask(zombie, ReadStats()), QueueStats)
    store.script.append(Put.HANG_UNAPPLIED)
    store.reads_fail = True
    answers: list[object] = []

    async def keep_asking() -> None:
        while True:
            answers.extend(await zombie.submit([ReadStats(), submit_job(2, unique_key="only-one")]))
            await trio.sleep(0.5)

    # Its next heartbeat, three seconds on, goes nowhere.
    await trio.sleep(3.5)
    nursery.start_soon(keep_asking)
    await trio.sleep(1)
    await take_over_by_hand(store, 2)
    await trio.sleep(3 * TIMEOUT_S)
    assert answers, "it answered nothing at all"
    assert all(isinstance(answer, QueueError) for answer in answers), answers
    nursery.cancel_scope.cancel()


async def test_idle_leader_writes_once_an_interval(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    broker = await start(nursery, store)
    attempts_count = len(store.bodies)
    await trio.sleep(30.5)
    assert len(store.bodies) - attempts_count == 10
    assert broker.is_trusted_leader
    assert broker.statistics.mutation_writes == 0
    nursery.cancel_scope.cancel()


async def ask_until_led(broker: Broker) -> Outcome:
    """Submit job 3 once the broker has been elected again."""
    with trio.fail_after(3 * TIMEOUT_S):
        while True:
            await trio.sleep(0.01)
            outcome = await ask(broker, submit_job(3))
            if not isinstance(outcome, NotLeader):
                return outcome


async def take_over_by_hand(store: ScriptedStore, number: int) -> None:
    """What a standby writes that takes the queue over from what is there now."""
    header = (await document(store)).header
    fields = msgspec.json.decode(await store.stored())
    name = f"{number:016x}"
    takeover = {"epoch": header.epoch + 1, "brokerName": name, "takenFrom": header.commit_id}
    fields |= {
        "broker": f"10.0.0.{number}:8080",
        "epoch": header.epoch + 1,
        "commitId": f"{header.epoch + 1}-1-{name}",
        "lineage": [*fields["lineage"], takeover],
    }
    await store.replace(msgspec.json.encode(fields))


async def test_broker_that_was_never_run_refuses(autojump_clock: trio.testing.MockClock) -> None:
    broker = make_broker(ScriptedStore())
    assert isinstance(await ask(broker, submit_job()), NotLeader)

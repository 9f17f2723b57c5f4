"""Two real brokers and one store: who takes over, when, and what becomes of the other."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from osqueue.broker.broker import Broker
from osqueue.core.election.leader_process import ProcessTraces
from osqueue.core.errors import NotLeader
from osqueue.core.mutations import ReadStats
from osqueue.core.outcomes import JobsSubmitted, QueueStats
from tests.broker.brokers import TIMEOUT_S, ask, document, make_broker, start, stored_job_ids
from tests.broker.scripted_store import Put, ScriptedStore
from tests.core.driven import submit_job

Clock = trio.testing.MockClock


class Neighbour:
    """What a standby's probe finds at the leader's address."""

    def __init__(self) -> None:
        self.name: str | None = None
        self.is_refusing = False
        self.is_silent = False
        self.asked: list[str] = []

    async def probe(self, address: str) -> str | None:
        self.asked.append(address)
        await trio.lowlevel.checkpoint()
        if self.is_refusing:
            raise ConnectionRefusedError(address)
        if self.is_silent:
            await trio.sleep_forever()
        return self.name


async def led_after_s(broker: Broker) -> float:
    """How long it takes until a broker leads."""
    began_s = trio.current_time()
    with trio.fail_after(60):
        while isinstance(await ask(broker, ReadStats()), NotLeader):  # noqa: ASYNC110
            await trio.sleep(0.05)
    return trio.current_time() - began_s


async def test_standby_refuses_and_names_the_leader(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    leader = await start(nursery, store)
    follower = await start(nursery, store, 2)
    refusal = await ask(follower, submit_job())
    assert isinstance(refusal, NotLeader)
    assert (refusal.epoch, refusal.broker_address) == (1, leader.advertised_address)
    assert follower.leader_address == leader.advertised_address
    assert follower.epoch == 1
    assert not follower.is_trusted_leader
    await trio.sleep(10 * TIMEOUT_S)
    assert leader.is_trusted_leader
    assert (leader.statistics.terms, follower.statistics.terms) == (1, 0)
    nursery.cancel_scope.cancel()


async def test_standby_takes_over_at_once_when_the_leader_releases(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    leader = await start(nursery, store)
    follower = await start(nursery, store, 2)
    await ask(leader, submit_job())
    await leader.drain()
    assert await led_after_s(follower) < 2
    assert await stored_job_ids(store) == ["job-1"]
    assert (await document(store)).header.epoch == 2
    nursery.cancel_scope.cancel()


async def test_standby_takes_over_after_the_timeout_of_a_leader_that_was_killed(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    process, leader = trio.CancelScope(), make_broker(store)
    nursery.start_soon(run_within, process, leader)
    await trio.sleep(1)
    follower = await start(nursery, store, 2)
    await ask(leader, submit_job())
    process.cancel()
    took_s = await led_after_s(follower)
    assert TIMEOUT_S <= took_s < TIMEOUT_S + 2
    assert await stored_job_ids(store) == ["job-1"]
    nursery.cancel_scope.cancel()


async def run_within(scope: trio.CancelScope, broker: Broker) -> None:
    with scope:
        await broker.run()


async def test_standby_takes_over_early_once_the_trust_of_a_leader_that_refuses_is_over(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store, neighbour = ScriptedStore(), Neighbour()
    leader = await start(nursery, store)
    neighbour.name = leader.name
    follower = await start(nursery, store, 2, probe_leader=neighbour.probe)
    await trio.sleep(2)
    assert neighbour.asked[0] == leader.advertised_address
    neighbour.is_refusing = True
    store.always = Put.REFUSE
    nursery.start_soon(open_again, store, leader)
    assert TIMEOUT_S * 0.55 - 2 <= await led_after_s(follower) < TIMEOUT_S - 2
    nursery.cancel_scope.cancel()


async def open_again(store: ScriptedStore, leader: Broker) -> None:
    # The leader's heartbeats stay out; the takeover finds the store as it should be.
    while leader.is_trusted_leader:  # noqa: ASYNC110
        await trio.sleep(0.05)
    store.always = Put.LAND


async def test_standby_that_asks_for_a_process_that_is_gone_takes_over_at_once(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store, neighbour = ScriptedStore(), Neighbour()
    process, leader = trio.CancelScope(), make_broker(store, host=make_host(pid=17))
    neighbour.name = leader.name
    nursery.start_soon(run_within, process, leader)
    await trio.sleep(1)
    traces = ProcessTraces(exists=True)
    asked: list[int] = []

    def trace(pid: int) -> ProcessTraces:
        asked.append(pid)
        return traces

    follower = await start(
        nursery,
        store,
        2,
        host=make_host(pid=21),
        probe_leader=neighbour.probe,
        trace_process=trace,
    )
    await trio.sleep(2)
    assert set(asked) == {17}
    assert follower.statistics.terms == 0
    process.cancel()
    neighbour.is_refusing, traces = True, ProcessTraces(exists=False)
    assert await led_after_s(follower) < 2
    nursery.cancel_scope.cancel()


async def test_restarted_broker_is_not_asked_for_its_own_address(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store, neighbour = ScriptedStore(), Neighbour()
    process, leader = trio.CancelScope(), make_broker(store, host=make_host(pid=17))
    nursery.start_soon(run_within, process, leader)
    await trio.sleep(1)
    process.cancel()
    restarted = await start(
        nursery,
        store,
        2,
        host=make_host(pid=21),
        address=leader.advertised_address,
        probe_leader=neighbour.probe,
        trace_process=lambda pid: ProcessTraces(exists=pid != 17),
    )
    assert restarted.is_trusted_leader
    assert neighbour.asked == []
    nursery.cancel_scope.cancel()


def make_host(*, pid: int) -> str:
    boot_id = "3c29b2ba-5a8e-4d1c-9f63-0d6f8c2d1e55"
    return f"host {boot_id} net:[1] 127.0.0.1 {pid} pid:[2] {pid} {pid}00"


@pytest.mark.parametrize("evidence", ["silence", "another name", "nothing"])
async def test_standby_without_evidence_waits_for_the_timeout(
    autojump_clock: Clock, nursery: trio.Nursery, evidence: str
) -> None:
    store, neighbour = ScriptedStore(), Neighbour()
    leader = await start(nursery, store)
    neighbour.name = {"another name": "00000000000000ff", "nothing": None}.get(evidence)
    neighbour.is_silent = evidence == "silence"
    follower = await start(nursery, store, 2, probe_leader=neighbour.probe)
    await trio.sleep(3 * TIMEOUT_S)
    assert neighbour.asked
    assert leader.is_trusted_leader
    assert follower.statistics.terms == 0
    nursery.cancel_scope.cancel()


async def test_deposed_leader_follows_its_successor_without_a_fight(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    deposed = await start(nursery, store)
    follower = await start(nursery, store, 2)
    store.script += [Put.HANG_UNAPPLIED]
    store.reads_fail = True
    await trio.sleep(TIMEOUT_S + 3)
    store.reads_fail = False
    await trio.sleep(10 * TIMEOUT_S)
    terms = (deposed.statistics.terms, follower.statistics.terms)
    assert sum(terms) == 2, "one election, and then peace"
    assert (await document(store)).header.epoch == 2
    assert [deposed.is_trusted_leader, follower.is_trusted_leader].count(True) == 1
    nursery.cancel_scope.cancel()


async def test_two_candidates_for_a_released_queue_make_one_leader(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    leader = await start(nursery, store)
    candidates = [await start(nursery, store, number) for number in (2, 3, 4)]
    await leader.drain()
    await trio.sleep(5 * TIMEOUT_S)
    assert sum(candidate.statistics.terms for candidate in candidates) == 1
    assert (await document(store)).header.epoch == 2
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("step", [Put.LOSE_REPLY, Put.VANISH, Put.REFUSE, Put.LAND_LATE])
async def test_takeover_whose_reply_is_lost_is_settled_like_any_write(
    autojump_clock: Clock, nursery: trio.Nursery, step: Put
) -> None:
    store = ScriptedStore()
    store.script.append(step)
    broker = await start(nursery, store)
    assert isinstance(await ask(broker, ReadStats()), QueueStats)
    assert await ask(broker, submit_job()) == JobsSubmitted(["job-1"])
    assert broker.epoch == (await document(store)).header.epoch == 1
    nursery.cancel_scope.cancel()


async def test_broker_without_access_to_the_store_waits_for_it(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    store.reads_denied = True
    broker = make_broker(store)
    nursery.start_soon(broker.run)
    await trio.sleep(5)
    assert isinstance(await ask(broker, ReadStats()), NotLeader)
    assert store.reads_count <= 5 * 4 + 1
    store.reads_denied = False
    assert await led_after_s(broker) < 1
    nursery.cancel_scope.cancel()


async def test_broker_whose_clock_is_off_does_not_lead_until_it_is_set(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    store = ScriptedStore()
    store.clock_offset_ms = 6_000
    broker = await start(nursery, store)
    await trio.sleep(10 * TIMEOUT_S)
    refusal = await ask(broker, submit_job())
    assert isinstance(refusal, NotLeader)
    assert "its clock is 6000 ms behind the store's" in refusal.message
    assert broker.obstacle in refusal.message
    assert store.bodies == []
    store.clock_offset_ms = 0
    assert await led_after_s(broker) < TIMEOUT_S
    assert broker.obstacle == ""
    nursery.cancel_scope.cancel()

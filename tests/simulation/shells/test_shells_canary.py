"""Plants known bugs into the shells and requires the checkers to find them.

Each bug lives in this process alone, for as long as seeds are played. It must be found within
the `SEEDS`, by one of the checkers that guard against it. Four of them were real.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
import trio

from osqueue.broker import broker as broker_module
from osqueue.broker.change_feed import ChangeFeed, FeedEvents
from osqueue.broker.change_feed import Subscription as FeedSubscription
from osqueue.client.events import Gap, Subscription
from osqueue.client.session import Session
from osqueue.core.document import Header
from osqueue.core.election.leader_signs import LeaderSigns
from osqueue.core.group_commit import GroupCommit
from osqueue.core.writes.effects import CommitSummary
from osqueue.core.writes.tickets import Ticket
from osqueue.server.dispatch import Dispatcher
from tests.simulation.checkers.views import Violation
from tests.simulation.shells.plan import make_plan
from tests.simulation.shells.world import World

SEEDS = range(13, 53)
FEED_TROUBLE = {
    "connection breaks": 40.0,
    "connection falls silent": 20.0,
    "dialling hangs": 0.5,
    "reader slow": 1.0,
    "call cancelled": 0.05,
}
"""What some bugs of feeds need; one seed in hundreds has it by itself."""
Plant = Callable[[pytest.MonkeyPatch], None]
CANARIES: dict[str, tuple[Plant, set[str], dict[str, float]]] = {}


def canary(*checkers: str, faults: dict[str, float] | None = None) -> Callable[[Plant], Plant]:
    """The checkers of which one must find the planted bug, and the faults that it needs; by
    default those of the seed."""

    def register(plant: Plant) -> Plant:
        CANARIES[plant.__name__] = (plant, set(checkers), faults or {})
        return plant

    return register


@canary("give-backs")
def claims_of_cancelled_callers_stay(patch: pytest.MonkeyPatch) -> None:
    def forget(self: GroupCommit, ticket: Ticket) -> None:
        self._gathering.waiting_claims.abandon(ticket)

    patch.setattr(GroupCommit, "abandon", forget)


@canary("give-backs", faults={"call cancelled as it is woken": 0.6})
def claims_settled_as_their_callers_are_cancelled_stay(patch: pytest.MonkeyPatch) -> None:
    settle_batch = GroupCommit._settle_batch

    def settle(self: GroupCommit, commit: CommitSummary | None) -> None:
        settle_batch(self, commit)
        assert self._settled_batch is not None
        self._gathering.give_backs.update(self._settled_batch.unclaimed())
        self._settled_batch = None

    patch.setattr(GroupCommit, "_settle_batch", settle)


@canary("trust", "committed only", faults={"dialling refused": 0.6})
def a_port_that_refuses_proves_that_the_leader_is_gone(patch: pytest.MonkeyPatch) -> None:
    proof = LeaderSigns._proof

    def proves(self: LeaderSigns, header: Header) -> str:
        return "its port refuses" if self._has_refused else proof(self, header)

    patch.setattr(LeaderSigns, "_proof", proves)


@canary("nobody waits for ever", faults={"broker crashes": 60.0})
def callers_of_a_broker_that_crashes_are_not_woken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(broker_module, "wake_now", lambda tickets: None)


@canary("committed only")
def feeds_tell_what_is_still_being_written(patch: pytest.MonkeyPatch) -> None:
    feeds: dict[int, ChangeFeed] = {}
    run_term, begin_write = broker_module.run_term, GroupCommit._begin_write

    async def run(machine: GroupCommit, calls: Any, **parts: Any) -> Any:
        feeds[id(machine)] = parts["feed"]
        return await run_term(machine, calls, **parts)

    def begin_and_tell(self: GroupCommit, now_ms: int, steady_ms: int) -> None:
        begin_write(self, now_ms, steady_ms)
        changes = list((self.state.table.changes or {}).values())
        summary = CommitSummary(str(self._next_header.commit_id), 1, 1, 1)
        feeds[id(self)].publish(summary, changes)

    patch.setattr(broker_module, "run_term", run)
    patch.setattr(GroupCommit, "_begin_write", begin_and_tell)


@canary("nothing is left behind")
def watches_of_cancelled_callers_stay(patch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def watch_end(self: ChangeFeed, job_id: str) -> Generator[trio.Event]:
        event = trio.Event()
        with self._tell_if_watched():
            self._ends.setdefault(job_id, set()).add(event)
        yield event
        self._ends[job_id].discard(event)
        if not self._ends[job_id]:
            del self._ends[job_id]

    patch.setattr(ChangeFeed, "watch_end", watch_end)


@canary("nothing is left behind")
def waits_of_a_dispatcher_stay(patch: pytest.MonkeyPatch) -> None:
    class Kept(set[trio.CancelScope]):
        def discard(self, element: trio.CancelScope, /) -> None:
            pass

    def keep(self: Dispatcher, *arguments: Any) -> None:
        begin(self, *arguments)
        self._waits = Kept()

    begin = Dispatcher.__init__
    patch.setattr(Dispatcher, "__init__", keep)


@canary("feeds coalesce", "feeds are paced")
def feeds_keep_every_change(patch: pytest.MonkeyPatch) -> None:
    take = FeedSubscription._take

    def take_twice(self: FeedSubscription, now: float) -> FeedEvents:
        delivery = take(self, now)
        return msgspec.structs.replace(delivery, jobs=delivery.jobs * 2)

    patch.setattr(FeedSubscription, "_take", take_twice)


@canary("feeds tell all", faults=FEED_TROUBLE)
def feeds_drop_changes_in_silence(patch: pytest.MonkeyPatch) -> None:
    take = FeedSubscription._take

    def take_without_gap(self: FeedSubscription, now: float) -> FeedEvents:
        return msgspec.structs.replace(take(self, now), jobs_missed=0)

    patch.setattr(FeedSubscription, "_take", take_without_gap)


@canary("feeds tell all", faults=FEED_TROUBLE)
def what_is_older_than_a_gap_comes_after_it(patch: pytest.MonkeyPatch) -> None:
    def resubscribed(self: Subscription) -> None:
        if self._is_agreed.is_set():
            self._gap = Gap("resubscribed")
            self._has_more.ring()

    patch.setattr(Subscription, "resubscribed", resubscribed)
    patch.setattr(Subscription, "missed", Subscription.fall_behind)


@canary("nobody waits for ever", "everything settles")
def calls_are_never_given_up(patch: pytest.MonkeyPatch) -> None:
    async def keep_no_time(self: Session) -> None:
        await trio.sleep_forever()

    patch.setattr(Session, "_keep_time", keep_no_time)


@pytest.mark.slow
@pytest.mark.parametrize("name", CANARIES)
def test_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, checkers, faults = CANARIES[name]
    plant(monkeypatch)
    found = next((found for seed in SEEDS if (found := hunt(seed, faults))), None)
    assert found is not None, f"not found in {len(SEEDS)} seeds"
    assert found.checker in checkers, found


def hunt(seed: int, faults: dict[str, float]) -> Violation | None:
    """What a seed finds."""
    plan = make_plan(seed)
    if faults:
        plan = replace(plan, faults=faults, watchers=4, workers=2, rest_s=0.1)
    try:
        World(plan).play()
    except Violation as found:
        return found
    return None

"""Drives one term: asks the group commit what to do, does it, reports, asks again."""

from __future__ import annotations

from osqueue.broker.change_feed import ChangeFeed
from osqueue.broker.statistics import Statistics
from osqueue.broker.store_calls import StoreCalls
from osqueue.broker.waiters import wake
from osqueue.broker.wakeup import Wakeup
from osqueue.clocks import Clock
from osqueue.core.group_commit import GroupCommit
from osqueue.core.writes.effects import LoadDocument, Settle, StepDown, WaitUntil, WriteDocument

__all__ = ["run_term"]


async def run_term(
    machine: GroupCommit,
    calls: StoreCalls,
    *,
    clock: Clock,
    wakeup: Wakeup,
    statistics: Statistics,
    feed: ChangeFeed,
) -> StepDown:
    """Serve until the term ends. Every ticket that was enqueued has been settled then.

    Raises:
        StoreMisconfigured: no store call can succeed.

    Cancellation: the write in flight may land; whoever cancels settles what is left.
    """
    earlier_writes = statistics.mutation_writes
    while True:
        effect = machine.next_effect(clock.now_ms(), clock.steady_ms())
        statistics.mutation_writes = earlier_writes + machine.mutation_writes_count
        match effect:
            case Settle():
                if effect.commit is not None:
                    statistics.note_commit(effect.commit)
                    feed.publish(effect.commit, effect.changes)
                await wake(effect.tickets)
            case WriteDocument():
                await calls.write(effect, machine)
            case LoadDocument():
                await calls.load(effect, machine)
            case WaitUntil():
                await wakeup.wait_until(effect.steady_ms, clock)
            case StepDown():
                return effect

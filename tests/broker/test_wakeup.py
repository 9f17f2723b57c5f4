"""How a waiting loop is woken."""

from __future__ import annotations

import trio
import trio.testing

from osqueue.broker.wakeup import Wakeup
from osqueue.clocks import TrioClock

Clock = trio.testing.MockClock


async def test_wakeup_ends_a_wait_early(autojump_clock: Clock, nursery: trio.Nursery) -> None:
    wakeup, clock = Wakeup(), TrioClock()

    async def set_later() -> None:
        await trio.sleep(1)
        wakeup.set()

    nursery.start_soon(set_later)
    await wakeup.wait_until(60_000, clock)
    assert clock.steady_ms() == 1_000


async def test_wakeup_before_the_wait_counts_once(autojump_clock: Clock) -> None:
    wakeup, clock = Wakeup(), TrioClock()
    wakeup.set()
    await wakeup.wait_until(60_000, clock)
    assert clock.steady_ms() == 0
    await wakeup.wait_until(5_000, clock)
    assert clock.steady_ms() == 5_000


async def test_wait_until_the_past_is_a_checkpoint(autojump_clock: Clock) -> None:
    with trio.testing.assert_checkpoints():
        await Wakeup().wait_until(-1, TrioClock())


async def test_wait_without_end_ends_with_the_wakeup(
    autojump_clock: Clock, nursery: trio.Nursery
) -> None:
    wakeup, clock = Wakeup(), TrioClock()
    nursery.start_soon(wakeup.wait_until, None, clock)
    await trio.testing.wait_all_tasks_blocked()
    wakeup.set()


async def test_cancelled_wait_loses_no_wakeup(autojump_clock: Clock) -> None:
    wakeup, clock = Wakeup(), TrioClock()
    wakeup.set()
    with trio.CancelScope() as scope:
        scope.cancel()
        await wakeup.wait_until(None, clock)
    assert scope.cancelled_caught
    with trio.fail_after(1):
        await wakeup.wait_until(None, clock)

"""Waking callers."""

from __future__ import annotations

import pytest
import trio

from osqueue.broker.waiters import Waiter, wake, wake_now
from osqueue.core.mutations import ReadStats


def make_waiters(count: int) -> list[Waiter]:
    return [Waiter([ReadStats()]) for _ in range(count)]


async def test_wake_lets_others_run_between_slices() -> None:
    waiters = make_waiters(1_200)
    woken_counts: list[int] = []

    async def watch() -> None:
        while not woken_counts or woken_counts[-1] < len(waiters):
            woken_counts.append(sum(waiter.settled.is_set() for waiter in waiters))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        await wake(waiters)
    assert {500, 1_000} & set(woken_counts)


async def test_wake_that_is_cancelled_wakes_the_rest_at_once() -> None:
    waiters = make_waiters(1_200)
    with trio.CancelScope() as scope:
        scope.cancel()
        await wake(waiters)
    assert scope.cancelled_caught
    assert all(waiter.settled.is_set() for waiter in waiters)


async def test_wake_of_nobody_does_nothing() -> None:
    await wake([])


def test_ticket_without_a_waiter_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="waiter"):
        wake_now([object()])  # type: ignore[list-item]

"""Waking callers."""

from __future__ import annotations

import pytest
import trio
import trio.testing

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


async def test_wake_returns_when_the_answers_of_those_who_were_woken_are_sent() -> None:
    (waiter,) = make_waiters(1)
    has_replies = trio.Event()
    sent: list[str] = []

    async def answer() -> None:
        await waiter.settled.wait()
        has_replies.set()

    async def write() -> None:
        await has_replies.wait()
        sent.append("replies")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        nursery.start_soon(write)
        await trio.testing.wait_all_tasks_blocked()
        await wake([waiter])
        assert sent == ["replies"]


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

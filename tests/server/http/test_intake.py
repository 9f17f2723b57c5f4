"""The memory for requests on their way in: who gets it, who waits, who gives it back."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from osqueue.core.errors import Unavailable
from osqueue.server.http.intake import FREE_BYTES, ROOM_WAIT_MS, SLOW_MS, Holding, Intake

BYTES_MAX = 100_000


class Body:
    """A body on its way, and whether it was given up for others."""

    def __init__(self, intake: Intake) -> None:
        self.holding = Holding(intake)
        self.reasons: list[Unavailable] = []
        self.holding.begin(self.reasons.append)

    async def grow(self, size: int) -> None:
        await self.holding.add(size)


async def full(intake: Intake) -> Body:
    """A body that holds all the memory there is."""
    body = Body(intake)
    await body.grow(FREE_BYTES + intake.bytes_max)
    return body


async def test_small_requests_are_served_although_the_memory_is_used_up() -> None:
    intake = Intake(BYTES_MAX)
    await full(intake)
    small = Body(intake)
    await small.grow(FREE_BYTES)
    assert intake.bytes_held == BYTES_MAX


async def test_slowest_body_makes_room(autojump_clock: MockClock) -> None:
    intake = Intake(BYTES_MAX)
    slow, quick = Body(intake), Body(intake)
    await slow.grow(FREE_BYTES + BYTES_MAX // 2)
    await trio.sleep(0.5)
    await quick.grow(FREE_BYTES + BYTES_MAX // 2)
    await trio.sleep(0.4)
    newcomer = Body(intake)
    await newcomer.grow(FREE_BYTES + 1)
    assert trio.current_time() == pytest.approx(SLOW_MS / 1_000)
    assert slow.reasons
    assert "100000 bytes, received_bytes_max" in slow.reasons[0].message
    assert slow.holding.bytes_held == 0
    assert not quick.reasons
    assert intake.bytes_held == BYTES_MAX // 2 + 1


async def test_dripping_does_not_make_a_body_quick(autojump_clock: MockClock) -> None:
    intake = Intake(BYTES_MAX)
    dripping, newcomer = Body(intake), Body(intake)
    await dripping.grow(FREE_BYTES + BYTES_MAX - 10)
    for _ in range(10):
        await trio.sleep(0.2)
        await dripping.grow(1)
    await newcomer.grow(FREE_BYTES + 1)
    assert dripping.reasons


async def test_body_that_finds_no_room_is_refused_in_time(autojump_clock: MockClock) -> None:
    intake = Intake(BYTES_MAX)
    complete = await full(intake)
    complete.holding.end()
    late = Body(intake)
    await late.grow(FREE_BYTES)
    with pytest.raises(Unavailable, match="nothing was freed in 5000 ms"):
        await late.grow(1)
    assert trio.current_time() == pytest.approx(ROOM_WAIT_MS / 1_000)
    assert late.holding.bytes_held == 0
    assert late.holding not in intake.receiving


async def test_body_waits_for_others_to_be_answered(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    intake = Intake(BYTES_MAX)
    complete = await full(intake)
    complete.holding.end()
    late = Body(intake)
    nursery.start_soon(late.grow, FREE_BYTES + 1)
    await wait_all_tasks_blocked()
    assert late.holding.bytes_held == 0
    assert late.holding not in intake.receiving, "who waits is not slow"
    complete.holding.close()
    await wait_all_tasks_blocked()
    assert late.holding.bytes_held == FREE_BYTES + 1
    assert intake.bytes_held == 1


async def test_cancelled_wait_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    intake = Intake(BYTES_MAX)
    complete = await full(intake)
    complete.holding.end()
    late = Body(intake)
    with trio.move_on_after(1):
        await late.grow(FREE_BYTES + 1)
    assert late.holding.bytes_held == 0
    late.holding.close()
    assert not intake.receiving


async def test_client_stalls_without_a_byte_or_after_too_long(autojump_clock: MockClock) -> None:
    intake = Intake(BYTES_MAX, deadline_ms=3_000, stall_ms=2_000)
    body = Body(intake)
    assert body.holding.stalls_at_s == 2.0
    await trio.sleep(0.5)
    await body.grow(1)
    assert body.holding.stalls_at_s == 2.5
    await trio.sleep(1)
    await body.grow(1)
    assert body.holding.stalls_at_s == 3.0
    body.holding.end()
    assert body.holding.stalls_at_s == math.inf
    assert body.holding.bytes_held == 2


async def test_what_is_given_up_is_not_what_waits_for_its_answer() -> None:
    holding = Holding(Intake(BYTES_MAX))
    holding.begin(lambda _: None)
    await holding.add(FREE_BYTES + 10)
    holding.end()
    holding.begin(lambda _: None)
    await holding.add(7)
    holding.give_up()
    assert holding.bytes_held == FREE_BYTES + 10
    assert holding.intake.bytes_held == 10

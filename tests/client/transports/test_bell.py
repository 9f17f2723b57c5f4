"""How tasks that found nothing to do are woken."""

from __future__ import annotations

import trio
import trio.testing

from osqueue.client.transports.bell import Bell

__all__: list[str] = []


async def test_a_bell_wakes_everybody_and_the_next_one_is_new() -> None:
    bell = Bell()
    woken: list[int] = []

    async def wait(number: int) -> None:
        await bell.wait()
        woken.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(wait, number)
        await trio.testing.wait_all_tasks_blocked()
        bell.ring()
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(woken) == [0, 1, 2]
        nursery.start_soon(wait, 4)
        await trio.testing.wait_all_tasks_blocked()
        assert len(woken) == 3
        bell.ring()

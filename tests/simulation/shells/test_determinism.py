"""The seeded scheduler does what the simulation needs; it fails first where Trio has changed."""

import trio

from tests.simulation.shells.determinism import run_seeded

TASKS = 6


def order_of(seed: int) -> tuple[list[int], float]:
    """In which order tasks that wait for one event run on, and the time at the end."""
    order: list[int] = []
    ended_at = 0.0

    async def main() -> None:
        nonlocal ended_at
        event = trio.Event()

        async def wait(number: int) -> None:
            await event.wait()
            order.append(number)
            await trio.sleep(1_000)

        async with trio.open_nursery() as nursery:
            for number in range(TASKS):
                nursery.start_soon(wait, number)
            await trio.testing.wait_all_tasks_blocked()
            event.set()
        ended_at = trio.current_time()

    run_seeded(seed, main)
    return order, ended_at


def test_same_seed_runs_tasks_in_the_same_order() -> None:
    assert [order_of(seed) for seed in range(5)] == [order_of(seed) for seed in range(5)]


def test_seeds_give_many_orders() -> None:
    assert len({tuple(order_of(seed)[0]) for seed in range(30)}) > 15


def test_hours_pass_at_once() -> None:
    assert order_of(1)[1] >= 1_000


def test_scheduler_of_others_is_left_as_it_was() -> None:
    from trio._core import _run as trio_run

    before = trio_run._ALLOW_DETERMINISTIC_SCHEDULING, trio_run._r.getstate()
    order_of(1)
    assert (trio_run._ALLOW_DETERMINISTIC_SCHEDULING, trio_run._r.getstate()) == before

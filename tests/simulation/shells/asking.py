"""How everybody in a world calls: within a bound, sometimes cancelled, with an answer noted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, TypeVar

import trio

from osqueue.core.errors import QueueError
from tests.simulation.checkers.views import Violation

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["Cancelled", "ask", "cancel_at", "waiting_places"]

ResultT = TypeVar("ResultT")

CANCEL_AFTER_S = (0.0, 0.001, 0.01, 0.03, 0.1, 0.5, 2.0)


class Cancelled:
    """The caller was cancelled before it was answered."""


async def ask(
    world: World,
    what: str,
    call: Callable[[], Awaitable[ResultT]],
    *,
    bound_s: float,
) -> ResultT | QueueError | Cancelled:
    """Call, and give what came of it; a call that takes longer than its bound waits for ever."""
    started = trio.current_time()
    answer: ResultT | QueueError | Cancelled = Cancelled()
    with (
        trio.move_on_after(bound_s) as limit,
        trio.move_on_at(cancel_at(world)) as scope,
        cancelled_as_woken(world, scope),
    ):
        try:
            answer = await call()
        except QueueError as error:
            answer = error
            world.reached(f"answer {type(error).__name__}")
        except trio.Cancelled as cancelled:
            world.reached(f"cancelled: {what} in {place_of(cancelled.__traceback__)}")
            raise
    if limit.cancel_called:
        raise Violation("nobody waits for ever", f"{what} took more than {bound_s} s")
    world.reached(what)
    took_ms = round((trio.current_time() - started) * 1_000)
    world.note(f"{what}: {type(answer).__name__} after {took_ms} ms")
    return answer


def cancel_at(world: World) -> float:
    """When a caller is cancelled, on Trio's clock; mostly never."""
    if not world.strikes("call cancelled"):
        return float("inf")
    return trio.current_time() + world.random.choice(CANCEL_AFTER_S) * world.random.random()


class WakeCanceller(trio.abc.Instrument):
    """Cancels a task that has been woken so many times, before it runs."""

    def __init__(self, task: trio.lowlevel.Task, scope: trio.CancelScope, wakes: int) -> None:
        self._task = task
        self._scope = scope
        self._wakes_left = wakes

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._wakes_left -= 1
            if not self._wakes_left:
                self._scope.cancel()


@contextmanager
def cancelled_as_woken(world: World, scope: trio.CancelScope) -> Generator[None]:
    """Sometimes what a caller waits for comes in the very moment in which it is cancelled."""
    if not world.strikes("call cancelled as it is woken"):
        yield
        return
    wakes = world.random.choice([1, 1, 2, 4])
    canceller = WakeCanceller(trio.lowlevel.current_task(), scope, wakes)
    trio.lowlevel.add_instrument(canceller)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(canceller)


def place_of(traceback: TracebackType | None) -> str:
    """The function of osqueue that waited when it was cancelled: the innermost one."""
    place = ""
    while traceback is not None:
        place = _name_of(traceback.tb_frame) or place
        traceback = traceback.tb_next
    return place


def waiting_places(nursery: trio.Nursery) -> set[str]:
    """The functions of osqueue in which the tasks of a nursery wait, down to the last child."""
    places: set[str] = set()
    for task in nursery.child_tasks:
        place = ""
        for frame, _ in task.iter_await_frames():
            place = _name_of(frame) or place
        places.add(place)
        for child in task.child_nurseries:
            places |= waiting_places(child)
    return places


def _name_of(frame: FrameType) -> str:
    module = frame.f_globals.get("__name__", "")
    if not module.startswith("osqueue."):
        return ""
    return f"{module.removeprefix('osqueue.')}.{frame.f_code.co_name}"

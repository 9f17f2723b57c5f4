"""How everybody in a world calls: within a bound, sometimes cancelled, with an answer noted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import trio

from osqueue.core.errors import QueueError
from tests.simulation.checkers.views import Violation

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["Cancelled", "ask"]

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
    cancel_at = float("inf")
    if world.strikes("call cancelled"):
        after_s = world.random.choice(CANCEL_AFTER_S) * world.random.random()
        cancel_at = trio.current_time() + after_s
    started = trio.current_time()
    answer: ResultT | QueueError | Cancelled = Cancelled()
    with trio.move_on_after(bound_s) as limit, trio.move_on_at(cancel_at):
        try:
            answer = await call()
        except QueueError as error:
            answer = error
            world.reached(f"answer {type(error).__name__}")
        except trio.Cancelled as cancelled:
            world.reached(f"cancelled in {place_of(cancelled.__traceback__)}")
            raise
    if limit.cancelled_caught:
        raise Violation("nobody waits for ever", f"{what} took more than {bound_s} s")
    world.reached(what)
    took_ms = round((trio.current_time() - started) * 1_000)
    world.note(f"{what}: {type(answer).__name__} after {took_ms} ms")
    return answer


def place_of(traceback: TracebackType | None) -> str:
    """The function of osqueue that waited when it was cancelled: the innermost one."""
    place = "the caller"
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        if name.startswith("osqueue."):
            place = f"{name.removeprefix('osqueue.')}.{traceback.tb_frame.f_code.co_name}"
        traceback = traceback.tb_next
    return place

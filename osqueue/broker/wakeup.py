"""How a loop that waits learns that there is something to do."""

from __future__ import annotations

import trio

from osqueue.clocks import Clock

__all__ = ["Wakeup"]


class Wakeup:
    """Set by anybody, waited for by one loop."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        """There is something to do. Before the wait it counts, too."""
        self._event.set()

    async def wait_until(self, steady_ms: int | None, clock: Clock) -> None:
        """Wait until it is set, at most until a steady time (None: without end).

        Always a checkpoint, so that a loop that is never out of work lets others run.

        Cancellation: nothing is lost, it stays set.
        """
        await trio.lowlevel.checkpoint()
        if not self._event.is_set():
            left_ms = None if steady_ms is None else steady_ms - clock.steady_ms()
            if left_ms is None:
                await self._event.wait()
            elif left_ms > 0:
                with trio.move_on_after(left_ms / 1_000):
                    await self._event.wait()
        if self._event.is_set():
            self._event = trio.Event()

"""The memory for requests on their way in, shared by all connections so that none takes it all.

A body or message counts from its first byte until its calls are answered, or settled where their
client has left. What each connection
holds first, `FREE_BYTES`, is not counted: small requests are served whatever the others do. When
the rest is used up, whoever receives more waits for room, and the slowest make it: a body that
needs more than a second for its next 64 KiB is given up, the slowest first. Where nobody is slow,
the wait ends with Unavailable, and the client tries again.

A client that sends nothing for a while, or takes too long for the whole, is given up in any case:
`stalls_at_s` says when, and whoever reads its bytes keeps that time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import trio

from osqueue.core.errors import Unavailable

__all__ = ["FREE_BYTES", "HOLDING", "Holding", "Intake"]

HOLDING = "osqueue.holding"
"""Where a scope of ASGI has the holding of its connection."""
FREE_BYTES = 65_536
"""What each connection may hold without asking."""
STEP_BYTES = 65_536
SLOW_MS = 1_000
"""Whoever takes longer for a step makes room when others wait for it."""
ROOM_WAIT_MS = 5_000
"""How long a body waits for room."""
DEADLINE_MS = 60_000
"""How long a client may take to send a body or message."""
STALL_MS = 10_000
"""And how long it may send nothing of it."""


class Intake:
    """Counts what all connections hold.

    Args:
        bytes_max: for all together; decoding takes about as much again.
        deadline_ms: for one body or message.
        stall_ms: without a byte of it.
    """

    def __init__(
        self, bytes_max: int, *, deadline_ms: int = DEADLINE_MS, stall_ms: int = STALL_MS
    ) -> None:
        self.bytes_max = bytes_max
        self.deadline_s = deadline_ms / 1_000
        self.stall_s = stall_ms / 1_000
        self.bytes_held = 0
        """Without the free bytes of each connection."""
        self.receiving: set[Holding] = set()
        """Whose body or message is not complete, and who does not wait for room."""
        self._room_made = trio.Event()

    def note_room(self) -> None:
        """Wake whoever waits for room."""
        self._room_made.set()
        self._room_made = trio.Event()

    async def make_room(self, bytes_counted: int) -> None:
        """Wait until so much more can be held.

        Raises:
            Unavailable: nobody made room in time.
        """
        deadline_s = trio.current_time() + ROOM_WAIT_MS / 1_000
        while self.bytes_held + bytes_counted > self.bytes_max:
            now_s = trio.current_time()
            slowest = self._slowest()
            slow_at_s = slowest.step_s + SLOW_MS / 1_000 if slowest else math.inf
            if slowest is not None and slow_at_s <= now_s:
                slowest.interrupt(self._refusal("and this body or message was the slowest"))
            elif deadline_s <= now_s:
                raise self._refusal(f"and nothing was freed in {ROOM_WAIT_MS} ms")
            else:
                with trio.move_on_at(min(deadline_s, slow_at_s)):
                    await self._room_made.wait()

    def _slowest(self) -> Holding | None:
        takers = (holding for holding in self.receiving if holding.bytes_held > FREE_BYTES)
        return min(takers, key=lambda holding: holding.step_s, default=None)

    def _refusal(self, reason: str) -> Unavailable:
        return Unavailable(
            f"The memory for requests is used up ({self.bytes_max} bytes, received_bytes_max),"
            f" {reason}"
        )


class Holding:
    """What one connection holds; one body or message is received at a time."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.bytes_held = 0
        """Of requests that are not answered yet, the incomplete one included."""
        self.received_bytes = 0
        """Of the incomplete one."""
        self.step_s = 0.0
        """When the last step of the incomplete one was complete, of Trio's clock."""
        self.stalls_at_s = math.inf
        """When the client has stalled."""
        self._ends_at_s = math.inf
        self._on_interrupted: Callable[[Unavailable], None] | None = None

    def begin(self, on_interrupted: Callable[[Unavailable], None]) -> None:
        """A body or message begins; called when it is given up, with what was held of it."""
        now_s = trio.current_time()
        self._on_interrupted = on_interrupted
        self.step_s = now_s
        self._ends_at_s = now_s + self.intake.deadline_s
        self.stalls_at_s = min(self._ends_at_s, now_s + self.intake.stall_s)
        self.intake.receiving.add(self)

    async def add(self, size: int) -> None:
        """Hold more of what has begun, when there is room.

        Raises:
            Unavailable: there is none; what was received of it is held no longer.

        Cancellation: nothing was added.
        """
        counted = counted_bytes(self.bytes_held + size) - counted_bytes(self.bytes_held)
        if counted and self.intake.bytes_held + counted > self.intake.bytes_max:
            self.intake.receiving.discard(self)
            try:
                await self.intake.make_room(counted)
            except Unavailable:
                self.give_up()
                raise
            self.intake.receiving.add(self)
            self.step_s = trio.current_time()
        self.hold(size)
        now_s = trio.current_time()
        if self.received_bytes // STEP_BYTES != (self.received_bytes + size) // STEP_BYTES:
            self.step_s = now_s
        self.received_bytes += size
        self.stalls_at_s = min(self._ends_at_s, now_s + self.intake.stall_s)

    def end(self) -> None:
        """It is complete; what is held of it stays so."""
        self.intake.receiving.discard(self)
        self.received_bytes = 0
        self.stalls_at_s = math.inf

    def give_up(self) -> None:
        """It will not be completed."""
        self.release(self.received_bytes)
        self.end()

    def interrupt(self, reason: Unavailable) -> None:
        """Give it up to make room for others."""
        assert self._on_interrupted is not None, "only what has begun is interrupted"
        self.give_up()
        self._on_interrupted(reason)

    def hold(self, size: int) -> None:
        """Hold bytes that are there in any case."""
        self._set(self.bytes_held + size)

    def release(self, size: int) -> None:
        """Hold so much less."""
        self._set(self.bytes_held - size)

    def close(self) -> None:
        """Hold nothing any more: the connection is done with all its requests."""
        self.end()
        self._set(0)

    def _set(self, bytes_held: int) -> None:
        assert bytes_held >= 0, "what is released was held"
        change = counted_bytes(bytes_held) - counted_bytes(self.bytes_held)
        self.bytes_held = bytes_held
        if change:
            self.intake.bytes_held += change
            if change < 0:
                self.intake.note_room()


def counted_bytes(bytes_held: int) -> int:
    """What of a connection's bytes counts."""
    return max(0, bytes_held - FREE_BYTES)

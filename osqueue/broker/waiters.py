"""Callers that wait for their ticket to be settled.

A cancelled caller stops waiting; what it asked for may still be committed. Jobs that it claimed
are given back with the next write.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from osqueue.core.mutations import Request
from osqueue.core.writes.tickets import Ticket

__all__ = ["Waiter", "wake", "wake_now"]

_SLICE = 500
"""Callers woken before others get a turn: each costs the scheduler a few microseconds."""
_TURNS = 3
"""Of the scheduler, until what was settled is on its way: the caller's, which renders its replies,
that of the writer whom it rings, and the end of that one."""


class Waiter(Ticket):
    """A ticket with somebody waiting for it."""

    __slots__ = ("settled",)

    def __init__(self, requests: Sequence[Request]) -> None:
        super().__init__(requests)
        self.settled = trio.Event()


async def wake(tickets: Sequence[Ticket]) -> None:
    """Wake the callers of settled tickets, and let them send their answers.

    Otherwise these would wait until the next batch is formed, and clients, who hear of two batches
    at once, would leave the broker idle in between.

    Cancellation: all are woken at once.
    """
    start = 0
    try:
        for start in range(0, len(tickets), _SLICE):
            if start:
                await trio.lowlevel.checkpoint()
            wake_now(tickets[start : start + _SLICE])
        for _ in range(_TURNS if tickets else 0):
            await trio.lowlevel.checkpoint()
    except trio.Cancelled:
        wake_now(tickets[start:])
        raise


def wake_now(tickets: Sequence[Ticket]) -> None:
    """Wake the callers of settled tickets without giving others a turn."""
    for ticket in tickets:
        assert isinstance(ticket, Waiter), "every ticket of a broker has a waiter"
        ticket.settled.set()

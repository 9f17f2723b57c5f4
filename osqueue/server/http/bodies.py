"""Reading an HTTP request's body within bounds, and hearing the client leave.

Hypercorn queues chunks for an application and then blocks inside the application's own `send`, so
whoever answers must keep receiving: a body that is refused is still read, up to a bound.
"""

from __future__ import annotations

import math

import msgspec
import trio

from osqueue.core.errors import InvalidRequest, Unavailable
from osqueue.server.http.asgi import Head, Receive
from osqueue.server.http.intake import Holding
from osqueue.server.http.statuses import HttpRefusal, status_of

__all__ = ["CLOSE_AFTER", "ClientGone", "discard_body", "read_body", "wait_until_gone"]

DISCARDED_BODIES_MAX = 4
"""A body that is refused is read on, to be answered properly, up to so many times the limit."""
DISCARD_MS_MAX = 5_000
"""And for so long."""
CLOSE_AFTER = ((b"connection", b"close"),)


class ClientGone(Exception):
    """The client left before its request was complete."""


class BodyLimits(msgspec.Struct, frozen=True):
    """The bounds of one body."""

    bytes_max: int


async def read_body(head: Head, receive: Receive, limits: BodyLimits, holding: Holding) -> bytes:
    """Read a body to its end; it stays in the holding.

    Raises:
        HttpRefusal: 413, too large; 408, too slow; 503, there was no memory for it.
        ClientGone: the client left.
    """
    announced = head.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.bytes_max:
        raise too_large(limits)
    reasons: list[Unavailable] = []
    with trio.CancelScope() as scope:

        def interrupt(reason: Unavailable) -> None:
            reasons.append(reason)
            scope.cancel()

        holding.begin(interrupt)
        try:
            body = await receive_chunks(receive, limits, holding, scope)
            holding.end()
            return body
        except Unavailable as error:
            raise no_memory(error) from error
        finally:
            # Nothing, where the body is complete.
            holding.give_up()
    if reasons:
        raise no_memory(reasons[0])
    raise HttpRefusal(
        408,
        InvalidRequest(
            f"The body must arrive within {holding.intake.deadline_s:g} s,"
            f" and some of it every {holding.intake.stall_s:g} s"
        ),
        CLOSE_AFTER,
    )


async def receive_chunks(
    receive: Receive, limits: BodyLimits, holding: Holding, scope: trio.CancelScope
) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        scope.deadline = holding.stalls_at_s
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limits.bytes_max:
            raise too_large(limits)
        # The wait for room has a bound of its own, and is no fault of the client.
        scope.deadline = math.inf
        await holding.add(len(chunk))
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def no_memory(error: Unavailable) -> HttpRefusal:
    return HttpRefusal(status_of(error), error, CLOSE_AFTER)


def too_large(limits: BodyLimits) -> HttpRefusal:
    return HttpRefusal(
        413,
        InvalidRequest(f"The body exceeds {limits.bytes_max} bytes (frame_bytes_max)"),
        CLOSE_AFTER,
    )


async def discard_body(receive: Receive, limits: BodyLimits) -> None:
    """Read what is left of a refused body, so that the client reads the refusal; within bounds."""
    left = limits.bytes_max * DISCARDED_BODIES_MAX
    with trio.move_on_after(DISCARD_MS_MAX / 1_000):
        while left > 0:
            message = await receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return
            left -= len(message.get("body", b""))


async def wait_until_gone(receive: Receive) -> None:
    """Return when the client has left, or its connection is done with this request."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return

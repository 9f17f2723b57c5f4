"""Reading an HTTP request's body within bounds, and hearing the client leave.

Hypercorn queues ten chunks for an application and then blocks inside the application's own `send`,
so whoever answers must keep receiving: a body that is refused is still read, up to a bound.
"""

from __future__ import annotations

import msgspec
import trio

from osqueue.core.errors import InvalidRequest
from osqueue.server.http.asgi import Head, Receive
from osqueue.server.http.statuses import HttpRefusal

__all__ = ["BODY_DEADLINE_MS", "ClientGone", "discard_body", "read_body", "wait_until_gone"]

BODY_DEADLINE_MS = 60_000
"""How long a client may take to send its body."""
DISCARDED_BODIES_MAX = 4
"""A body that is too large is read on, to be answered properly, up to so many times the limit."""
DISCARD_MS_MAX = 5_000
"""And for so long."""


class ClientGone(Exception):
    """The client left before its request was complete."""


class BodyLimits(msgspec.Struct, frozen=True):
    """The bounds of one body."""

    bytes_max: int
    deadline_ms: int = BODY_DEADLINE_MS


async def read_body(head: Head, receive: Receive, limits: BodyLimits) -> bytes:
    """Read a body to its end.

    Raises:
        HttpRefusal: 413, too large; 408, too slow.
        ClientGone: the client left.
    """
    announced = head.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.bytes_max:
        raise too_large(limits)
    chunks: list[bytes] = []
    size = 0
    with trio.move_on_after(limits.deadline_ms / 1_000):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limits.bytes_max:
                raise too_large(limits)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)
    raise HttpRefusal(
        408, InvalidRequest(f"The body took longer than {limits.deadline_ms} ms to arrive")
    )


def too_large(limits: BodyLimits) -> HttpRefusal:
    return HttpRefusal(
        413,
        InvalidRequest(f"The body exceeds {limits.bytes_max} bytes (frame_bytes_max)"),
        ((b"connection", b"close"),),
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

"""Frames of requests and replies as bytes, in MessagePack."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from osqueue.client.calls import Call
from osqueue.core.errors import QueueError, Unavailable
from osqueue.protocol.error_codes import error_from_wire
from osqueue.protocol.messages import WireError, WireResult

__all__ = ["Reply", "decode_error", "decode_frame", "encode_frame", "error_of", "result_of"]

NO_RESULT = Raw(b"\x80")


class _Request(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """A request as this client writes it: `WireRequest`, with a number as its id."""

    method: str
    id: int
    params: Raw
    sequence: int | None = None
    first_incomplete: int | None = None


class Reply(WireResult, gc=False):
    """A reply or event, as `WireResult`; nothing that it holds refers back to it."""

    missed: int = 0
    """Of an event: jobs whose changes were dropped before it."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Reply] | Reply).decode
_decode_error = msgspec.msgpack.Decoder(WireError).decode


def encode_frame(calls: Sequence[Call], *, floor: int) -> bytes:
    """One frame of these calls, at least one, its mutations with the client's floor."""
    requests = [
        _Request(call.method, call.call_id, Raw(call.params))
        if call.sequence is None
        else _Request(call.method, call.call_id, Raw(call.params), call.sequence, floor)
        for call in calls
    ]
    return _encode(requests)


def decode_frame(body: bytes) -> Sequence[Reply]:
    """The replies (and events) of one frame.

    Raises:
        msgspec.DecodeError: the broker sent something else.
    """
    frame = _decode(body)
    return [frame] if isinstance(frame, Reply) else frame


def result_of(reply: WireResult) -> Raw:
    """The result of a reply that is ok; an empty map where it has none."""
    return reply.result or NO_RESULT


def error_of(reply: WireResult) -> QueueError:
    """The error of a reply that is not ok."""
    if reply.error is None:
        return Unavailable("the broker answered neither with a result nor with an error")
    return error_from_wire(reply.error)


def decode_error(body: bytes) -> QueueError:
    """The error that is the body of an HTTP answer.

    Raises:
        msgspec.DecodeError: the body is something else.
    """
    return error_from_wire(_decode_error(body))

"""From bytes to requests and from replies to bytes, in both encodings.

A good frame is decoded in one call, params included. One that is large, or has a wrong field in it,
is decoded with the params left as they are (`msgspec.Raw`), and one with a bad request in it is
taken apart item by item, so that each request fails by itself. Clients use the other half: encoding
requests, decoding replies.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast, final, get_args

import msgspec
from msgspec import Raw

from osqueue.core.errors import BrokerProtocolError, InvalidRequest
from osqueue.core.limits import Limits
from osqueue.protocol.encodings import Encoding
from osqueue.protocol.messages import (
    AnyTypedRequest,
    TypedRequest,
    WireErrorReply,
    WireEvent,
    WireReply,
    WireRequest,
    WireResult,
)
from osqueue.protocol.params import ABSENT, Params

__all__ = [
    "Encoding",
    "Frame",
    "MalformedRequest",
    "decode_frame",
    "decode_params",
    "decode_results",
    "encode_message",
    "encode_replies",
    "encode_requests",
    "null_id",
    "read_params",
]

_P = TypeVar("_P", bound=Params)

_NULL = {Encoding.JSON: Raw(b"null"), Encoding.MSGPACK: Raw(b"\xc0")}
_EMPTY = {Encoding.JSON: Raw(b"{}"), Encoding.MSGPACK: Raw(b"\x80")}
_TYPED_BYTES_MAX = 262_144
"""The params of larger frames are decoded one by one, since a byte can become a hundred."""
_COMMAS_PER_REQUEST = 50
"""A frame with a bad request and more commas than this per request allowed is refused whole."""

_FrameType = list[WireRequest] | WireRequest
_typed_decoders: dict[Encoding, Any] = {
    Encoding.JSON: msgspec.json.Decoder(list[AnyTypedRequest] | AnyTypedRequest),
    Encoding.MSGPACK: msgspec.msgpack.Decoder(list[AnyTypedRequest] | AnyTypedRequest),
}
_frame_decoders: dict[Encoding, Any] = {
    Encoding.JSON: msgspec.json.Decoder(_FrameType),
    Encoding.MSGPACK: msgspec.msgpack.Decoder(_FrameType),
}
_request_decoders: dict[Encoding, Any] = {
    Encoding.JSON: msgspec.json.Decoder(WireRequest),
    Encoding.MSGPACK: msgspec.msgpack.Decoder(WireRequest),
}
_item_decoders: dict[Encoding, Any] = {
    Encoding.JSON: msgspec.json.Decoder(list[Raw]),
    Encoding.MSGPACK: msgspec.msgpack.Decoder(list[Raw]),
}
_result_decoders: dict[Encoding, Any] = {
    Encoding.JSON: msgspec.json.Decoder(list[WireResult] | WireResult),
    Encoding.MSGPACK: msgspec.msgpack.Decoder(list[WireResult] | WireResult),
}
_encoders: dict[Encoding, msgspec.json.Encoder | msgspec.msgpack.Encoder] = {
    Encoding.JSON: msgspec.json.Encoder(),
    Encoding.MSGPACK: msgspec.msgpack.Encoder(),
}
# By the type of the params: hashing an Encoding costs as much as decoding a small request.
_json_params: dict[type[Params], Any] = {}
_msgpack_params: dict[type[Params], Any] = {}
_NULL_BYTES_MAX = 4
_WRONG_CHOICE = re.compile(r"Invalid enum value .* - at `\$\.(\w+)`\Z", re.DOTALL)
_MALFORMED = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding raises: UnicodeDecodeError is a ValueError, a deep nest a RecursionError."""


class _Identified(msgspec.Struct):
    """The only part that is read of a request that is no request."""

    id: Raw = ABSENT


_id_decoders: dict[Encoding, Any] = {
    Encoding.JSON: msgspec.json.Decoder(_Identified),
    Encoding.MSGPACK: msgspec.msgpack.Decoder(_Identified),
}


@final
class MalformedRequest(msgspec.Struct, frozen=True):
    """An item of a frame that is no request."""

    id: Raw
    """Its id where that could be read, otherwise null."""
    error: BrokerProtocolError


class Frame(msgspec.Struct, frozen=True):
    """The requests of one frame, in order."""

    requests: list[TypedRequest | WireRequest | MalformedRequest]
    is_array: bool
    """Whether the replies come back in arrays too."""
    encoding: Encoding


def null_id(encoding: Encoding) -> Raw:
    """The id of a reply to something that has none."""
    return _NULL[encoding]


def decode_frame(body: bytes, encoding: Encoding, limits: Limits) -> Frame:
    """Read a frame: one request, or an array of them.

    Args:
        body: at most `frame_bytes_max`, which the caller has checked.

    Raises:
        BrokerProtocolError: the frame is neither a request nor an array.
        InvalidRequest: it has more requests than `frame_requests_max`.
    """
    _check_text(body, encoding)
    _check_announced_count(body, encoding, limits)
    decoded: Any = None
    if len(body) <= _TYPED_BYTES_MAX:
        with suppress(*_MALFORMED):
            decoded = _typed_decoders[encoding].decode(body)
    if decoded is None:
        try:
            decoded = _frame_decoders[encoding].decode(body)
        except msgspec.ValidationError:
            return _decode_items(body, encoding, limits)
        except _MALFORMED as error:
            raise _malformed_frame(error) from None
    if type(decoded) is list:
        requests = cast("list[TypedRequest | WireRequest | MalformedRequest]", decoded)
        _check_count(len(requests), limits)
        return Frame(requests, True, encoding)
    return Frame([decoded], False, encoding)


def decode_params(raw: Raw, kind: type[_P], encoding: Encoding) -> _P:
    """Read the params of one request; absent and null stand for none.

    Raises:
        InvalidRequest: a field is missing or of the wrong type; the message names it.
    """
    is_json = encoding is Encoding.JSON
    decoders = _json_params if is_json else _msgpack_params
    decoder = decoders.get(kind)
    if decoder is None:
        module = msgspec.json if is_json else msgspec.msgpack
        decoder = decoders[kind] = module.Decoder(kind)
    size = len(raw)
    if not size or (size <= _NULL_BYTES_MAX and raw == _NULL[encoding]):
        raw = _EMPTY[encoding]
    try:
        return decoder.decode(raw)
    except RecursionError:
        raise InvalidRequest("params are nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidRequest(f"params: {error}{_choices(kind, str(error))}") from None


def read_params(wire: TypedRequest | WireRequest, kind: type[_P], encoding: Encoding) -> _P:
    """The params of one request, decoded here if they were not with their frame.

    Raises:
        InvalidRequest: as `decode_params`.
    """
    if type(wire) is WireRequest:
        return decode_params(wire.params, kind, encoding)
    return cast("_P", wire.params)


def _choices(kind: type[Params], reason: str) -> str:
    """The values that a field may have, where the reason is that it has another."""
    match = _WRONG_CHOICE.match(reason)
    for field in msgspec.structs.fields(kind) if match else ():
        if match and field.encode_name == match[1]:
            # Of `Literal[...] | None`.
            values = [value for part in get_args(field.type) for value in get_args(part)]
            return f"; it may be {', '.join(map(str, values))}"
    return ""


def encode_message(message: object, encoding: Encoding) -> bytes:
    """Encode one struct: a reply, an event, a result or an error by itself."""
    return _encoders[encoding].encode(message)


def encode_replies(
    replies: Sequence[WireReply | WireErrorReply],
    *,
    is_array: bool,
    encoding: Encoding,
    bytes_max: int,
) -> list[bytes]:
    """Encode the replies of one frame.

    An array that would exceed `bytes_max` becomes several; a single reply never does, because what
    goes into it was bounded before.
    """
    encoder = _encoders[encoding]
    if not is_array:
        assert len(replies) == 1, "one request has one reply"
        return [encoder.encode(replies[0])]
    body = encoder.encode(replies)
    if len(body) <= bytes_max or len(replies) == 1:
        return [body]
    middle = len(replies) // 2
    halves: list[bytes] = []
    for half in (replies[:middle], replies[middle:]):
        halves += encode_replies(half, is_array=True, encoding=encoding, bytes_max=bytes_max)
    return halves


def encode_requests(requests: Sequence[WireRequest] | WireRequest, encoding: Encoding) -> bytes:
    """Encode a frame of requests, for clients."""
    return _encoders[encoding].encode(requests)


def decode_results(body: bytes, encoding: Encoding) -> list[WireResult]:
    """Read a frame of replies and events, for clients.

    Raises:
        BrokerProtocolError: it is none.
    """
    try:
        decoded = _result_decoders[encoding].decode(body)
    except _MALFORMED as error:
        raise BrokerProtocolError(f"The broker's answer cannot be read: {error}") from None
    return cast("list[WireResult]", decoded) if type(decoded) is list else [decoded]


def encode_event(event: WireEvent, encoding: Encoding) -> bytes:
    """Encode one event."""
    return _encoders[encoding].encode(event)


def _decode_items(body: bytes, encoding: Encoding, limits: Limits) -> Frame:
    """Read a frame in which something is no request: each item by itself."""
    if encoding is Encoding.JSON:
        # Each item costs an object before it can be counted, and eight megabytes hold millions.
        commas_max = limits.frame_requests_max * _COMMAS_PER_REQUEST
        if body.count(b",") > commas_max:
            raise BrokerProtocolError(
                f"Malformed frame: it holds what is no request, and more than {commas_max} commas"
            )
    try:
        items = _item_decoders[encoding].decode(body)
    except msgspec.ValidationError:
        return Frame([_malformed_request(body, encoding)], False, encoding)
    except _MALFORMED as error:
        raise _malformed_frame(error) from None
    _check_count(len(items), limits)
    return Frame([_decode_item(item, encoding) for item in items], True, encoding)


def _decode_item(item: Raw, encoding: Encoding) -> WireRequest | MalformedRequest:
    try:
        return _request_decoders[encoding].decode(item)
    except _MALFORMED:
        return _malformed_request(item, encoding)


def _malformed_request(item: Raw | bytes, encoding: Encoding) -> MalformedRequest:
    """Say what is wrong with an item that does not decode, under its own id where it has one."""
    try:
        identity = _id_decoders[encoding].decode(item).id
        if identity == ABSENT:
            identity = _NULL[encoding]
    except _MALFORMED:
        identity = _NULL[encoding]
    reason = "it is no object with a method"
    try:
        _request_decoders[encoding].decode(item)
    except _MALFORMED as error:
        reason = str(error)
    return MalformedRequest(identity, BrokerProtocolError(f"Malformed request: {reason}"))


def _malformed_frame(error: BaseException) -> BrokerProtocolError:
    reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return BrokerProtocolError(f"Malformed frame: {reason}")


def _check_text(body: bytes, encoding: Encoding) -> None:
    """Check the UTF-8 of a whole JSON frame at once, since ids are echoed as they came."""
    if encoding is Encoding.JSON and not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise _malformed_frame(error) from None


def _check_announced_count(body: bytes, encoding: Encoding, limits: Limits) -> None:
    """A MessagePack array says its length first: refuse before anything is built."""
    if encoding is Encoding.MSGPACK and body[:1] in (b"\xdc", b"\xdd"):
        length_bytes = 2 if body[0] == 0xDC else 4
        _check_count(int.from_bytes(body[1 : 1 + length_bytes], "big"), limits)


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.frame_requests_max:
        raise InvalidRequest(
            f"The frame has {count} requests; the limit is {limits.frame_requests_max}"
            " (frame_requests_max)"
        )

"""Payloads and results: admitted once, when they arrive, and then kept as JSON.

`msgspec.Raw` checks nothing of what it holds (not UTF-8, not depth, not the size of numbers), so
admission decodes everything. What was admitted is canonical JSON: no raw newline, so that the
document can keep its lines, and readable by every JSON parser there is.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import msgspec
from msgspec import Raw

from osqueue.core.errors import InvalidRequest
from osqueue.core.limits import Limits
from osqueue.protocol.encodings import Encoding

__all__ = ["NULL_PAYLOAD", "admit_payload", "encode_payload"]

NULL_PAYLOAD = Raw(b"null")
"""What an absent payload is stored as."""

_INTEGER_MIN = -(2**63)
_INTEGER_MAX = 2**64 - 1
_RAW_BYTES_RATIO = 4
"""A payload may arrive so many times larger than it is stored: white space, escapes."""
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
"""Only a number of 19 digits or more can exceed 64 bits."""

_json_decoder = msgspec.json.Decoder()
_json_encoder = msgspec.json.Encoder()
_msgpack_decoder = msgspec.msgpack.Decoder()
_msgpack_encoder = msgspec.msgpack.Encoder()


def admit_payload(
    raw: Raw | bytes, encoding: Encoding, limits: Limits, *, field: str = "payload"
) -> Raw:
    """Check a payload or result as it arrived, and give the form that is stored.

    Args:
        raw: in `encoding`; empty stands for an absent one, which is null.
        limits: `payload_bytes_max` bounds the stored form, `depth_max` its nesting.
        field: what the error calls it.

    Raises:
        InvalidRequest: not a JSON value (bytes, extension types, dates, NaN, infinities, keys that
            are not strings, invalid UTF-8), integers beyond 64 bits, too deep, or too large.
    """
    size = len(raw)
    if not size:
        return NULL_PAYLOAD
    bytes_max = limits.payload_bytes_max
    if size > bytes_max * _RAW_BYTES_RATIO:
        raise _too_large(field, size, limits)
    try:
        if encoding is Encoding.JSON:
            value = _json_decoder.decode(raw)
        else:
            value = _msgpack_decoder.decode(raw)
    except RecursionError:
        raise _too_deep(field, limits) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidRequest(f"{field} is not a JSON value: {error}") from None
    stored = _encode_json(value, field, limits)
    if len(stored) > bytes_max:
        raise _too_large(field, len(stored), limits)
    if _may_be_deep_or_wide(stored, limits):
        _check_depth_and_integers(value, field, limits)
    # What JSON has not (bytes, dates, NaN, keys that are no strings) does not come back as it was.
    if encoding is Encoding.MSGPACK and _json_decoder.decode(stored) != value:
        raise InvalidRequest(
            f"{field} holds what JSON has not: bytes, a date, a number that is not finite,"
            " or a key that is not a string"
        )
    return Raw(stored)


def encode_payload(stored: Raw, encoding: Encoding) -> Raw:
    """Give a stored payload or result in the encoding of a reply; JSON stays as it is."""
    if encoding is Encoding.JSON:
        return stored
    return Raw(_msgpack_encoder.encode(_json_decoder.decode(stored)))


def _encode_json(value: object, field: str, limits: Limits) -> bytes:
    try:
        return _json_encoder.encode(value)
    except RecursionError:
        raise _too_deep(field, limits) from None
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        raise InvalidRequest(f"{field} holds what JSON has not: {error}") from None


def _may_be_deep_or_wide(stored: bytes, limits: Limits) -> bool:
    """Whether a walk must decide: few brackets cannot nest deeply, short numbers fit in 64 bits."""
    depth_bound = stored.count(b"[") + stored.count(b"{")
    return depth_bound > limits.depth_max or _LONG_NUMBER.search(stored) is not None


def _check_depth_and_integers(value: object, field: str, limits: Limits) -> None:
    """Walk through a value level by level; C loops judge each level, not each value."""
    level: list[Any] = [value]
    for _ in range(limits.depth_max + 1):
        kinds = set(map(type, level))
        if int in kinds:
            integers = _only(int, level, kinds)
            if min(integers) < _INTEGER_MIN or max(integers) > _INTEGER_MAX:
                raise InvalidRequest(f"{field} holds an integer beyond 64 bits")
        children: list[Any] = []
        if list in kinds:
            children.extend(chain.from_iterable(_only(list, level, kinds)))
        if dict in kinds:
            mappings: list[dict[str, Any]] = _only(dict, level, kinds)
            children.extend(chain.from_iterable(mapping.values() for mapping in mappings))
        if list not in kinds and dict not in kinds:
            return
        level = children
    raise _too_deep(field, limits)


def _only(kind: type, level: list[Any], kinds: set[type]) -> list[Any]:
    return level if len(kinds) == 1 else [value for value in level if type(value) is kind]


def _too_deep(field: str, limits: Limits) -> InvalidRequest:
    return InvalidRequest(f"{field} is nested deeper than {limits.depth_max} levels (depth_max)")


def _too_large(field: str, size: int, limits: Limits) -> InvalidRequest:
    return InvalidRequest(
        f"{field} is {size} bytes; the limit is {limits.payload_bytes_max} (payload_bytes_max)"
    )

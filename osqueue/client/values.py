"""Payloads and results between a program's types and the wire: any JSON value, in either encoding.

A value crosses as what it would be in JSON (a datetime or UUID as text, bytes as base64), because
the broker stores JSON; MessagePack's own extension types are never sent.
"""

from __future__ import annotations

from typing import Any

import msgspec

from osqueue.core.errors import InvalidRequest

__all__ = ["convert_value", "decode_value", "encode_value"]

_encoder = msgspec.msgpack.Encoder()
_decode_plain = msgspec.msgpack.Decoder().decode


def encode_value(value: object) -> msgspec.Raw:
    """One payload or result as MessagePack; what is encoded already stays as it is.

    Raises:
        InvalidRequest: the value has no JSON form.
    """
    if isinstance(value, msgspec.Raw):
        return value
    try:
        return msgspec.Raw(_encoder.encode(msgspec.to_builtins(value, str_keys=True)))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidRequest(f"the value cannot be encoded as JSON: {error}") from error


def decode_value(encoded: msgspec.Raw | bytes, value_type: type[Any] | None) -> Any:  # noqa: ANN401
    """The plain value, or where a type is given, one of that type.

    Raises:
        msgspec.ValidationError: the value does not fit the type.
    """
    plain = _decode_plain(encoded)
    return plain if value_type is None else convert_value(plain, value_type)


def convert_value(plain: object, value_type: type[Any]) -> Any:  # noqa: ANN401
    """A plain value as one of the type.

    Raises:
        msgspec.ValidationError: the value does not fit the type.
    """
    return msgspec.convert(plain, value_type, str_keys=True)

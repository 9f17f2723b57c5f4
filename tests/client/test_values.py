"""Payloads and results across the wire."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from osqueue.client.values import convert_value, decode_value, encode_value
from osqueue.core.errors import InvalidRequest

__all__: list[str] = []


class Color(enum.Enum):
    RED = "red"


@dataclass
class Everything:
    at: datetime
    name: uuid.UUID
    price: Decimal
    raw: bytes
    color: Color
    numbers: dict[int, float]


EVERYTHING = Everything(
    datetime(2026, 1, 2, tzinfo=UTC), uuid.UUID(int=7), Decimal("1.10"), b"x", Color.RED, {1: 0.5}
)


def test_a_value_comes_back_as_it_went() -> None:
    assert decode_value(encode_value(EVERYTHING), Everything) == EVERYTHING


def test_what_crosses_is_what_json_would_be() -> None:
    plain = decode_value(encode_value(EVERYTHING), None)
    assert plain == msgspec.json.decode(msgspec.json.encode(EVERYTHING))


def test_what_is_encoded_already_stays_as_it_is() -> None:
    encoded = msgspec.Raw(b"\x01")
    assert encode_value(encoded) is encoded


@pytest.mark.parametrize("value", [object(), {(1, 2): 3}, 2**70, "\udc80"])
def test_what_has_no_json_form_is_refused(value: object) -> None:
    with pytest.raises(InvalidRequest, match="JSON"):
        encode_value(value)


def test_a_nest_that_never_ends_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InvalidRequest, match="JSON"):
        encode_value(endless)


def test_a_value_that_does_not_fit_says_where() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.at"):
        convert_value({"at": 1}, Everything)

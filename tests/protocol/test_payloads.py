"""Admission: only JSON values come in, and they come out as they were."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from osqueue.core.errors import InvalidRequest
from osqueue.core.limits import Limits
from osqueue.protocol.codec import Encoding
from osqueue.protocol.payloads import NULL_PAYLOAD, admit_payload, encode_payload
from tests.protocol.samples import raw

LIMITS = Limits()
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5).filter(str.isascii), inner),
)
ANY_VALUES = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(max_size=3) | st.binary(max_size=3) | st.integers(0, 9), inner)
    ),
)


@given(JSON_VALUES)
def test_json_value_comes_back_in_both_encodings(value: object) -> None:
    for encoding in Encoding:
        stored = admit_payload(raw(value, encoding), encoding, LIMITS)
        assert b"\n" not in bytes(stored)
        assert msgspec.json.decode(stored) == value
        assert msgspec.msgpack.decode(encode_payload(stored, Encoding.MSGPACK)) == value
        assert encode_payload(stored, Encoding.JSON) is stored


@given(ANY_VALUES)
def test_msgpack_value_is_admitted_only_if_it_is_one_of_json(value: object) -> None:
    encoded = Raw(msgspec.msgpack.encode(value))
    try:
        stored = admit_payload(encoded, Encoding.MSGPACK, LIMITS)
    except InvalidRequest:
        return
    assert msgspec.json.decode(stored) == value


@given(st.binary(max_size=64), st.sampled_from(Encoding))
def test_bytes_are_admitted_or_invalid_nothing_else(data: bytes, encoding: Encoding) -> None:
    try:
        stored = admit_payload(Raw(data), encoding, LIMITS)
    except InvalidRequest:
        return
    msgspec.json.decode(stored)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"bytes", "what JSON has not"),
        ({"a": [b""]}, "what JSON has not"),
        (float("nan"), "what JSON has not"),
        ([float("inf")], "what JSON has not"),
        ({1: 2}, "what JSON has not"),
        ({None: 2}, "what JSON has not"),
        (msgspec.msgpack.Ext(5, b"x"), "what JSON has not"),
    ],
)
def test_msgpack_that_json_has_not_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        admit_payload(Raw(msgspec.msgpack.encode(value)), Encoding.MSGPACK, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"\xd6\xff\x00\x00\x00\x00",  # A timestamp.
        b"\xd7\xff" + b"\xff" * 8,  # A timestamp out of range.
        b"\x81\x80\x01",  # A map as a key.
        b"\xa2\xff\xff",  # No UTF-8.
        b"\xc1",
        b"\x01\x01",
        b"\x91" * 100_000,
    ],
)
def test_malformed_msgpack_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="payload"):
        admit_payload(Raw(data), Encoding.MSGPACK, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b'"\xff"',
        b'"\xed\xa0\x80"',  # A surrogate in UTF-8.
        b'"\\ud800"',
        b"NaN",
        b"1e999",
        b"{1: 2}",
        b"[1",
        b"1 2",
        b"[" * 100_000,
    ],
)
def test_malformed_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="payload"):
        admit_payload(Raw(data), Encoding.JSON, LIMITS)


@pytest.mark.parametrize("text", ["18446744073709551616", "-9223372036854775809", "9" * 400])
def test_integer_beyond_64_bits_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="payload holds an integer beyond 64 bits"):
        admit_payload(Raw(f'{{"a":[1,{text}]}}'.encode()), Encoding.JSON, LIMITS)


def test_long_digits_that_are_no_integer_are_admitted() -> None:
    value = {"a": "12345678901234567890123", "b": 0.12345678901234567890}
    assert (
        msgspec.json.decode(admit_payload(raw(value, Encoding.JSON), Encoding.JSON, LIMITS))
        == value
    )


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("opening", ["list", "dict"])
def test_depth_is_bounded(encoding: Encoding, opening: str) -> None:
    def nest(depth: int) -> Any:
        value: Any = 1
        for _ in range(depth):
            value = [value, 1] if opening == "list" else {"a": value, "b": []}
        return value

    deepest = LIMITS.depth_max - (opening == "dict")
    admit_payload(raw(nest(deepest), encoding), encoding, LIMITS)
    with pytest.raises(InvalidRequest, match=r"deeper than 64 levels \(depth_max\)"):
        admit_payload(raw(nest(LIMITS.depth_max + 1), encoding), encoding, LIMITS)


@pytest.mark.parametrize("encoding", Encoding)
def test_every_depth_beyond_the_limit_is_refused(encoding: Encoding) -> None:
    start, end = (b"[", b"]") if encoding is Encoding.JSON else (b"\x91", b"")
    for depth in range(LIMITS.depth_max + 1, 1_200):
        nest = start * depth + (b"1" if end else b"\x01") + end * depth
        with pytest.raises(InvalidRequest, match="deeper than 64"):
            admit_payload(Raw(nest), encoding, LIMITS)


def test_wide_value_with_many_brackets_is_admitted() -> None:
    value = [[], {}, [1, {"a": [2.5, "x"]}]] * 100
    assert (
        msgspec.json.decode(admit_payload(raw(value, Encoding.JSON), Encoding.JSON, LIMITS))
        == value
    )


@pytest.mark.parametrize("encoding", Encoding)
def test_size_is_that_of_the_stored_form(encoding: Encoding) -> None:
    fits = "x" * (LIMITS.payload_bytes_max - 2)
    assert len(bytes(admit_payload(raw(fits, encoding), encoding, LIMITS))) == 262_144
    with pytest.raises(InvalidRequest, match=r"payload is 262145 bytes; the limit is 262144"):
        admit_payload(raw(fits + "x", encoding), encoding, LIMITS)
    with pytest.raises(InvalidRequest, match=r"\(payload_bytes_max\)"):
        admit_payload(raw(fits * 5, encoding), encoding, LIMITS)


def test_white_space_is_not_stored() -> None:
    assert admit_payload(Raw(b' {"a" :\n [1, 2]} '), Encoding.JSON, LIMITS) == Raw(b'{"a":[1,2]}')


def test_absent_payload_is_null() -> None:
    assert admit_payload(Raw(b""), Encoding.MSGPACK, LIMITS) is NULL_PAYLOAD


def test_error_names_the_field() -> None:
    with pytest.raises(InvalidRequest, match=r"^jobs\[3\].result is not a JSON value"):
        admit_payload(Raw(b"{"), Encoding.JSON, LIMITS, field="jobs[3].result")

"""Frames as bytes."""

from __future__ import annotations

import msgspec
import pytest

from osqueue.client.calls import Call
from osqueue.client.transports.frames import (
    NO_RESULT,
    decode_error,
    decode_frame,
    encode_frame,
    error_of,
    result_of,
)
from osqueue.core.errors import NotLeader, Unavailable
from osqueue.protocol.messages import WireResult

__all__: list[str] = []


def make_call(call_id: int, sequence: int | None = None) -> Call:
    call = Call(call_id, "submitJob", msgspec.msgpack.encode({"n": call_id}), 0)
    call.sequence = sequence
    return call


def test_mutations_carry_sequence_and_floor_and_others_do_not() -> None:
    frame = msgspec.msgpack.decode(encode_frame([make_call(1), make_call(2, 9)], floor=4))
    assert frame == [
        {"method": "submitJob", "id": 1, "params": {"n": 1}},
        {"method": "submitJob", "id": 2, "params": {"n": 2}, "sequence": 9, "firstIncomplete": 4},
    ]


def test_one_reply_and_many_are_read_alike() -> None:
    reply = {"id": 1, "ok": True, "result": {"x": 1}}
    (one,) = decode_frame(msgspec.msgpack.encode(reply))
    (also,) = decode_frame(msgspec.msgpack.encode([reply]))
    assert one.id == also.id == 1
    assert msgspec.msgpack.decode(result_of(one)) == {"x": 1}


def test_a_reply_without_a_result_has_an_empty_one() -> None:
    assert result_of(WireResult(id=1, ok=True)) is NO_RESULT


def test_an_error_comes_back_as_its_class() -> None:
    body = {"_tag": "NotLeader", "message": "no", "epoch": 3, "brokerAddress": "a:1"}
    (reply,) = decode_frame(msgspec.msgpack.encode([{"id": 1, "ok": False, "error": body}]))
    error = error_of(reply)
    assert isinstance(error, NotLeader)
    assert (error.epoch, error.broker_address) == (3, "a:1")
    assert isinstance(decode_error(msgspec.msgpack.encode(body)), NotLeader)


def test_a_reply_that_says_nothing_is_tried_again() -> None:
    assert isinstance(error_of(WireResult(id=1, ok=False)), Unavailable)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\x01", b"\xc1"])
def test_what_is_no_frame_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_frame(body)

"""Frames: good ones in one call, bad requests one by one, bad frames as a whole."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from osqueue.core.errors import BrokerProtocolError, InvalidRequest, QueueError
from osqueue.core.limits import Limits
from osqueue.protocol.codec import (
    Encoding,
    Frame,
    MalformedRequest,
    decode_frame,
    decode_params,
    decode_results,
    encode_event,
    encode_message,
    encode_replies,
    encode_requests,
    null_id,
    read_params,
)
from osqueue.protocol.messages import (
    METHODS,
    TypedRequest,
    WireError,
    WireErrorReply,
    WireEvent,
    WireReply,
    WireRequest,
)
from osqueue.protocol.params import ClaimJobParams, ListJobsParams, Params, SubmitJobsParams
from osqueue.protocol.results import LeaderEvent, SubmitJobResult
from tests.protocol.samples import PARAMS, raw

LIMITS = Limits()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**64 - 1) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)
REQUEST_LIKE = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from(["getStats", "submitJob", 7, None]),
        "id": VALUES,
        "params": VALUES,
        "sequence": st.integers(-1, 2**64 - 1) | st.text(max_size=1),
        "firstIncomplete": st.integers(-1, 5) | st.none(),
    },
)


def pack(value: object, encoding: Encoding) -> bytes:
    return bytes(raw(value, encoding))


def read(value: object, encoding: Encoding = Encoding.JSON) -> Frame:
    return decode_frame(pack(value, encoding), encoding, LIMITS)


def is_read_or_refused(body: bytes, encoding: Encoding) -> None:
    """The contract of the codec for whatever arrives: accepted or QueueError, nothing else."""
    try:
        frame = decode_frame(body, encoding, LIMITS)
    except QueueError:
        return
    for request in frame.requests:
        if isinstance(request, MalformedRequest):
            continue
        try:
            read_params(request, SubmitJobsParams, encoding)
        except QueueError:
            continue


@given(st.binary(max_size=80), st.sampled_from(Encoding))
@example(b"\xc1", Encoding.MSGPACK)
@example(b'{"method":"\xff"}', Encoding.JSON)
def test_bytes_are_read_or_refused_nothing_else(body: bytes, encoding: Encoding) -> None:
    is_read_or_refused(body, encoding)


@given(
    VALUES | REQUEST_LIKE | st.lists(VALUES | REQUEST_LIKE, max_size=4), st.sampled_from(Encoding)
)
def test_values_are_read_or_refused_nothing_else(value: object, encoding: Encoding) -> None:
    is_read_or_refused(pack(value, encoding), encoding)


@given(st.lists(REQUEST_LIKE, min_size=1, max_size=4), st.data(), st.sampled_from(Encoding))
def test_damaged_frames_are_read_or_refused(
    value: list[Any], data: st.DataObject, encoding: Encoding
) -> None:
    body = bytearray(pack(value, encoding))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    is_read_or_refused(bytes(body), encoding)


@pytest.mark.parametrize("encoding", Encoding)
def test_one_request_is_a_frame(encoding: Encoding) -> None:
    frame = read({"id": 1, "method": "getStats", "sequence": 4}, encoding)
    request = WireRequest("getStats", raw(1, encoding), sequence=4)
    assert frame == Frame([request], False, encoding)


@pytest.mark.parametrize("encoding", Encoding)
def test_good_params_are_read_with_their_frame(encoding: Encoding) -> None:
    sent = {"id": 1, "method": "claimJob", "params": {"workerId": "w"}, "firstIncomplete": 2}
    for value in (sent, [sent, sent]):
        frame = read(value, encoding)
        for request in frame.requests:
            assert isinstance(request, TypedRequest)
            assert (request.method, request.id) == ("claimJob", raw(1, encoding))
            assert (request.sequence, request.first_incomplete) == (None, 2)
            params = read_params(request, ClaimJobParams, encoding)
            assert params == ClaimJobParams(worker_id="w")


@pytest.mark.parametrize("encoding", Encoding)
def test_one_bad_field_leaves_the_other_requests_alone(encoding: Encoding) -> None:
    good = {"id": 1, "method": "claimJob", "params": {"workerId": "w"}}
    frame = read([good, {"id": 2, "method": "claimJob", "params": {"workerId": 5}}], encoding)
    first, second = frame.requests
    assert isinstance(first, WireRequest)
    assert isinstance(second, WireRequest)
    assert read_params(first, ClaimJobParams, encoding) == ClaimJobParams(worker_id="w")
    with pytest.raises(InvalidRequest, match="workerId"):
        read_params(second, ClaimJobParams, encoding)


@pytest.mark.parametrize("encoding", Encoding)
def test_params_of_a_large_frame_are_left_as_they_are(encoding: Encoding) -> None:
    request = {"method": "submitJob", "params": {"payload": "x" * 1_000}}
    frame = read([request] * 270, encoding)
    assert {type(request) for request in frame.requests} == {WireRequest}


def test_a_million_empty_jobs_are_refused_before_they_are_built() -> None:
    count = 1_000_000
    params = Raw(b"\x81\xa4jobs\xdd" + count.to_bytes(4, "big") + b"\x80" * count)
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest, match="100000"):
            decode_params(params, SubmitJobsParams, Encoding.MSGPACK)
        # A million would take 100 MB; what earlier tests left behind may be freed meanwhile.
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("method", METHODS)
def test_params_are_the_same_read_with_their_frame_and_by_themselves(
    method: str, encoding: Encoding
) -> None:
    params = PARAMS(encoding)[method]
    encoded = Raw(encode_message(params, encoding))
    wire = WireRequest(method, raw(1, encoding), encoded, 4, 2)
    [request] = decode_frame(encode_requests(wire, encoding), encoding, LIMITS).requests
    assert isinstance(request, TypedRequest)
    assert (request.method, request.id, request.sequence, request.first_incomplete) == (
        method,
        wire.id,
        4,
        2,
    )
    assert request.params == read_params(wire, type(params), encoding)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("identity", ["text", 1.5, None, [1, {"a": "ä"}], {"b": True}])
def test_id_is_kept_whatever_it_is(encoding: Encoding, identity: object) -> None:
    [request] = read([{"id": identity, "method": "getStats"}], encoding).requests
    assert request.id == raw(identity, encoding)


@pytest.mark.parametrize("encoding", Encoding)
def test_bad_request_fails_alone_under_its_own_id(encoding: Encoding) -> None:
    good = {"id": 1, "method": "getStats"}
    frame = read([good, {"id": 2}, 5, good, {"id": 3, "method": 4}, []], encoding)
    kinds = [type(request) for request in frame.requests]
    assert (
        kinds
        == [WireRequest, MalformedRequest, MalformedRequest, WireRequest] + [MalformedRequest] * 2
    )
    ids = [bytes(request.id) for request in frame.requests]
    assert ids == [pack(value, encoding) for value in (1, 2, None, 1, 3, None)]


@pytest.mark.parametrize("encoding", Encoding)
def test_single_bad_request_keeps_its_id(encoding: Encoding) -> None:
    frame = read({"id": "x", "method": None}, encoding)
    [request] = frame.requests
    assert isinstance(request, MalformedRequest)
    assert (request.id, frame.is_array) == (raw("x", encoding), False)
    assert request.error.message.startswith("Malformed request: Expected `str`, got ")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1", b"nonsense", b'{"method":"\xff"}', b"[" * 100_000, b"[{}{}]"]
)
def test_malformed_json_frame_is_refused_whole(body: bytes) -> None:
    with pytest.raises(BrokerProtocolError, match="Malformed frame"):
        decode_frame(body, Encoding.JSON, LIMITS)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x92\x01", b"\x91" * 100_000])
def test_malformed_msgpack_frame_is_refused_whole(body: bytes) -> None:
    with pytest.raises(BrokerProtocolError, match="Malformed frame"):
        decode_frame(body, Encoding.MSGPACK, LIMITS)


@pytest.mark.parametrize("encoding", Encoding)
def test_too_many_requests_are_refused(encoding: Encoding) -> None:
    for item in ({"method": "getStats"}, {}):
        frame = [item] * (LIMITS.frame_requests_max + 1)
        with pytest.raises(InvalidRequest, match=r"has 10001 requests; the limit is 10000"):
            read(frame, encoding)


def test_msgpack_that_announces_too_many_requests_is_refused_unread() -> None:
    with pytest.raises(InvalidRequest, match="4294967295 requests"):
        decode_frame(b"\xdd\xff\xff\xff\xff", Encoding.MSGPACK, LIMITS)


def test_dense_frame_with_a_bad_request_is_refused_whole() -> None:
    with pytest.raises(BrokerProtocolError, match="more than 500000 commas"):
        decode_frame(b"[" + b"0," * 500_001 + b"0]", Encoding.JSON, LIMITS)


@pytest.mark.parametrize("encoding", Encoding)
def test_absent_and_null_params_are_none(encoding: Encoding) -> None:
    assert decode_params(Raw(b""), Params, encoding) == Params()
    assert decode_params(null_id(encoding), Params, encoding) == Params()


def test_deep_params_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="too deeply"):
        decode_params(Raw(b'{"a":' + b"[" * 100_000), Params, Encoding.JSON)


def test_wrong_choice_is_told_the_right_ones() -> None:
    with pytest.raises(InvalidRequest, match=r"'up' - at `\$.order`; it may be asc, desc\Z"):
        decode_params(Raw(b'{"order":"up"}'), ListJobsParams, Encoding.JSON)
    # A text that only looks like a choice is told of as it is.
    with pytest.raises(InvalidRequest, match=r"got `int` - at `\$.order`\Z"):
        decode_params(Raw(b'{"order":5}'), ListJobsParams, Encoding.JSON)


@pytest.mark.parametrize("encoding", Encoding)
def test_replies_of_an_array_are_split_at_the_limit(encoding: Encoding) -> None:
    replies = [
        WireReply(raw(number, encoding), True, SubmitJobResult("x" * 50)) for number in range(20)
    ]
    frames = encode_replies(replies, is_array=True, encoding=encoding, bytes_max=400)
    assert len(frames) > 2
    assert all(len(frame) <= 400 for frame in frames)
    assert [result.id for frame in frames for result in decode_results(frame, encoding)] == [
        *range(20)
    ]


@pytest.mark.parametrize("encoding", Encoding)
def test_client_reads_what_the_server_writes(encoding: Encoding) -> None:
    replies = [
        WireReply(raw(1, encoding), True, SubmitJobResult("j")),
        WireErrorReply(raw(2, encoding), False, WireError(tag="JobNotFound", message="no")),
    ]
    [body] = encode_replies(replies, is_array=True, encoding=encoding, bytes_max=10_000)
    first, second = decode_results(body, encoding)
    assert (first.id, first.ok, first.result) == (1, True, raw({"jobId": "j"}, encoding))
    assert second.error is not None
    assert (second.id, second.error.tag) == (2, "JobNotFound")
    [single] = encode_replies(replies[:1], is_array=False, encoding=encoding, bytes_max=1)
    assert [reply.id for reply in decode_results(single, encoding)] == [1]


def test_client_refuses_what_is_no_reply() -> None:
    with pytest.raises(BrokerProtocolError, match="cannot be read"):
        decode_results(b"[", Encoding.JSON)


@pytest.mark.parametrize("encoding", Encoding)
def test_server_reads_what_the_client_writes(encoding: Encoding) -> None:
    requests = [WireRequest("getStats", raw(number, encoding)) for number in range(3)]
    frame = decode_frame(encode_requests(requests, encoding), encoding, LIMITS)
    assert (frame.requests, frame.is_array) == (requests, True)


def test_event_has_no_id() -> None:
    event = WireEvent("leader", LeaderEvent(3, "a:1"))
    decoded = msgspec.json.decode(encode_event(event, Encoding.JSON))
    assert decoded == {"event": "leader", "data": {"epoch": 3, "brokerAddress": "a:1"}}

"""The wire bytes of every message, and the table of methods."""

import msgspec
import pytest

from osqueue.protocol.codec import Encoding, encode_message
from osqueue.protocol.messages import METHODS, WireErrorReply, WireReply, WireRequest
from tests.protocol.samples import FRAMES, GOLDEN, PARAMS, RESULTS, all_samples, golden_text

NAMES = sorted(all_samples(Encoding.JSON))


@pytest.mark.parametrize("name", NAMES)
def test_message_has_the_bytes_of_its_golden_file(name: str) -> None:
    golden = golden_text(name)
    assert (
        encode_message(all_samples(Encoding.JSON)[name], Encoding.JSON).decode() == golden["json"]
    )
    in_msgpack = encode_message(all_samples(Encoding.MSGPACK)[name], Encoding.MSGPACK)
    assert in_msgpack.hex() == golden["msgpack"]


@pytest.mark.parametrize("name", NAMES)
def test_golden_file_decodes_to_the_message(name: str) -> None:
    golden = golden_text(name)
    for encoding, body in (
        (Encoding.JSON, golden["json"].encode()),
        (Encoding.MSGPACK, bytes.fromhex(golden["msgpack"])),
    ):
        sample = all_samples(encoding)[name]
        if isinstance(sample, WireReply | WireErrorReply):
            continue
        module = msgspec.json if encoding is Encoding.JSON else msgspec.msgpack
        assert module.decode(body, type=type(sample)) == sample


def test_every_golden_file_has_its_sample() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(NAMES)


def test_every_method_has_samples_of_its_types() -> None:
    assert PARAMS(Encoding.JSON).keys() == RESULTS(Encoding.JSON).keys() == METHODS.keys()
    for name, method in METHODS.items():
        assert type(PARAMS(Encoding.JSON)[name]) is method.params
        assert type(RESULTS(Encoding.JSON)[name]) is method.result


def test_request_leaves_out_what_it_does_not_have() -> None:
    assert encode_message(WireRequest("getStats"), Encoding.JSON) == b'{"method":"getStats"}'


def test_reply_keeps_the_id_as_it_came() -> None:
    reply = FRAMES(Encoding.JSON)["reply"]
    assert encode_message(reply, Encoding.JSON).startswith(b'{"id":["any",1],"ok":true,')

"""What the methods take, as it goes onto the wire."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from osqueue.client.requests import (
    Claim,
    Completion,
    JobError,
    Lease,
    NewJob,
    RequestMaker,
    describe_error,
    encode_params,
)
from osqueue.core.errors import InvalidRequest
from osqueue.core.limits import Limits
from osqueue.protocol.params import JobParams, Params

__all__: list[str] = []


def wire(params: Params) -> dict[str, object]:
    return msgspec.msgpack.decode(encode_params(params))


def make() -> RequestMaker:
    return RequestMaker(random.Random(1))


def test_a_job_always_names_its_id_and_omits_what_is_default() -> None:
    sent = wire(make().job(NewJob()))
    assert sent.keys() == {"payload", "jobId"}
    assert sent["payload"] is None


def test_a_jobs_fields_keep_their_names() -> None:
    sent = wire(make().job(NewJob(payload=[1], job_id="x", run_at=7, unique_key="k", priority=-1)))
    assert sent == {"payload": [1], "jobId": "x", "runAt": 7, "uniqueKey": "k", "priority": -1}


def test_ids_are_new_each_time_and_repeat_with_the_seed() -> None:
    maker = make()
    assert maker.job_id() != maker.job_id()
    assert make().claim_id() == make().claim_id()
    assert maker.job_id()[14] == "7"


def test_a_completion_names_its_lease_and_its_follow_ups() -> None:
    lease = Lease(job_id="j", worker_id="w", attempt=2)
    sent = wire(make().completion(Completion(lease, "r", submit=[NewJob(job_id="n")])))
    assert sent == {
        "jobId": "j",
        "attempt": 2,
        "result": "r",
        "submit": [{"payload": None, "jobId": "n"}],
    }


def test_a_following_claim_has_a_claim_id_of_its_own() -> None:
    sent = wire(make().following_claim("w", Claim(types=["t"], limit=5)))
    assert sent["claimId"]
    assert (sent["workerId"], sent["types"], sent["limit"]) == ("w", ["t"], 5)


def test_an_exception_becomes_its_class_message_and_traceback() -> None:
    try:
        raise ValueError("no")
    except ValueError as error:
        described = describe_error(error)
    assert (described.type, described.message) == ("ValueError", "no")
    assert "test_requests.py" in (described.traceback or "")


def test_an_exception_that_cannot_say_what_it_is_is_described_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    class Odd(Exception):
        def __str__(self) -> Any:
            return 42

    for error in (Mute(), Odd()):
        described = describe_error(error)
        assert described.type == type(error).__name__
        assert "str() failed" in described.message


@pytest.mark.parametrize(
    "error", [ValueError("bad \udcff"), JobError(type="T", message="bad \udcff")]
)
def test_what_utf_8_has_not_is_escaped_in_an_error(error: Exception | JobError) -> None:
    described = describe_error(error)
    assert described.message == r"bad \udcff"
    encode_params(described)


def test_an_error_is_cut_before_it_exceeds_a_frame() -> None:
    described = describe_error(ValueError("ä" * 5_000_000 + "end"))
    assert described.message.endswith("end")
    assert len(encode_params(described)) < Limits().frame_bytes_max // 2


def test_an_error_in_words_stays_as_it_is() -> None:
    described = describe_error(JobError(type="T", message="m"))
    assert (described.type, described.message, described.traceback) == ("T", "m", None)


def test_what_has_no_form_on_the_wire_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        encode_params(JobParams(job_id="\udc80"))

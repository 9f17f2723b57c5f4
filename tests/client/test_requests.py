"""What the methods take, as it goes onto the wire."""

from __future__ import annotations

import random

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


def test_an_error_in_words_stays_as_it_is() -> None:
    described = describe_error(JobError(type="T", message="m"))
    assert (described.type, described.message, described.traceback) == ("T", "m", None)


def test_what_has_no_form_on_the_wire_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        encode_params(JobParams(job_id="\udc80"))

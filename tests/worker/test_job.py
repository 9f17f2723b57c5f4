"""What a handler sees of its job."""

from __future__ import annotations

import pytest

from osqueue.core.errors import InvalidRequest
from osqueue.worker.job import Job
from tests.worker.builders import make_claimed

__all__: list[str] = []


def test_a_job_shows_its_attempt() -> None:
    job = Job(make_claimed(attempt=3))
    assert (job.job_id, job.type, job.attempt, job.max_attempts) == ("j", "t", 3, 3)
    assert job.is_last_attempt
    assert (job.worker_id, job.created_at) == ("w", 1_700_000_000_000)
    assert repr(job) == "<Job j 't' attempt 3>"


def test_a_job_without_a_limit_has_no_deadline() -> None:
    job = Job(make_claimed())
    job.start(None)
    assert job.deadline_at is None
    assert not job.should_stop


def test_a_job_past_its_limit_should_stop() -> None:
    job = Job(make_claimed())
    job.start(60)
    assert not job.should_stop
    job.start(0)
    assert job.should_stop


def test_a_stopped_job_should_stop() -> None:
    job = Job(make_claimed())
    job.stop()
    assert job.should_stop


def test_a_follow_up_has_its_id_at_once_and_its_payload_as_it_was() -> None:
    ids = iter(["first", "second"])
    job = Job(make_claimed(payload={"a": 1}), lambda: next(ids))
    payload = [1]
    assert job.submit(payload, type="t", delay_ms=5) == "first"
    payload.append(2)
    assert job.submit(job_id="mine") == "mine"
    first, mine = job.follow_ups
    assert (first.type, first.delay_ms, bytes(first.payload)) == ("t", 5, b"\x91\x01")
    assert mine.job_id == "mine"
    assert job.payload == {"a": 1}


def test_a_follow_up_without_a_json_form_is_refused_at_once() -> None:
    job = Job(make_claimed())
    with pytest.raises(InvalidRequest):
        job.submit(object())
    assert job.follow_ups == ()
    assert len(job.submit()) == 36

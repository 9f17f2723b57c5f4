"""What a handler sees of its job."""

from __future__ import annotations

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

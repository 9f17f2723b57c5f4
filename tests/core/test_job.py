"""The table of statuses is complete; a change leaves nothing behind that belonged to before."""

import itertools

import msgspec
import pytest

from osqueue.core.job import STATUS_CHANGES, STATUSES, Job, JobStatus, change_status
from tests.builders import make_job

LEGAL = set(STATUS_CHANGES)
ILLEGAL = set(itertools.product(STATUSES, STATUSES)) - LEGAL


@pytest.mark.parametrize(("before", "after"), sorted(LEGAL))
def test_status_change_in_the_table_is_made(before: JobStatus, after: JobStatus) -> None:
    job = make_job(status=before)
    change_status(job, after)
    assert job.status == after


@pytest.mark.parametrize(("before", "after"), sorted(ILLEGAL))
def test_status_change_not_in_the_table_is_a_bug(before: JobStatus, after: JobStatus) -> None:
    job = make_job(status=before)
    with pytest.raises(AssertionError, match=f"job-1: {before} to {after} is no change"):
        change_status(job, after)
    assert job == make_job(status=before)


@pytest.mark.parametrize("after", ["unclaimed", "scheduled", "completed", "dead"])
def test_status_change_of_a_held_job_clears_its_lease(after: JobStatus) -> None:
    job = make_job(status="in_progress", claim_id="claim-1", heartbeat=5, cancel_requested=True)
    change_status(job, after)
    assert (job.worker_id, job.claim_id, job.lease_ms, job.heartbeat) == ("", "", 0, 0)
    assert not job.cancel_requested
    assert job.attempts == 1


def test_status_change_of_a_scheduled_job_clears_its_time() -> None:
    job = make_job(status="scheduled")
    change_status(job, "unclaimed")
    assert job.run_at == 0


def test_status_change_to_scheduled_keeps_the_time_set_before() -> None:
    job = make_job(status="in_progress", run_at=99)
    change_status(job, "scheduled")
    assert job.run_at == 99


def test_job_of_the_least_has_every_field_that_readers_know() -> None:
    encoded = msgspec.json.decode(msgspec.json.encode(Job(id="a", status="unclaimed")))
    assert encoded == {
        "id": "a",
        "status": "unclaimed",
        "type": "",
        "payload": None,
        "createdAt": 0,
        "attempts": 0,
        "maxAttempts": 3,
    }


@pytest.mark.parametrize("status", STATUSES)
def test_job_is_held_only_in_progress(status: JobStatus) -> None:
    assert make_job(status=status).is_held == (status == "in_progress")


@pytest.mark.parametrize("status", STATUSES)
def test_job_has_ended_when_nothing_more_becomes_of_it(status: JobStatus) -> None:
    assert make_job(status=status).has_ended == (status in ("completed", "dead"))

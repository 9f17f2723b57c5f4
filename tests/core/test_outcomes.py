"""Outcomes say what they say."""

import msgspec

from osqueue.core.job import STATUSES
from osqueue.core.outcomes import ClaimedJob, JobChange, JobFailed
from tests.builders import NOW_MS, make_job


def test_claimed_job_tells_what_its_worker_needs() -> None:
    job = make_job(status="in_progress", type="email:send", attempts=2)
    assert ClaimedJob.of(job) == ClaimedJob(
        job_id="job-1",
        type="email:send",
        payload=job.payload,
        attempt=2,
        max_attempts=3,
        created_at=NOW_MS,
        lease_ms=30_000,
    )


def test_outcome_with_a_tag_is_stored_as_an_array_that_begins_with_it() -> None:
    assert msgspec.json.encode(JobFailed("dead", 0)) == b'["failed","dead",0]'


def test_change_that_ends_a_job_says_so() -> None:
    ends = {status: JobChange("a", status, "", "", 1).has_ended for status in (*STATUSES, "gone")}
    assert {status for status, has_ended in ends.items() if has_ended} == {
        "completed",
        "dead",
        "gone",
    }

"""A repeat gets the first answer again, from its own words and what was stored."""

import msgspec
import pytest
from msgspec import Raw

from osqueue.core.errors import InvalidRequest
from osqueue.core.job import JobError
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    CloseClient,
    CompleteJobs,
    Completion,
    DeleteJob,
    DeleteJobs,
    FailJob,
    Lease,
    Mutation,
    PauseQueue,
    RedriveDead,
    ResumeQueue,
    RetryJob,
    RetryJobs,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.outcomes import (
    ClientClosed,
    JobCancelled,
    JobDeleted,
    JobFailed,
    JobRetried,
    JobsChanged,
    JobsCompleted,
    JobSnoozed,
    JobsSubmitted,
    Outcome,
    QueuePaused,
    QueueResumed,
)
from osqueue.core.tables.repeat_answers import read_answer, store_answer
from tests.builders import make_new_job

LEASE = Lease("job-1", 1)
FAIL = FailJob(worker_id="w", lease=LEASE, error=JobError("E", "m"))
SNOOZE = SnoozeJob(worker_id="w", lease=LEASE, delay_ms=5)
SUBMIT = SubmitJobs(jobs=[make_new_job(1), make_new_job(2), make_new_job(3)])
COMPLETE = CompleteJobs(
    worker_id="w",
    completions=[Completion(lease=Lease(job_id)) for job_id in ("a", "b", "a", "c")],
)
STORED: list[tuple[Mutation, Outcome]] = [
    (FAIL, JobFailed("scheduled", 99)),
    (FAIL, JobFailed("gone", 0)),
    (SNOOZE, JobSnoozed(7)),
    (CancelJob(job_id="job-1"), JobCancelled(is_gone=False)),
    (DeleteJob(job_id="job-1"), JobDeleted()),
    (RetryJob(job_id="job-1"), JobRetried()),
    (RedriveDead(), JobsChanged(12)),
    (CancelJobs(), JobsChanged(1, 2, 17)),
    (DeleteJobs(), JobsChanged(0)),
    (RetryJobs(), JobsChanged(3, 1)),
    (PauseQueue(), QueuePaused()),
    (ResumeQueue(), QueueResumed()),
    (SUBMIT, JobsSubmitted(["job-1", "other", "job-3"], [1])),
    (SUBMIT, JobsSubmitted(["x", "job-2", "job-3"], [0, 2])),
    (COMPLETE, JobsCompleted(["a", "c"], ["b", "a"])),
    (COMPLETE, JobsCompleted([], ["a", "b", "a", "c"])),
    (COMPLETE, JobsCompleted(["b"], ["a"], full=["a", "c"])),
]
IMPLIED: list[tuple[Mutation, Outcome]] = [
    (SUBMIT, JobsSubmitted(["job-1", "job-2", "job-3"])),
    (COMPLETE, JobsCompleted(["a", "b", "a", "c"], [])),
]


@pytest.mark.parametrize(("mutation", "outcome"), STORED)
def test_answer_stored_and_read_is_the_same(mutation: Mutation, outcome: Outcome) -> None:
    answer = store_answer(mutation, outcome)
    assert answer is not None
    assert read_answer(mutation, answer) == outcome


@pytest.mark.parametrize(("mutation", "outcome"), IMPLIED)
def test_answer_that_the_request_tells_is_not_stored(mutation: Mutation, outcome: Outcome) -> None:
    assert store_answer(mutation, outcome) is None
    assert read_answer(mutation, None) == outcome


def test_answers_are_stored_in_a_form_that_is_decided() -> None:
    stored = [bytes(answer) for pair in STORED if (answer := store_answer(*pair)) is not None]
    assert stored == [
        b'["failed","scheduled",99]',
        b'["failed","gone",0]',
        b'["snoozed",7]',
        b'["cancelled",false]',
        b'["deleted"]',
        b'["retried"]',
        b'["changed",12,0,null]',
        b'["changed",1,2,17]',
        b'["changed",0,0,null]',
        b'["changed",3,1,null]',
        b'["paused"]',
        b'["resumed"]',
        b'["duplicates",[[1,"other"]]]',
        b'["duplicates",[[0,"x"],[2,"job-3"]]]',
        b'["lost",["b","a"]]',
        b'["lost",["a","b","a","c"]]',
        b'["full",["a","c"],["a"]]',
    ]


@pytest.mark.parametrize(
    ("mutation", "answer"),
    [
        (FAIL, None),
        (FAIL, b'["snoozed",7]'),
        (FAIL, b'["failed"]'),
        (FAIL, b'["failed","nonsense",7]'),
        (FAIL, b"nonsense"),
        (SUBMIT, b'["retried"]'),
        (SUBMIT, b'["duplicates",[[3,"x"]]]'),
        (COMPLETE, b'["duplicates",[[0,"x"]]]'),
        (COMPLETE, b'["lost",["z"]]'),
        (CloseClient(client_id="client-1"), None),
    ],
)
def test_answer_to_another_request_is_refused_and_breaks_nothing(
    mutation: Mutation, answer: bytes | None
) -> None:
    raw = None if answer is None else Raw(answer)
    assert isinstance(read_answer(mutation, raw), InvalidRequest)


def test_outcome_that_no_repeat_asks_for_has_no_stored_form() -> None:
    with pytest.raises(AssertionError, match="has no stored form"):
        store_answer(CloseClient(client_id="client-1"), ClientClosed())


def test_answer_with_fields_of_a_newer_version_is_read() -> None:
    answer = Raw(msgspec.json.encode(["changed", 3, 0, None, "newer"]))
    assert read_answer(RedriveDead(), answer) == JobsChanged(3)

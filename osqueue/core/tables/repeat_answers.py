"""What an answer holds that a repeat of its request cannot tell, and how that is stored."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

import msgspec

from osqueue.core.errors import InvalidRequest
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    CompleteJobs,
    DeleteJob,
    DeleteJobs,
    FailJob,
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

__all__ = ["read_answer", "store_answer"]


class _Duplicates(msgspec.Struct, frozen=True, array_like=True, tag="duplicates"):
    """Of a submit: which jobs were queued already, each with the id that it was queued under."""

    found: list[tuple[int, str]]


class _Lost(msgspec.Struct, frozen=True, array_like=True, tag="lost"):
    """Of completions: which did not count."""

    lost: list[str]


class _Full(msgspec.Struct, frozen=True, array_like=True, tag="full"):
    """Of completions: which stayed held for want of room, and which did not count."""

    full: list[str]
    lost: list[str]


_SmallOutcome: TypeAlias = (
    JobFailed
    | JobSnoozed
    | JobCancelled
    | JobDeleted
    | JobRetried
    | JobsChanged
    | QueuePaused
    | QueueResumed
)
_STORED_FORMS: dict[type[Mutation], type[_SmallOutcome]] = {
    FailJob: JobFailed,
    SnoozeJob: JobSnoozed,
    CancelJob: JobCancelled,
    DeleteJob: JobDeleted,
    RetryJob: JobRetried,
    CancelJobs: JobsChanged,
    DeleteJobs: JobsChanged,
    RetryJobs: JobsChanged,
    RedriveDead: JobsChanged,
    PauseQueue: QueuePaused,
    ResumeQueue: QueueResumed,
}

_encode = msgspec.json.Encoder().encode


def store_answer(mutation: Mutation, outcome: Outcome) -> msgspec.Raw | None:
    """The part of an ok that must be stored; None where the request tells it all."""
    if isinstance(outcome, JobsSubmitted):
        if not outcome.duplicates:
            return None
        found = [(index, outcome.job_ids[index]) for index in outcome.duplicates]
        return msgspec.Raw(_encode(_Duplicates(found)))
    if isinstance(outcome, JobsCompleted):
        if outcome.full:
            return msgspec.Raw(_encode(_Full(outcome.full, outcome.lost)))
        return msgspec.Raw(_encode(_Lost(outcome.lost))) if outcome.lost else None
    assert type(outcome) is _STORED_FORMS.get(type(mutation)), f"{outcome} has no stored form"
    return msgspec.Raw(_encode(outcome))


def read_answer(mutation: Mutation, answer: msgspec.Raw | None) -> Outcome:
    """The first answer, from the repeat and what was stored; without the claim of a completion.

    InvalidRequest where that does not fit the mutation: the client used its sequence twice.
    """
    try:
        if isinstance(mutation, SubmitJobs):
            return _read_submitted(mutation, answer)
        if isinstance(mutation, CompleteJobs):
            return _read_completed(mutation, answer)
        return msgspec.json.decode(
            b"" if answer is None else answer, type=_STORED_FORMS[type(mutation)]
        )
    except (msgspec.MsgspecError, LookupError):
        return InvalidRequest("this sequence of the client was used for another request before")


def _read_submitted(mutation: SubmitJobs, answer: msgspec.Raw | None) -> JobsSubmitted:
    job_ids = [job.id for job in mutation.jobs]
    if answer is None:
        return JobsSubmitted(job_ids)
    found = msgspec.json.decode(answer, type=_Duplicates).found
    for index, job_id in found:
        job_ids[index] = job_id
    return JobsSubmitted(job_ids, [index for index, _ in found])


def _read_completed(mutation: CompleteJobs, answer: msgspec.Raw | None) -> JobsCompleted:
    job_ids = [done.lease.job_id for done in mutation.completions]
    if answer is None:
        return JobsCompleted(job_ids, [])
    stored: _Lost | _Full = msgspec.json.decode(answer, type=_Lost | _Full)
    lost = stored.lost
    full: list[str] = stored.full if isinstance(stored, _Full) else []
    # A request may name a job twice: then one of the two is lost.
    left = Counter(lost + full)
    completed: list[str] = []
    for job_id in job_ids:
        if left[job_id]:
            left[job_id] -= 1
        else:
            completed.append(job_id)
    if left.total():
        raise LookupError("it tells of jobs that are not in this request")
    return JobsCompleted(completed, lost, full=full)

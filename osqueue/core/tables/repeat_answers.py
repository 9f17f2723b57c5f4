"""What an answer holds that a repeat of its request cannot tell, and how that is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from osqueue.core.mutations import CompleteJobs, Mutation, SubmitJobs
from osqueue.core.outcomes import (
    ClientClosed,
    DeadRedriven,
    JobCancelled,
    JobDeleted,
    JobFailed,
    JobRetried,
    JobsCompleted,
    JobSnoozed,
    JobsSubmitted,
    Outcome,
    QueuePaused,
    QueueResumed,
)

__all__ = ["read_answer", "store_answer"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_SMALL_OUTCOMES: dict[str, Callable[..., Outcome]] = {
    "failed": JobFailed,
    "snoozed": JobSnoozed,
    "cancelled": JobCancelled,
    "deleted": JobDeleted,
    "retried": JobRetried,
    "redriven": DeadRedriven,
    "paused": QueuePaused,
    "resumed": QueueResumed,
    "closed": ClientClosed,
}
_NAMES = {outcome: name for name, outcome in _SMALL_OUTCOMES.items()}


def store_answer(outcome: Outcome) -> msgspec.Raw | None:
    """The part of an ok that must be stored; None where the request tells it all."""
    if isinstance(outcome, JobsSubmitted):
        if not outcome.duplicates:
            return None
        found = [[index, outcome.job_ids[index]] for index in outcome.duplicates]
        return msgspec.Raw(_encode(found))
    if isinstance(outcome, JobsCompleted):
        return msgspec.Raw(_encode(outcome.lost)) if outcome.lost else None
    name = _NAMES.get(type(outcome))
    assert name is not None, f"{type(outcome).__name__} has no stored form"
    return msgspec.Raw(_encode([name, *msgspec.structs.astuple(outcome)]))  # pyright: ignore[reportArgumentType]


def read_answer(mutation: Mutation, answer: msgspec.Raw | None) -> Outcome:
    """The first answer, from the repeat and what was stored. A completion's claim is not in it."""
    stored: Any = None if answer is None else _decode(answer)
    if isinstance(mutation, SubmitJobs):
        job_ids = [job.id for job in mutation.jobs]
        duplicates: list[int] = []
        for index, job_id in stored or ():
            job_ids[index] = job_id
            duplicates.append(index)
        return JobsSubmitted(job_ids, duplicates)
    if isinstance(mutation, CompleteJobs):
        lost: set[str] = set(stored or ())
        job_ids = [completion.lease.job_id for completion in mutation.completions]
        completed = [job_id for job_id in job_ids if job_id not in lost]
        return JobsCompleted(completed, [job_id for job_id in job_ids if job_id in lost])
    assert stored is not None, f"{type(mutation).__name__} was recorded without its answer"
    return _SMALL_OUTCOMES[stored[0]](*stored[1:])

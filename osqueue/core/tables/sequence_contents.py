"""What each sequence was last used for, so that one used for something else is refused.

Only the leader's memory has this, and only of the newest sequences: one number each, in a table of
fixed size where a newer one may take an older one's place. What was forgotten, or applied by an
earlier leader, is taken for a repeat. A content is told by what it names: the method, the jobs, the
worker and its attempts. A payload is not looked at, since a job id names one job.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

from osqueue.core.errors import InvalidRequest
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    ChangeJobs,
    ClaimJobs,
    CompleteJobs,
    DeleteJob,
    DeleteJobs,
    FailJob,
    Mutation,
    PauseQueue,
    RedriveDead,
    RepeatKey,
    ResumeQueue,
    RetryJob,
    RetryJobs,
    SnoozeJob,
    SubmitJobs,
)

__all__ = ["SequenceContents", "refuse_reuse"]

SLOTS = 16_384
"""Sequences remembered at most: a power of two; 16 bytes each."""


class SequenceContents:
    """One number for each of the newest sequences."""

    def __init__(self) -> None:
        self._keys = array("q", [0]) * SLOTS
        self._contents = array("q", [0]) * SLOTS

    def note(self, repeat: RepeatKey, mutation: Mutation) -> None:
        """The sequence was applied with this content."""
        key = hash(repeat.client_id) ^ repeat.sequence
        slot = key & (SLOTS - 1)
        self._keys[slot] = key
        self._contents[slot] = content_of(mutation)

    def differs(self, repeat: RepeatKey, mutation: Mutation) -> bool:
        """Whether the sequence is known to have been applied with another content."""
        key = hash(repeat.client_id) ^ repeat.sequence
        slot = key & (SLOTS - 1)
        return self._keys[slot] == key and self._contents[slot] != content_of(mutation)


def refuse_reuse(repeat: RepeatKey) -> InvalidRequest:
    """The client used its sequence twice."""
    return InvalidRequest(
        f"sequence {repeat.sequence} of this client was used for another request before: "
        "number each request anew"
    )


def content_of(mutation: Mutation) -> int:
    """A number for what the mutation names; differs between processes."""
    if type(mutation) is SubmitJobs and len(mutation.jobs) == 1:
        return hash(mutation.jobs[0].id)  # Nearly every one.
    kind = type(mutation)
    return hash((kind, _NAMED[kind](mutation)))


def _submitted(mutation: SubmitJobs) -> object:
    return tuple(job.id for job in mutation.jobs)


def _completed(mutation: CompleteJobs) -> object:
    done = mutation.completions
    if len(done) == 1 and not done[0].submit:
        return mutation.worker_id, done[0].lease  # Nearly every one.
    follow_ups = tuple(job.id for one in done for job in one.submit)
    return mutation.worker_id, tuple(one.lease for one in done), follow_ups


def _attempt(mutation: FailJob | SnoozeJob) -> object:
    return mutation.worker_id, mutation.lease


def _job(mutation: CancelJob | DeleteJob | RetryJob) -> object:
    return mutation.job_id


def _type(mutation: PauseQueue | ResumeQueue) -> object:
    return mutation.type


def _claimed(mutation: ClaimJobs) -> object:
    return mutation.worker_id, mutation.claim_id


def _selected(mutation: ChangeJobs) -> object:
    chosen = mutation.selection
    job_ids = None if chosen.job_ids is None else tuple(chosen.job_ids)
    return job_ids, chosen.filter, chosen.limit, chosen.after_order


_NAMED: dict[type[Mutation], Callable[[Any], object]] = {
    SubmitJobs: _submitted,
    ClaimJobs: _claimed,
    CompleteJobs: _completed,
    FailJob: _attempt,
    SnoozeJob: _attempt,
    CancelJob: _job,
    DeleteJob: _job,
    RetryJob: _job,
    CancelJobs: _selected,
    DeleteJobs: _selected,
    RetryJobs: _selected,
    RedriveDead: _selected,
    PauseQueue: _type,
    ResumeQueue: _type,
}

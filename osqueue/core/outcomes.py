"""What became of a mutation or query. A refusal is an error of `errors.py` in the same place.

Outcomes with a tag are also stored, as arrays that begin with it (`tables/repeat_answers.py`):
their fields may only grow at the end, with defaults.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from osqueue.core.errors import QueueError
from osqueue.core.job import Job, JobStatus

__all__ = [
    "ClaimedJob",
    "ClientClosed",
    "DeadGroup",
    "DeadGroupsListed",
    "DocumentRead",
    "HeldJob",
    "JobCancelled",
    "JobChange",
    "JobDeleted",
    "JobFailed",
    "JobRead",
    "JobRetried",
    "JobSnoozed",
    "JobsChanged",
    "JobsClaimed",
    "JobsCompleted",
    "JobsExtended",
    "JobsListed",
    "JobsSubmitted",
    "LineageRead",
    "ListedWorker",
    "Outcome",
    "PastTerm",
    "QueuePaused",
    "QueueResumed",
    "QueueStats",
    "WorkersListed",
]


class JobsSubmitted(msgspec.Struct, frozen=True, gc=False):
    """The jobs are in the queue."""

    job_ids: list[str]
    """In the order of the request; of a duplicate the id that is queued already."""
    duplicates: list[int] = []
    """Indexes of jobs that were not enqueued: their id or unique key is queued already."""


class ClaimedJob(msgspec.Struct, frozen=True, gc=False):
    """One job handed to a worker."""

    job_id: str
    type: str
    payload: msgspec.Raw
    """Encoded as JSON."""
    attempt: int
    max_attempts: int
    created_at: int
    lease_ms: int

    @classmethod
    def of(cls, job: Job) -> ClaimedJob:
        """What the worker that holds a job needs to know of it."""
        return cls(
            job.id,
            job.type,
            job.payload,
            job.attempts,
            job.max_attempts,
            job.created_at,
            job.lease_ms,
        )


class JobsClaimed(msgspec.Struct, frozen=True, gc=False):
    """The jobs that the worker now holds; empty when there was nothing for it."""

    jobs: list[ClaimedJob]
    is_repeat: bool = False
    """They were held already, under an earlier attempt of the same claim."""


class JobsExtended(msgspec.Struct, frozen=True, gc=False):
    """What a heartbeat (or a give-back) found, as job ids in the order of the request."""

    held: list[str]
    lost: list[str]
    cancel_requested: list[str]
    """Held ones that should stop."""


class JobsCompleted(msgspec.Struct, frozen=True, gc=False):
    """Which completions counted, as job ids in the order of the request."""

    completed: list[str]
    lost: list[str]
    claimed: JobsClaimed | None = None
    full: list[str] = []
    """Held as before, nothing of them applied: there is no room for the jobs that follow them."""


class JobFailed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """What became of a failed job."""

    status: JobStatus | Literal["gone"]
    """`gone`: it was to be cancelled."""
    run_at: int
    """When it is claimable again, ms since the epoch; 0 where it never will be by itself."""


class JobSnoozed(msgspec.Struct, frozen=True, array_like=True, tag="snoozed"):
    """The job waits again."""

    run_at: int


class JobCancelled(msgspec.Struct, frozen=True, array_like=True, tag="cancelled"):
    """Cancelled: gone, or its worker will be told."""

    is_gone: bool


class JobDeleted(msgspec.Struct, frozen=True, array_like=True, tag="deleted"):
    """The job is gone."""


class JobRetried(msgspec.Struct, frozen=True, array_like=True, tag="retried"):
    """The job is claimable."""


class JobsChanged(msgspec.Struct, frozen=True, array_like=True, tag="changed"):
    """So many jobs were changed, or would be."""

    count: int
    skipped: int = 0
    """Of those that were named by their id: gone, or not in a status that allows it."""
    next_after_order: int | None = None
    """The cursor to go on from; None: no more pass the filter."""


class QueuePaused(msgspec.Struct, frozen=True, array_like=True, tag="paused"):
    """Claims get nothing."""


class QueueResumed(msgspec.Struct, frozen=True, array_like=True, tag="resumed"):
    """Claims are served."""


class ClientClosed(msgspec.Struct, frozen=True):
    """The client's entry is gone."""


class QueueStats(msgspec.Struct, frozen=True):
    """Counts of the committed state."""

    total: int
    scheduled: int
    unclaimed: int
    in_progress: int
    completed: int
    dead: int
    completed_total: int
    """Completions since the queue was created."""
    paused: bool
    paused_types: list[str]
    next_created_at: int
    """When the job that is next in line was created, ms since the epoch; 0: none waits."""
    epoch: int
    commit_id: str
    oldest_unclaimed_at: int
    """Since when the job has been claimable that has been so longest, ms since the epoch; 0: none
    waits."""
    next_run_at: int
    """When the next scheduled job is due, ms since the epoch; 0: none is scheduled."""
    workers: int
    """How many hold jobs, wait for some, or were heard of lately."""
    dead_by_type: list[tuple[str, int]]
    """The types with most dead letters, and how many."""
    document_bytes: int


class JobChange(msgspec.Struct, frozen=True):
    """What a commit has made of one job, for those who watch."""

    id: str
    status: JobStatus | Literal["gone"]
    """`completed` also where nothing of it was kept; `gone`: cancelled, deleted or forgotten."""
    type: str
    worker_id: str
    """Who holds it, or whose report or silence changed it; empty: no worker's doing."""
    attempts: int
    at: int = 0
    """When it happened, ms since the epoch."""
    started_at: int = 0
    """When the attempt was claimed that runs, or that this change has ended; 0: there is none."""
    error_type: str = ""
    """Of the error that this change reports."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of the job by itself."""
        return self.status in ("completed", "dead", "gone")


class JobRead(msgspec.Struct, frozen=True):
    """One job, a copy."""

    job: Job


class JobsListed(msgspec.Struct, frozen=True):
    """A page of jobs, copies."""

    jobs: list[Job]
    stats: QueueStats
    next_after_order: int | None
    """The cursor of the next page; None: this was the last."""
    matched: int | None = None
    """How many jobs pass the filter; None: only a look at each could tell."""
    is_descending: bool = False
    """The newest first, as the query had it."""


class DeadGroup(msgspec.Struct, frozen=True):
    """Dead jobs of one type that ended with the same error."""

    type: str
    error_type: str
    error_message: str
    """The first line, cut."""
    count: int
    first_at: int
    """When the first of them died, ms since the epoch."""
    last_at: int
    job_id: str
    """The one that died last."""


class DeadGroupsListed(msgspec.Struct, frozen=True):
    """The largest groups, the largest first."""

    groups: list[DeadGroup]
    total: int
    """How many groups there are."""
    dead: int
    """How many jobs they hold."""


class HeldJob(msgspec.Struct, frozen=True):
    """A job that a worker holds."""

    job_id: str
    type: str
    attempt: int
    started_at: int
    """When it was claimed, ms since the epoch; 0: not known."""
    lease_ms: int
    lease_left_ms: int
    cancel_requested: bool


class ListedWorker(msgspec.Struct, frozen=True):
    """A worker, and what it holds."""

    worker_id: str
    first_seen_at: int
    last_seen_at: int
    is_polling: bool
    """A claim of it waits."""
    types: list[str]
    """What its last claim asked for; empty: all."""
    claimed: int
    """Attempts that it has begun, since it was first seen by this leader."""
    completed: int
    failed: int
    held: int
    """Jobs that it holds."""
    jobs: list[HeldJob]
    """The first of them, in order of submission."""


class WorkersListed(msgspec.Struct, frozen=True):
    """Workers in the order of their ids."""

    workers: list[ListedWorker]
    total: int
    """How many there are."""
    now_ms: int
    """The wall clock to which the times of the leases are relative."""


class PastTerm(msgspec.Struct, frozen=True):
    """A term of the queue, this one or one before."""

    epoch: int
    broker_name: str
    at: int
    """When it began, ms since the epoch; 0: not known."""


class LineageRead(msgspec.Struct, frozen=True):
    """Who has led, the newest last."""

    terms: list[PastTerm]
    seconds: int
    """As the query had it."""


class DocumentRead(msgspec.Struct, frozen=True):
    """The document as committed."""

    chunks: list[bytes]


Outcome = (
    JobsSubmitted
    | JobsClaimed
    | JobsExtended
    | JobsCompleted
    | JobFailed
    | JobSnoozed
    | JobCancelled
    | JobDeleted
    | JobRetried
    | JobsChanged
    | QueuePaused
    | QueueResumed
    | ClientClosed
    | QueueStats
    | JobRead
    | JobsListed
    | DeadGroupsListed
    | WorkersListed
    | LineageRead
    | DocumentRead
    | QueueError
)

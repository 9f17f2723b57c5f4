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
    "DeadRedriven",
    "DocumentRead",
    "JobCancelled",
    "JobChange",
    "JobDeleted",
    "JobFailed",
    "JobRead",
    "JobRetried",
    "JobSnoozed",
    "JobsClaimed",
    "JobsCompleted",
    "JobsExtended",
    "JobsListed",
    "JobsSubmitted",
    "Outcome",
    "QueuePaused",
    "QueueResumed",
    "QueueStats",
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


class DeadRedriven(msgspec.Struct, frozen=True, array_like=True, tag="redriven"):
    """So many dead jobs are claimable again."""

    count: int


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


class JobChange(msgspec.Struct, frozen=True):
    """What a commit has made of one job, for those who watch."""

    id: str
    status: JobStatus | Literal["gone"]
    """`completed` also where nothing of it was kept; `gone`: cancelled, deleted or forgotten."""
    type: str
    worker_id: str
    """Who holds it, or whose report or silence changed it; empty: no worker's doing."""
    attempts: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of the job by itself."""
        return self.status in ("completed", "dead", "gone")


class JobRead(msgspec.Struct, frozen=True):
    """One job, a copy."""

    job: Job


class JobsListed(msgspec.Struct, frozen=True):
    """A page of jobs in order of submission, copies."""

    jobs: list[Job]
    stats: QueueStats
    next_after_order: int | None
    """The cursor of the next page; None: this was the last."""


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
    | DeadRedriven
    | QueuePaused
    | QueueResumed
    | ClientClosed
    | QueueStats
    | JobRead
    | JobsListed
    | DocumentRead
    | QueueError
)

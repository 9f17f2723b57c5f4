"""A job as it is stored, and the table of what may become of it.

Rules of this file: the table `STATUS_CHANGES` is complete; `change_status` is the only place that
sets a job's status. Which change a request asks for is decided in `queue_state.py`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from osqueue.core.limits import ERROR_LINE_CHARS_MAX
from osqueue.core.retry_policy import RetryPolicy

__all__ = [
    "STATUSES",
    "STATUS_CHANGES",
    "Job",
    "JobError",
    "JobStatus",
    "change_status",
    "first_line",
]

JobStatus = Literal["scheduled", "unclaimed", "in_progress", "completed", "dead"]
STATUSES: tuple[JobStatus, ...] = ("scheduled", "unclaimed", "in_progress", "completed", "dead")

STATUS_CHANGES: dict[tuple[JobStatus, JobStatus], str] = {
    ("scheduled", "unclaimed"): "its time came, or retryJob",
    ("unclaimed", "in_progress"): "claimed",
    ("in_progress", "completed"): "completed, its result kept",
    ("in_progress", "unclaimed"): "failed or expired with attempts left, or given back",
    ("in_progress", "scheduled"): "failed with a wait before its retry, or snoozed",
    ("in_progress", "dead"): "failed or expired past its attempts, or failed for good",
    ("dead", "unclaimed"): "redriven, or retryJob",
}
"""Every legal change of status and what causes it. A job starts as scheduled or unclaimed, and
leaves the queue by completing (nothing kept), by cancelJob, by deleteJob, or when its kept result
has expired."""


def first_line(message: str) -> str:
    """The beginning of an error's message, by which errors are grouped."""
    return message.partition("\n")[0][:ERROR_LINE_CHARS_MAX]


class JobError(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """Why one attempt failed."""

    type: str
    """The error's class, for grouping."""
    message: str
    traceback: str = ""
    attempt: int = 0
    at: int = 0
    """When it was reported, ms since the epoch."""
    started_at: int = 0
    """When the attempt was claimed, ms since the epoch; 0: not known."""
    worker_id: str = ""
    """Whose attempt it was."""


def _three() -> int:
    return 3


class Job(msgspec.Struct, gc=False, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """One job of the queue, in the form of the document: absent fields have their defaults.

    The fields that readers of such documents know from before are always written (a default_factory
    keeps msgspec from omitting them). Unknown fields are kept by `document.py`, beside the job.

    Nothing in a job can refer back to it, so the garbage collector, for which a hundred thousand
    jobs are a heavy load, need not look at them; for its sake `errors` is no list either.
    """

    id: str
    status: JobStatus
    type: str = msgspec.field(default_factory=str)
    payload: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    """Encoded as JSON, without a raw newline."""
    created_at: int = msgspec.field(default_factory=int)
    """Ms since the epoch."""
    attempts: int = msgspec.field(default_factory=int)
    """Attempts started; it only grows, and is the number that fences stale workers."""
    max_attempts: int = msgspec.field(default_factory=_three)
    order: int = 0
    """Submission order, unique; with the priority it decides who is next."""
    priority: int = 0
    """-100 to 100, higher first."""
    run_at: int = 0
    """When a scheduled job becomes claimable, ms since the epoch."""
    ready_at: int = 0
    """When an unclaimed job became claimable again, ms since the epoch; 0: when it was created."""
    unique_key: str = ""
    result_ttl_ms: int = 0
    """How long the completed job is kept; 0: not at all."""
    retry: RetryPolicy | None = None
    """Overrides the queue's policy."""
    worker_id: str = ""
    claim_id: str = ""
    lease_ms: int = 0
    heartbeat: int = 0
    """When the worker was last heard of, ms since the epoch, as of the write that holds it."""
    started_at: int = 0
    """When the attempt was claimed that is running, or that has completed the job."""
    cancel_requested: bool = False
    errors: tuple[JobError, ...] = ()
    """Newest last."""
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """Encoded as JSON; only of completed jobs that are kept. Not `| None`: with that, msgspec would
    decode nothing but null."""
    ended_at: int = 0
    """When it was completed or died, ms since the epoch."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it by itself."""
        return self.status in ("completed", "dead")

    @property
    def error_group(self) -> tuple[str, str]:
        """The newest error's type, and its message's first line; empty where it has no error."""
        if not self.errors:
            return "", ""
        return self.errors[-1].type, first_line(self.errors[-1].message)

    @property
    def waiting_since(self) -> int:
        """Since when a job that is unclaimed has been so, ms since the epoch."""
        return self.ready_at or self.created_at

    @property
    def is_held(self) -> bool:
        """Whether a worker holds it."""
        return self.status == "in_progress"


def change_status(job: Job, status: JobStatus, now_ms: int = 0) -> None:
    """Set the status of a job, and since when it has it; an illegal change is a bug and asserts."""
    assert (job.status, status) in STATUS_CHANGES, (
        f"{job.id}: {job.status} to {status} is no change"
    )
    job.status = status
    if status == "in_progress":
        job.started_at = now_ms
        job.ready_at = job.run_at = 0
        return
    job.worker_id = job.claim_id = ""
    job.lease_ms = job.heartbeat = 0
    job.cancel_requested = False
    job.ready_at = now_ms if status == "unclaimed" else 0
    if status != "completed":
        job.started_at = 0
    if status != "scheduled":
        job.run_at = 0

"""What the client's methods give back. The wire's camelCase names become Python's here.

Fields that a newer broker adds are ignored; absent ones have their defaults.
"""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from osqueue.client.values import convert_value, decode_value
from osqueue.core.errors import QueueError
from osqueue.core.job import JobStatus
from osqueue.core.retry_policy import RetryPolicy

__all__ = [
    "Cancelled",
    "Changed",
    "ClaimedJob",
    "Completions",
    "DeadGroup",
    "DeadGroups",
    "ErrorSummary",
    "Failure",
    "Heartbeats",
    "JobDead",
    "JobDetails",
    "JobFailure",
    "JobPage",
    "Nothing",
    "Snoozed",
    "Submitted",
    "SubmittedJobs",
    "WireClaimedJob",
    "WireJobs",
]

PayloadT = TypeVar("PayloadT")
_NULL = msgspec.Raw(b"\xc0")


class Submitted(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One job is in the queue, durably."""

    job_id: str
    """Of a duplicate the id that is queued already."""
    duplicate: bool = False
    """Nothing was enqueued: the job id or the unique key is queued already."""


class SubmittedJobs(msgspec.Struct, frozen=True, rename="camel"):
    """Jobs are in the queue, durably."""

    job_ids: list[str]
    """In the order of the call; of a duplicate the id that is queued already."""
    duplicates: list[int] = []
    """Indexes of the jobs that were not enqueued, being queued already."""


class WireClaimedJob(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A claimed job as the broker sends it."""

    job_id: str
    attempt: int
    type: str = ""
    payload: msgspec.Raw = _NULL
    max_attempts: int = 1
    created_at: int = 0
    lease_ms: int = 0


class WireJobs(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The result of claimJobs and completeJobs as the broker sends it."""

    completed: list[str] = []
    lost: list[str] = []
    jobs: list[WireClaimedJob] = []
    full: list[str] = []


class Nothing(msgspec.Struct, frozen=True):
    """The result of a call that has none."""


class Snoozed(msgspec.Struct, frozen=True, rename="camel"):
    """The result of snoozeJob."""

    run_at: int


class Cancelled(msgspec.Struct, frozen=True):
    """The result of cancelJob."""

    status: Literal["gone", "cancelRequested"]


class Changed(msgspec.Struct, frozen=True):
    """How many jobs one request has changed, or would change."""

    count: int = 0
    skipped: int = 0
    """Of those that were named by their id: gone, or their status or key forbids it."""
    cursor: str = ""
    """There may be more; empty: there are none."""


class ClaimedJob(msgspec.Struct, Generic[PayloadT], frozen=True, gc=False):
    """One job that a worker now holds: (job id, attempt, worker id) is its lease."""

    wire: WireClaimedJob
    """As the broker sent it."""
    worker_id: str
    payload_type: type[PayloadT] | None = None

    def __repr__(self) -> str:
        return f"<ClaimedJob {self.job_id} {self.type!r} attempt {self.attempt}>"

    @property
    def job_id(self) -> str:
        """The job's id."""
        return self.wire.job_id

    @property
    def type(self) -> str:
        """The job's type; empty where it was submitted without one."""
        return self.wire.type

    @property
    def attempt(self) -> int:
        """This attempt's number, from 1; it fences stale workers."""
        return self.wire.attempt

    @property
    def max_attempts(self) -> int:
        """The last attempt's number; a failure of that one makes the job a dead letter."""
        return self.wire.max_attempts

    @property
    def created_at(self) -> int:
        """When the job was submitted, ms since the epoch."""
        return self.wire.created_at

    @property
    def lease_ms(self) -> int:
        """How long the lease lasts from each heartbeat; may be more than was asked for."""
        return self.wire.lease_ms

    @property
    def payload(self) -> PayloadT:
        """The payload, decoded at each access, as the `payload_type` of the claim.

        Raises:
            msgspec.ValidationError: the payload does not fit the type.
        """
        return cast("PayloadT", decode_value(self.wire.payload, self.payload_type))

    def payload_as(self, payload_type: type[Any]) -> Any:  # noqa: ANN401
        """The payload as another type.

        Raises:
            msgspec.ValidationError: the payload does not fit the type.
        """
        return decode_value(self.wire.payload, payload_type)


class Heartbeats(msgspec.Struct, frozen=True, rename="camel"):
    """What became of the leases, as job ids in the order of the call."""

    held: list[str] = []
    lost: list[str] = []
    cancel_requested: list[str] = []
    """Held ones whose handlers should stop."""


class Completions(msgspec.Struct, frozen=True, gc=False):
    """Which completions counted, as job ids in the order of the call."""

    completed: list[str]
    lost: list[str]
    """Their leases had been lost: another attempt counts, nothing of these was applied."""
    jobs: list[ClaimedJob[Any]]
    """Claimed in the same write, where the call asked for it."""
    full: list[str] = []
    """Still held, nothing of these was applied: the queue has no room for the jobs that they
    submit. Keep their leases, and complete them again after a while."""


class Failure(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a failed attempt's job."""

    status: JobStatus | Literal["gone"]
    """`dead` after its last attempt, `gone` if cancelled, else `scheduled` or `unclaimed`."""
    run_at: int = 0
    """When it is claimable again, ms since the epoch; 0 for a dead one."""


class JobFailure(msgspec.Struct, frozen=True, rename="camel"):
    """Why one attempt failed."""

    type: str = ""
    message: str = ""
    traceback: str = ""
    attempt: int = 0
    at: int = 0
    """When it was reported, ms since the epoch."""
    started_at: int = 0
    """When the attempt was claimed; 0: not known."""
    worker_id: str = ""


class ErrorSummary(msgspec.Struct, frozen=True):
    """What lists show of a job's newest error."""

    type: str = ""
    message: str = ""
    """The first line, cut to 200 characters."""


class JobDetails(msgspec.Struct, frozen=True, rename="camel"):
    """One job as it stands in the queue."""

    id: str
    status: JobStatus
    type: str = ""
    payload: Any = None
    created_at: int = 0
    """Ms since the epoch, as every `_at` here."""
    attempts: int = 0
    max_attempts: int = 0
    priority: int = 0
    run_at: int = 0
    """When a scheduled job becomes claimable; 0 for the others."""
    ready_at: int = 0
    """When it became claimable again; 0: it has been since it was created."""
    started_at: int = 0
    """When its attempt was claimed, of a running or a completed job."""
    unique_key: str = ""
    result_ttl_ms: int = 0
    retry: RetryPolicy | None = None
    worker_id: str = ""
    heartbeat: int = 0
    """When its worker was last heard of, as of the last write."""
    lease_ms: int = 0
    cancel_requested: bool = False
    errors: list[JobFailure] = []
    """The newest last; not in lists."""
    last_error: ErrorSummary | None = None
    """In lists only."""
    result: Any = None
    """Only of a completed job that is kept."""
    ended_at: int = 0

    def with_types(
        self, payload_type: type[Any] | None, result_type: type[Any] | None
    ) -> JobDetails:
        """The same, with payload and result converted to these types; None: left as they are.

        Raises:
            msgspec.ValidationError: one does not fit its type.
        """
        payload, result = self.payload, self.result
        if payload_type is not None:
            payload = convert_value(payload, payload_type)
        if result_type is not None and self.status == "completed":
            result = convert_value(result, result_type)
        return msgspec.structs.replace(self, payload=payload, result=result)


class JobDead(QueueError):
    """The job that was waited for is a dead letter."""

    advice = "redrive it, or drop the work"

    def __init__(self, job: JobDetails) -> None:
        reason = "nobody reported why"
        if job.errors:
            reason = f"the last error: {job.errors[-1].type}: {job.errors[-1].message}"
        super().__init__(f"the job {job.id} is dead after {job.attempts} attempts; {reason}")
        self.job = job
        """As it stands among the dead letters."""
        self.errors = job.errors
        """Why its last attempts failed, the newest last; empty where its worker never reported."""


class JobPage(msgspec.Struct, frozen=True, rename="camel"):
    """Some jobs, and the counts of the whole queue."""

    jobs: list[JobDetails]
    total: int = 0
    unclaimed: int = 0
    in_progress: int = 0
    completed_total: int = 0
    broker_address: str = ""
    cursor: str = ""
    """Pass it to the next call; empty: this was the last page."""
    matched: int | None = None
    """How many jobs pass the filter; None: only a look at each could tell."""


class DeadGroup(msgspec.Struct, frozen=True, rename="camel"):
    """Dead jobs of one type that ended with the same error."""

    type: str = ""
    error_type: str = ""
    error_message: str = ""
    """The first line, cut to 200 characters."""
    count: int = 0
    first_at: int = 0
    """When the first of them died, ms since the epoch."""
    last_at: int = 0
    job_id: str = ""
    """The one that died last."""


class DeadGroups(msgspec.Struct, frozen=True):
    """The largest groups of dead jobs, the largest first."""

    groups: list[DeadGroup] = []
    total: int = 0
    """How many groups there are."""
    dead: int = 0
    """How many jobs they hold."""

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
    "ClaimedJob",
    "CommitRecord",
    "Completions",
    "Failure",
    "Heartbeats",
    "HeldJob",
    "History",
    "HistoryBuckets",
    "JobDead",
    "JobDetails",
    "JobFailure",
    "JobPage",
    "Nothing",
    "Redriven",
    "Snoozed",
    "Stats",
    "StorageStats",
    "Submitted",
    "SubmittedJobs",
    "Takeover",
    "ThrottleStats",
    "Totals",
    "TypeCount",
    "WireClaimedJob",
    "WireJobs",
    "WorkerDetails",
    "WorkerPage",
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


class Nothing(msgspec.Struct, frozen=True):
    """The result of a call that has none."""


class Snoozed(msgspec.Struct, frozen=True, rename="camel"):
    """The result of snoozeJob."""

    run_at: int


class Cancelled(msgspec.Struct, frozen=True):
    """The result of cancelJob."""

    status: Literal["gone", "cancelRequested"]


class Redriven(msgspec.Struct, frozen=True):
    """The result of redriveDead."""

    count: int


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
    """The newest last."""
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
    """Some jobs in the order of submission, and the counts of the whole queue."""

    jobs: list[JobDetails]
    total: int = 0
    unclaimed: int = 0
    in_progress: int = 0
    completed_total: int = 0
    broker_address: str = ""
    cursor: str = ""
    """Pass it to the next call; empty: this was the last page."""


class StorageStats(msgspec.Struct, frozen=True, rename="camel"):
    """The broker's store, and its traffic with it since it started."""

    reads: int = 0
    writes: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    description: str = ""
    """Names the store for a person."""
    commits: int = 0
    """Writes that landed."""
    conflicts: int = 0
    """Attempts that were refused because the document was not the expected one."""
    unknown_outcomes: int = 0
    """Attempts that were not answered."""


class TypeCount(msgspec.Struct, frozen=True):
    """How many jobs of one type."""

    type: str = ""
    count: int = 0


class Totals(msgspec.Struct, frozen=True):
    """What the broker has committed since it started: differences give rates."""

    since: int = 0
    """When it started, ms since the epoch."""
    submitted: int = 0
    claimed: int = 0
    """Attempts begun."""
    completed: int = 0
    failed: int = 0
    """Attempts that failed, or whose lease ran out."""
    died: int = 0
    """Jobs that became dead letters."""


class CommitRecord(msgspec.Struct, frozen=True, rename="camel"):
    """One write of the queue, or an attempt of one."""

    commit_id: str
    at: int = 0
    """When its outcome was known, ms since the epoch."""
    mutations: int = 0
    bytes: int = 0
    """Of the document."""
    milliseconds: int = 0
    outcome: str = "landed"
    """`landed`, `conflict` or `unknown`."""


class Stats(msgspec.Struct, frozen=True, rename="camel"):
    """Counts of the committed queue."""

    total: int = 0
    unclaimed: int = 0
    in_progress: int = 0
    completed_total: int = 0
    """Completions since the queue was created."""
    scheduled: int = 0
    completed: int = 0
    """Completed jobs that are kept for their results."""
    dead: int = 0
    paused: bool = False
    paused_types: list[str] = []
    next_created_at: int = 0
    """When the job that is next in line was created, ms since the epoch; 0: none waits."""
    broker_address: str = ""
    epoch: int = 0
    commit_id: str = ""
    storage: StorageStats = StorageStats()
    now: int = 0
    """The broker's clock, ms since the epoch, to tell ages by."""
    broker_name: str = ""
    heartbeat_interval_ms: int = 0
    """The longest that the broker goes without a write."""
    broker_timeout_ms: int = 0
    oldest_unclaimed_at: int = 0
    """Since when the job has been claimable that has been so longest; 0: none waits."""
    next_run_at: int = 0
    """When the next scheduled job is due; 0: none is scheduled."""
    workers: int = 0
    """How many hold jobs, wait for some, or were heard of lately."""
    dead_by_type: list[TypeCount] = []
    """The types with most dead letters."""
    document_bytes: int = 0
    totals: Totals = Totals()
    last_commit: CommitRecord | None = None


class HistoryBuckets(msgspec.Struct, frozen=True, rename="camel"):
    """Figures by the second, columns of equal length; None where nothing was measured."""

    submitted: list[int] = []
    claimed: list[int] = []
    completed: list[int] = []
    failed: list[int] = []
    commits: list[int] = []
    mutations: list[int] = []
    conflicts: list[int] = []
    unknown_outcomes: list[int] = []
    commit_ms_p50: list[int | None] = []
    commit_ms_p99: list[int | None] = []
    wait_ms_p50: list[int | None] = []
    """From when a job was claimable to its claim."""
    wait_ms_p99: list[int | None] = []
    oldest_wait_ms: list[int | None] = []


class Takeover(msgspec.Struct, frozen=True, rename="camel"):
    """The beginning of a term."""

    epoch: int
    broker_name: str = ""
    at: int = 0
    """Ms since the epoch; 0: not known."""


class History(msgspec.Struct, frozen=True, rename="camel"):
    """What the leader has seen lately."""

    now: int = 0
    bucket_ms: int = 1_000
    begin: int = msgspec.field(name="from", default=0)
    """When the first bucket began, ms since the epoch."""
    buckets: HistoryBuckets = HistoryBuckets()
    """Up to the last full second."""
    commits: list[CommitRecord] = []
    """The newest last."""
    takeovers: list[Takeover] = []
    """The newest last."""


class HeldJob(msgspec.Struct, frozen=True, rename="camel"):
    """A job that a worker holds."""

    job_id: str
    type: str = ""
    attempt: int = 0
    started_at: int = 0
    """Ms since the epoch; 0: not known."""
    lease_ms: int = 0
    lease_left_ms: int = 0
    """At the moment of the answer."""
    cancel_requested: bool = False


class WorkerDetails(msgspec.Struct, frozen=True, rename="camel"):
    """A worker, and what it holds."""

    worker_id: str
    first_seen_at: int = 0
    last_seen_at: int = 0
    is_polling: bool = False
    """A claim of it waits."""
    types: list[str] = []
    """What it last asked for; empty: all."""
    claimed: int = 0
    """Attempts since this leader first heard of it."""
    completed: int = 0
    failed: int = 0
    held: int = 0
    """Jobs that it holds."""
    jobs: list[HeldJob] = []
    """The first 20 of them."""


class WorkerPage(msgspec.Struct, frozen=True):
    """Workers that the leader knows, by their ids."""

    workers: list[WorkerDetails] = []
    total: int = 0
    """How many there are."""
    now: int = 0
    """The broker's clock, ms since the epoch."""


class ThrottleStats(msgspec.Struct, frozen=True, rename="camel"):
    """How the broker was slowed down by its limits for the store, since it started."""

    throttling: bool = True
    """False: it has no limits, and all the rest is 0."""
    total_reads: int = 0
    total_writes: int = 0
    throttled_reads: int = 0
    throttled_writes: int = 0
    total_read_delay_ms: int = 0
    total_write_delay_ms: int = 0
    daily_write_count: int = 0
    daily_budget_exceeded: bool = False

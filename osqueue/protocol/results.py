"""The results of every method, what they are made of, and the data of events.

Fields are camelCase on the wire; a field with a default is left out where it has it. Payloads and
results of jobs are `msgspec.Raw` in the encoding of the reply.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from osqueue.core.job import JobStatus
from osqueue.core.retry_policy import RetryPolicy

__all__ = [
    "BucketsView",
    "CancelJobResult",
    "ClaimJobResult",
    "ClaimJobsResult",
    "ClaimedJobView",
    "CommitEvent",
    "CommitView",
    "CompleteJobsResult",
    "EmptyResult",
    "FailJobResult",
    "HeartbeatJobsResult",
    "HeartbeatResult",
    "HeldJobView",
    "HelloResult",
    "HistoryResult",
    "JobChangeView",
    "JobErrorView",
    "JobView",
    "LeaderEvent",
    "ListJobsResult",
    "ListWorkersResult",
    "ListedJobView",
    "RedriveDeadResult",
    "Result",
    "SnoozeJobResult",
    "StatsResult",
    "StorageCounts",
    "SubmitJobResult",
    "SubmitJobsResult",
    "TakeoverView",
    "ThrottleStatsResult",
    "TotalsView",
    "TypeCount",
    "WorkerView",
]


class Result(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """The base of all results."""


class EmptyResult(Result):
    """Nothing to say but ok."""


class SubmitJobResult(Result):
    """The job is in the queue."""

    job_id: str
    duplicate: bool = False
    """Its unique key or job id was queued already; job_id is the one that is."""


class SubmitJobsResult(Result):
    """The jobs are in the queue."""

    job_ids: list[str]
    """In the order of the request."""
    duplicates: list[int]
    """Indexes of the jobs that were queued already."""


class ClaimJobResult(Result):
    """The job taken, or nothing: then every field is absent."""

    job_id: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    payload: Raw | UnsetType = UNSET
    attempt: int | UnsetType = UNSET
    max_attempts: int | UnsetType = UNSET
    created_at: int | UnsetType = UNSET
    lease_ms: int | UnsetType = UNSET


class ClaimedJobView(Result):
    """A job that a worker now holds."""

    job_id: str
    type: str
    """Empty where the job has none."""
    payload: Raw
    attempt: int
    """Names the lease in heartbeats and settlements."""
    max_attempts: int
    created_at: int
    """Ms since the epoch."""
    lease_ms: int
    """How long the job is held without a heartbeat."""


class ClaimJobsResult(Result):
    """The jobs taken; empty when there was nothing."""

    jobs: list[ClaimedJobView]


class HeartbeatResult(Result):
    """The lease is extended."""

    cancel_requested: bool = False
    """The worker is asked to stop the job."""


class HeartbeatJobsResult(Result):
    """Job ids, in the order of the request."""

    held: list[str]
    lost: list[str]
    """Not held any more: their handlers should stop, their results will not count."""
    cancel_requested: list[str]
    """Held, but the worker is asked to stop them."""


class CompleteJobsResult(Result):
    """Job ids, in the order of the request, and the jobs claimed."""

    completed: list[str]
    lost: list[str]
    jobs: list[ClaimedJobView] | UnsetType = UNSET
    """Only where the request had a claim."""


class FailJobResult(Result):
    """What became of the job."""

    status: JobStatus | Literal["gone"]
    """`scheduled`, `unclaimed` or `dead`; `gone` where its cancellation had been asked for."""
    run_at: int = 0
    """When it is claimable again, ms since the epoch; absent for a dead one."""


class SnoozeJobResult(Result):
    """The job waits again."""

    run_at: int


class CancelJobResult(Result):
    """Whether the job is gone, or its worker will be told."""

    status: str
    """`gone` or `cancelRequested`."""


class RedriveDeadResult(Result):
    """How many."""

    count: int


class JobErrorView(Result):
    """Why one attempt failed."""

    type: str
    message: str
    traceback: str = ""
    attempt: int = 0
    at: int = 0
    """Ms since the epoch."""
    started_at: int = 0
    """When the attempt was claimed."""
    worker_id: str = ""


class ListedJobView(Result):
    """A job as lists show it: without its errors and its result."""

    id: str
    status: JobStatus
    payload: Raw
    type: str
    """Empty where the job has none."""
    created_at: int
    """This and all times: ms since the epoch."""
    attempts: int
    """Started so far."""
    max_attempts: int
    worker_id: str = ""
    """Only while it is in progress, as is `heartbeat`."""
    heartbeat: int = 0
    run_at: int = 0
    ready_at: int = 0
    """When it became claimable again; absent: it has been since it was created."""
    started_at: int = 0
    """When its attempt was claimed, of a running or a completed job."""
    priority: int = 0
    unique_key: str = ""
    cancel_requested: bool = False
    ended_at: int = 0


class JobView(ListedJobView):
    """A job with everything known about it."""

    lease_ms: int = 0
    result_ttl_ms: int = 0
    retry: RetryPolicy | None = None
    errors: list[JobErrorView] = []
    """The last few, newest last."""
    result: Raw | UnsetType = UNSET
    """Only of a completed job that is kept."""


class ListJobsResult(Result):
    """A page of jobs, and counts of the whole queue."""

    jobs: list[ListedJobView]
    total: int
    unclaimed: int
    in_progress: int
    completed_total: int
    """Completions since the queue was created."""
    broker_address: str
    cursor: str = ""
    """Of the next page; absent: this was the last."""


class StorageCounts(Result):
    """The store, and what this broker asked of it since it started."""

    reads: int
    writes: int
    bytes_read: int
    bytes_written: int
    description: str
    """Names the store for a person."""
    commits: int
    """Writes that landed."""
    conflicts: int
    """Attempts that were refused because the document was not the expected one."""
    unknown_outcomes: int
    """Attempts that were not answered."""


class TypeCount(Result):
    """How many jobs of one type."""

    type: str
    count: int


class TotalsView(Result):
    """What this broker has committed since it started."""

    since: int
    """When it started."""
    submitted: int
    claimed: int
    """Attempts begun."""
    completed: int
    failed: int
    """Attempts that failed, or whose lease ran out."""
    died: int
    """Jobs that became dead letters."""


class CommitView(Result):
    """One write, or an attempt of one."""

    commit_id: str
    at: int
    mutations: int
    bytes: int
    """Of the document."""
    milliseconds: int
    outcome: Literal["landed", "conflict", "unknown"]


class StatsResult(Result):
    """Counts of the committed queue."""

    total: int
    unclaimed: int
    in_progress: int
    completed_total: int
    broker_address: str
    scheduled: int
    completed: int
    """Completed jobs that are kept for their results."""
    dead: int
    paused: bool
    paused_types: list[str]
    next_created_at: int
    """When the job was created that is next in turn, ms since the epoch; 0: none waits."""
    epoch: int
    commit_id: str
    storage: StorageCounts
    now: int
    """The broker's clock."""
    broker_name: str
    heartbeat_interval_ms: int
    """The longest that the broker goes without a write."""
    broker_timeout_ms: int
    """How long standbys wait for such a write."""
    oldest_unclaimed_at: int
    """Since when the job has been claimable that has been so longest; 0: none waits."""
    next_run_at: int
    """When the next scheduled job is due; 0: none is scheduled."""
    workers: int
    """How many hold jobs, wait for some, or were heard of lately."""
    dead_by_type: list[TypeCount]
    """The types with most dead letters."""
    document_bytes: int
    totals: TotalsView
    last_commit: CommitView | UnsetType = UNSET
    """Absent: there was none yet."""


class BucketsView(Result):
    """Figures by the second, columns of equal length; null where nothing was measured."""

    submitted: list[int]
    claimed: list[int]
    completed: list[int]
    failed: list[int]
    commits: list[int]
    mutations: list[int]
    conflicts: list[int]
    unknown_outcomes: list[int]
    commit_ms_p50: list[int | None]
    commit_ms_p99: list[int | None]
    wait_ms_p50: list[int | None]
    """From when a job was claimable to its claim."""
    wait_ms_p99: list[int | None]
    oldest_wait_ms: list[int | None]
    """Of the job that had been claimable longest, at the last commit of the second."""


class TakeoverView(Result):
    """The beginning of a term."""

    epoch: int
    broker_name: str
    at: int = 0
    """Absent: not known."""


class HistoryResult(Result):
    """What the leader has seen lately; as an event, what is new of it."""

    now: int
    bucket_ms: int
    begin: int = msgspec.field(name="from")
    """When the first bucket began."""
    buckets: BucketsView
    """Up to the last full second."""
    commits: list[CommitView]
    """The newest last."""
    takeovers: list[TakeoverView]
    """The newest last."""


class HeldJobView(Result):
    """A job that a worker holds."""

    job_id: str
    type: str
    attempt: int
    started_at: int
    lease_ms: int
    lease_left_ms: int
    """At the moment of the answer."""
    cancel_requested: bool = False


class WorkerView(Result):
    """A worker, and what it holds."""

    worker_id: str
    first_seen_at: int
    last_seen_at: int
    is_polling: bool
    """A claim of it waits."""
    types: list[str]
    """What it last asked for; empty: all."""
    claimed: int
    """Attempts since this leader first heard of it."""
    completed: int
    failed: int
    held: int
    """Jobs that it holds."""
    jobs: list[HeldJobView]
    """The first 20 of them."""


class ListWorkersResult(Result):
    """Workers that the leader knows, by their ids."""

    workers: list[WorkerView]
    total: int
    now: int


class ThrottleStatsResult(Result):
    """What the throttle of the store did; only `throttling: false` where there is none."""

    throttling: bool | UnsetType = UNSET
    total_reads: int | UnsetType = UNSET
    total_writes: int | UnsetType = UNSET
    throttled_reads: int | UnsetType = UNSET
    throttled_writes: int | UnsetType = UNSET
    total_read_delay_ms: int | UnsetType = UNSET
    total_write_delay_ms: int | UnsetType = UNSET
    daily_write_count: int | UnsetType = UNSET
    daily_budget_exceeded: bool | UnsetType = UNSET


class HelloResult(Result):
    """Who answers."""

    broker_name: str
    epoch: int
    broker_address: str
    """Of the leader as far as this broker knows; empty: unknown."""
    limits: dict[str, int]
    """The limits in force, by their names in camelCase."""
    scopes: list[str]
    """What the connection may do: `read`, `work`, `submit`, `admin`."""


class JobChangeView(Result):
    """One job that has changed."""

    id: str
    status: str
    type: str
    attempts: int
    at: int
    """When it happened."""
    worker_id: str = ""
    started_at: int = 0
    """When the attempt was claimed that runs, or has just ended."""
    error_type: str = ""
    """Of the error that the attempt ended with."""


class CommitEvent(Result):
    """One write has landed."""

    commit_id: str
    mutations: int
    bytes: int
    milliseconds: int
    at: int


class LeaderEvent(Result):
    """Another broker leads."""

    epoch: int
    broker_address: str

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
    "CancelJobResult",
    "ChangeJobsResult",
    "ClaimJobResult",
    "ClaimJobsResult",
    "ClaimedJobView",
    "CommitEvent",
    "CompleteJobsResult",
    "DeadGroupView",
    "EmptyResult",
    "ErrorSummary",
    "FailJobResult",
    "HeartbeatJobsResult",
    "HeartbeatResult",
    "HelloResult",
    "JobChangeView",
    "JobErrorView",
    "JobFields",
    "JobView",
    "LeaderEvent",
    "ListDeadGroupsResult",
    "ListJobsResult",
    "ListedJobView",
    "Result",
    "SnoozeJobResult",
    "SubmitJobResult",
    "SubmitJobsResult",
    "ThrottleStatsResult",
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
    full: list[str] | UnsetType = UNSET
    """Still held: there is no room for the jobs that follow them. Absent: none."""


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


class ChangeJobsResult(Result):
    """How many jobs were changed, or would be."""

    count: int
    skipped: int
    """Of those that were named by their id: gone, or their status or key forbids it."""
    cursor: str = ""
    """Repeat the request with it: there may be more. Absent: there are none."""


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


class ErrorSummary(Result):
    """What lists show of a job's newest error."""

    type: str
    message: str
    """The first line, cut to 200 characters."""


class JobFields(Result, kw_only=True):
    """What lists and single jobs both show."""

    id: str
    status: JobStatus
    payload: Raw | UnsetType
    """UNSET where the list was to have none."""
    type: str
    """Empty where the job has none."""
    created_at: int
    """This and all times: ms since the epoch."""
    attempts: int
    """Started so far."""
    max_attempts: int
    worker_id: str = ""
    """Only while it is in progress."""
    heartbeat: int
    """While it is in progress; otherwise 0: the forerunner's client needs a number."""
    run_at: int = 0
    ready_at: int = 0
    """When it became claimable again; absent: it has been since it was created."""
    started_at: int = 0
    """When its attempt was claimed, of a running or a completed job."""
    priority: int = 0
    unique_key: str = ""
    cancel_requested: bool = False
    ended_at: int = 0


class ListedJobView(JobFields, kw_only=True):
    """A job as lists show it: without its errors and its result."""

    last_error: ErrorSummary | UnsetType = UNSET


class JobView(JobFields, kw_only=True):
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
    matched: int | UnsetType = UNSET
    """How many jobs pass the filter; absent where only a look at each could tell."""


class DeadGroupView(Result):
    """Dead jobs of one type that ended with the same error."""

    type: str
    error_type: str
    error_message: str
    """The first line, cut to 200 characters."""
    count: int
    first_at: int
    """When the first of them died."""
    last_at: int
    job_id: str
    """The one that died last."""


class ListDeadGroupsResult(Result):
    """The largest groups, the largest first."""

    groups: list[DeadGroupView]
    total: int
    """How many groups there are."""
    dead: int
    """How many jobs they hold."""


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

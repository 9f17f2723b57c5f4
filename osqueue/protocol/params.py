"""The params of every method.

Fields are camelCase on the wire. An absent field has the default given here, and null means absent.
Types are checked by decoding; bounds (lengths, ranges, characters) by the server. A payload or
result is a `msgspec.Raw` in the encoding of its message; `payloads.py` makes of it what is stored.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Raw

from osqueue.core.job import JobStatus

__all__ = [
    "ABSENT",
    "ChangeJobsParams",
    "ClaimJobParams",
    "ClaimJobsParams",
    "CompleteJobParams",
    "CompleteJobsParams",
    "CompletionParams",
    "ErrorFilterParams",
    "ErrorParams",
    "EventName",
    "FailJobParams",
    "FollowingClaimParams",
    "GetHistoryParams",
    "GetJobParams",
    "HeartbeatJobsParams",
    "HeartbeatParams",
    "HelloParams",
    "JobFilterParams",
    "JobParams",
    "LeaseParams",
    "ListDeadGroupsParams",
    "ListJobsParams",
    "ListWorkersParams",
    "NewJobParams",
    "Params",
    "PauseQueueParams",
    "QueueParams",
    "ReadParams",
    "RedriveDeadParams",
    "RetryParams",
    "SnoozeJobParams",
    "SubmitJobParams",
    "SubmitJobsParams",
    "SubscribeParams",
    "WithdrawClaimParams",
    "WorkerJobParams",
]

ABSENT = Raw(b"")
"""Stands for a payload, result or params that the message does not have."""
EventName = str
"""`stats`, `jobs`, `commit`, `leader` or `history`."""


class Params(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """The base of all params; by itself: none. Fields that are not known are ignored.

    Like all messages they refer to nothing that could refer back: no work for the collector.
    """


class QueueParams(Params, kw_only=True):
    """The base of params that touch a queue."""

    queue: str | None = None
    """Its name; absent: `queue`, the only one there is so far."""


class ReadParams(QueueParams, kw_only=True):
    """The base of params that only read; by itself: getStats."""

    confirm: bool | None = None
    """True: answered with a write to the store that began after the request came, which shows that
    the broker led then. Absent: from the memory of a leader that is trusted by its clock."""


class JobParams(QueueParams, kw_only=True):
    """Params that name one job: cancelJob, deleteJob, retryJob."""

    job_id: str


class WorkerJobParams(JobParams, kw_only=True):
    """Params that name one job that a worker holds."""

    worker_id: str
    attempt: int | None = None
    """Which attempt; absent: whichever the worker holds, as clients did that know no attempts."""


class RetryParams(Params, kw_only=True, forbid_unknown_fields=True):
    """How long a job waits before its next attempt; absent: as `RetryPolicy` says."""

    base_ms: int | None = None
    factor: float | None = None
    cap_ms: int | None = None


class NewJobParams(Params, kw_only=True):
    """A job to be submitted."""

    payload: Raw = ABSENT
    """Any JSON value; absent: null."""
    type: str | None = None
    max_attempts: int | None = None
    """1 to 1,000; absent: the broker's setting."""
    job_id: str | None = None
    """Absent: the broker makes one, but then a repeat is a second job."""
    run_at: int | None = None
    """Ms since the epoch; only one of run_at and delay_ms."""
    delay_ms: int | None = None
    priority: int | None = None
    """-100 to 100, higher first; absent: 0."""
    unique_key: str | None = None
    """While a job with this key waits or runs, a submit of it is a duplicate of that job."""
    result_ttl_ms: int | None = None
    """How long the completed job is kept with its result; absent or 0: not at all."""
    retry: RetryParams | None = None
    """Overrides the policy of the queue."""


NewJobs: TypeAlias = Annotated[list[NewJobParams], msgspec.Meta(max_length=100_000)]
"""More than `list_items_max` can be set to is refused before anything is built: an empty job is one
byte, and a hundred once it is decoded."""


class SubmitJobParams(NewJobParams, kw_only=True):
    """One job."""

    queue: str | None = None


class SubmitJobsParams(QueueParams, kw_only=True):
    """Jobs, all or none."""

    jobs: NewJobs


class ClaimJobParams(QueueParams, kw_only=True):
    """Take one job, or wait for one."""

    worker_id: str
    """Of one process only."""
    types: list[str] | None = None
    """Absent or empty: all."""
    lease_ms: int | None = None
    """1,000 to 86,400,000; absent: the broker's setting. Raised to what the broker can keep."""
    claim_id: str | None = None
    """A repeat with the same worker id and claim id gets the jobs that are still held."""
    wait_ms: int | None = None
    """0 to 60,000: how long a claim that finds nothing waits; absent: 0."""


class ClaimJobsParams(ClaimJobParams, kw_only=True):
    """Take jobs, or wait for some."""

    limit: int | None = None
    """1 to 1,000; absent: 1."""


class WithdrawClaimParams(QueueParams, kw_only=True):
    """A claim that waits no longer."""

    worker_id: str
    claim_id: str
    """As in the claim."""


class FollowingClaimParams(Params, kw_only=True):
    """Take jobs in the same write as completions: as claimJobs, but without waiting."""

    worker_id: str | None = None
    """Absent: that of the completions; no other is allowed."""
    types: list[str] | None = None
    limit: int | None = None
    lease_ms: int | None = None
    claim_id: str | None = None


class LeaseParams(Params, kw_only=True):
    """One job that a worker holds."""

    job_id: str
    attempt: int | None = None


class HeartbeatParams(WorkerJobParams, kw_only=True):
    """Extend one lease."""


class HeartbeatJobsParams(QueueParams, kw_only=True):
    """Extend leases."""

    worker_id: str
    jobs: list[LeaseParams]


class CompleteJobParams(WorkerJobParams, kw_only=True):
    """One job is done."""

    result: Raw = ABSENT
    """Any JSON value, kept where the job asked for that."""


class CompletionParams(LeaseParams, kw_only=True):
    """One job done, and what follows from it."""

    result: Raw = ABSENT
    submit: NewJobs | None = None
    """Enqueued in the same write as the completion, or not at all."""


class CompleteJobsParams(QueueParams, kw_only=True):
    """Jobs are done, and the worker wants the next ones."""

    worker_id: str
    jobs: list[CompletionParams]
    claim: FollowingClaimParams | None = None


class ErrorParams(Params, kw_only=True):
    """Why an attempt failed."""

    type: str
    """The error's class."""
    message: str
    traceback: str | None = None


class FailJobParams(WorkerJobParams, kw_only=True):
    """An attempt failed."""

    error: ErrorParams
    retry_in_ms: int | None = None
    """Absent: by the job's retry policy."""
    final: bool | None = None
    """No further attempt: to the dead letters."""


class SnoozeJobParams(WorkerJobParams, kw_only=True):
    """Give a held job back for later."""

    delay_ms: int
    """1,000 or more."""


class ErrorFilterParams(Params, kw_only=True):
    """Which jobs are meant: all that is given must hold."""

    type: str | None = None
    text: str | None = None
    """Somewhere in the job's texts, as written; a job's whole id means that job alone."""
    error_type: str | None = None
    """Of the newest error."""
    error_message: str | None = None
    """The first line of the newest error's message, cut to 200 characters."""


class JobFilterParams(ErrorFilterParams, kw_only=True):
    """Which jobs are meant; without any field: all."""

    status: JobStatus | None = None


class ChangeJobsParams(QueueParams, kw_only=True):
    """Many jobs: cancelJobs, deleteJobs, retryJobs."""

    job_ids: list[str] | None = None
    """Either these or the filter."""
    filter: JobFilterParams | None = None
    limit: int | None = None
    """Absent: all."""
    dry_run: bool | None = None
    """Only count."""
    cursor: str | None = None
    """From the reply before."""


class RedriveDeadParams(ErrorFilterParams, kw_only=True):
    """Dead jobs become claimable again, oldest first."""

    queue: str | None = None
    job_ids: list[str] | None = None
    """Absent: those that the other fields mean."""
    limit: int | None = None
    """Absent: all."""
    dry_run: bool | None = None
    cursor: str | None = None


class ListDeadGroupsParams(ReadParams, kw_only=True):
    """Dead jobs by type and error."""

    type: str | None = None
    limit: int | None = None
    """1 to 1,000, and absent 100."""


class GetJobParams(ReadParams, kw_only=True):
    """Look at one job."""

    job_id: str
    wait_ms: int | None = None
    """How long to wait until it has ended."""


class ListJobsParams(JobFilterParams, kw_only=True):
    """A page of jobs."""

    queue: str | None = None
    confirm: bool | None = None
    """As of `ReadParams`."""
    order: Literal["asc", "desc"] | None = None
    """`asc`, and absent: in order of submission; `desc`: the newest first."""
    limit: int | None = None
    """1 to 1,000, and absent 1,000."""
    cursor: str | None = None
    """From the reply before; stable when jobs come and go."""
    offset: int | None = None
    """Instead of a cursor: leave out so many of the jobs that pass; with status and type only."""
    payloads: bool | None = None
    """False: without payloads."""


class ListWorkersParams(ReadParams, kw_only=True):
    """Workers that the leader knows."""

    limit: int | None = None
    """1 to 1,000, and absent 100."""


class GetHistoryParams(ReadParams, kw_only=True):
    """What happened lately."""

    seconds: int | None = None
    """1 to 600, and absent 300: how far back."""


class PauseQueueParams(QueueParams, kw_only=True):
    """Pause or resume, of one type or of all."""

    type: str | None = None


class SubscribeParams(QueueParams, kw_only=True):
    """Events that the connection wants."""

    events: list[EventName]


class HelloParams(Params, kw_only=True):
    """Who is there."""

    client_id: str | None = None
    """Random, new for each client object; what `sequence` counts under."""
    token: str | None = None
    protocol: int | None = None
    """Absent: version 1."""

"""Counts of a queue, what happened lately, who works: as the client's methods give them back."""

from __future__ import annotations

import msgspec

__all__ = [
    "CommitRecord",
    "HeldJob",
    "History",
    "HistoryBuckets",
    "Stats",
    "StorageStats",
    "Takeover",
    "ThrottleStats",
    "Totals",
    "TypeCount",
    "WorkerDetails",
    "WorkerPage",
]


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
    """From when a job was claimable to when its worker is told."""
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

"""Results that are figures: counts, what happened lately, who works.

Rules of this file: those of `results.py`. All times are ms since the epoch.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from osqueue.protocol.results import Result

__all__ = [
    "BucketsView",
    "CommitView",
    "HeldJobView",
    "HistoryResult",
    "ListWorkersResult",
    "StatsResult",
    "StorageCounts",
    "TakeoverView",
    "TotalsView",
    "TypeCount",
    "WorkerView",
]


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
    """From when a job was claimable to when its worker is told."""
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

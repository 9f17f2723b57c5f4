"""Which workers there are, as far as a leader knows, and what they hold."""

from __future__ import annotations

from collections.abc import Collection
from heapq import nlargest

from osqueue.core.job import Job
from osqueue.core.mutations import ListWorkers
from osqueue.core.outcomes import HeldJob, ListedWorker, WorkersListed
from osqueue.core.reads.committed_view import CommittedView
from osqueue.core.tables.worker_table import WorkerEntry

__all__ = ["HELD_JOBS_SCANNED_MAX", "HELD_JOBS_SHOWN", "count_workers", "list_workers"]

HELD_JOBS_SHOWN = 20
"""Jobs shown of each worker."""
HELD_JOBS_SCANNED_MAX = 20_000
"""Held jobs that one answer looks through; of workers beyond them only the count is told."""


def count_workers(view: CommittedView) -> int:
    """How many workers hold jobs, wait for some, or were heard of lately."""
    return len(_known_ids(view, view.find_polling()))


def list_workers(query: ListWorkers, view: CommittedView) -> WorkersListed:
    """Those heard of last, in the order of their ids."""
    polling = view.find_polling()
    known_ids = _known_ids(view, polling)
    held = _held_jobs(view)
    workers = [
        _listed(worker_id, held.get(worker_id, []), view, is_polling=worker_id in polling)
        for worker_id in known_ids
    ]
    if len(workers) > query.limit:
        workers = nlargest(query.limit, workers, key=lambda worker: worker.last_seen_at)
    workers.sort(key=lambda worker: worker.worker_id)
    return WorkersListed(workers, len(known_ids), view.now_ms)


def _known_ids(view: CommittedView, polling: Collection[str]) -> set[str]:
    state = view.state
    return {*state.table.held_by, *polling, *state.workers.heard_of_lately(view.now_ms)}


def _held_jobs(view: CommittedView) -> dict[str, list[Job]]:
    table = view.state.table
    held: dict[str, list[Job]] = {}
    for number, job_id in enumerate(table.leases):
        if number >= HELD_JOBS_SCANNED_MAX:
            break
        job = table.by_id[job_id]
        held.setdefault(job.worker_id, []).append(job)
    return held


def _listed(
    worker_id: str, jobs: list[Job], view: CommittedView, *, is_polling: bool
) -> ListedWorker:
    table = view.state.table
    entry = view.state.workers.entry(worker_id)
    if entry is None:
        # Known from the document alone: it has not spoken since this leader was elected.
        heard_at = max((job.heartbeat for job in jobs), default=0)
        entry = WorkerEntry(heard_at, heard_at)
    jobs.sort(key=lambda job: job.order)
    return ListedWorker(
        worker_id=worker_id,
        first_seen_at=entry.first_seen_at,
        last_seen_at=entry.last_seen_at,
        is_polling=is_polling,
        types=list(entry.types),
        claimed=entry.claimed,
        completed=entry.completed,
        failed=entry.failed,
        held=table.held_by.get(worker_id, 0),
        jobs=[
            HeldJob(
                job_id=job.id,
                type=job.type,
                attempt=job.attempts,
                started_at=job.started_at,
                lease_ms=job.lease_ms,
                lease_left_ms=max(table.leases.at(job.id) - view.steady_ms, 0),
                cancel_requested=job.cancel_requested,
            )
            for job in jobs[:HELD_JOBS_SHOWN]
        ],
    )

"""Reads of the committed state. They change nothing, and are evaluated whenever it is trusted."""

from __future__ import annotations

import msgspec

from osqueue.core.document import Header
from osqueue.core.mutations import ListJobs, Query, ReadDocument, ReadJob, ReadStats
from osqueue.core.outcomes import DocumentRead, JobRead, JobsListed, Outcome, QueueStats
from osqueue.core.queue_state import QueueState
from osqueue.core.tables.refusals import refuse_missing

__all__ = ["SCANNED_JOBS_MAX", "evaluate_query"]

SCANNED_JOBS_MAX = 20_000
"""Jobs that one page looks at. A filter that few jobs pass gets a shorter page, even an empty one,
and a cursor: nobody else waits while a million jobs are looked through."""


def evaluate_query(
    query: Query, state: QueueState, header: Header, committed_chunks: list[bytes]
) -> Outcome:
    """Answer a query from the state, the header and the chunks of the last commit."""
    if isinstance(query, ReadStats):
        return _stats(state, header)
    if isinstance(query, ReadJob):
        job = state.table.by_id.get(query.job_id)
        return (
            refuse_missing(query.job_id) if job is None else JobRead(msgspec.structs.replace(job))
        )
    if isinstance(query, ListJobs):
        return _list(query, state, header)
    assert isinstance(query, ReadDocument), f"{type(query).__name__} has no evaluation"
    return DocumentRead(committed_chunks)


def _stats(state: QueueState, header: Header) -> QueueStats:
    table = state.table
    next_id = table.ready.next_id((), ())
    return QueueStats(
        total=len(table.by_id),
        scheduled=table.counts["scheduled"],
        unclaimed=table.counts["unclaimed"],
        in_progress=table.counts["in_progress"],
        completed=table.counts["completed"],
        dead=table.counts["dead"],
        completed_total=state.totals.completed_total,
        paused=state.totals.paused,
        paused_types=sorted(state.paused_types),
        next_created_at=0 if next_id is None else table.by_id[next_id].created_at,
        epoch=header.epoch,
        commit_id=header.commit_id,
    )


def _list(query: ListJobs, state: QueueState, header: Header) -> JobsListed:
    page = JobsListed([], _stats(state, header), None)
    page_bytes = 0
    for scanned, job in enumerate(state.table.blocks.after(query.after_order), start=1):
        if scanned > SCANNED_JOBS_MAX:
            return JobsListed(page.jobs, page.stats, job.order - 1)
        if query.status is not None and job.status != query.status:
            continue
        if query.type is not None and job.type != query.type:
            continue
        page_bytes += len(bytes(job.payload))
        is_over_budget = bool(query.byte_budget) and page_bytes > query.byte_budget
        if len(page.jobs) >= query.limit or (page.jobs and is_over_budget):
            return JobsListed(page.jobs, page.stats, page.jobs[-1].order)
        page.jobs.append(msgspec.structs.replace(job))
    return page

"""Reads of the committed state. They change nothing, and are evaluated whenever it is trusted."""

from __future__ import annotations

from heapq import nlargest
from operator import itemgetter

import msgspec

from osqueue.core.fates.bulk import count_jobs
from osqueue.core.mutations import (
    CountJobs,
    ListDeadGroups,
    ListJobs,
    ListWorkers,
    Query,
    ReadDocument,
    ReadJob,
    ReadLineage,
    ReadStats,
)
from osqueue.core.outcomes import (
    DocumentRead,
    JobRead,
    LineageRead,
    Outcome,
    PastTerm,
    QueueStats,
)
from osqueue.core.reads.committed_view import CommittedView
from osqueue.core.reads.dead_groups import list_dead_groups
from osqueue.core.reads.job_pages import list_jobs
from osqueue.core.reads.known_workers import count_workers, list_workers
from osqueue.core.tables.refusals import refuse_missing

__all__ = ["DEAD_TYPES_SHOWN", "evaluate_query"]

DEAD_TYPES_SHOWN = 5
"""Types of which the counts tell how many are dead."""


def evaluate_query(query: Query, view: CommittedView) -> Outcome:
    """Answer a query from what was committed last."""
    match query:
        case ReadStats():
            return _stats(view)
        case ReadJob():
            job = view.state.table.by_id.get(query.job_id)
            if job is None:
                return refuse_missing(query.job_id)
            return JobRead(msgspec.structs.replace(job))
        case ListJobs():
            return list_jobs(query, view, _stats(view))
        case CountJobs():
            return count_jobs(view.state.table, query.change)
        case ListDeadGroups():
            return list_dead_groups(query, view)
        case ListWorkers():
            return list_workers(query, view)
        case ReadLineage():
            terms = [
                PastTerm(term.epoch, term.broker_name, term.at) for term in view.header.lineage
            ]
            return LineageRead(terms, query.seconds)
        case _:
            assert isinstance(query, ReadDocument), f"{type(query).__name__} has no evaluation"
            return DocumentRead(view.chunks)


def _stats(view: CommittedView) -> QueueStats:
    state, table = view.state, view.state.table
    next_id, longest_id = table.ready.next_id((), ()), table.ready.longest_id()
    dead_types = nlargest(DEAD_TYPES_SHOWN, table.dead_by_type.items(), key=itemgetter(1))
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
        epoch=view.header.epoch,
        commit_id=view.header.commit_id,
        oldest_unclaimed_at=0 if longest_id is None else table.by_id[longest_id].waiting_since,
        next_run_at=table.due.next_ms() or 0,
        workers=count_workers(view),
        dead_by_type=dead_types,
        document_bytes=sum(map(len, view.chunks)),
    )

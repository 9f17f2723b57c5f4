"""Pages of jobs: filtered, in both orders, from a cursor or from a place in the list."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Raw

from osqueue.core.job import Job
from osqueue.core.mutations import JobFilter, ListJobs
from osqueue.core.outcomes import JobsListed, QueueStats
from osqueue.core.reads.committed_view import CommittedView
from osqueue.core.tables.job_filters import JobMatcher, statuses_of
from osqueue.core.tables.job_table import JobTable

__all__ = ["list_jobs"]

_NO_PAYLOAD = Raw(b"")


def list_jobs(query: ListJobs, view: CommittedView, stats: QueueStats) -> JobsListed:
    """One page, with the counts of the whole queue that it goes with."""
    page = _read_page(query, view.state.table)
    return JobsListed(page.jobs, stats, page.next_after_order, page.matched, query.is_descending)


class _Page(NamedTuple):
    jobs: list[Job]
    next_after_order: int | None
    matched: int | None


def _read_page(query: ListJobs, table: JobTable) -> _Page:
    job_filter = query.filter
    matcher = JobMatcher(job_filter)
    named = table.by_id.get(job_filter.text)
    if named is not None:
        jobs = [_copy(query, named)] if matcher.fits(named) else []
        return _Page(jobs, None, len(jobs))
    matched = _count(table, job_filter)
    jobs: list[Job] = []
    page_bytes, last_order = 0, query.after_order
    for job in table.blocks.matching(
        statuses_of(job_filter),
        job_filter.type,
        after_order=query.after_order,
        skip_count=query.offset,
        is_descending=query.is_descending,
    ):
        if matcher.is_spent:
            return _Page(jobs, last_order, matched)
        if matcher.fits(job):
            page_bytes += len(bytes(job.payload)) if query.with_payloads else 0
            is_over_budget = bool(query.byte_budget) and page_bytes > query.byte_budget
            if len(jobs) >= query.limit or (jobs and is_over_budget):
                return _Page(jobs, last_order, matched)
            jobs.append(_copy(query, job))
        last_order = job.order
    return _Page(jobs, None, matched)


def _copy(query: ListJobs, job: Job) -> Job:
    copy = msgspec.structs.replace(job)
    if not query.with_payloads:
        copy.payload = _NO_PAYLOAD
    return copy


def _count(table: JobTable, job_filter: JobFilter) -> int | None:
    if not job_filter.is_indexed:
        return None
    if job_filter.type is None:
        return sum(table.counts[status] for status in statuses_of(job_filter))
    return table.blocks.count(statuses_of(job_filter), job_filter.type)

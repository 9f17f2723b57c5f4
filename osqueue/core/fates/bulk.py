"""What is done to many jobs at once: cancel, delete, retry, redrive, and how many that would be.

Rules of this file: those of `queue_state.py`, which calls it. One request looks at and changes a
bounded number of jobs; where more may pass its filter, the answer says where to go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from osqueue.core.fates.administering import cancel, revive
from osqueue.core.job import Job, JobStatus
from osqueue.core.limits import CHANGED_JOBS_MAX
from osqueue.core.mutations import (
    CancelJobs,
    ChangeJobs,
    DeleteJobs,
    JobSelection,
    RedriveDead,
    RetryJobs,
)
from osqueue.core.outcomes import JobsChanged
from osqueue.core.tables.job_filters import JobMatcher, statuses_of
from osqueue.core.tables.job_table import JobTable

if TYPE_CHECKING:
    from osqueue.core.queue_state import QueueState

__all__ = ["change_jobs", "count_jobs"]

_CHANGEABLE: dict[type[ChangeJobs], frozenset[JobStatus]] = {
    CancelJobs: frozenset({"scheduled", "unclaimed", "in_progress"}),
    DeleteJobs: frozenset({"scheduled", "unclaimed", "completed", "dead"}),
    RetryJobs: frozenset({"scheduled", "dead"}),
    RedriveDead: frozenset({"dead"}),
}
"""What is done to jobs of which status."""


def change_jobs(state: QueueState, mutation: ChangeJobs, _: int, __: int) -> JobsChanged:
    """Change the jobs that are selected, as far as their status allows it."""
    jobs, outcome = _choose(state.table, mutation, CHANGED_JOBS_MAX)
    change = _CHANGES[type(mutation)]
    for job in jobs:
        change(state, job)
    return outcome


def count_jobs(table: JobTable, mutation: ChangeJobs) -> JobsChanged:
    """What `change_jobs` would answer. Changes nothing."""
    return _choose(table, mutation, len(table.by_id))[1]


def _choose(table: JobTable, mutation: ChangeJobs, count_max: int) -> tuple[list[Job], JobsChanged]:
    """The jobs to be changed, and what that is answered with."""
    selection = mutation.selection
    may_change = _Eligibility(table, type(mutation))
    if selection.job_ids is None:
        return _choose_by_filter(table, selection, may_change, count_max)
    named = [table.by_id.get(job_id) for job_id in dict.fromkeys(selection.job_ids)]
    jobs = [job for job in named if job is not None and may_change(job)]
    skipped = len(named) - len(jobs)
    if selection.limit:
        jobs = jobs[: selection.limit]
    return jobs, JobsChanged(len(jobs), skipped)


def _choose_by_filter(
    table: JobTable, selection: JobSelection, may_change: _Eligibility, count_max: int
) -> tuple[list[Job], JobsChanged]:
    job_filter, limit = selection.filter, selection.limit or len(table.by_id)
    matcher = JobMatcher(job_filter)
    named = table.by_id.get(job_filter.text)
    if named is not None:
        jobs = [named] if matcher.fits(named) and may_change(named) else []
        return jobs, JobsChanged(len(jobs))
    statuses = may_change.statuses.intersection(statuses_of(job_filter))
    jobs: list[Job] = []
    for job in table.blocks.matching(statuses, job_filter.type, after_order=selection.after_order):
        if matcher.fits(job) and may_change(job):
            jobs.append(job)
        if len(jobs) >= limit:
            break
        if len(jobs) >= count_max or matcher.is_spent:
            return jobs, JobsChanged(len(jobs), 0, job.order)
    return jobs, JobsChanged(len(jobs))


class _Eligibility:
    """Whether jobs can be changed; asked of each once, in the order of the changes."""

    def __init__(self, table: JobTable, kind: type[ChangeJobs]) -> None:
        self.statuses = _CHANGEABLE[kind]
        self._table = table
        self._revives = kind in (RetryJobs, RedriveDead)
        self._keys: set[str] = set()
        """Unique keys that jobs take which are revived before."""

    def __call__(self, job: Job) -> bool:
        if job.status not in self.statuses:
            return False
        if job.status != "dead" or not self._revives or not job.unique_key:
            return True
        if job.unique_key in self._keys or self._table.is_key_taken(job):
            return False
        self._keys.add(job.unique_key)
        return True


def _make_claimable(state: QueueState, job: Job) -> None:
    if job.status == "dead":
        revive(state, job)
    else:
        state.table.move(job, "unclaimed")


def _delete(state: QueueState, job: Job) -> None:
    state.table.remove(job)


_CHANGES: dict[type[ChangeJobs], Callable[[QueueState, Job], None]] = {
    CancelJobs: cancel,
    DeleteJobs: _delete,
    RetryJobs: _make_claimable,
    RedriveDead: _make_claimable,
}

"""Which jobs pass a filter, and what it costs to find out."""

from __future__ import annotations

from osqueue.core.job import STATUSES, Job, JobStatus
from osqueue.core.limits import SCANNED_JOBS_MAX, SEARCHED_BYTES_MAX
from osqueue.core.mutations import JobFilter

__all__ = ["JobMatcher", "statuses_of"]


def statuses_of(job_filter: JobFilter) -> tuple[JobStatus, ...]:
    """The statuses that pass."""
    return STATUSES if job_filter.status is None else (job_filter.status,)


class JobMatcher:
    """One filter on its way through jobs, with what it has cost so far."""

    def __init__(self, job_filter: JobFilter) -> None:
        self._filter = job_filter
        self._text_bytes = job_filter.text.encode()
        self._looked_at = 0
        self._searched_bytes = 0

    @property
    def is_spent(self) -> bool:
        """Whether it has looked at as much as one request may."""
        return self._looked_at >= SCANNED_JOBS_MAX or self._searched_bytes >= SEARCHED_BYTES_MAX

    def fits(self, job: Job) -> bool:
        """Whether a job passes."""
        self._looked_at += 1
        wanted = self._filter
        if wanted.status not in (None, job.status) or wanted.type not in (None, job.type):
            return False
        if wanted.is_indexed:
            return True
        if wanted.error_type is not None or wanted.error_message is not None:
            error_type, error_message = job.error_group
            if wanted.error_type not in (None, error_type):
                return False
            if wanted.error_message not in (None, error_message):
                return False
        return not wanted.text or self._has_text(job)

    def _has_text(self, job: Job) -> bool:
        text = self._filter.text
        if text in job.id or text in job.type or text in job.unique_key or text in job.worker_id:
            return True
        if job.errors and (text in job.errors[-1].type or text in job.errors[-1].message):
            return True
        payload = bytes(job.payload)
        self._searched_bytes += len(payload)
        return self._text_bytes in payload

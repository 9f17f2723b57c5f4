"""Why the queue refuses, in words: what was hit, its limit, its value, and what to do about it."""

from __future__ import annotations

from osqueue.core.errors import JobNotFound, JobNotHeld, QueueFull
from osqueue.core.limits import QUEUE_FULL_RATIO, Limits
from osqueue.core.mutations import Lease, NewJob
from osqueue.core.tables.job_table import JOB_OVERHEAD_BYTES, JobTable

__all__ = ["cut_text", "refuse_lost", "refuse_missing", "refuse_submit"]


def refuse_submit(table: JobTable, limits: Limits, new_jobs: list[NewJob]) -> QueueFull | None:
    """Why these jobs do not fit into the queue; None where they do."""
    if len(table.by_id) + len(new_jobs) > limits.jobs_max:
        return QueueFull(
            f"the queue holds {len(table.by_id)} jobs, with these {len(new_jobs)} it would "
            f"pass its limit (JOBS_MAX) of {limits.jobs_max}: wait until workers catch up"
        )
    added_bytes = sum(len(bytes(job.payload)) + JOB_OVERHEAD_BYTES for job in new_jobs)
    bytes_max = int(limits.document_bytes_max * QUEUE_FULL_RATIO)
    if table.stored_bytes + added_bytes > bytes_max:
        return QueueFull(
            f"the queue's jobs take {table.stored_bytes} bytes, with these {added_bytes} they "
            f"would pass {bytes_max}, 90 % of the limit (DOCUMENT_BYTES_MAX) of "
            f"{limits.document_bytes_max}: wait until workers catch up"
        )
    if table.counts["dead"] >= limits.dead_jobs_max:
        return QueueFull(
            f"{table.counts['dead']} dead letters reach the limit (DEAD_JOBS_MAX) of "
            f"{limits.dead_jobs_max}: redrive or delete some",
            retry_after_ms=60_000,
        )
    return None


def cut_text(text: str, bytes_max: int) -> str:
    """The text, or its beginning and end if it is too long: a traceback's end says what failed."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= bytes_max:
        return text
    mark = b" [...] "
    if bytes_max <= len(mark):
        return ""
    begin = (bytes_max - len(mark)) // 3
    end = bytes_max - len(mark) - begin
    return (encoded[:begin] + mark + encoded[-end:]).decode("utf-8", "ignore")


def refuse_missing(job_id: str) -> JobNotFound:
    """No such job."""
    return JobNotFound(f"no job {job_id} is in the queue: it has ended, or never was")


def refuse_lost(worker_id: str, lease: Lease) -> JobNotHeld:
    """The worker does not hold it."""
    attempt = "" if lease.attempt is None else f"attempt {lease.attempt} of "
    return JobNotHeld(
        f"worker {worker_id} does not hold {attempt}job {lease.job_id}: its lease ran out and "
        "another may have it, or it has ended"
    )

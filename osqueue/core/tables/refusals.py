"""Why the queue refuses, in words: what was hit, its limit, its value, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from osqueue.core.errors import JobNotFound, JobNotHeld, QueueFull
from osqueue.core.job import Job
from osqueue.core.limits import (
    FOLLOW_UP_JOBS_RATIO,
    QUEUE_FULL_RATIO,
    TEXT_CUT_RATIO,
    Limits,
)
from osqueue.core.mutations import Lease, NewJob
from osqueue.core.tables.job_table import JobTable

__all__ = [
    "JOB_OVERHEAD_BYTES",
    "cut_text",
    "estimate_bytes",
    "refuse_lost",
    "refuse_missing",
    "refuse_submit",
]

JOB_OVERHEAD_BYTES = 200
"""What a waiting job takes in the document beside its payload; seldom more."""


def refuse_submit(
    table: JobTable,
    limits: Limits,
    new_jobs: Sequence[NewJob],
    *,
    stored_bytes: int,
    added_bytes: int,
    ended_count: int = 0,
    are_follow_ups: bool = False,
) -> QueueFull | None:
    """Why these jobs do not fit into the queue; None where they do.

    Where other jobs end in the same step (`ended_count`, and their bytes taken off `added_bytes`),
    only growth is refused: a full queue whose jobs each submit the next one must not get stuck.
    What follows from finished work may use a reserve that producers may not, so that they cannot
    keep workers from settling, and dead letters do not hold it up: that would make more of them.
    """
    added_count = len(new_jobs) - ended_count
    jobs_max, share = limits.jobs_max, QUEUE_FULL_RATIO
    if are_follow_ups:
        jobs_max, share = int(jobs_max * FOLLOW_UP_JOBS_RATIO), TEXT_CUT_RATIO
    if added_count > 0 and len(table.by_id) + added_count > jobs_max:
        return QueueFull(
            f"the queue holds {len(table.by_id)} jobs, with these {len(new_jobs)} it would "
            f"pass {jobs_max}, its limit (JOBS_MAX) is {limits.jobs_max}: wait for the workers"
        )
    bytes_max = int(limits.document_bytes_max * share)
    if added_bytes > 0 and stored_bytes + added_bytes > bytes_max:
        return QueueFull(
            f"the queue takes {stored_bytes} bytes, with {added_bytes} for these jobs it would "
            f"pass {bytes_max}, {share:.0%} of its limit (DOCUMENT_BYTES_MAX) of "
            f"{limits.document_bytes_max}: wait until workers catch up"
        )
    if not are_follow_ups and table.counts["dead"] >= limits.dead_jobs_max:
        return QueueFull(
            f"{table.counts['dead']} dead letters reach the limit (DEAD_JOBS_MAX) of "
            f"{limits.dead_jobs_max}: redrive or delete some",
            retry_after_ms=60_000,
        )
    return None


def estimate_bytes(jobs: Iterable[NewJob | Job]) -> int:
    """About what jobs take in the document, while they wait."""
    return sum(len(job.payload) + JOB_OVERHEAD_BYTES for job in jobs)


def cut_text(text: str, bytes_max: int) -> str:
    """The text, or its beginning and end if it is too long: a traceback's end says what failed."""
    encoded = text.encode()
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

"""How an attempt ends: completed, failed, snoozed, given back, expired; and what time brings.

Rules of this file: those of `queue_state.py`, which calls it. A job that is not held any more
returns to its own place in the line; only a completion, a cancellation or an operator removes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from osqueue.core.errors import QueueFull
from osqueue.core.job import Job, JobError
from osqueue.core.limits import TEXT_CUT_RATIO
from osqueue.core.mutations import (
    CompleteJobs,
    ExpireJobs,
    FailJob,
    GiveBackJobs,
    SnoozeJob,
    StartDueJobs,
)
from osqueue.core.outcomes import (
    JobFailed,
    JobsCompleted,
    JobsExtended,
    JobSnoozed,
    Outcome,
)
from osqueue.core.tables.refusals import cut_text, refuse_lost

if TYPE_CHECKING:
    from osqueue.core.queue_state import QueueState

__all__ = [
    "complete_jobs",
    "expire_jobs",
    "fail_job",
    "give_back_jobs",
    "snooze_job",
    "start_due_jobs",
]


def complete_jobs(state: QueueState, mutation: CompleteJobs, now_ms: int, _: int) -> Outcome:
    """Each completion with its follow-up jobs, together or not at all; then the claim.

    One whose follow-up jobs find no room stays held (docs/decisions/0007); where that is
    all there is to settle, the whole is refused.
    """
    table, worker_id = state.table, mutation.worker_id
    refusal: QueueFull | None = None
    completed: list[str] = []
    lost: list[str] = []
    full: list[str] = []
    for done in mutation.completions:
        job = table.find_held(worker_id, done.lease)
        if job is None:
            if mutation.is_single:
                return refuse_lost(worker_id, done.lease)
            lost.append(done.lease.job_id)
            continue
        if done.submit:
            no_room = state.refuse_growth(done.submit, job)
            if no_room is not None:
                refusal = no_room
                full.append(job.id)
                continue
        _finish(state, job, done.result, now_ms)
        if done.submit:
            state.enqueue_all(done.submit, now_ms)
        completed.append(job.id)
    if refusal is not None and not completed:
        return refusal
    state.workers.heard_of(worker_id, now_ms).completed += len(completed)
    state.tally.completed += len(completed)
    claimed = None
    if mutation.claim is not None:
        claimed = state.claim_under(mutation.claim_repeat_id, mutation.claim, now_ms)
    return JobsCompleted(completed, lost, claimed, full)


def _finish(state: QueueState, job: Job, result: msgspec.Raw | None, now_ms: int) -> None:
    state.totals.completed_total += 1
    if not job.result_ttl_ms:
        state.table.remove(job, "completed")
        return
    if result is not None and not _is_cutting_text(state):
        job.result = result
        state.added_bytes += len(bytes(result))
    job.ended_at = now_ms
    state.table.move(job, "completed")


def fail_job(state: QueueState, mutation: FailJob, now_ms: int, _: int) -> Outcome:
    """Retry with backoff, or dead letter."""
    job = state.table.find_held(mutation.worker_id, mutation.lease)
    if job is None:
        return refuse_lost(mutation.worker_id, mutation.lease)
    state.workers.heard_of(mutation.worker_id, now_ms).failed += 1
    state.tally.failed += 1
    _add_error(state, job, mutation.error, now_ms)
    if mutation.is_final and not job.cancel_requested:
        return _bury(state, job, now_ms)
    delay_ms = mutation.retry_in_ms
    if delay_ms is None:
        policy = job.retry or state.rules.retry
        delay_ms = policy.delay_ms(job.attempts, state.random)
    return _release(state, job, now_ms, delay_ms)


def snooze_job(state: QueueState, mutation: SnoozeJob, now_ms: int, _: int) -> Outcome:
    """Back for later; maxAttempts grows instead of attempts shrinking."""
    job = state.table.find_held(mutation.worker_id, mutation.lease)
    if job is None:
        return refuse_lost(mutation.worker_id, mutation.lease)
    state.workers.heard_of(mutation.worker_id, now_ms)
    job.max_attempts += 1
    return JobSnoozed(_release(state, job, now_ms, mutation.delay_ms).run_at)


def give_back_jobs(state: QueueState, mutation: GiveBackJobs, now_ms: int, _: int) -> JobsExtended:
    """Claimable again; maxAttempts grows instead of attempts shrinking."""
    held: list[str] = []
    lost: list[str] = []
    for lease in mutation.leases:
        job = state.table.find_held(mutation.worker_id, lease)
        if job is None:
            lost.append(lease.job_id)
            continue
        job.max_attempts += 1
        _release(state, job, now_ms, 0)
        held.append(job.id)
    return JobsExtended(held, lost, [])


def expire_jobs(state: QueueState, _: ExpireJobs, now_ms: int, steady_ms: int) -> JobsExtended:
    """Take jobs from workers that were silent for their lease; drop results kept long enough."""
    table = state.table
    expired = table.leases.due(steady_ms)
    state.tally.failed += len(expired)
    for job_id in expired:
        job = table.by_id[job_id]
        text = f"worker {job.worker_id} was not heard of for its lease of {job.lease_ms} ms"
        _add_error(state, job, JobError("LeaseExpired", text), now_ms)
        _release(state, job, now_ms, 0)
    for job_id in table.kept_results.due(now_ms):
        table.remove(table.by_id[job_id])
    return JobsExtended([], expired, [])


def start_due_jobs(state: QueueState, _: StartDueJobs, now_ms: int, __: int) -> JobsExtended:
    """Scheduled jobs whose time has come are claimable, each in its own place."""
    started = state.table.due.due(now_ms)
    for job_id in started:
        state.table.move(state.table.by_id[job_id], "unclaimed")
    return JobsExtended(started, [], [])


def _release(state: QueueState, job: Job, now_ms: int, delay_ms: int) -> JobFailed:
    """A worker no longer holds the job: it waits for its next attempt, is dead, or gone."""
    if job.cancel_requested:
        state.table.remove(job)
        return JobFailed("gone", 0)
    if job.attempts >= job.max_attempts:
        return _bury(state, job, now_ms)
    if not delay_ms:
        state.table.move(job, "unclaimed")
        return JobFailed("unclaimed", now_ms)
    job.run_at = now_ms + delay_ms
    state.table.move(job, "scheduled")
    return JobFailed("scheduled", job.run_at)


def _bury(state: QueueState, job: Job, now_ms: int) -> JobFailed:
    job.ended_at = now_ms
    state.tally.died += 1
    state.table.move(job, "dead")
    return JobFailed("dead", 0)


def _add_error(state: QueueState, job: Job, error: JobError, now_ms: int) -> None:
    limits = state.rules.limits
    text_max = 0 if _is_cutting_text(state) else limits.error_text_bytes_max
    error = JobError(
        type=cut_text(error.type, limits.name_bytes_max),
        message=cut_text(error.message, text_max),
        traceback=cut_text(error.traceback, text_max),
        attempt=job.attempts,
        at=now_ms,
        started_at=job.started_at,
        worker_id=job.worker_id,
    )
    job.errors = (*job.errors, error)[-limits.errors_kept_max :]
    state.added_bytes += len(error.type) + len(error.message) + len(error.traceback)


def _is_cutting_text(state: QueueState) -> bool:
    return state.document_bytes > state.rules.limits.document_bytes_max * TEXT_CUT_RATIO

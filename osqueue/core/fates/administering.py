"""What operators and producers do to single jobs and to the queue: cancel, delete, retry, pause.

Rules of this file: those of `queue_state.py`, which calls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osqueue.core.errors import WrongStatus
from osqueue.core.job import Job
from osqueue.core.mutations import (
    CancelJob,
    CloseClient,
    DeleteJob,
    PauseQueue,
    ResumeQueue,
    RetryJob,
)
from osqueue.core.outcomes import (
    ClientClosed,
    JobCancelled,
    JobDeleted,
    JobRetried,
    Outcome,
    QueuePaused,
    QueueResumed,
)
from osqueue.core.tables.refusals import refuse_missing

if TYPE_CHECKING:
    from osqueue.core.queue_state import QueueState

__all__ = [
    "cancel",
    "cancel_job",
    "close_client",
    "delete_job",
    "pause_queue",
    "resume_queue",
    "retry_job",
    "revive",
]


def cancel_job(state: QueueState, mutation: CancelJob, _: int, __: int) -> Outcome:
    """A waiting job goes at once; a held one when its worker is done with it."""
    job = state.table.by_id.get(mutation.job_id)
    if job is None:
        return refuse_missing(mutation.job_id)
    if job.status in ("completed", "dead"):
        return WrongStatus(f"job {job.id} is {job.status}: there is nothing to cancel")
    is_gone = not job.is_held
    cancel(state, job)
    return JobCancelled(is_gone)


def cancel(state: QueueState, job: Job) -> None:
    """A job that has not ended goes, or its worker is asked to stop."""
    if not job.is_held:
        state.table.remove(job)
    elif not job.cancel_requested:
        job.cancel_requested = True
        state.table.blocks.touch(job)
        state.has_changed = True


def delete_job(state: QueueState, mutation: DeleteJob, _: int, __: int) -> Outcome:
    """Gone, whatever it was, unless a worker holds it."""
    job = state.table.by_id.get(mutation.job_id)
    if job is None:
        return refuse_missing(mutation.job_id)
    if job.is_held:
        return WrongStatus(f"job {job.id} is held by worker {job.worker_id}: cancel it instead")
    state.table.remove(job)
    return JobDeleted()


def retry_job(state: QueueState, mutation: RetryJob, _: int, __: int) -> Outcome:
    """A dead or scheduled job is claimable now."""
    job = state.table.by_id.get(mutation.job_id)
    if job is None:
        return refuse_missing(mutation.job_id)
    if job.status == "dead":
        if state.table.is_key_taken(job):
            return WrongStatus(f"job {job.id}: its unique key {job.unique_key!r} is taken")
        revive(state, job)
    elif job.status == "scheduled":
        state.table.move(job, "unclaimed")
    else:
        return WrongStatus(f"job {job.id} is {job.status}, not dead or scheduled")
    return JobRetried()


def revive(state: QueueState, job: Job) -> None:
    """A dead job is claimable, with as many attempts as a new one has."""
    # Attempts never shrink: they are what fences a worker that still runs an old one.
    job.max_attempts = max(job.max_attempts, job.attempts + state.rules.max_attempts)
    job.ended_at = 0
    state.table.move(job, "unclaimed")


def pause_queue(state: QueueState, mutation: PauseQueue, _: int, __: int) -> Outcome:
    """Claims get nothing, of one type or of all."""
    if mutation.type is None:
        state.has_changed |= not state.totals.paused
        state.totals.paused = True
    else:
        state.has_changed |= mutation.type not in state.paused_types
        state.paused_types.add(mutation.type)
    return QueuePaused()


def resume_queue(state: QueueState, mutation: ResumeQueue, _: int, __: int) -> Outcome:
    """Claims are served: of one type again, or of all, whichever pauses there were."""
    if mutation.type is None:
        state.has_changed |= state.totals.paused or bool(state.paused_types)
        state.totals.paused = False
        state.paused_types.clear()
    else:
        state.has_changed |= mutation.type in state.paused_types
        state.paused_types.discard(mutation.type)
    state.table.newly_ready_types.update(state.table.ready.types())
    return QueueResumed()


def close_client(state: QueueState, mutation: CloseClient, _: int, __: int) -> Outcome:
    """The client's entry goes; with the next write, as one that stays longer harms nobody."""
    state.clients.remove(mutation.client_id)
    return ClientClosed()

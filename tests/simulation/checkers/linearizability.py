"""Whether what callers were told of one job could have happened in one order, each call at one
moment between its beginning and its end.

Guards: real time. Once somebody was told of a completion, of a new attempt or of a removal, no
call that begins later is told something older.

The search is that of Wing and Gong, with memory of what was tried. Of a call whose outcome is
unknown the effect may come at any time after its beginning, or never. What happens without a call
(leases run out, times come, claims that nobody heard of) may happen at any time; when it really
may is checked by the ledger.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from osqueue.core.errors import JobNotFound, JobNotHeld, OutcomeUnknown, Unavailable, WrongStatus
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    ChangeJobs,
    ClaimJobs,
    CompleteJobs,
    DeleteJob,
    DeleteJobs,
    FailJob,
    HeartbeatJobs,
    ReadJob,
    Request,
    RetryJob,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.outcomes import (
    JobCancelled,
    JobRead,
    JobsChanged,
    JobsClaimed,
    JobsCompleted,
    JobsExtended,
    JobsSubmitted,
)
from tests.simulation.checkers.views import Violation
from tests.simulation.records import CallRecord

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["check_linearizability"]


class JobState(NamedTuple):
    """What calls have shown of a job.

    `loose` is any state in which no worker that was told so holds it: waiting, dead, or claimed
    by somebody who never heard of it; `attempts` may have grown since.
    """

    phase: str
    attempts: int = 0
    worker_id: str = ""


ABSENT, GONE, COMPLETED = JobState("absent"), JobState("gone"), JobState("completed")
_CANCELLING = "to be cancelled"
Step = Callable[[JobState], list[JobState]]


@dataclass
class Operation:
    """One call, as far as it is about one job."""

    record: CallRecord
    start: float
    end: float
    step: Step
    """The states after it, from a state before it; none: it cannot be then."""
    is_optional: bool = False


def check_linearizability(world: World) -> None:
    """Check every job.

    Raises:
        Violation: no order explains what callers were told of a job.
    """
    by_job: defaultdict[str, list[Operation]] = defaultdict(list)
    for record in world.observer.records:
        for job_id, step in _steps(record, is_small_table=world.plan.is_small_table):
            is_open = _is_open(record)
            end = math.inf if is_open or record.told_ms is None else record.told_ms
            by_job[job_id].append(Operation(record, record.issued_ms, end, step, is_open))
    for record in world.observer.records:
        # What is chosen by a filter may be any job.
        step = _of_many(record.request, None)
        if step is not None and record.request.selection.job_ids is None:
            is_open = _is_open(record)
            if is_open or not _is_refused(record.outcome):
                end = math.inf if is_open or record.told_ms is None else record.told_ms
                for operations in by_job.values():
                    operations.append(Operation(record, record.issued_ms, end, step, is_open))
    for job_id, operations in by_job.items():
        if job_id in world.observer.ledger.edited:
            continue  # Removed by hand, whatever calls were told.
        if not _has_order(operations):
            told = "\n".join(
                f"  {one.start} to {one.end}: {one.record}: {one.record.outcome!r}"
                for one in operations
            )
            raise Violation(
                "linearizability", f"no order explains what was told of {job_id}\n{told}"
            )


def _has_order(operations: list[Operation]) -> bool:
    operations.sort(key=lambda one: one.start)
    wanted = sum(1 << index for index, one in enumerate(operations) if not one.is_optional)
    stack: list[tuple[int, JobState]] = [(0, ABSENT)]
    seen = {stack[0]}
    while stack:
        done, state = stack.pop()
        if done & wanted == wanted:
            return True
        left = [index for index in range(len(operations)) if not done >> index & 1]
        horizon = min(operations[index].end for index in left)
        # The last one tried is the first one taken: the earliest.
        for index in reversed(left):
            operation = operations[index]
            if operation.start > horizon:
                continue
            for before in _by_itself(state):
                for after in operation.step(before):
                    found = (done | 1 << index, after)
                    if found not in seen:
                        seen.add(found)
                        stack.append(found)
    return False


def _by_itself(state: JobState) -> list[JobState]:
    """What may have become of it without a call."""
    if state.phase == "held":
        # Its lease ran out; or its worker was asked to stop it, and then it did.
        return [state, JobState("loose", state.attempts), GONE]
    # Kept for a while; or claimed by somebody who never heard of it, and to be cancelled.
    may_go = state == COMPLETED or state.worker_id == _CANCELLING
    return [state, GONE] if may_go else [state]


# Steps.


def _submit(state: JobState) -> list[JobState]:
    return [JobState("loose")] if state == ABSENT else [state]


def _submit_perhaps(state: JobState) -> list[JobState]:
    """Another job may have held its unique key."""
    return [JobState("loose"), ABSENT] if state == ABSENT else [state]


def _claim(worker_id: str, attempt: int) -> Step:
    def step(state: JobState) -> list[JobState]:
        if state.phase == "loose" and state.attempts < attempt:
            return [JobState("held", attempt, worker_id)]
        return []

    return step


def _end(worker_id: str, attempt: int | None, *after: JobState) -> Step:
    def step(state: JobState) -> list[JobState]:
        return list(after) if state == ("held", attempt, worker_id) else []

    return step


def _end_perhaps(worker_id: str, attempt: int | None) -> Step:
    held = ("held", attempt, worker_id)
    return lambda state: [state, COMPLETED, GONE] if state == held else [state]


def _held(worker_id: str, attempt: int | None) -> Step:
    return lambda state: [state] if state == ("held", attempt, worker_id) else []


def _not_held(worker_id: str, attempt: int | None) -> Step:
    return lambda state: [] if state == ("held", attempt, worker_id) else [state]


def _stay(*phases: str) -> Step:
    return lambda state: [state] if state.phase in phases else []


def _remove(*phases: str) -> Step:
    return lambda state: [GONE] if state.phase in phases else []


def _cancel_later(state: JobState) -> list[JobState]:
    """A worker holds it, who may or may not know."""
    if state.phase == "loose":
        return [state._replace(worker_id=_CANCELLING)]
    return [state] if state.phase == "held" else []


def _read(outcome: JobRead) -> Step:
    job = outcome.job

    def step(state: JobState) -> list[JobState]:
        if job.status == "completed":
            return [state] if state == COMPLETED else []
        if job.status == "in_progress" and state == ("held", job.attempts, job.worker_id):
            return [state]
        if state.phase != "loose" or state.attempts > job.attempts:
            return []
        if job.status == "in_progress":
            return [JobState("held", job.attempts, job.worker_id)]
        return [state._replace(attempts=job.attempts)]

    return step


def _steps(record: CallRecord, *, is_small_table: bool) -> list[tuple[str, Step]]:
    """What a call did to each job that it is about."""
    request = record.request
    outcome = None if _is_open(record) else record.outcome
    match request:
        case SubmitJobs():
            return _submit_steps(request, outcome)
        case CompleteJobs():
            return _complete_steps(request, outcome, is_small_table=is_small_table)
        case ClaimJobs() if isinstance(outcome, JobsClaimed):
            return [(job.job_id, _claim(request.worker_id, job.attempt)) for job in outcome.jobs]
        case HeartbeatJobs() if isinstance(outcome, JobsExtended):
            return [
                (
                    lease.job_id,
                    (_held if lease.job_id in outcome.held else _not_held)(
                        request.worker_id, lease.attempt
                    ),
                )
                for lease in request.leases
            ]
        case FailJob() | SnoozeJob():
            lease = request.lease
            if isinstance(outcome, JobNotHeld):
                return [(lease.job_id, _not_held(request.worker_id, lease.attempt))]
            if _is_refused(outcome) or lease.attempt is None:
                return []
            after = (JobState("loose", lease.attempt), GONE)
            return [(lease.job_id, _end(request.worker_id, lease.attempt, *after))]
        case ChangeJobs():
            step = None if _is_refused(outcome) else _of_many(request, outcome)
            job_ids = set(request.selection.job_ids or ()) if step is not None else ()
            return [(job_id, step) for job_id in job_ids if step is not None]
        case CancelJob() | DeleteJob() | RetryJob() | ReadJob():
            step = _administration(request, outcome)
            return [] if step is None else [(request.job_id, step)]
        case _:
            return []


def _submit_steps(request: SubmitJobs, outcome: Any) -> list[tuple[str, Step]]:
    if _is_refused(outcome):
        return []
    duplicates = outcome.duplicates if isinstance(outcome, JobsSubmitted) else ()
    return [(job.id, _submit) for index, job in enumerate(request.jobs) if index not in duplicates]


def _complete_steps(
    request: CompleteJobs, outcome: Any, *, is_small_table: bool
) -> list[tuple[str, Step]]:
    steps: list[tuple[str, Step]] = []
    worker_id = request.worker_id
    for done in request.completions:
        lease = done.lease
        is_lost = isinstance(outcome, JobsCompleted) and lease.job_id in outcome.lost
        if isinstance(outcome, JobsCompleted) and lease.job_id in outcome.full:
            steps.append((lease.job_id, _held(worker_id, lease.attempt)))
        elif is_lost and is_small_table:
            # Without an entry in the table its repeat is told "lost", as documented.
            steps.append((lease.job_id, _end_perhaps(worker_id, lease.attempt)))
            steps += [(job.id, _submit_perhaps) for job in done.submit]
        elif isinstance(outcome, JobNotHeld) or is_lost:
            steps.append((lease.job_id, _not_held(worker_id, lease.attempt)))
        elif not _is_refused(outcome):
            steps.append((lease.job_id, _end(worker_id, lease.attempt, COMPLETED, GONE)))
            steps += [
                (job.id, _submit_perhaps if job.unique_key else _submit) for job in done.submit
            ]
    if isinstance(outcome, JobsCompleted) and outcome.claimed is not None:
        steps += [(job.job_id, _claim(worker_id, job.attempt)) for job in outcome.claimed.jobs]
    return steps


def _administration(request: Request, outcome: Any) -> Step | None:
    if isinstance(outcome, JobNotFound):
        return _stay("absent", "gone")
    if isinstance(outcome, JobRead):
        return _read(outcome)
    if isinstance(outcome, WrongStatus):
        return _stay("loose", "held", "completed")
    if _is_refused(outcome) or isinstance(request, ReadJob):
        return None
    if isinstance(request, CancelJob):
        if isinstance(outcome, JobCancelled) and not outcome.is_gone:
            return _cancel_later
        return _remove("loose")
    return _remove("loose", "completed") if isinstance(request, DeleteJob) else _stay("loose")


def _of_many(request: Request, outcome: Any) -> Step | None:
    """What cancelling or deleting many did to one of them; it may have been passed over."""
    if not isinstance(request, CancelJobs | DeleteJobs):
        return None
    selection = request.selection
    named = set(selection.job_ids or ())
    is_surely_changed = isinstance(outcome, JobsChanged) and outcome.count == len(named)

    def step(state: JobState) -> list[JobState]:
        changed: list[JobState] = []
        if isinstance(request, CancelJobs):
            changed = [*_cancel_later(state), *_remove("loose")(state)]
        else:
            changed = _remove("loose", "completed")(state)
        return changed if is_surely_changed and named else [state, *changed]

    return step


def _is_open(record: CallRecord) -> bool:
    """Whether its caller does not know what became of it.

    Who numbers nothing gives up with Unavailable, also where an attempt was never answered.
    """
    if isinstance(record.outcome, Unavailable):
        return not record.is_numbered
    return record.outcome is None or isinstance(record.outcome, OutcomeUnknown)


def _is_refused(outcome: Any) -> bool:
    """Whether it surely did nothing; no outcome at all says nothing."""
    return isinstance(outcome, Exception)

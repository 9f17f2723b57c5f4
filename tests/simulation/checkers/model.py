"""The auditor's own model of a job: what each request, and time, may make of it.

Written from docs/protocol.md and docs/architecture.md, without the code of `osqueue.core` that it
is held against: of that only the requests are used. A state is a job as a document shows it, or
None where the queue has none of that id.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from osqueue.core.limits import QueueRules
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    ChangeJobs,
    ClaimJobs,
    CompleteJobs,
    DeleteJob,
    DeleteJobs,
    FailJob,
    JobFilter,
    NewJob,
    RedriveDead,
    Request,
    RetryJob,
    RetryJobs,
    SnoozeJob,
)
from osqueue.core.retry_policy import RetryPolicy
from tests.simulation.checkers.views import ErrorView, JobView, RetryView

__all__ = [
    "Ask",
    "Moment",
    "State",
    "administer",
    "after_time",
    "claim",
    "passes",
    "settle",
    "submitted",
]

State = JobView | None
replace = msgspec.structs.replace

_CHANGEABLE: dict[type[ChangeJobs], tuple[str, ...]] = {
    CancelJobs: ("scheduled", "unclaimed", "in_progress"),
    DeleteJobs: ("scheduled", "unclaimed", "completed", "dead"),
    RetryJobs: ("scheduled", "dead"),
    RedriveDead: ("dead",),
}


@dataclass(eq=False)
class Ask:
    """One request that may be in a batch."""

    request: Request
    is_sure: bool
    """The document says that the batch holds it, by its sequence."""
    answer: Any = None
    """Kept by the document for its repeats, decoded."""
    jobs_changed_least: int = 0
    jobs_changed_most: int = 0


@dataclass
class Moment:
    """When and under which rules a batch was formed."""

    now_ms: int
    rules: QueueRules
    lease_ms_min: int
    may_cut: bool
    """The document is so large that error texts and results may be left out."""
    gone_claims: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Worker and claim id of claims whose callers were gone by then."""


# New jobs.


def submitted(new: NewJob, order: int, moment: Moment) -> JobView:
    """A job as it must be stored when it has just been submitted."""
    run_at = moment.now_ms + new.delay_ms if new.delay_ms else new.run_at
    is_scheduled = run_at > moment.now_ms
    return JobView(
        id=new.id,
        status="scheduled" if is_scheduled else "unclaimed",
        type=new.type,
        attempts=0,
        max_attempts=new.max_attempts,
        order=order,
        payload=new.payload,
        created_at=moment.now_ms,
        priority=new.priority,
        run_at=run_at if is_scheduled else 0,
        unique_key=new.unique_key,
        result_ttl_ms=new.result_ttl_ms,
        retry=_retry_view(new.retry),
    )


def _retry_view(policy: RetryPolicy | None) -> RetryView | None:
    return None if policy is None else RetryView(policy.base_ms, policy.factor, policy.cap_ms)


# Ends of attempts.


def settle(ask: Ask, job: JobView, wanted: State, moment: Moment) -> Iterator[State]:
    """Yield the job as completing, failing or snoozing may leave it, if its worker holds it."""
    request = ask.request
    match request:
        case CompleteJobs():
            yield from _complete(ask, request, job, moment)
        case FailJob():
            if _is_held(job, request):
                yield from _fail(ask, request, job, wanted, moment)
        case SnoozeJob():
            if _is_held(job, request):
                after = _release(
                    replace(job, max_attempts=job.max_attempts + 1), request.delay_ms, moment
                )
                run_at = 0 if after is None else after.run_at or moment.now_ms
                if ask.answer in (None, ["snoozed", run_at]):
                    yield after
        case _:
            raise AssertionError(f"{request} settles nothing")


def _is_held(job: JobView, request: FailJob | SnoozeJob) -> bool:
    lease = request.lease
    return lease.job_id == job.id and job.is_held_as(request.worker_id, lease.attempt)


def _complete(ask: Ask, request: CompleteJobs, job: JobView, moment: Moment) -> Iterator[State]:
    for done in request.completions:
        lease = done.lease
        if lease.job_id != job.id or not job.is_held_as(request.worker_id, lease.attempt):
            continue
        if done.submit and _may_be_full(ask, job.id):
            yield job  # No room for what follows: it stays held, nothing of it is applied.
        if not job.result_ttl_ms:
            yield None
            continue
        after = replace(
            _let_go(job, "completed", started_at=job.started_at), ended_at=moment.now_ms
        )
        if done.result is None or moment.may_cut:
            yield after
        if done.result is not None:
            yield replace(after, result=done.result)


def _may_be_full(ask: Ask, job_id: str) -> bool:
    if not ask.is_sure:
        return True
    return ask.answer is not None and ask.answer[0] == "full" and job_id in ask.answer[1]


def _fail(
    ask: Ask, request: FailJob, job: JobView, wanted: State, moment: Moment
) -> Iterator[State]:
    error = request.error
    failed = [_with_error(job, error.type, error.message, error.traceback, moment)]
    if moment.may_cut:
        failed.append(_with_error(job, error.type, "", "", moment))
    for one in failed:
        for after in _after_failure(request, one, ask.answer, wanted, moment):
            if ask.answer in (None, _fail_answer(after, moment)):
                yield after


def _fail_answer(after: State, moment: Moment) -> list[object]:
    if after is None:
        return ["failed", "gone", 0]
    run_at = moment.now_ms if after.status == "unclaimed" else after.run_at
    return ["failed", after.status, run_at]


def _after_failure(
    request: FailJob, job: JobView, answer: Any, wanted: State, moment: Moment
) -> Iterator[State]:
    if request.is_final and not job.cancel_requested:
        yield _let_go(job, "dead", ended_at=moment.now_ms)
    elif request.retry_in_ms is not None:
        yield _release(job, request.retry_in_ms, moment)
    else:
        policy = job.retry or _retry_view(moment.rules.retry)
        assert policy is not None
        longest = min(policy.base_ms * policy.factor ** (job.attempts - 1), policy.cap_ms)
        delays = {0, 1}
        for run_at in (answer[2] if answer else 0, wanted.run_at if wanted else 0):
            if 0 < run_at - moment.now_ms <= longest:
                delays.add(run_at - moment.now_ms)
        for delay_ms in sorted(delays):
            yield _release(job, delay_ms, moment)


def _with_error(job: JobView, kind: str, message: str, traceback: str, moment: Moment) -> JobView:
    """The job with one more error, that of its running attempt."""
    error = ErrorView(
        type=kind,
        message=message,
        traceback=traceback,
        attempt=job.attempts,
        at=moment.now_ms,
        started_at=job.started_at,
        worker_id=job.worker_id,
    )
    kept = moment.rules.limits.errors_kept_max
    return replace(job, errors=(*job.errors, error)[-kept:])


def _release(job: JobView, delay_ms: int, moment: Moment) -> State:
    """No worker holds it any more."""
    if job.cancel_requested:
        return None
    if job.attempts >= job.max_attempts:
        return _let_go(job, "dead", ended_at=moment.now_ms)
    if delay_ms:
        return _let_go(job, "scheduled", run_at=moment.now_ms + delay_ms)
    return _let_go(job, "unclaimed", ready_at=moment.now_ms)


def _let_go(job: JobView, status: str, **times: int) -> JobView:
    fields: dict[str, Any] = {"started_at": 0, "run_at": 0, "ready_at": 0, **times}
    return replace(
        job,
        status=status,
        worker_id="",
        claim_id="",
        lease_ms=0,
        cancel_requested=False,
        **fields,
    )


# Time, and callers that are gone.


def after_time(job: JobView, wanted: State, moment: Moment) -> Iterator[State]:
    """Yield the job as its batch may leave it after a look at the clocks and at who is gone."""
    if job.is_held:
        yield job
        if (job.worker_id, job.claim_id) in moment.gone_claims:
            yield _release(replace(job, max_attempts=job.max_attempts + 1), 0, moment)
        yield from _expire(job, wanted, moment)
    elif job.status == "scheduled" and job.run_at <= moment.now_ms:
        yield _let_go(job, "unclaimed", ready_at=moment.now_ms)
    else:
        yield job
        if job.status == "completed" and job.ended_at + job.result_ttl_ms <= moment.now_ms:
            yield None


def _expire(job: JobView, wanted: State, moment: Moment) -> Iterator[State]:
    """Its lease has run out; whether it may have is checked elsewhere."""
    message = ""
    if wanted is not None:
        told = [one for one in wanted.errors if one.attempt == job.attempts]
        message = told[-1].message if told else ""
    if message or wanted is None or moment.may_cut:
        yield _release(_with_error(job, "LeaseExpired", message, "", moment), 0, moment)


def claim(ask: ClaimJobs, job: JobView, repeat_id: str, moment: Moment) -> Iterator[State]:
    """A worker takes a job that waits."""
    if job.status == "unclaimed" and (not ask.types or job.type in ask.types):
        yield replace(
            job,
            status="in_progress",
            attempts=job.attempts + 1,
            worker_id=ask.worker_id,
            claim_id=repeat_id,
            lease_ms=max(ask.lease_ms or moment.rules.lease_ms, moment.lease_ms_min),
            started_at=moment.now_ms,
            ready_at=0,
            run_at=0,
        )


# Administration.


def administer(ask: Ask, job: JobView, moment: Moment) -> Iterator[tuple[State, bool]]:
    """Yield the job as an operator's request may leave it, and whether it counts as changed.

    Nothing where the document cannot hold the request then: it would have been refused.
    """
    request = ask.request
    match request:
        case CancelJob():
            if job.status not in ("completed", "dead"):
                after = _cancel(job)
                if ask.answer in (None, ["cancelled", after is None]):
                    yield after, True
        case DeleteJob():
            if not job.is_held:
                yield None, True
        case RetryJob():
            if job.status in ("dead", "scheduled"):
                yield _revive(job, moment), True
        case ChangeJobs():
            yield from _change(request, job, moment)
        case _:
            raise AssertionError(f"{request} administers no job")


def _change(request: ChangeJobs, job: JobView, moment: Moment) -> Iterator[tuple[State, bool]]:
    selection = request.selection
    if selection.job_ids is not None:
        is_selected = job.id in selection.job_ids
    else:
        is_selected = passes(job, selection.filter) and job.order > selection.after_order
    if not is_selected or job.status not in _CHANGEABLE[type(request)]:
        yield job, False
        return
    is_revival = job.status == "dead" and isinstance(request, RetryJobs | RedriveDead)
    if selection.limit or (is_revival and job.unique_key):
        yield job, False  # Others came first, or another job holds its key.
    if isinstance(request, CancelJobs):
        yield _cancel(job), True
    elif isinstance(request, DeleteJobs):
        yield None, True
    else:
        yield _revive(job, moment), True


def passes(job: JobView, wanted: JobFilter) -> bool:
    """Whether a job passes a filter."""
    last = job.errors[-1] if job.errors else ErrorView("", "")
    if wanted.status not in (None, job.status) or wanted.type not in (None, job.type):
        return False
    if wanted.error_type not in (None, last.type):
        return False
    if wanted.error_message not in (None, last.message.split("\n")[0][:200]):
        return False
    texts = (job.id, job.type, job.unique_key, job.worker_id, last.type, last.message)
    is_there = any(wanted.text in text for text in texts)
    return is_there or wanted.text.encode() in bytes(job.payload)


def _cancel(job: JobView) -> State:
    return replace(job, cancel_requested=True) if job.is_held else None


def _revive(job: JobView, moment: Moment) -> JobView:
    """Claimable at once; one that was dead with as many attempts more as a new job has."""
    most = job.max_attempts
    if job.status == "dead":
        most = max(most, job.attempts + moment.rules.max_attempts)
    return replace(_let_go(job, "unclaimed", ready_at=moment.now_ms), ended_at=0, max_attempts=most)

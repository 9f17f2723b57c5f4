"""Jobs, mutations and whole queues with defaults, so that a test names only what matters to it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Raw

from osqueue.core.document import Header, encode_document, load_document
from osqueue.core.errors import QueueError
from osqueue.core.job import Job, JobError
from osqueue.core.limits import Limits, QueueRules
from osqueue.core.mutations import (
    ClaimJobs,
    CompleteJobs,
    Completion,
    FailJob,
    Lease,
    Mutation,
    NewJob,
    RepeatKey,
    SubmitJobs,
)
from osqueue.core.outcomes import ClaimedJob, JobsClaimed, Outcome
from osqueue.core.queue_state import QueueState
from osqueue.core.tables.job_table import JobTable
from osqueue.core.tables.totals import Totals

__all__ = [
    "COMMIT_ID",
    "NOW_MS",
    "STEADY_MS",
    "apply",
    "claim",
    "complete",
    "fail",
    "make_header",
    "make_job",
    "make_new_job",
    "make_repeat",
    "make_rules",
    "make_state",
    "only",
    "refused",
    "reload",
    "submit",
]

NOW_MS = 1_706_000_000_000
"""The wall clock of tests that name none."""
STEADY_MS = 50_000
"""The steady clock of tests that name none."""
COMMIT_ID = "7-1234-9f3ac17be2d40c55"

Value = TypeVar("Value")
Expected = TypeVar("Expected", bound=QueueError)


def make_job(number: int = 1, **fields: Any) -> Job:
    """A stored job, the numbered one in order of submission."""
    defaults: dict[str, Any] = {
        "id": f"job-{number}",
        "status": "unclaimed",
        "payload": Raw(b'{"n":%d}' % number),
        "created_at": NOW_MS,
        "order": number,
    }
    status = fields.get("status", "unclaimed")
    if status == "in_progress":
        defaults |= {"worker_id": "worker-1", "attempts": 1, "lease_ms": 30_000}
    if status == "scheduled":
        defaults |= {"run_at": NOW_MS + 1_000}
    if status == "completed":
        defaults |= {"result_ttl_ms": 60_000, "ended_at": NOW_MS, "attempts": 1}
    if status == "dead":
        defaults |= {"ended_at": NOW_MS, "attempts": 3}
    return Job(**(defaults | fields))


def make_new_job(number: int = 1, **fields: Any) -> NewJob:
    """A job to be submitted."""
    return NewJob(**({"id": f"job-{number}", "payload": Raw(b'{"n":%d}' % number)} | fields))


def make_rules(*, max_attempts: int = 3, **limits: int) -> QueueRules:
    """The defaults, except for the limits that are named."""
    return QueueRules(limits=Limits(**limits), max_attempts=max_attempts)


def make_state(
    *jobs: Job, rules: QueueRules | None = None, seed: int = 1, **totals: Any
) -> QueueState:
    """A queue of these jobs; leases run from `STEADY_MS`."""
    next_order = max((job.order for job in jobs), default=0) + 1
    state = QueueState(
        rules or QueueRules(),
        random.Random(seed),
        table=JobTable(sorted(jobs, key=lambda job: job.order)),
        totals=Totals(**({"next_order": next_order} | totals)),
    )
    state.renew_leases(STEADY_MS)
    return state


def make_header(**fields: Any) -> Header:
    """The header of a leader in the middle of its term."""
    return Header(**({"broker": "10.0.0.7:8080", "epoch": 7, "commit_id": COMMIT_ID} | fields))


def make_repeat(sequence: int, *, floor: int = 0, client_id: str = "client-1") -> RepeatKey:
    """What makes a mutation of one client recognisable."""
    return RepeatKey(client_id, sequence, floor)


def apply(
    state: QueueState, mutation: Mutation, *, now_ms: int = NOW_MS, steady_ms: int = STEADY_MS
) -> Outcome:
    """Apply a mutation in a batch of its own, and check what must always hold."""
    encode_document(make_header(), {}, state)
    outcome = state.apply(mutation, now_ms=now_ms, steady_ms=steady_ms)
    state.check_invariants()
    return outcome


def submit(
    state: QueueState, *jobs: NewJob, repeat: RepeatKey | None = None, **times: int
) -> Outcome:
    """Submit these jobs, or one that needs no name."""
    mutation = SubmitJobs(jobs=list(jobs) or [make_new_job()], repeat=repeat)
    return apply(state, mutation, **times)


def claim(
    state: QueueState, *, worker_id: str = "worker-1", steady_ms: int = STEADY_MS, **fields: Any
) -> list[ClaimedJob]:
    """Claim jobs (one, if no limit is given) and settle the write."""
    outcome = apply(state, ClaimJobs(worker_id=worker_id, **fields), steady_ms=steady_ms)
    assert isinstance(outcome, JobsClaimed)
    state.settle_claims(steady_ms)
    return outcome.jobs


def complete(
    state: QueueState,
    *job_ids: str,
    attempt: int | None = None,
    submits: Sequence[NewJob] = (),
    worker_id: str = "worker-1",
    result: Raw | None = None,
    now_ms: int = NOW_MS,
    **fields: Any,
) -> Outcome:
    """Complete jobs, each with the same result and the same follow-up jobs."""
    completions = [
        Completion(lease=Lease(job_id, attempt), result=result, submit=list(submits))
        for job_id in job_ids
    ]
    mutation = CompleteJobs(worker_id=worker_id, completions=completions, **fields)
    return apply(state, mutation, now_ms=now_ms)


def fail(
    state: QueueState,
    job_id: str = "job-1",
    *,
    attempt: int | None = None,
    worker_id: str = "worker-1",
    error: JobError | None = None,
    now_ms: int = NOW_MS,
    **fields: Any,
) -> Outcome:
    """Fail one job."""
    mutation = FailJob(
        worker_id=worker_id,
        lease=Lease(job_id, attempt),
        error=error or JobError("ValueError", "it did not work"),
        **fields,
    )
    return apply(state, mutation, now_ms=now_ms)


def reload(state: QueueState) -> QueueState:
    """The queue as another broker finds it after this one has written it."""
    document = b"".join(encode_document(make_header(), {}, state))
    loaded = load_document(document, state.rules, random.Random(1)).state
    loaded.renew_leases(STEADY_MS)
    return loaded


def refused(outcome: Outcome, error: type[Expected]) -> Expected:
    """The refusal that an outcome is."""
    assert isinstance(outcome, error), outcome
    return outcome


def only(values: Iterable[Value]) -> Value:
    """The only one of some values."""
    [value] = values
    return value

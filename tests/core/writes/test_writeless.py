"""What needs no write really changes nothing, and what needs one is not thought to need none."""

from __future__ import annotations

import pytest

from osqueue.core.job import JobError
from osqueue.core.mutations import (
    CancelJob,
    ClaimJobs,
    CloseClient,
    CompleteJobs,
    Completion,
    DeleteJob,
    FailJob,
    HeartbeatJobs,
    Lease,
    Mutation,
    PauseQueue,
    RetryJob,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.queue_state import QueueState
from osqueue.core.writes.writeless import needs_no_write
from tests.builders import NOW_MS, STEADY_MS, make_job, make_new_job, make_repeat, make_state

ERROR = JobError("ValueError", "it did not work")


def make_queue() -> QueueState:
    """Job 1 waits, job 2 is held under claim-1, sequence 5 was applied, 4 is below the floor."""
    state = make_state(
        make_job(1, type="a"),
        make_job(2, status="in_progress", claim_id="claim-1"),
    )
    state.clients.record(make_repeat(5, floor=5), 0)
    return state


def claim(**fields: object) -> ClaimJobs:
    return ClaimJobs(worker_id="worker-1", **fields)


def complete(*job_ids: str, **fields: object) -> CompleteJobs:
    completions = [Completion(lease=Lease(job_id)) for job_id in job_ids]
    return CompleteJobs(worker_id="worker-1", completions=completions, **fields)


def submit(number: int, **fields: object) -> SubmitJobs:
    return SubmitJobs(jobs=[make_new_job(number)], **fields)


@pytest.mark.parametrize(
    "mutation",
    [
        HeartbeatJobs(worker_id="worker-1", leases=[Lease("job-2"), Lease("job-9")]),
        CloseClient(client_id="client-1"),
        claim(types=["none"]),
        claim(claim_id="claim-1"),
        FailJob(worker_id="worker-1", lease=Lease("job-1"), error=ERROR),
        SnoozeJob(worker_id="worker-1", lease=Lease("job-2", 7), delay_ms=1),
        complete("job-1", "job-9"),
        complete("job-1", is_single=True, repeat=make_repeat(6)),
        complete("job-1", claim=claim(types=["none"])),
        complete("job-1", claim=claim(claim_id="claim-1")),
        submit(1),
        submit(9, repeat=make_repeat(5)),
        submit(9, repeat=make_repeat(4)),
        submit(9, repeat=make_repeat(20_000)),
        submit(9, repeat=make_repeat(1, floor=2, client_id="client-2")),
        CancelJob(job_id="job-9"),
        DeleteJob(job_id="job-9"),
        RetryJob(job_id="job-9"),
    ],
)
def test_mutation_that_needs_no_write_changes_nothing(mutation: Mutation) -> None:
    state = make_queue()
    assert needs_no_write(state, mutation)
    assert not state.has_changed
    state.apply(mutation, now_ms=NOW_MS, steady_ms=STEADY_MS)
    assert not state.has_changed


@pytest.mark.parametrize(
    "mutation",
    [
        claim(),
        claim(types=["none", "a"], claim_id="claim-2"),
        FailJob(worker_id="worker-1", lease=Lease("job-2"), error=ERROR),
        SnoozeJob(worker_id="worker-1", lease=Lease("job-2"), delay_ms=1),
        complete("job-1", "job-2"),
        complete("job-2", is_single=True),
        complete("job-1", repeat=make_repeat(6)),
        complete("job-1", claim=claim()),
        submit(9),
        submit(1, repeat=make_repeat(6)),
        CancelJob(job_id="job-1"),
        DeleteJob(job_id="job-1"),
        PauseQueue(),
    ],
)
def test_mutation_that_needs_a_write_changes_something(mutation: Mutation) -> None:
    state = make_queue()
    assert not needs_no_write(state, mutation)
    state.apply(mutation, now_ms=NOW_MS, steady_ms=STEADY_MS)
    assert state.has_changed

"""Workers: who is known, what they hold, and what bounds the answer."""

import pytest

from osqueue.core.mutations import HeartbeatJobs, Lease, ListWorkers
from osqueue.core.outcomes import HeldJob, ListedWorker
from osqueue.core.queue_state import QueueState
from osqueue.core.reads import known_workers
from osqueue.core.reads.committed_view import CommittedView
from osqueue.core.reads.known_workers import HELD_JOBS_SHOWN, count_workers, list_workers
from tests.builders import (
    NOW_MS,
    STEADY_MS,
    apply,
    claim,
    complete,
    make_header,
    make_job,
    make_state,
    only,
)


def see(state: QueueState, *polling: str, now_ms: int = NOW_MS) -> CommittedView:
    return CommittedView(
        state=state,
        header=make_header(),
        chunks=[],
        find_polling=lambda: set(polling),
        now_ms=now_ms,
        steady_ms=STEADY_MS + 10_000,
    )


def test_worker_is_shown_with_what_it_holds_and_has_done() -> None:
    state = make_state(make_job(1), make_job(2, type="b"))
    claim(state, limit=2, types=["", "b"])
    complete(state, "job-1")
    listed = list_workers(ListWorkers(), see(state, "worker-1"))
    assert only(listed.workers) == ListedWorker(
        worker_id="worker-1",
        first_seen_at=NOW_MS,
        last_seen_at=NOW_MS,
        is_polling=True,
        types=["", "b"],
        claimed=2,
        completed=1,
        failed=0,
        held=1,
        jobs=[HeldJob("job-2", "b", 1, NOW_MS, 30_000, 20_000, False)],
    )


def test_worker_that_only_polls_is_there_at_once() -> None:
    view = see(make_state(), "w")
    assert only(list_workers(ListWorkers(), view).workers).is_polling
    assert count_workers(view) == 1


def test_worker_that_is_known_from_the_document_was_seen_when_that_says() -> None:
    job = make_job(1, status="in_progress", heartbeat=NOW_MS - 7, cancel_requested=True)
    worker = only(list_workers(ListWorkers(), see(make_state(job))).workers)
    assert (worker.first_seen_at, worker.last_seen_at) == (NOW_MS - 7, NOW_MS - 7)
    assert worker.jobs[0].cancel_requested


def test_worker_that_was_heard_of_stays_for_two_minutes() -> None:
    state = make_state()
    apply(state, HeartbeatJobs(worker_id="w", leases=[Lease("job-1")]))
    assert count_workers(see(state, now_ms=NOW_MS + 119_999)) == 1
    assert count_workers(see(state, now_ms=NOW_MS + 120_000)) == 0


def test_of_many_workers_those_heard_of_last_are_shown_by_their_ids() -> None:
    state = make_state()
    for number in (3, 1, 2):
        lost = HeartbeatJobs(worker_id=f"w{number}", leases=[])
        apply(state, lost, now_ms=NOW_MS + number)
    listed = list_workers(ListWorkers(limit=2), see(state))
    assert [worker.worker_id for worker in listed.workers] == ["w2", "w3"]
    assert listed.total == 3


def test_of_many_jobs_the_first_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [make_job(number, status="in_progress") for number in range(30, 0, -1)]
    state = make_state(*jobs)
    worker = only(list_workers(ListWorkers(), see(state)).workers)
    assert [job.job_id for job in worker.jobs[:2]] == ["job-1", "job-2"]
    assert (worker.held, len(worker.jobs)) == (30, HELD_JOBS_SHOWN)
    monkeypatch.setattr(known_workers, "HELD_JOBS_SCANNED_MAX", 3)
    worker = only(list_workers(ListWorkers(), see(state)).workers)
    assert (worker.held, len(worker.jobs)) == (30, 3)

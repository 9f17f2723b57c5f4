"""Every index follows a job wherever it goes."""

import pytest

from osqueue.core.job import STATUSES, Job, JobStatus
from osqueue.core.mutations import Lease
from osqueue.core.outcomes import JobChange
from osqueue.core.tables.job_table import JobTable
from tests.builders import STEADY_MS, make_job, make_new_job


def ids(jobs: list[Job]) -> list[str]:
    return [job.id for job in jobs]


def test_table_of_every_status_counts_and_finds_each() -> None:
    jobs = [
        make_job(order, status=status, unique_key=f"key-{order}")
        for order, status in enumerate(STATUSES, start=1)
    ]
    table = JobTable(jobs)
    table.check_invariants()
    assert table.counts == dict.fromkeys(STATUSES, 1)
    assert not table.has_changed
    assert table.newly_ready_types == {""}
    filled = JobTable()
    for job in jobs:
        filled.add(job)
    filled.check_invariants()
    assert filled.counts == table.counts
    assert filled.has_changed


@pytest.mark.parametrize("status", STATUSES)
def test_job_removed_leaves_no_index_behind(status: JobStatus) -> None:
    job = make_job(status=status, unique_key="key")
    job.claim_id = "claim-1" if job.is_held else ""
    table = JobTable([job])
    if job.is_held:
        table.extend_lease(job, STEADY_MS, 0)
    table.remove(job)
    table.check_invariants()
    assert table.has_changed
    assert table.by_id == {}
    assert table.find_queued(make_new_job(9, unique_key="key")) is None
    assert table.leases.next_ms() is table.due.next_ms() is table.kept_results.next_ms() is None


def test_job_with_a_taken_id_is_a_bug() -> None:
    table = JobTable([make_job(1)])
    with pytest.raises(AssertionError, match="job-1 is in the queue already"):
        table.add(make_job(2, id="job-1"))


def test_job_moved_through_its_life_is_where_its_status_says() -> None:
    job = make_job(1, type="email", unique_key="key", result_ttl_ms=5)
    table = JobTable([job])
    table.newly_ready_types.clear()
    job.worker_id, job.claim_id = "worker-1", "claim-1"
    table.move(job, "in_progress")
    table.check_invariants()
    job.run_at = 77
    table.move(job, "scheduled")
    table.check_invariants()
    assert table.due.next_ms() == 77
    assert not table.newly_ready_types
    table.move(job, "unclaimed")
    assert table.newly_ready_types == {"email"}
    job.worker_id = "worker-1"
    table.move(job, "in_progress")
    job.ended_at = 10
    table.move(job, "completed")
    table.check_invariants()
    assert table.kept_results.next_ms() == 15


@pytest.mark.parametrize("status", ["scheduled", "unclaimed", "in_progress"])
def test_unique_key_of_a_job_that_has_not_ended_is_found(status: JobStatus) -> None:
    table = JobTable([make_job(status=status, unique_key="key")])
    assert table.find_queued(make_new_job(2, unique_key="key")) == "job-1"
    assert table.is_key_taken(make_job(2, unique_key="key"))
    assert not table.is_key_taken(table.by_id["job-1"])


@pytest.mark.parametrize("status", ["completed", "dead"])
def test_unique_key_of_a_job_that_has_ended_is_free(status: JobStatus) -> None:
    job = make_job(status="in_progress", unique_key="key", result_ttl_ms=9)
    table = JobTable([job])
    table.move(job, status)
    table.check_invariants()
    assert table.find_queued(make_new_job(2, unique_key="key")) is None
    assert not table.is_key_taken(make_job(2, unique_key="key"))


def test_unique_key_taken_over_is_not_freed_by_the_dead_job_before() -> None:
    dead = make_job(1, status="dead", unique_key="key")
    table = JobTable([dead, make_job(2, unique_key="key")])
    table.remove(dead)
    assert table.find_queued(make_new_job(3, unique_key="key")) == "job-2"


def test_new_job_is_queued_already_by_its_id_even_when_that_has_ended() -> None:
    table = JobTable([make_job(status="dead")])
    assert table.find_queued(make_new_job(1)) == "job-1"
    assert table.find_queued(make_new_job(2)) is None


@pytest.mark.parametrize(
    ("worker_id", "lease", "is_held"),
    [
        ("worker-1", Lease("job-1", 1), True),
        ("worker-1", Lease("job-1"), True),
        ("worker-1", Lease("job-1", 2), False),
        ("worker-2", Lease("job-1", 1), False),
        ("worker-1", Lease("job-2", 1), False),
        ("worker-1", Lease("job-3", 1), False),
    ],
)
def test_lease_is_held_by_worker_job_and_attempt(
    worker_id: str, lease: Lease, is_held: bool
) -> None:
    table = JobTable([make_job(1, status="in_progress"), make_job(2)])
    assert (table.find_held(worker_id, lease) is not None) == is_held


def test_claimed_jobs_come_in_the_order_of_their_claim_even_after_loading() -> None:
    held = {"status": "in_progress", "claim_id": "claim-1"}
    table = JobTable([make_job(1, **held), make_job(2, priority=3, **held), make_job(3, **held)])
    assert ids(table.claimed_under("worker-1", "claim-1")) == ["job-2", "job-1", "job-3"]
    assert table.claimed_under("worker-2", "claim-1") == []
    table.remove(table.by_id["job-1"])
    table.check_invariants()
    assert ids(table.claimed_under("worker-1", "claim-1")) == ["job-2", "job-3"]


def test_lease_of_a_claimed_job_runs_from_the_settlement() -> None:
    job = make_job()
    table = JobTable([job])
    job.worker_id, job.lease_ms, job.attempts = "worker-1", 30_000, 1
    table.move(job, "in_progress")
    assert table.leases.next_ms() is None
    table.settle_claims(STEADY_MS)
    assert table.leases.next_ms() == STEADY_MS + 30_000
    table.leases.set(job.id, 1)
    table.settle_claims(STEADY_MS + 5)
    assert table.leases.next_ms() == 1


@pytest.mark.parametrize("became", ["unclaimed", "claimed again", "gone", "gone and back"])
def test_lease_of_a_claim_that_ended_before_the_settlement_does_not_run(became: str) -> None:
    job = make_job()
    table = JobTable([job])
    job.worker_id, job.attempts = "worker-1", 1
    table.move(job, "in_progress")
    table.blocks.encode()
    if became.startswith("gone"):
        table.remove(job)
        if became == "gone and back":
            table.add(make_job(2, id="job-1", status="in_progress"))
    else:
        table.move(job, "unclaimed")
    if became == "claimed again":
        job.worker_id, job.attempts, job.lease_ms = "worker-2", 2, 10
        table.move(job, "in_progress")
    table.settle_claims(STEADY_MS)
    expected = STEADY_MS + 10 if became == "claimed again" else None
    assert table.leases.next_ms() == expected


def test_lease_extended_lasts_its_time_or_the_least_and_never_shrinks() -> None:
    job = make_job(status="in_progress", lease_ms=1_000)
    table = JobTable([job])
    table.extend_lease(job, STEADY_MS, 0)
    assert table.leases.next_ms() == STEADY_MS + 1_000
    table.extend_lease(job, STEADY_MS, 5_000)
    assert table.leases.next_ms() == STEADY_MS + 5_000
    table.extend_lease(job, STEADY_MS, 0)
    assert table.leases.next_ms() == STEADY_MS + 5_000


def test_changes_are_noted_one_a_job_while_somebody_watches() -> None:
    held = make_job(2, status="in_progress", worker_id="worker-1", attempts=1)
    table = JobTable([make_job(1), held])
    table.move(table.by_id["job-1"], "in_progress")
    assert table.take_changes() == [], "nobody watches"
    table.changes = {}
    table.add(make_job(3))
    table.move(held, "unclaimed")
    table.remove(held)
    table.remove(table.by_id["job-1"], "completed")
    assert table.take_changes() == [
        JobChange("job-3", "unclaimed", "", "", 0),
        # The worker whose silence changed it is gone from the job by the second change.
        JobChange("job-2", "gone", "", "", 1),
        JobChange("job-1", "completed", "", "", 0),
    ]
    assert table.take_changes() == []
    table.add(make_job(4, status="dead"))
    assert [change.id for change in table.take_changes()] == ["job-4"]

"""What operators ask for is done, or refused with the reason."""

import pytest

from osqueue.core.errors import JobNotFound, WrongStatus
from osqueue.core.job import STATUSES, JobStatus
from osqueue.core.mutations import (
    CancelJob,
    CloseClient,
    DeleteJob,
    HeartbeatJobs,
    JobFilter,
    JobSelection,
    Lease,
    Mutation,
    PauseQueue,
    RedriveDead,
    ResumeQueue,
    RetryJob,
)
from osqueue.core.outcomes import (
    ClientClosed,
    JobCancelled,
    JobDeleted,
    JobRetried,
    JobsChanged,
    JobsExtended,
    QueuePaused,
    QueueResumed,
)
from tests.builders import (
    NOW_MS,
    apply,
    claim,
    make_job,
    make_new_job,
    make_repeat,
    make_rules,
    make_state,
    only,
    refused,
    submit,
)


@pytest.mark.parametrize(
    "mutation", [CancelJob(job_id="x"), DeleteJob(job_id="x"), RetryJob(job_id="x")]
)
def test_request_for_a_missing_job_is_refused(mutation: Mutation) -> None:
    state = make_state(make_job())
    assert "x" in refused(apply(state, mutation), JobNotFound).message
    assert not state.has_changed


@pytest.mark.parametrize("status", ["scheduled", "unclaimed"])
def test_cancel_of_a_waiting_job_removes_it(status: JobStatus) -> None:
    state = make_state(make_job(status=status))
    assert apply(state, CancelJob(job_id="job-1")) == JobCancelled(is_gone=True)
    assert state.table.by_id == {}
    assert state.has_changed


def test_cancel_of_a_held_job_asks_its_worker_to_stop() -> None:
    state = make_state(make_job(status="in_progress"))
    assert apply(state, CancelJob(job_id="job-1")) == JobCancelled(is_gone=False)
    assert state.has_changed
    state.has_changed = False
    assert apply(state, CancelJob(job_id="job-1")) == JobCancelled(is_gone=False)
    assert not state.has_changed
    heartbeat = HeartbeatJobs(worker_id="worker-1", leases=[Lease("job-1", 1)])
    assert apply(state, heartbeat) == JobsExtended(["job-1"], [], ["job-1"])


@pytest.mark.parametrize("status", ["completed", "dead"])
def test_cancel_of_a_job_that_has_ended_is_refused(status: JobStatus) -> None:
    state = make_state(make_job(status=status))
    assert status in refused(apply(state, CancelJob(job_id="job-1")), WrongStatus).message
    assert not state.has_changed


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "in_progress"])
def test_delete_removes_what_nobody_holds(status: JobStatus) -> None:
    state = make_state(make_job(status=status))
    assert apply(state, DeleteJob(job_id="job-1")) == JobDeleted()
    assert state.table.by_id == {}
    assert state.has_changed


def test_delete_of_a_held_job_is_refused() -> None:
    state = make_state(make_job(status="in_progress"))
    assert "cancel it" in refused(apply(state, DeleteJob(job_id="job-1")), WrongStatus).message
    assert not state.has_changed


def test_retry_of_a_scheduled_job_makes_it_claimable_now() -> None:
    state = make_state(make_job(status="scheduled"))
    assert apply(state, RetryJob(job_id="job-1")) == JobRetried()
    assert state.table.by_id["job-1"].run_at == 0
    assert state.next_due_ms() is None
    assert only(claim(state)).job_id == "job-1"


@pytest.mark.parametrize(("attempts", "max_attempts", "expected"), [(3, 3, 5), (1, 9, 9)])
def test_retry_of_a_dead_job_raises_its_attempts_as_far_as_needed(
    attempts: int, max_attempts: int, expected: int
) -> None:
    job = make_job(status="dead", attempts=attempts, max_attempts=max_attempts)
    state = make_state(job, rules=make_rules(max_attempts=2))
    assert apply(state, RetryJob(job_id="job-1")) == JobRetried()
    assert (job.status, job.attempts, job.max_attempts) == ("unclaimed", attempts, expected)
    assert job.ended_at == 0
    assert only(claim(state)).attempt == attempts + 1


@pytest.mark.parametrize("status", ["unclaimed", "in_progress", "completed"])
def test_retry_of_another_status_is_refused(status: JobStatus) -> None:
    state = make_state(make_job(status=status))
    assert status in refused(apply(state, RetryJob(job_id="job-1")), WrongStatus).message
    assert not state.has_changed


def test_retry_onto_a_taken_unique_key_is_refused() -> None:
    state = make_state(make_job(1, status="dead", unique_key="key"), make_job(2, unique_key="key"))
    assert "'key'" in refused(apply(state, RetryJob(job_id="job-1")), WrongStatus).message
    assert not state.has_changed


def test_retry_takes_its_unique_key_again() -> None:
    state = make_state(make_job(1, status="dead", unique_key="key"))
    apply(state, RetryJob(job_id="job-1"))
    submit(state, make_new_job(2, unique_key="key"))
    assert list(state.table.by_id) == ["job-1"]


def test_redrive_takes_dead_jobs_oldest_first_up_to_its_limit() -> None:
    state = make_state(*[make_job(order, status="dead") for order in range(1, 5)], make_job(5))
    assert apply(state, RedriveDead(selection=JobSelection(limit=3))) == JobsChanged(3)
    assert [job.id for job in state.table.by_id.values() if job.status == "dead"] == ["job-4"]
    assert state.table.by_id["job-1"].max_attempts == 6
    assert state.has_changed


def test_redrive_of_one_type_leaves_the_others() -> None:
    state = make_state(make_job(1, status="dead", type="a"), make_job(2, status="dead", type=""))
    of_no_type = JobSelection(filter=JobFilter(type=""))
    assert apply(state, RedriveDead(selection=of_no_type)) == JobsChanged(1)
    assert state.table.by_id["job-1"].status == "dead"
    assert apply(state, RedriveDead()) == JobsChanged(1)


def test_redrive_of_two_jobs_with_one_unique_key_takes_the_older() -> None:
    state = make_state(*[make_job(order, status="dead", unique_key="key") for order in (1, 2)])
    assert apply(state, RedriveDead()) == JobsChanged(1)
    assert state.table.by_id["job-2"].status == "dead"


def test_redrive_without_dead_jobs_changes_nothing() -> None:
    state = make_state(make_job())
    assert apply(state, RedriveDead()) == JobsChanged(0)
    assert not state.has_changed


def test_pause_of_the_queue_lets_submits_in_and_gives_claims_nothing() -> None:
    state = make_state()
    assert apply(state, PauseQueue()) == QueuePaused()
    assert state.has_changed
    submit(state)
    assert claim(state) == []
    state.table.newly_ready_types.clear()
    assert apply(state, ResumeQueue()) == QueueResumed()
    assert state.table.newly_ready_types == {""}
    assert len(claim(state)) == 1


@pytest.mark.parametrize("kind", ["a", ""])
def test_pause_of_a_type_gives_claims_only_others(kind: str) -> None:
    state = make_state(make_job(1, type=kind), make_job(2, type="other"))
    apply(state, PauseQueue(type=kind))
    assert state.has_changed
    assert [job.job_id for job in claim(state, limit=5)] == ["job-2"]
    assert claim(state, types=[kind]) == []
    apply(state, ResumeQueue(type=kind))
    assert [job.job_id for job in claim(state, limit=5)] == ["job-1"]


def test_resume_of_the_queue_ends_the_pauses_of_types_as_well() -> None:
    state = make_state(make_job(type="a"))
    apply(state, PauseQueue(type="a"))
    apply(state, ResumeQueue())
    assert len(claim(state)) == 1


@pytest.mark.parametrize("kind", ["a", None])
def test_pause_and_resume_again_change_nothing(kind: str | None) -> None:
    state = make_state()
    apply(state, ResumeQueue(type=kind))
    assert not state.has_changed
    apply(state, PauseQueue(type=kind))
    state.has_changed = False
    apply(state, PauseQueue(type=kind))
    assert not state.has_changed
    apply(state, ResumeQueue(type=kind))
    assert state.has_changed


def test_close_of_a_client_forgets_it_with_the_next_write() -> None:
    state = make_state()
    submit(state, repeat=make_repeat(1), now_ms=NOW_MS)
    state.has_changed = False
    assert apply(state, CloseClient(client_id="client-1")) == ClientClosed()
    assert "client-1" not in state.clients
    assert not state.has_changed
    assert apply(state, CloseClient(client_id="client-1")) == ClientClosed()

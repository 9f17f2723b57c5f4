"""How attempts end: nothing is lost, attempts only grow, and every job returns to its own place."""

import random

import pytest
from msgspec import UNSET, Raw

from osqueue.core.document import encode_document
from osqueue.core.errors import JobNotHeld, QueueFull
from osqueue.core.job import Job, JobError
from osqueue.core.mutations import (
    CancelJob,
    ClaimJobs,
    CompleteJobs,
    Completion,
    ExpireJobs,
    GiveBackJobs,
    Lease,
    SnoozeJob,
    StartDueJobs,
    SubmitJobs,
)
from osqueue.core.outcomes import JobFailed, JobsCompleted, JobsExtended, JobSnoozed
from osqueue.core.queue_state import QueueState
from osqueue.core.retry_policy import RetryPolicy
from tests.builders import (
    NOW_MS,
    STEADY_MS,
    apply,
    claim,
    complete,
    fail,
    make_header,
    make_job,
    make_new_job,
    make_repeat,
    make_rules,
    make_state,
    only,
    refused,
    reload,
    submit,
)

LEASE_MS = 30_000


def held(order: int = 1, **fields: object) -> Job:
    return make_job(order, **({"status": "in_progress"} | fields))


def expire(state: QueueState, *, now_ms: int = NOW_MS, steady_ms: int = STEADY_MS) -> JobsExtended:
    outcome = apply(state, ExpireJobs(), now_ms=now_ms, steady_ms=steady_ms)
    assert isinstance(outcome, JobsExtended)
    return outcome


def snooze(state: QueueState, job_id: str = "job-1", delay_ms: int = 5_000) -> object:
    lease = Lease(job_id)
    return apply(state, SnoozeJob(worker_id="worker-1", lease=lease, delay_ms=delay_ms))


def give_back(state: QueueState, *job_ids: str) -> object:
    leases = [Lease(job_id) for job_id in job_ids]
    return apply(state, GiveBackJobs(worker_id="worker-1", leases=leases))


def test_complete_of_a_held_job_removes_and_counts_it() -> None:
    state = make_state(held())
    assert complete(state, "job-1", attempt=1) == JobsCompleted(["job-1"], [])
    assert state.table.by_id == {}
    assert state.totals.completed_total == 1
    assert state.has_changed


@pytest.mark.parametrize(
    ("attempt", "worker_id"), [(2, "worker-1"), (1, "worker-2"), (None, "worker-2")]
)
def test_complete_of_a_job_that_another_attempt_holds_counts_for_nothing(
    attempt: int | None, worker_id: str
) -> None:
    state = make_state(held())
    outcome = complete(state, "job-1", attempt=attempt, worker_id=worker_id)
    assert outcome == JobsCompleted([], ["job-1"])
    assert state.table.by_id["job-1"].is_held
    assert not state.has_changed


def test_complete_of_a_single_job_that_is_lost_is_refused() -> None:
    state = make_state(make_job())
    error = refused(complete(state, "job-1", is_single=True), JobNotHeld)
    assert "worker-1" in error.message
    assert complete(make_state(held()), "job-1", is_single=True) == JobsCompleted(["job-1"], [])


def test_complete_of_a_job_that_is_named_twice_counts_once() -> None:
    state = make_state(held())
    outcome = complete(state, "job-1", "job-1", submits=[make_new_job(5)])
    assert outcome == JobsCompleted(["job-1"], ["job-1"])
    assert state.totals.completed_total == 1
    assert list(state.table.by_id) == ["job-5"]


def test_complete_of_a_job_to_be_kept_keeps_its_result_for_its_time() -> None:
    state = make_state(held(result_ttl_ms=60_000, unique_key="key"))
    complete(state, "job-1", result=Raw(b'{"sum":3}'))
    job = state.table.by_id["job-1"]
    assert (job.status, job.ended_at, job.result) == (
        "completed",
        NOW_MS,
        Raw(b'{"sum":3}'),
    )
    assert state.next_due_ms() == NOW_MS + 60_000
    expire(state, now_ms=NOW_MS + 59_999)
    assert "job-1" in state.table.by_id
    state.has_changed = False
    expire(state, now_ms=NOW_MS + 60_000)
    assert "job-1" not in state.table.by_id
    assert state.has_changed


def test_complete_without_a_result_keeps_the_job_all_the_same() -> None:
    state = make_state(held(result_ttl_ms=60_000))
    complete(state, "job-1")
    assert state.table.by_id["job-1"].result is UNSET


def test_complete_with_a_result_that_nobody_wants_drops_it() -> None:
    state = make_state(held())
    complete(state, "job-1", result=Raw(b"3"))
    assert state.added_bytes == 0


def test_complete_submits_follow_up_jobs_with_it() -> None:
    state = make_state(held(unique_key="key"))
    complete(state, "job-1", submits=[make_new_job(2, unique_key="key"), make_new_job(3)])
    assert [(job.id, job.order) for job in state.table.blocks.after(-1)] == [
        ("job-2", 2),
        ("job-3", 3),
    ]


def test_complete_that_is_lost_submits_no_follow_up_jobs() -> None:
    state = make_state(held(1), make_job(2))
    mutation = CompleteJobs(
        worker_id="worker-1",
        completions=[
            Completion(lease=Lease("job-1"), submit=[make_new_job(11)]),
            Completion(lease=Lease("job-2"), submit=[make_new_job(12)]),
        ],
    )
    assert apply(state, mutation) == JobsCompleted(["job-1"], ["job-2"])
    assert set(state.table.by_id) == {"job-2", "job-11"}
    assert complete(state, "job-2", submits=[make_new_job(12)]) == JobsCompleted([], ["job-2"])


def test_complete_whose_follow_up_jobs_do_not_fit_is_refused_as_a_whole() -> None:
    state = make_state(held(1), held(2), rules=make_rules(jobs_max=3))
    outcome = complete(state, "job-1", submits=[make_new_job(n) for n in range(3, 6)])
    assert "JOBS_MAX" in refused(outcome, QueueFull).message
    assert state.table.by_id["job-1"].is_held
    assert not state.has_changed


def test_completions_whose_follow_up_jobs_do_not_fit_stay_held_and_the_others_count() -> None:
    state = make_state(held(1), held(2), held(3), rules=make_rules(jobs_max=3))
    mutation = CompleteJobs(
        worker_id="worker-1",
        completions=[
            Completion(lease=Lease("job-1"), submit=[make_new_job(n) for n in range(4, 8)]),
            Completion(lease=Lease("job-2"), submit=[make_new_job(9)]),
            Completion(lease=Lease("job-3")),
            Completion(lease=Lease("gone")),
        ],
        claim=ClaimJobs(worker_id="worker-1"),
        repeat=make_repeat(1),
    )
    outcome = apply(state, mutation)
    assert isinstance(outcome, JobsCompleted)
    assert (outcome.completed, outcome.lost, outcome.full) == (
        ["job-2", "job-3"],
        ["gone"],
        ["job-1"],
    )
    assert outcome.claimed is not None
    assert [job.job_id for job in outcome.claimed.jobs] == ["job-9"]
    assert state.table.by_id["job-1"].is_held
    assert set(state.table.by_id) == {"job-1", "job-9"}
    again = apply(reload(state), mutation)
    assert isinstance(again, JobsCompleted)
    assert (again.completed, again.lost, again.full) == (
        outcome.completed,
        outcome.lost,
        outcome.full,
    )


@pytest.mark.parametrize(
    ("limits", "stored_bytes"),
    [
        ({"dead_jobs_max": 0}, 0),
        ({"jobs_max": 100}, 0),
        ({"document_bytes_max": 10_000}, 9_100),
    ],
)
def test_follow_up_jobs_have_a_reserve_that_producers_do_not(
    limits: dict[str, int], stored_bytes: int
) -> None:
    jobs = [held(order) for order in range(1, 101)]
    state = make_state(*jobs, rules=make_rules(**limits))
    encode_document(make_header(), {}, state)
    if stored_bytes:
        state.added_bytes = stored_bytes - state.document_bytes
    new_job = SubmitJobs(jobs=[make_new_job(500)])
    refused(state.apply(new_job, now_ms=NOW_MS, steady_ms=STEADY_MS), QueueFull)
    done = Completion(lease=Lease("job-1"), submit=[make_new_job(n) for n in (501, 502)])
    mutation = CompleteJobs(worker_id="worker-1", completions=[done])
    outcome = state.apply(mutation, now_ms=NOW_MS, steady_ms=STEADY_MS)
    assert outcome == JobsCompleted(["job-1"], [])


def test_complete_in_a_full_queue_may_submit_as_much_as_it_removes() -> None:
    state = make_state(held(1), rules=make_rules(jobs_max=1, document_bytes_max=10))
    assert complete(state, "job-1", submits=[make_new_job(2)]) == JobsCompleted(["job-1"], [])
    assert list(state.table.by_id) == ["job-2"]


def test_complete_of_a_kept_job_makes_no_room_for_follow_up_jobs() -> None:
    state = make_state(held(1, result_ttl_ms=5), rules=make_rules(jobs_max=1))
    refused(complete(state, "job-1", submits=[make_new_job(2)]), QueueFull)


@pytest.mark.parametrize(
    "limits", [{"jobs_max": 1}, {"document_bytes_max": 1}, {"dead_jobs_max": 0}]
)
def test_settling_in_a_full_queue_is_never_refused(limits: dict[str, int]) -> None:
    jobs = [held(order, result_ttl_ms=5 * (order % 2)) for order in range(1, 6)]
    state = make_state(*jobs, rules=make_rules(**limits))
    assert complete(state, "job-1", "job-2", result=Raw(b"1")) == JobsCompleted(
        ["job-1", "job-2"], []
    )
    assert isinstance(fail(state, "job-3", is_final=True), JobFailed)
    assert isinstance(snooze(state, "job-4"), JobSnoozed)
    assert expire(state, steady_ms=STEADY_MS + LEASE_MS).lost == ["job-5"]


def test_complete_claims_the_next_jobs_in_the_same_step() -> None:
    state = make_state(held(1), make_job(2))
    claim_next = ClaimJobs(worker_id="worker-1", limit=5)
    outcome = complete(state, "job-1", submits=[make_new_job(3)], claim=claim_next)
    assert isinstance(outcome, JobsCompleted)
    assert outcome.claimed is not None
    assert [job.job_id for job in outcome.claimed.jobs] == ["job-2", "job-3"]


def test_complete_past_95_percent_of_the_bytes_drops_the_result() -> None:
    state = make_state(held(result_ttl_ms=5), rules=make_rules(document_bytes_max=100))
    complete(state, "job-1", result=Raw(b"3"))
    assert state.table.by_id["job-1"].result is UNSET


def test_fail_waits_by_the_retry_policy_with_jitter_from_the_random_passed() -> None:
    state = make_state(held(attempts=2), seed=9)
    expected = NOW_MS + RetryPolicy().delay_ms(2, random.Random(9))
    assert fail(state) == JobFailed("scheduled", expected)
    job = state.table.by_id["job-1"]
    assert (job.status, job.run_at, job.attempts, job.max_attempts) == ("scheduled", expected, 2, 3)
    assert state.next_due_ms() == expected
    assert state.has_changed


def test_fail_waits_by_the_jobs_own_policy() -> None:
    policy = RetryPolicy(base_ms=10**7, cap_ms=10**7)
    state = make_state(held(retry=policy), seed=9)
    expected = NOW_MS + policy.delay_ms(1, random.Random(9))
    assert fail(state) == JobFailed("scheduled", expected)


def test_fail_with_a_wait_waits_so_long() -> None:
    assert fail(make_state(held()), retry_in_ms=77) == JobFailed("scheduled", NOW_MS + 77)


def test_fail_without_a_wait_is_claimable_at_once() -> None:
    state = make_state(held())
    assert fail(state, retry_in_ms=0) == JobFailed("unclaimed", NOW_MS)
    assert only(claim(state)).attempt == 2


def test_fail_of_the_last_attempt_goes_to_the_dead_letters_with_its_error() -> None:
    state = make_state(held(attempts=3, unique_key="key", started_at=77))
    assert fail(state, error=JobError("KeyError", "x", "trace")) == JobFailed("dead", 0)
    job = state.table.by_id["job-1"]
    assert (job.status, job.ended_at, job.worker_id) == ("dead", NOW_MS, "")
    told = JobError(
        "KeyError", "x", "trace", attempt=3, at=NOW_MS, started_at=77, worker_id="worker-1"
    )
    assert (job.errors, job.started_at) == ((told,), 0)
    assert state.has_changed


def test_fail_for_good_goes_to_the_dead_letters_whatever_attempts_are_left() -> None:
    state = make_state(held())
    assert fail(state, is_final=True) == JobFailed("dead", 0)


@pytest.mark.parametrize("attempt", [2, None])
def test_fail_of_a_lost_lease_is_refused_and_changes_nothing(attempt: int | None) -> None:
    state = make_state(held(worker_id="worker-2"))
    refused(fail(state, attempt=attempt), JobNotHeld)
    assert state.table.by_id["job-1"] == held(worker_id="worker-2")
    assert not state.has_changed


def test_errors_are_cut_and_only_the_last_are_kept() -> None:
    rules = make_rules(error_text_bytes_max=40, errors_kept_max=5, name_bytes_max=20)
    state = make_state(held(max_attempts=100), rules=rules)
    for number in range(1, 8):
        error = JobError("Error" * 10, f"{number}" * 100, "é" * 100)
        fail(state, error=error, retry_in_ms=0)
        claim(state)
    errors = state.table.by_id["job-1"].errors
    assert [error.attempt for error in errors] == [3, 4, 5, 6, 7]
    for error in errors:
        assert len(error.type.encode()) <= 20
        assert len(error.message.encode()) <= 40
        assert len(error.traceback.encode()) <= 40


def test_errors_past_95_percent_of_the_bytes_lose_their_texts() -> None:
    state = make_state(held(), rules=make_rules(document_bytes_max=100))
    fail(state, error=JobError("KeyError", "message", "traceback"))
    error = only(state.table.by_id["job-1"].errors)
    assert (error.type, error.message, error.traceback) == ("KeyError", "", "")


def test_snooze_waits_and_does_not_spend_the_attempt() -> None:
    state = make_state(held(attempts=3))
    assert snooze(state) == JobSnoozed(NOW_MS + 5_000)
    job = state.table.by_id["job-1"]
    assert (job.status, job.attempts, job.max_attempts) == ("scheduled", 3, 4)
    assert job.errors == ()


def test_snooze_of_a_lost_lease_is_refused() -> None:
    state = make_state(make_job())
    refused(snooze(state), JobNotHeld)
    assert not state.has_changed


def test_give_back_makes_claimable_and_does_not_spend_the_attempt() -> None:
    state = make_state(held(1, attempts=3), make_job(2))
    assert give_back(state, "job-1", "job-2") == JobsExtended(["job-1"], ["job-2"], [])
    job = state.table.by_id["job-1"]
    assert (job.status, job.attempts, job.max_attempts) == ("unclaimed", 3, 4)
    assert only(claim(state)).attempt == 4


def test_expiry_takes_the_job_back_with_an_error() -> None:
    state = make_state(held())
    assert expire(state, steady_ms=STEADY_MS + LEASE_MS - 1).lost == []
    assert not state.has_changed
    assert expire(state, steady_ms=STEADY_MS + LEASE_MS).lost == ["job-1"]
    job = state.table.by_id["job-1"]
    assert (job.status, job.attempts) == ("unclaimed", 1)
    error = only(job.errors)
    assert (error.type, error.attempt, error.at) == ("LeaseExpired", 1, NOW_MS)
    assert "worker-1" in error.message
    assert state.has_changed


def test_expiry_of_the_last_attempt_goes_to_the_dead_letters() -> None:
    state = make_state(held(attempts=3))
    expire(state, steady_ms=STEADY_MS + LEASE_MS)
    assert state.table.by_id["job-1"].status == "dead"
    assert only(state.table.by_id["job-1"].errors).type == "LeaseExpired"


def test_due_jobs_become_claimable_when_their_time_has_come() -> None:
    state = make_state(make_job(1, status="scheduled", run_at=NOW_MS + 10), make_job(2))
    apply(state, StartDueJobs(), now_ms=NOW_MS + 9)
    assert not state.has_changed
    assert apply(state, StartDueJobs(), now_ms=NOW_MS + 10) == JobsExtended(["job-1"], [], [])
    assert state.has_changed
    assert [job.job_id for job in claim(state, limit=5)] == ["job-1", "job-2"]


@pytest.mark.parametrize("road", ["fail", "fail and wait", "snooze", "give back", "expire"])
def test_job_that_returns_stands_in_its_own_place(road: str) -> None:
    state = make_state(*[make_job(order, priority=order // 3) for order in range(1, 6)])
    expected = ["job-3", "job-4", "job-5", "job-1", "job-2"]
    assert [job.job_id for job in claim(state, limit=5)] == expected
    for job_id in ("job-5", "job-1", "job-4", "job-2", "job-3"):
        match road:
            case "fail":
                fail(state, job_id, retry_in_ms=0)
            case "fail and wait":
                fail(state, job_id, retry_in_ms=5)
            case "snooze":
                snooze(state, job_id)
            case "give back":
                give_back(state, job_id)
            case _:
                state.table.leases.set(job_id, STEADY_MS)
                expire(state)
    apply(state, StartDueJobs(), now_ms=NOW_MS + 10_000)
    again = claim(state, limit=5)
    assert [job.job_id for job in again] == expected
    assert {job.attempt for job in again} == {2}


@pytest.mark.parametrize("end", ["fail", "final", "last", "snooze", "give back", "expire"])
def test_cancelled_job_is_gone_when_its_worker_does_not_complete_it(end: str) -> None:
    state = make_state(held(attempts=3 if end == "last" else 1, unique_key="key"))
    apply(state, CancelJob(job_id="job-1"))
    match end:
        case "snooze":
            assert snooze(state) == JobSnoozed(0)
        case "give back":
            give_back(state, "job-1")
        case "expire":
            expire(state, steady_ms=STEADY_MS + LEASE_MS)
        case _:
            assert fail(state, is_final=end == "final") == JobFailed("gone", 0)
    assert state.table.by_id == {}
    assert submit(state, make_new_job(2, unique_key="key")) is not None
    assert "job-2" in state.table.by_id


def test_cancelled_job_that_completes_all_the_same_counts() -> None:
    state = make_state(held())
    apply(state, CancelJob(job_id="job-1"))
    complete(state, "job-1")
    assert state.totals.completed_total == 1

"""Submits, claims and leases, and what rides along with the next write."""

import pytest
from msgspec import Raw

from osqueue.core.document import encode_document
from osqueue.core.errors import QueueFull
from osqueue.core.mutations import (
    ChangeJobs,
    ClaimJobs,
    HeartbeatJobs,
    Lease,
    Mutation,
    NewJob,
    PauseQueue,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.outcomes import JobsExtended, JobsSubmitted
from osqueue.core.queue_state import _APPLIERS, QueueState  # pyright: ignore[reportPrivateUsage]
from osqueue.core.retry_policy import RetryPolicy
from osqueue.core.tables.refusals import estimate_bytes
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


def claimed_ids(state: QueueState, **fields: object) -> list[str]:
    return [job.job_id for job in claim(state, **({"limit": 100} | fields))]


def heartbeat(state: QueueState, *leases: Lease, steady_ms: int, arrived_ms: int = 0) -> object:
    mutation = HeartbeatJobs(worker_id="worker-1", leases=list(leases), arrived_ms=arrived_ms)
    return apply(state, mutation, now_ms=NOW_MS + 5, steady_ms=steady_ms)


def test_submit_enqueues_every_field() -> None:
    state = make_state()
    retry = RetryPolicy(base_ms=5)
    new_job = NewJob(
        id="a",
        payload=Raw(b"[1]"),
        type="email",
        max_attempts=9,
        run_at=NOW_MS + 7,
        priority=4,
        unique_key="key",
        result_ttl_ms=8,
        retry=retry,
    )
    assert submit(state, new_job, make_new_job(2)) == JobsSubmitted(["a", "job-2"], [])
    job = make_job(
        id="a",
        status="scheduled",
        payload=Raw(b"[1]"),
        type="email",
        max_attempts=9,
        run_at=NOW_MS + 7,
        priority=4,
        unique_key="key",
        result_ttl_ms=8,
        retry=retry,
    )
    assert state.table.by_id["a"] == job
    assert state.table.by_id["job-2"] == make_job(2)
    assert state.totals.next_order == 3
    assert state.has_changed


@pytest.mark.parametrize(
    ("times", "run_at"),
    [
        ({}, 0),
        ({"run_at": NOW_MS}, 0),
        ({"run_at": NOW_MS + 1}, NOW_MS + 1),
        ({"delay_ms": 1}, NOW_MS + 1),
        ({"delay_ms": 5, "run_at": NOW_MS + 1}, NOW_MS + 5),
    ],
)
def test_submit_is_scheduled_only_for_a_time_to_come(times: dict[str, int], run_at: int) -> None:
    state = make_state()
    submit(state, make_new_job(**times))
    job = state.table.by_id["job-1"]
    assert job.run_at == run_at
    assert job.status == ("scheduled" if run_at else "unclaimed")
    assert state.next_due_ms() == (run_at or None)


def test_submit_of_a_queued_id_or_unique_key_is_a_duplicate() -> None:
    state = make_state(make_job(1, unique_key="key"))
    outcome = submit(
        state,
        make_new_job(1),
        make_new_job(2, unique_key="key"),
        make_new_job(3, unique_key="new"),
        make_new_job(4, unique_key="new"),
        make_new_job(3),
    )
    assert outcome == JobsSubmitted(["job-1", "job-1", "job-3", "job-3", "job-3"], [0, 1, 3, 4])
    assert list(state.table.by_id) == ["job-1", "job-3"]


def test_submit_of_duplicates_only_changes_nothing() -> None:
    state = make_state(make_job(1, unique_key="key"))
    submit(state, make_new_job(2, unique_key="key"))
    assert not state.has_changed
    assert state.added_bytes == 0


def test_submit_of_duplicates_only_is_answered_by_a_full_queue() -> None:
    state = make_state(make_job(1), rules=make_rules(jobs_max=1))
    assert submit(state, make_new_job(1)) == JobsSubmitted(["job-1"], [0])
    refused(submit(state, make_new_job(1), make_new_job(2)), QueueFull)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"jobs_max": 2}, "JOBS_MAX"),
        ({"document_bytes_max": 500}, "DOCUMENT_BYTES_MAX"),
        ({"dead_jobs_max": 1}, "DEAD_JOBS_MAX"),
    ],
)
def test_submit_past_a_limit_is_refused_as_a_whole(limits: dict[str, int], named: str) -> None:
    state = make_state(make_job(1, status="dead"), rules=make_rules(**limits))
    outcome = submit(state, make_new_job(2), make_new_job(3), make_new_job(4))
    assert named in refused(outcome, QueueFull).message
    assert list(state.table.by_id) == ["job-1"]
    assert not state.has_changed


def test_submits_are_refused_at_90_percent_of_the_document_and_taken_again_below() -> None:
    state = make_state(rules=make_rules(document_bytes_max=20_000))
    count = 0
    while isinstance(submit(state, make_new_job(count)), JobsSubmitted):
        count += 1
        reload(state)
    assert 0.88 * 20_000 < state.document_bytes <= 0.9 * 20_000
    claim(state, limit=count)
    complete(state, "job-0", "job-1", "job-2")
    reload(state)
    refused(submit(state, make_new_job(1)), QueueFull)
    complete(state, *list(state.table.by_id)[: count // 2])
    reload(state)
    assert isinstance(submit(state, make_new_job(1)), JobsSubmitted)


def test_document_bytes_count_jobs_and_clients_exactly_once_they_are_encoded() -> None:
    state = make_state()
    for number in range(1, 50):
        repeat = make_repeat(1, client_id=f"client-{number}")
        submit(state, make_new_job(number), repeat=repeat)
    assert state.added_bytes == estimate_bytes([make_new_job(49)])
    loaded = reload(state)
    assert state.added_bytes == 0
    document = b"".join(encode_document(make_header(), {}, state))
    tables = document.partition(b'"clients":{')[2]
    assert state.document_bytes == len(tables) - len(b'},\n"jobs":[\n\n]}\n')
    assert loaded.document_bytes == state.document_bytes + len(b"{}[  ]")


def test_claim_gives_jobs_by_priority_then_submission() -> None:
    state = make_state(make_job(1), make_job(2, priority=9), make_job(3), make_job(4, priority=9))
    assert claimed_ids(state, limit=3) == ["job-2", "job-4", "job-1"]
    assert claimed_ids(state) == ["job-3"]
    assert claimed_ids(state) == []


def test_claim_starts_an_attempt_and_a_lease_at_settlement() -> None:
    state = make_state(make_job(attempts=1))
    claimed = only(
        apply(state, ClaimJobs(worker_id="worker-1", lease_ms=5_000)).jobs  # pyright: ignore
    )
    assert (claimed.attempt, claimed.lease_ms, claimed.max_attempts) == (2, 5_000, 3)
    assert state.has_changed
    assert state.next_expiry_ms() is None
    state.settle_claims(STEADY_MS + 700)
    assert state.next_expiry_ms() == STEADY_MS + 5_700
    job = state.table.by_id["job-1"]
    assert (job.worker_id, job.heartbeat, job.status) == ("worker-1", NOW_MS, "in_progress")


def test_claim_of_types_gets_only_those() -> None:
    state = make_state(make_job(1, type="a"), make_job(2), make_job(3, type="b"))
    assert claimed_ids(state, types=["b", "", "c"]) == ["job-2", "job-3"]


def test_claim_that_finds_nothing_changes_nothing() -> None:
    state = make_state(make_job(type="a"))
    assert claimed_ids(state, types=["b"]) == []
    assert not state.has_changed


def test_claim_stops_at_its_byte_budget_but_never_before_the_first_job() -> None:
    state = make_state(*[make_job(order, payload=Raw(b"1" * 10)) for order in range(1, 5)])
    assert claimed_ids(state, byte_budget=5) == ["job-1"]
    assert claimed_ids(state, byte_budget=20) == ["job-2", "job-3"]


def test_claim_lease_defaults_to_the_queues_and_is_raised_to_the_least() -> None:
    state = make_state(*[make_job(order) for order in range(1, 4)])
    assert only(claim(state)).lease_ms == LEASE_MS
    state.lease_ms_min = 40_000
    assert only(claim(state)).lease_ms == 40_000
    assert only(claim(state, lease_ms=50_000)).lease_ms == 50_000


def test_claim_repeated_by_its_id_gets_the_jobs_still_held() -> None:
    state = make_state(make_job(1), make_job(2, priority=1), make_job(3), make_job(4))
    first = claim(state, claim_id="claim-1", limit=3)
    state.has_changed = False
    assert claim(state, claim_id="claim-1", limit=3) == first
    assert claim(reload(state), claim_id="claim-1", limit=3) == first
    assert not state.has_changed
    complete(state, "job-1")
    assert claimed_ids(state, claim_id="claim-1") == ["job-2", "job-3"]
    assert claimed_ids(state, claim_id="claim-1", worker_id="worker-2") == ["job-4"]


def test_claim_without_an_id_is_always_a_new_one() -> None:
    state = make_state(make_job(1), make_job(2))
    assert claimed_ids(state, limit=1) + claimed_ids(state, limit=1) == ["job-1", "job-2"]


def test_claim_has_a_job_where_one_is_claimable_or_held_by_it() -> None:
    state = make_state(make_job(1, type="a"))
    wanted = ClaimJobs(worker_id="worker-1", claim_id="claim-1", types=["a"])
    assert state.has_job_for(wanted)
    assert not state.has_job_for(ClaimJobs(worker_id="worker-1", types=["b"]))
    claim(state, claim_id="claim-1")
    assert state.has_job_for(wanted)
    assert not state.has_job_for(ClaimJobs(worker_id="worker-2", types=["a"]))
    submit(state)
    apply(state, PauseQueue())
    assert not state.has_job_for(ClaimJobs(worker_id="worker-2"))


def test_attempts_only_grow_over_any_life() -> None:
    state = make_state(make_job(max_attempts=50))
    job = state.table.by_id["job-1"]
    for attempt in range(1, 40):
        assert only(claim(state)).attempt == job.attempts == attempt
        lease = Lease("job-1", attempt)
        if attempt % 3:
            fail(state, attempt=attempt, retry_in_ms=0)
        else:
            apply(state, SnoozeJob(worker_id="worker-1", lease=lease, delay_ms=0))
    assert job.max_attempts == 50 + 13


def test_heartbeat_extends_from_its_arrival_and_rides_along() -> None:
    state = make_state(make_job(1, status="in_progress"), make_job(2))
    leases = (Lease("job-1", 1), Lease("job-2"), Lease("job-9"))
    outcome = heartbeat(state, *leases, steady_ms=STEADY_MS + 900, arrived_ms=STEADY_MS + 600)
    assert outcome == JobsExtended(["job-1"], ["job-2", "job-9"], [])
    assert state.next_expiry_ms() == STEADY_MS + 600 + LEASE_MS
    assert not state.has_changed
    assert reload(state).table.by_id["job-1"].heartbeat == NOW_MS + 5


def test_heartbeat_of_a_cancelled_job_tells_its_worker_to_stop() -> None:
    state = make_state(make_job(status="in_progress", cancel_requested=True))
    outcome = heartbeat(state, Lease("job-1"), steady_ms=STEADY_MS)
    assert outcome == JobsExtended(["job-1"], [], ["job-1"])


def test_heartbeat_without_an_arrival_counts_from_now() -> None:
    state = make_state(make_job(status="in_progress"))
    heartbeat(state, Lease("job-1"), steady_ms=STEADY_MS + 900)
    assert state.next_expiry_ms() == STEADY_MS + 900 + LEASE_MS


def test_heartbeat_from_before_a_renewal_does_not_shorten_the_lease() -> None:
    state = make_state(make_job(status="in_progress"))
    state.renew_leases(STEADY_MS + 20_000)
    heartbeat(state, Lease("job-1"), steady_ms=STEADY_MS + 20_001, arrived_ms=STEADY_MS + 100)
    assert state.next_expiry_ms() == STEADY_MS + 20_000 + LEASE_MS


def test_heartbeat_of_a_lease_below_the_least_extends_by_the_least() -> None:
    state = make_state(make_job(status="in_progress"))
    state.lease_ms_min = 90_000
    heartbeat(state, Lease("job-1"), steady_ms=STEADY_MS)
    assert state.next_expiry_ms() == STEADY_MS + 90_000


def test_renewed_leases_last_their_own_time_but_at_least_the_least() -> None:
    state = make_state(
        make_job(1, status="in_progress", lease_ms=70_000),
        make_job(2, status="in_progress", lease_ms=1_000),
        make_job(3),
    )
    state.lease_ms_min = 60_000
    state.renew_leases(STEADY_MS + 1)
    assert state.next_expiry_ms() == STEADY_MS + 60_001
    assert state.table.leases.due(STEADY_MS + 70_001) == ["job-2", "job-1"]


def test_next_due_is_the_earlier_of_scheduled_jobs_and_kept_results() -> None:
    kept = make_job(1, status="completed", ended_at=NOW_MS, result_ttl_ms=50)
    scheduled = make_job(2, status="scheduled", run_at=NOW_MS + 40)
    assert make_state().next_due_ms() is None
    assert make_state(kept).next_due_ms() == NOW_MS + 50
    assert make_state(kept, scheduled).next_due_ms() == NOW_MS + 40


def test_settlement_of_a_lost_lease_surely_needs_no_write() -> None:
    state = make_state(make_job(1, status="in_progress"))
    for job_id, is_refused in (("job-1", False), ("job-2", True)):
        snooze = SnoozeJob(worker_id="worker-1", lease=Lease(job_id), delay_ms=5)
        assert state.refuses(snooze) == is_refused
    assert not state.refuses(SubmitJobs(jobs=[make_new_job(1)]))


def test_apply_of_every_mutation_is_decided() -> None:
    kinds = {*Mutation.__subclasses__(), *ChangeJobs.__subclasses__()} - {ChangeJobs}
    assert set(_APPLIERS) == kinds

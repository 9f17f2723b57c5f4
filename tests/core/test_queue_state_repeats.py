"""Repeats: each counterexample that a model of the rules has found is a test of its name."""

import random

import msgspec
import pytest

from osqueue.core.document import encode_document, load_document
from osqueue.core.errors import InvalidRequest, QueueFull
from osqueue.core.limits import CLIENT_ENTRY_TTL_MS
from osqueue.core.mutations import (
    CancelJob,
    ClaimJobs,
    GiveBackJobs,
    Lease,
    Mutation,
    PauseQueue,
    RedriveDead,
    RepeatKey,
    ResumeQueue,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.outcomes import (
    JobCancelled,
    JobFailed,
    JobsChanged,
    JobsClaimed,
    JobsCompleted,
    JobsSubmitted,
    QueuePaused,
)
from osqueue.core.queue_state import QueueState
from tests.builders import (
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
    refused,
    reload,
    submit,
)


def run_to_its_end(state: QueueState, job_id: str = "job-1") -> None:
    """A worker takes the job and completes it, so that its id is no longer in the queue."""
    claim(state, limit=100)
    complete(state, job_id)
    assert job_id not in state.table.by_id


def test_repeat_of_a_submit_is_answered_again_and_enqueues_nothing() -> None:
    state = make_state()
    first = submit(state, repeat=make_repeat(1))
    run_to_its_end(state)
    state.has_changed = False
    assert submit(state, repeat=make_repeat(1)) == first
    assert state.table.by_id == {}
    assert not state.has_changed


def test_sequence_used_for_another_job_is_refused_and_enqueues_nothing() -> None:
    state = make_state()
    submit(state, make_new_job(1), repeat=make_repeat(1))
    state.has_changed = False
    other = SubmitJobs(jobs=[make_new_job(2)], repeat=make_repeat(1))
    error = refused(apply(state, other), InvalidRequest)
    assert error.message.startswith("sequence 1 of this client was used for another request")
    assert list(state.table.by_id) == ["job-1"]
    assert not state.has_changed
    assert submit(state, make_new_job(1), repeat=make_repeat(1)) == JobsSubmitted(["job-1"])


def test_sequence_that_was_refused_may_carry_other_content() -> None:
    state = make_state(rules=make_rules(jobs_max=1))
    submit(state, make_new_job(1))
    refused(apply(state, SubmitJobs(jobs=[make_new_job(2)], repeat=make_repeat(1))), QueueFull)
    run_to_its_end(state)
    assert submit(state, make_new_job(3), repeat=make_repeat(1)) == JobsSubmitted(["job-3"])


def test_new_leader_takes_a_sequence_used_twice_for_a_repeat() -> None:
    state = make_state()
    submit(state, make_new_job(1), repeat=make_repeat(1))
    state = reload(state)
    assert submit(state, make_new_job(2), repeat=make_repeat(1)) == JobsSubmitted(["job-2"])
    assert list(state.table.by_id) == ["job-1"], "nothing was enqueued twice"


def test_repeat_is_recognised_by_exact_sequence_not_by_the_highest() -> None:
    state = make_state()
    submit(state, make_new_job(2), repeat=make_repeat(2))
    # Number 1 was sent earlier and arrives later: it must not be taken for applied.
    assert submit(state, make_new_job(1), repeat=make_repeat(1)) == JobsSubmitted(["job-1"])
    assert list(state.table.by_id) == ["job-2", "job-1"]


def test_repeat_below_the_floor_is_refused_and_never_applied() -> None:
    state = make_state()
    submit(state, make_new_job(1), repeat=make_repeat(1))
    run_to_its_end(state)
    submit(state, make_new_job(2), repeat=make_repeat(2, floor=2))
    # The entry of number 1 is pruned; a copy of it that was delayed until now would run again.
    refused(submit(state, make_new_job(1), repeat=make_repeat(1, floor=1)), InvalidRequest)
    refused(submit(state, make_new_job(1), repeat=make_repeat(1)), InvalidRequest)
    assert list(state.table.by_id) == ["job-2"]


def test_repeat_after_a_failover_is_recognised_from_the_document() -> None:
    state = make_state()
    first = submit(state, repeat=make_repeat(1))
    run_to_its_end(state)
    successor = reload(state)
    assert submit(successor, repeat=make_repeat(1)) == first
    assert successor.table.by_id == {}


def test_repeat_of_what_an_undone_batch_held_is_applied() -> None:
    state = make_state(rules=make_rules())
    committed = b"".join(encode_document(make_header(), {}, state))
    submit(state, repeat=make_repeat(1))
    # The write surely did not land: the state is rebuilt from the last committed bytes.
    undone = load_document(committed, state.rules, random.Random(1)).state
    assert submit(undone, repeat=make_repeat(1)) == JobsSubmitted(["job-1"])
    assert list(undone.table.by_id) == ["job-1"]


def test_entry_is_not_dropped_for_newer_clients_however_many() -> None:
    state = make_state(rules=make_rules(client_entries_max=2))
    first = submit(state, repeat=make_repeat(1))
    run_to_its_end(state)
    submit(state, make_new_job(2), repeat=make_repeat(1, client_id="client-2"))
    for number in range(3, 9):
        outcome = submit(
            state, make_new_job(number), repeat=make_repeat(1, client_id=f"client-{number}")
        )
        assert "CLIENT_ENTRIES_MAX" in refused(outcome, QueueFull).message
    assert submit(state, repeat=make_repeat(1)) == first
    assert "job-1" not in state.table.by_id


def test_entry_is_not_dropped_before_its_leadership_time_has_passed() -> None:
    state = make_state()
    first = submit(state, repeat=make_repeat(1))
    run_to_its_end(state)
    state.totals.leadership_ms = CLIENT_ENTRY_TTL_MS - 1
    state.clients.drop_unused(state.totals.leadership_ms)
    assert submit(state, repeat=make_repeat(1)) == first
    # That was a use: its life starts anew.
    state.totals.leadership_ms += CLIENT_ENTRY_TTL_MS - 1
    state.clients.drop_unused(state.totals.leadership_ms)
    assert submit(reload(state), repeat=make_repeat(1)) == first


def test_unique_key_hit_is_recorded_and_stays_a_duplicate_when_the_key_is_free() -> None:
    state = make_state(make_job(9, unique_key="key"))
    state.has_changed = False
    new_job = make_new_job(1, unique_key="key")
    first = submit(state, new_job, repeat=make_repeat(1))
    assert first == JobsSubmitted(["job-9"], [0])
    assert state.has_changed
    run_to_its_end(state, "job-9")
    # The caller was told that its job was not enqueued: a late copy must not enqueue it.
    assert submit(state, new_job, repeat=make_repeat(1)) == first
    assert submit(reload(state), new_job, repeat=make_repeat(1)) == first
    assert state.table.by_id == {}


@pytest.mark.parametrize(
    "limits", [{"jobs_max": 1}, {"document_bytes_max": 400}, {"dead_jobs_max": 1}]
)
def test_repeat_is_recognised_before_any_limit(limits: dict[str, int]) -> None:
    state = make_state(rules=make_rules(**limits))
    first = submit(state, repeat=make_repeat(1))
    claim(state)
    fail(state, is_final=True)
    refused(submit(state, make_new_job(2), repeat=make_repeat(2)), QueueFull)
    assert submit(state, repeat=make_repeat(1)) == first


def test_repeat_is_recognised_before_the_limit_of_sequences_in_flight() -> None:
    state = make_state()
    first = submit(state, repeat=make_repeat(1))
    refused(submit(state, make_new_job(2), repeat=make_repeat(10_001)), QueueFull)
    assert submit(state, repeat=make_repeat(1)) == first
    submit(state, make_new_job(2), repeat=make_repeat(10_001, floor=2))
    assert "job-2" in state.table.by_id


def test_repeat_of_a_claim_is_answered_while_the_queue_is_paused() -> None:
    state = make_state(make_job())
    first = claim(state, repeat=make_repeat(1))
    apply(state, PauseQueue())
    assert claim(state, repeat=make_repeat(1)) == first


def test_new_entry_has_the_floor_of_its_request_otherwise_1() -> None:
    state = make_state()
    submit(state, make_new_job(7), repeat=make_repeat(7))
    assert submit(state, make_new_job(6), repeat=make_repeat(6)) == JobsSubmitted(["job-6"])
    other = "client-2"
    submit(state, make_new_job(17), repeat=make_repeat(7, floor=7, client_id=other))
    refused(submit(state, repeat=make_repeat(6, client_id=other)), InvalidRequest)


def test_refusal_is_not_recorded_so_that_a_later_attempt_can_succeed() -> None:
    state = make_state(make_job(9), rules=make_rules(jobs_max=1))
    refused(submit(state, repeat=make_repeat(1)), QueueFull)
    assert not state.has_changed
    assert "client-1" not in state.clients
    run_to_its_end(state, "job-9")
    assert submit(state, repeat=make_repeat(1)) == JobsSubmitted(["job-1"])


def test_floor_that_rises_rides_along_with_the_next_write() -> None:
    state = make_state()
    submit(state, repeat=make_repeat(1))
    state.has_changed = False
    refused(submit(state, repeat=make_repeat(1, floor=5)), InvalidRequest)
    assert not state.has_changed
    entry = reload(state).clients.entry("client-1")
    assert entry is not None
    assert (entry.floor, entry.applied) == (5, [])


def test_repeat_of_a_claim_gets_the_jobs_it_still_holds_and_never_others() -> None:
    state = make_state(make_job(1), make_job(2), make_job(3))
    first = claim(state, limit=2, repeat=make_repeat(1))
    assert [job.job_id for job in first] == ["job-1", "job-2"]
    assert claim(state, limit=2, repeat=make_repeat(1)) == first
    complete(state, "job-1")
    leases = [Lease("job-2", 1)]
    assert claim(reload(state), limit=2, repeat=make_repeat(1)) == first[1:]
    apply(state, GiveBackJobs(worker_id="worker-1", leases=leases))
    assert claim(state, limit=2, repeat=make_repeat(1)) == []
    assert state.table.counts["unclaimed"] == 2


def test_claim_that_found_nothing_is_not_recorded() -> None:
    state = make_state()
    assert claim(state, repeat=make_repeat(1)) == []
    assert not state.has_changed
    submit(state)
    assert len(claim(state, repeat=make_repeat(1))) == 1


@pytest.mark.parametrize("claim_id", ["", "claim-1"])
def test_repeat_of_completions_with_a_claim_gets_the_claimed_jobs_again(claim_id: str) -> None:
    state = make_state(make_job(1, status="in_progress"), make_job(2), make_job(3))
    fields = {"claim": ClaimJobs(worker_id="worker-1", claim_id=claim_id)}
    first = complete(state, "job-1", "job-9", repeat=make_repeat(1), **fields)
    assert isinstance(first, JobsCompleted)
    assert (first.completed, first.lost) == (["job-1"], ["job-9"])
    assert first.claimed is not None
    same = msgspec.structs.replace(first.claimed, is_repeat=True)
    again = complete(state, "job-1", "job-9", repeat=make_repeat(1), **fields)
    assert again == msgspec.structs.replace(first, claimed=same)
    # When these have ended as well, a late copy must not take jobs that nobody will run.
    complete(state, "job-2")
    state.has_changed = False
    again = complete(state, "job-1", "job-9", repeat=make_repeat(1), **fields)
    assert again == JobsCompleted(["job-1"], ["job-9"], JobsClaimed([]))
    assert not state.has_changed
    assert state.table.by_id["job-3"].status == "unclaimed"


def test_repeat_of_a_failure_gets_the_first_answer_though_the_job_moved_on() -> None:
    state = make_state(make_job(status="in_progress"))
    first = fail(state, repeat=make_repeat(1))
    assert isinstance(first, JobFailed)
    apply(state, CancelJob(job_id="job-1"))
    assert fail(state, repeat=make_repeat(1)) == first
    assert fail(reload(state), repeat=make_repeat(1)) == first


@pytest.mark.parametrize(
    ("mutation", "outcome"),
    [
        (CancelJob(job_id="job-1"), JobCancelled(is_gone=True)),
        (RedriveDead(), JobsChanged(1)),
        (PauseQueue(), QueuePaused()),
    ],
)
def test_repeat_of_an_operation_gets_the_first_answer(mutation: Mutation, outcome: object) -> None:
    state = make_state(make_job(1), make_job(2, status="dead"))
    mutation.repeat = make_repeat(1)
    assert apply(state, mutation) == outcome
    assert apply(state, ResumeQueue()) is not None
    before = state.totals.paused, list(state.table.by_id)
    assert apply(state, mutation) == outcome
    assert (state.totals.paused, list(state.table.by_id)) == before
    mutation.repeat = None


def test_ok_that_changes_nothing_else_is_recorded_all_the_same() -> None:
    state = make_state()
    apply(state, PauseQueue())
    state.has_changed = False
    apply(state, PauseQueue(repeat=make_repeat(1)))
    assert state.has_changed
    apply(state, ResumeQueue())
    apply(state, PauseQueue(repeat=make_repeat(1)))
    assert not state.totals.paused


def test_sequence_used_for_other_content_is_refused_and_breaks_nothing() -> None:
    state = make_state(make_job(1, status="in_progress"))
    submit(state, make_new_job(2), repeat=make_repeat(1))
    refused(fail(state, repeat=make_repeat(1)), InvalidRequest)
    fail(state, repeat=make_repeat(2))
    refused(submit(state, make_new_job(3), repeat=make_repeat(2)), InvalidRequest)
    assert "job-3" not in state.table.by_id


def test_settlements_of_a_client_without_room_for_an_entry_are_applied_unrecorded() -> None:
    jobs = [make_job(order, status="in_progress") for order in (1, 2, 3)]
    state = make_state(*jobs, rules=make_rules(client_entries_max=0))
    assert complete(state, "job-1", repeat=make_repeat(1)) == JobsCompleted(["job-1"], [])
    assert isinstance(fail(state, "job-2", repeat=make_repeat(2)), JobFailed)
    assert len(state.clients) == 0
    snooze = SnoozeJob(worker_id="worker-1", lease=Lease("job-3"), delay_ms=5)
    snooze.repeat = make_repeat(3)
    refused(apply(state, snooze), QueueFull)
    refused(apply(state, ClaimJobs(worker_id="worker-1", repeat=make_repeat(4))), QueueFull)


def test_answered_sequence_surely_needs_no_write() -> None:
    state = make_state()
    mutation = SubmitJobs(jobs=[make_new_job()], repeat=make_repeat(1))
    assert not state.refuses(mutation)
    apply(state, mutation)
    assert state.refuses(mutation)
    assert state.answer_repeat(SubmitJobs(jobs=[])) is None


def test_clients_do_not_share_their_sequences() -> None:
    state = make_state()
    submit(state, make_new_job(1), repeat=RepeatKey("client-1", 1))
    submit(state, make_new_job(2), repeat=RepeatKey("client-2", 1))
    assert list(state.table.by_id) == ["job-1", "job-2"]

"""What gathers, what becomes final, and what is given back."""

from __future__ import annotations

import pytest

from osqueue.core.errors import NotLeader, OutcomeUnknown
from osqueue.core.job import JobError
from osqueue.core.mutations import (
    ClaimJobs,
    CompleteJobs,
    FailJob,
    GiveBackJobs,
    HeartbeatJobs,
    Lease,
    Mutation,
    PauseQueue,
    ReadStats,
    SnoozeJob,
)
from osqueue.core.outcomes import ClaimedJob, JobsClaimed, QueuePaused
from osqueue.core.writes.batches import Batch, Gathering, claim_key
from osqueue.core.writes.tickets import Ticket
from tests.builders import make_job, make_repeat

LEASE = Lease("job-1", 1)
HEARTBEAT = HeartbeatJobs(worker_id="worker-1", leases=[LEASE])
COMPLETE = CompleteJobs(worker_id="worker-1", completions=[])
FAIL = FailJob(worker_id="worker-1", lease=LEASE, error=JobError("E", "failed"))
SNOOZE = SnoozeJob(worker_id="worker-1", lease=LEASE, delay_ms=1)
CLAIM = ClaimJobs(worker_id="worker-1", claim_id="claim-1")
CHAINED = CompleteJobs(worker_id="worker-1", completions=[], claim=CLAIM)
PAUSE = PauseQueue()
KEY = ("worker-1", "claim-1")
GIVE_BACK = GiveBackJobs(worker_id="worker-1", leases=[LEASE])
JOBS = [ClaimedJob.of(make_job(attempts=1))]


def mutations(entries: object) -> list[Mutation]:
    return [entry[2] for entry in entries]


class TestGathering:
    def test_gathered_requests_come_in_the_order_of_a_batch(self) -> None:
        gathering = Gathering()
        requests = [PAUSE, SNOOZE, ReadStats(), FAIL, COMPLETE, CLAIM, HEARTBEAT]
        gathering.add(Ticket(requests), is_late=False)
        assert gathering.has_work
        assert mutations(gathering.take_of_held_jobs()) == [HEARTBEAT, COMPLETE, FAIL, SNOOZE]
        assert mutations(gathering.take_rest()) == [PAUSE, CLAIM]
        assert mutations(gathering.take_queries()) == [ReadStats()]
        assert not gathering.has_work
        assert gathering.take_all() == []

    def test_queries_to_be_confirmed_are_kept_apart(self) -> None:
        gathering, confirmed = Gathering(), ReadStats(is_confirmed=True)
        gathering.add(Ticket([ReadStats(), confirmed]), is_late=True)
        assert mutations(gathering.take_queries()) == [ReadStats()]
        assert gathering.has_work
        assert mutations(gathering.take_confirmed()) == [confirmed]
        assert not gathering.has_work
        gathering.add(Ticket([confirmed]), is_late=False)
        assert [request for _, _, request in gathering.take_all()] == [confirmed]

    def test_late_mutations_are_kept_apart(self) -> None:
        gathering = Gathering()
        gathering.add(Ticket([PAUSE, ReadStats()]), is_late=True)
        assert gathering.has_work
        assert len(gathering.take_queries()) == 1
        assert mutations(gathering.take_late()) == [PAUSE]
        assert not gathering.has_work

    def test_deferred_requests_are_looked_at_again_only_with_a_write(self) -> None:
        gathering = Gathering()
        gathering.add(deferred := Ticket([PAUSE, FAIL]), is_late=False)
        for entry in gathering.take_fresh():
            gathering.defer(entry)
        gathering.add(fresh := Ticket([HEARTBEAT, CLAIM]), is_late=False)
        assert gathering.is_behind_deferred(deferred)
        assert not gathering.is_behind_deferred(fresh)
        assert mutations(gathering.take_fresh()) == [HEARTBEAT, CLAIM]
        assert gathering.has_work
        assert mutations(gathering.take_of_held_jobs()) == [FAIL]
        assert mutations(gathering.take_rest()) == [PAUSE]
        assert not gathering.is_behind_deferred(deferred)
        assert not gathering.has_work

    def test_everything_is_taken_when_the_term_is_over(self) -> None:
        gathering = Gathering()
        gathering.add(Ticket([PAUSE, ReadStats()]), is_late=False)
        gathering.add(Ticket([FAIL]), is_late=True)
        gathering.waiting_claims.add(Ticket([CLAIM]), 0, CLAIM)
        requests = [request for _, _, request in gathering.take_all()]
        assert requests == [ReadStats(), PAUSE, FAIL, CLAIM]
        assert len(gathering.waiting_claims) == 0

    @pytest.mark.parametrize("mutation", [CLAIM, CHAINED])
    @pytest.mark.parametrize("is_late", [True, False])
    def test_repeated_claims_are_those_to_be_given_back(
        self, mutation: Mutation, is_late: bool
    ) -> None:
        gathering = Gathering()
        gathering.add(ticket := Ticket([PAUSE, mutation]), is_late=is_late)
        assert list(gathering.repeated_claims()) == []
        gathering.give_backs[KEY] = GIVE_BACK
        assert mutations(gathering.repeated_claims()) == [mutation]
        ticket.is_abandoned = True
        assert list(gathering.repeated_claims()) == []
        assert gathering.take_give_backs() == {KEY: GIVE_BACK}
        assert gathering.give_backs == {}

    @pytest.mark.parametrize(
        ("request_", "key"),
        [
            (CLAIM, KEY),
            (CHAINED, KEY),
            (COMPLETE, None),
            (FAIL, None),
            (ClaimJobs(worker_id="worker-1"), None),
            (ClaimJobs(worker_id="worker-1", repeat=make_repeat(2)), ("worker-1", "client-1:2")),
        ],
    )
    def test_claim_key_is_what_a_claim_and_its_repeat_have_in_common(
        self, request_: Mutation, key: tuple[str, ...] | None
    ) -> None:
        assert claim_key(request_) == key


class TestBatch:
    def test_ticket_is_complete_with_its_last_outcome(self) -> None:
        ticket = Ticket([PAUSE, PAUSE])
        first, second = Batch(), Batch()
        first.put(ticket, 1, QueuePaused())
        second.put(ticket, 0, QueuePaused())
        assert (len(first), first.settle()) == (1, [])
        assert second.settle() == [ticket]

    def test_refused_batch_has_one_error_for_all_and_perhaps_another_for_queries(self) -> None:
        ticket = Ticket([PAUSE, ReadStats()])
        unknown, not_leader = OutcomeUnknown("unknown"), NotLeader("gone")
        for query_error in (None, not_leader):
            batch = Batch()
            ticket.unsettled_count = 2
            for index in range(2):
                batch.put(ticket, index, QueuePaused())
            assert batch.refuse(unknown, query_error=query_error) == [ticket]
            assert ticket.outcomes == [unknown, query_error or unknown]

    def test_claim_is_given_back_when_its_caller_is_gone(self) -> None:
        batch, ticket = Batch(), Ticket([CLAIM])
        batch.hand_out(ticket, KEY, "worker-1", JobsClaimed(JOBS))
        assert batch.unclaimed() == {}
        ticket.is_abandoned = True
        assert batch.unclaimed() == {KEY: GIVE_BACK}

    def test_claim_without_an_id_is_given_back_under_its_job(self) -> None:
        claim = ClaimJobs(worker_id="worker-1")
        batch, ticket = Batch(), Ticket([claim])
        ticket.is_abandoned = True
        batch.hand_out(ticket, None, "worker-1", JobsClaimed(JOBS))
        assert batch.unclaimed() == {("worker-1", "", "job-1"): GIVE_BACK}

    def test_repeat_gives_nothing_back_that_was_not_to_be_given_back(self) -> None:
        batch, repeat = Batch(), Ticket([CLAIM])
        repeat.is_abandoned = True
        batch.hand_out(repeat, KEY, "worker-1", JobsClaimed(JOBS, is_repeat=True))
        assert batch.unclaimed() == {}
        batch.withdrawn[KEY] = GIVE_BACK
        assert batch.unclaimed() == {KEY: GIVE_BACK}
        repeat.is_abandoned = False
        assert batch.unclaimed() == {}

    def test_claim_is_kept_while_anybody_who_shares_it_is_there(self) -> None:
        batch, gone, there = Batch(), Ticket([CLAIM]), Ticket([CLAIM])
        gone.is_abandoned = True
        batch.hand_out(gone, KEY, "worker-1", JobsClaimed(JOBS))
        batch.hand_out(there, KEY, "worker-1", JobsClaimed(JOBS, is_repeat=True))
        assert batch.unclaimed() == {}

    def test_outcomes_are_noted_where_they_belong(self) -> None:
        batch, ticket = Batch(), Ticket([PAUSE, CLAIM])
        batch.put(ticket, 1, JobsClaimed([]))
        assert ticket.outcomes == [None, JobsClaimed([])]

"""Claims: waiting, sharing, callers that are gone, giving back, repeats."""

from __future__ import annotations

import pytest

from osqueue.core.errors import InvalidRequest
from osqueue.core.mutations import (
    CompleteJobs,
    Completion,
    Lease,
    PauseQueue,
    Request,
    ResumeQueue,
)
from osqueue.core.outcomes import JobsClaimed, JobsCompleted
from osqueue.core.writes.effects import LoadDocument, Settle, WaitUntil, WriteDocument
from osqueue.core.writes.tickets import Ticket
from tests.builders import make_repeat
from tests.core.driven import DrivenBroker, claim_jobs, claimed_ids, lead, submit_job

NOTHING = JobsClaimed([])


def ask_waiting(broker: DrivenBroker, claim_id: str = "", **fields: object) -> Ticket:
    """A claim that waits for a minute."""
    claim = claim_jobs(claim_id, wait_until_ms=broker.steady_ms + 60_000, **fields)
    return broker.ask(claim)


def settle_claim_of_two() -> tuple[DrivenBroker, list[Ticket]]:
    """Two callers waited with one claim id; the write that gives them job 1 is settled."""
    broker = lead()
    tickets = [ask_waiting(broker, "claim-1") for _ in range(2)]
    broker.settle()
    broker.ask(submit_job())
    broker.land(broker.expect(WriteDocument))
    broker.expect(Settle)
    return broker, tickets


def status_of(broker: DrivenBroker, job_id: str = "job-1") -> tuple[str, int, int]:
    """Status, attempts and maxAttempts as they are stored."""
    job = broker.stored.loaded().state.table.by_id[job_id]
    return job.status, job.attempts, job.max_attempts


def give_back_one(broker: DrivenBroker, claim_id: str = "claim-1", **fields: object) -> None:
    """Job 1 is claimed, and its caller is gone when the write is settled."""
    broker.answer(submit_job(1))
    abandon(broker, claim_jobs(claim_id, **fields), is_settled=False)


def abandon(broker: DrivenBroker, *requests: Request, is_settled: bool) -> None:
    """The write of these requests lands; their caller is gone before that, or goes before it hears
    of it."""
    gone, write = broker.begin_write(*requests)
    if not is_settled:
        broker.term.abandon(gone)
    broker.land(write)
    assert gone in broker.expect(Settle).tickets
    if is_settled:
        broker.term.abandon(gone)


class TestWaiting:
    def test_waiting_claim_is_served_in_the_write_of_the_submit(self) -> None:
        broker = lead()
        waiting = ask_waiting(broker)
        assert broker.settle() == 0
        submitted = broker.ask(submit_job())
        assert broker.settle() == 1
        assert claimed_ids(waiting.outcomes[0]) == ["job-1"]
        assert not submitted.unsettled_count
        assert status_of(broker) == ("in_progress", 1, 3)

    def test_waiting_claims_are_served_in_order_of_arrival(self) -> None:
        broker = lead()
        tickets = [ask_waiting(broker, worker_id=f"worker-{number}") for number in range(3)]
        broker.settle()
        broker.answer(submit_job(1), submit_job(2))
        assert [claimed_ids(ticket.outcomes[0]) for ticket in tickets[:2]] == [["job-1"], ["job-2"]]
        assert tickets[2].unsettled_count == 1

    def test_waiting_claim_gets_only_jobs_of_its_types(self) -> None:
        broker = lead()
        picky = ask_waiting(broker, types=["b"])
        broker.settle()
        broker.answer(submit_job(1, type="a"))
        assert picky.unsettled_count == 1
        broker.answer(submit_job(2, type="b"))
        assert claimed_ids(picky.outcomes[0]) == ["job-2"]

    def test_waiting_claim_gets_a_paused_job_when_the_pause_ends(self) -> None:
        broker = lead()
        waiting = ask_waiting(broker)
        broker.answer(PauseQueue(), submit_job())
        assert waiting.unsettled_count == 1
        broker.answer(ResumeQueue())
        assert claimed_ids(waiting.outcomes[0]) == ["job-1"]

    def test_waiting_claim_ends_with_nothing_at_its_time(self) -> None:
        broker = lead()
        waiting = broker.ask(claim_jobs(wait_until_ms=broker.steady_ms + 1_000))
        broker.settle()
        wait = broker.expect(WaitUntil)
        assert wait.steady_ms == broker.steady_ms + 1_000
        broker.do(wait)
        assert broker.settle() == 0
        assert waiting.outcomes == [NOTHING]

    def test_abandoned_waiting_claim_takes_nothing(self) -> None:
        broker = lead()
        gone = ask_waiting(broker)
        broker.settle()
        broker.term.abandon(gone)
        broker.answer(submit_job())
        assert status_of(broker) == ("unclaimed", 0, 3)

    def test_claim_whose_callers_are_gone_when_the_batch_forms_is_dropped(self) -> None:
        broker = lead()
        broker.answer(submit_job(1), submit_job(2))
        broker.answer(claim_jobs())
        completion = Completion(lease=Lease("job-1"))
        next_one = CompleteJobs(
            worker_id="worker-1", completions=[completion], claim=claim_jobs("claim-2")
        )
        gone = broker.ask(next_one, claim_jobs("claim-3"))
        broker.term.abandon(gone)
        assert broker.settle() == 1
        assert broker.stored.job_ids() == ["job-2"], "what was completed counts"
        assert status_of(broker, "job-2") == ("unclaimed", 0, 3)

    def test_repeat_below_the_floor_is_refused_at_once_not_after_its_wait(self) -> None:
        broker = lead()
        broker.answer(submit_job(1, sequence=5))
        broker.answer(claim_jobs())
        late = ask_waiting(broker, repeat=make_repeat(2, floor=3))
        broker.settle()
        assert isinstance(late.outcomes[0], InvalidRequest)

    def test_repeat_of_a_claim_whose_jobs_have_ended_does_not_wait_for_others(self) -> None:
        broker = lead()
        broker.answer(submit_job(1))
        broker.answer(claim_jobs(repeat=make_repeat(1)))
        completion = Completion(lease=Lease("job-1"))
        broker.answer(CompleteJobs(worker_id="worker-1", completions=[completion]))
        again = ask_waiting(broker, repeat=make_repeat(1))
        broker.settle()
        assert again.outcomes == [NOTHING]


class TestSharing:
    def test_second_claim_with_the_same_id_joins_the_first(self) -> None:
        broker = lead()
        first = ask_waiting(broker, "claim-1")
        broker.settle()
        second = ask_waiting(broker, "claim-1")
        broker.settle()
        broker.answer(submit_job())
        assert claimed_ids(first.outcomes[0]) == claimed_ids(second.outcomes[0]) == ["job-1"]
        assert status_of(broker) == ("in_progress", 1, 3)

    def test_second_claim_with_the_same_sequence_joins_the_first(self) -> None:
        broker = lead()
        tickets = [ask_waiting(broker, repeat=make_repeat(7)) for _ in range(2)]
        broker.settle()
        broker.answer(submit_job())
        assert [claimed_ids(ticket.outcomes[0]) for ticket in tickets] == [["job-1"], ["job-1"]]

    def test_shared_claim_with_more_jobs_than_it_takes_is_served_once(self) -> None:
        # Whoever repeats a long poll on a new connection must not bring the broker down.
        broker = lead()
        tickets = [ask_waiting(broker, "claim-1") for _ in range(2)]
        broker.settle()
        broker.answer(submit_job(1), submit_job(2), submit_job(3))
        assert [claimed_ids(ticket.outcomes[0]) for ticket in tickets] == [["job-1"], ["job-1"]]
        assert status_of(broker, "job-2") == ("unclaimed", 0, 3)

    def test_same_claim_id_of_another_worker_is_another_claim(self) -> None:
        broker = lead()
        first = ask_waiting(broker, "claim-1")
        second = ask_waiting(broker, "claim-1", worker_id="worker-2")
        broker.settle()
        broker.answer(submit_job(1), submit_job(2))
        assert claimed_ids(first.outcomes[0]) == ["job-1"]
        assert claimed_ids(second.outcomes[0]) == ["job-2"]

    def test_shared_claim_is_kept_while_one_caller_is_there(self) -> None:
        broker = lead()
        tickets = [ask_waiting(broker, "claim-1") for _ in range(2)]
        broker.settle()
        broker.ask(submit_job())
        write = broker.expect(WriteDocument)
        broker.term.abandon(tickets[0])
        broker.land(write)
        broker.settle()
        assert status_of(broker) == ("in_progress", 1, 3)

    def test_shared_claim_is_given_back_once_all_callers_are_gone(self) -> None:
        broker = lead()
        tickets = [ask_waiting(broker, "claim-1") for _ in range(2)]
        broker.settle()
        broker.ask(submit_job())
        write = broker.expect(WriteDocument)
        for ticket in tickets:
            broker.term.abandon(ticket)
        broker.land(write)
        broker.settle()
        assert status_of(broker) == ("unclaimed", 1, 4)


class TestGivingBack:
    def test_claim_whose_caller_is_gone_at_settlement_is_given_back(self) -> None:
        broker = lead()
        give_back_one(broker)
        broker.settle()
        assert status_of(broker) == ("unclaimed", 1, 4)

    def test_claim_whose_caller_goes_before_it_hears_of_the_settlement_is_given_back(self) -> None:
        broker = lead()
        broker.answer(submit_job(1))
        abandon(broker, claim_jobs(), is_settled=True)
        broker.settle()
        assert status_of(broker) == ("unclaimed", 1, 4)

    def test_claim_is_given_back_once_only(self) -> None:
        # The next write gives it to another worker, who keeps it.
        broker = lead()
        broker.answer(submit_job(1))
        abandon(broker, claim_jobs("claim-1"), is_settled=True)
        [claimed] = broker.answer(claim_jobs("claim-1", worker_id="worker-2"))
        assert claimed_ids(claimed) == ["job-1"]
        assert broker.settle() == 0
        assert status_of(broker) == ("in_progress", 2, 4)

    def test_repeat_cancels_the_give_back_of_a_settled_claim(self) -> None:
        broker = lead()
        broker.answer(submit_job(1))
        repeated = claim_jobs(repeat=make_repeat(1))
        abandon(broker, repeated, is_settled=True)
        assert claimed_ids(broker.answer(repeated)[0]) == ["job-1"]
        assert broker.settle() == 0
        assert status_of(broker) == ("in_progress", 1, 3)

    def test_settled_claim_is_given_back_before_a_draining_leader_releases(self) -> None:
        broker = lead()
        broker.answer(submit_job(1))
        abandon(broker, claim_jobs(), is_settled=True)
        broker.term.drain()
        broker.settle()
        assert broker.stored.header().broker is None
        assert status_of(broker) == ("unclaimed", 1, 4)

    def test_settled_claim_of_a_term_that_is_over_keeps_its_lease(self) -> None:
        # Somebody else leads: whoever is deposed writes nothing.
        broker = lead()
        broker.answer(submit_job(1))
        gone, write = broker.begin_write(claim_jobs())
        broker.lose(write, is_applied=True)
        successor = lead(broker.stored, 2, steady_ms=broker.steady_ms)
        broker.look(broker.expect(LoadDocument))
        assert broker.expect(Settle).tickets == [gone]
        broker.term.abandon(gone)
        broker.step_down()
        successor.settle()
        assert status_of(successor) == ("in_progress", 1, 3)

    def test_settled_claim_is_kept_while_one_of_its_callers_is_there(self) -> None:
        broker, tickets = settle_claim_of_two()
        broker.term.abandon(tickets[0])
        assert isinstance(broker.next(), WaitUntil)
        assert status_of(broker) == ("in_progress", 1, 3)

    def test_settled_claim_is_given_back_once_all_its_callers_are_gone(self) -> None:
        broker, tickets = settle_claim_of_two()
        for ticket in tickets:
            broker.term.abandon(ticket)
        broker.settle()
        assert status_of(broker) == ("unclaimed", 1, 4)

    def test_what_was_answered_before_is_not_given_back(self) -> None:
        # A repeat may have been told in the meantime that the worker holds it.
        broker = lead()
        broker.answer(submit_job(1))
        answered = broker.ask(claim_jobs("claim-1"))
        broker.settle()
        assert isinstance(broker.next(), WaitUntil)
        broker.term.abandon(answered)
        assert isinstance(broker.next(), WaitUntil)
        assert status_of(broker) == ("in_progress", 1, 3)

    def test_claim_without_an_id_is_given_back_as_well(self) -> None:
        broker = lead()
        give_back_one(broker, "")
        broker.settle()
        assert status_of(broker) == ("unclaimed", 1, 4)

    @pytest.mark.parametrize("is_settled", [False, True])
    def test_claim_of_a_completion_is_given_back_and_the_completion_stands(
        self, is_settled: bool
    ) -> None:
        broker = lead()
        broker.answer(submit_job(1), submit_job(2))
        broker.answer(claim_jobs())
        completion = Completion(lease=Lease("job-1"))
        chained = CompleteJobs(
            worker_id="worker-1",
            completions=[completion],
            claim=claim_jobs(),
            repeat=make_repeat(1),
        )
        abandon(broker, chained, submit_job(3), is_settled=is_settled)
        broker.settle()
        assert broker.stored.job_ids() == ["job-2", "job-3"]
        assert status_of(broker, "job-2") == ("unclaimed", 1, 4)
        again = broker.answer(chained)
        assert again == [JobsCompleted(["job-1"], [], NOTHING)]

    def test_repeat_cancels_the_give_back(self) -> None:
        # Else attempt 1 would run at the worker that got the repeat's answer, and attempt 2 at
        # another, though no lease ran out.
        broker = lead()
        give_back_one(broker)
        repeat = broker.ask(claim_jobs("claim-1"))
        broker.settle()
        assert claimed_ids(repeat.outcomes[0]) == ["job-1"]
        assert status_of(broker) == ("in_progress", 1, 3)
        assert broker.answer(claim_jobs(worker_id="worker-2")) == [NOTHING]

    def test_repeat_by_sequence_cancels_the_give_back(self) -> None:
        broker = lead()
        give_back_one(broker, "", repeat=make_repeat(1))
        repeat = broker.ask(claim_jobs(repeat=make_repeat(1)))
        broker.settle()
        assert claimed_ids(repeat.outcomes[0]) == ["job-1"]
        assert status_of(broker) == ("in_progress", 1, 3)

    def test_repeat_while_draining_cancels_the_give_back(self) -> None:
        broker = lead()
        give_back_one(broker, repeat=make_repeat(1))
        broker.term.drain()
        repeat = broker.ask(claim_jobs("claim-1", repeat=make_repeat(1)))
        broker.settle()
        assert claimed_ids(repeat.outcomes[0]) == ["job-1"]
        assert status_of(broker) == ("in_progress", 1, 3)

    def test_repeat_whose_caller_is_gone_too_does_not_cancel_the_give_back(self) -> None:
        broker = lead()
        give_back_one(broker)
        broker.term.abandon(broker.ask(claim_jobs("claim-1")))
        broker.settle()
        assert status_of(broker) == ("unclaimed", 1, 4)

    def test_repeat_whose_caller_goes_before_its_answer_lets_it_be_given_back(self) -> None:
        broker = lead()
        give_back_one(broker)
        repeat = broker.ask(claim_jobs("claim-1"), submit_job(2))
        write = broker.expect(WriteDocument)
        broker.term.abandon(repeat)
        broker.land(write)
        broker.settle()
        assert status_of(broker) == ("unclaimed", 1, 4)

    def test_abandoned_repeat_gives_nothing_back_of_what_the_first_caller_holds(self) -> None:
        # The worker's first connection was answered; its second, with the repeat, is closed.
        broker = lead()
        broker.answer(submit_job(1))
        assert claimed_ids(broker.answer(claim_jobs("claim-1"))[0]) == ["job-1"]
        repeat, write = broker.begin_write(claim_jobs("claim-1"), submit_job(2))
        broker.term.abandon(repeat)
        broker.land(write)
        broker.settle()
        assert status_of(broker) == ("in_progress", 1, 3)

    def test_other_requests_leave_the_give_back_alone(self) -> None:
        broker = lead()
        give_back_one(broker)
        broker.answer(submit_job(2), claim_jobs("claim-2", types=["none"]))
        assert status_of(broker) == ("unclaimed", 1, 4)

    def test_lease_runs_from_the_settlement_of_the_claim(self) -> None:
        broker = lead()
        broker.answer(submit_job())
        _, write = broker.begin_write(claim_jobs())
        broker.wait(2_000)
        assert broker.term.state.next_expiry_ms() is None
        broker.land(write)
        assert broker.term.state.next_expiry_ms() == broker.steady_ms + 30_000

"""What lost replies mean: the rules for settling, each counterexample of the model of two brokers
and a store that loses, delays and repeats, and undoing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from osqueue.core.errors import NotLeader, OutcomeUnknown, QueueError, Unavailable
from osqueue.core.limits import LINEAGE_LENGTH
from osqueue.core.outcomes import JobsSubmitted
from osqueue.core.writes.effects import LoadDocument, Settle, WaitUntil, WriteDocument
from osqueue.core.writes.tickets import Ticket
from tests.core.driven import (
    TIMEOUT_MS,
    DrivenBroker,
    StoredObject,
    claim_jobs,
    claimed_ids,
    lead,
    submit_job,
)

APPLIED = JobsSubmitted(["job-1"])


def refusal_of(ticket: Ticket) -> type[QueueError]:
    [outcome] = ticket.outcomes
    assert isinstance(outcome, QueueError), outcome
    return type(outcome)


def next_write(broker: DrivenBroker, refused: WriteDocument | None = None) -> WriteDocument:
    """The next attempt to write, after whatever wait; the last one was surely not applied."""
    if refused is not None:
        broker.term.write_not_applied(broker.steady_ms)
    while isinstance(effect := broker.next(), WaitUntil):
        broker.do(effect)
    assert isinstance(effect, WriteDocument), effect
    return effect


def until_given_up(broker: DrivenBroker, answer: Callable[[object], None]) -> list[Ticket]:
    """While every store call ends as `answer` says, wait until callers are told something."""
    while not isinstance(effect := broker.next(), Settle):
        if isinstance(effect, WaitUntil):
            broker.do(effect)
        else:
            answer(effect)
    return effect.tickets


class TestFourRules:
    def test_rule_1_our_commit_id_means_landed(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.lose(write, is_applied=True)
        broker.look(broker.expect(LoadDocument))
        assert broker.expect(Settle).tickets == [ticket]
        assert ticket.outcomes == [APPLIED]
        assert broker.stored.puts_count == 2
        assert broker.answer(submit_job(2)) == [JobsSubmitted(["job-2"])]

    def test_rule_2_the_version_that_is_replaced_means_the_identical_bytes_again(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.lose(write, is_applied=False)
        assert broker.expect(LoadDocument).if_changed_from == write.base_version
        broker.look(LoadDocument(if_changed_from=write.base_version))
        gathered = broker.ask(submit_job(2))
        again = next_write(broker)
        assert (again.chunks, again.base_version) == (write.chunks, write.base_version)
        broker.land(again)
        assert broker.expect(Settle).tickets == [ticket]
        assert gathered.unsettled_count == 1

    @pytest.mark.parametrize("is_applied", [True, False])
    def test_rule_3_the_lineage_tells_what_a_takeover_was_from(self, is_applied: bool) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        gathered = broker.ask(submit_job(2))
        broker.lose(write, is_applied=is_applied)
        lead(broker.stored, 2)
        broker.look(broker.expect(LoadDocument))
        if is_applied:
            assert broker.expect(Settle).tickets == [ticket, gathered]
            assert ticket.outcomes == [APPLIED]
        else:
            assert broker.expect(Settle).tickets == [ticket, gathered]
            assert refusal_of(ticket) is NotLeader
        assert refusal_of(gathered) is NotLeader
        ended = broker.step_down().error
        assert isinstance(ended, NotLeader)
        assert (ended.epoch, ended.broker_address) == (2, "10.0.0.2:8080")

    def test_rule_4_anything_else_means_that_nothing_can_tell(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        gathered = broker.ask(submit_job(2))
        broker.lose(write, is_applied=False)
        broker.stored.edit(commitId="9-1-00000000000000ff", epoch=9, lineage=[])
        broker.look(broker.expect(LoadDocument))
        broker.expect(Settle)
        assert refusal_of(ticket) is OutcomeUnknown
        assert refusal_of(gathered) is NotLeader
        broker.step_down()

    def test_conflict_with_nothing_else_there_sends_the_same_bytes_again(self) -> None:
        broker = lead()
        ticket, _ = broker.begin_write(submit_job())
        broker.term.write_conflicted()
        broker.look(broker.expect(LoadDocument))
        broker.land(next_write(broker))
        assert broker.expect(Settle).tickets == [ticket]

    def test_load_that_ignored_its_condition_says_the_same(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.lose(write, is_applied=False)
        broker.expect(LoadDocument)
        assert broker.stored.data is not None
        assert broker.stored.version is not None
        broker.term.document_loaded(broker.stored.data, broker.stored.version, broker.steady_ms)
        broker.land(next_write(broker))
        assert broker.expect(Settle).tickets == [ticket]

    def test_success_without_a_load_needs_none(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.land(write)
        assert broker.expect(Settle).tickets == [ticket]
        assert isinstance(broker.next(), WaitUntil)


class TestCounterexamples:
    """Traces that an exhaustive search has found where one rule was broken."""

    def test_commit_ids_of_two_brokers_in_one_epoch_carry_their_names(self) -> None:
        # Without the name, each would take the other's takeover for its own: two leaders.
        stored = StoredObject()
        first, second = DrivenBroker(stored, 1), DrivenBroker(stored, 2)
        first.look(first.expect(LoadDocument))
        lost = first.expect(WriteDocument)
        second.look(second.expect(LoadDocument))
        second.land(second.expect(WriteDocument))
        assert stored.header().epoch == 1
        first.lose(lost, is_applied=False)
        first.look(first.expect(LoadDocument))
        first.look(first.expect(LoadDocument))
        assert first.leadership.not_leader().broker_address == second.address

    def test_two_leaders_of_one_epoch_cannot_take_each_others_writes_for_theirs(self) -> None:
        stored = StoredObject()
        broker = lead(stored)
        ticket, write = broker.begin_write(submit_job())
        broker.lose(write, is_applied=False)
        # Epoch and sequence of our write, by somebody else.
        ours = broker.commit_ids.next(1).sequence - 1
        stored.edit(commitId=f"1-{ours}-00000000000000ff")
        broker.look(broker.expect(LoadDocument))
        assert refusal_of(ticket) is OutcomeUnknown

    def test_conflict_is_settled_by_lineage_too(self) -> None:
        # An early attempt landed after the read that found the write still open; the conflict of
        # the next one is then no proof that nothing was applied.
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.term.write_outcome_unknown()
        broker.look(broker.expect(LoadDocument))
        again = next_write(broker)
        assert broker.stored.put(write) is not None
        broker.land(again)
        lead(broker.stored, 2)
        broker.look(broker.expect(LoadDocument))
        broker.expect(Settle)
        assert ticket.outcomes == [APPLIED]
        assert broker.stored.job_ids() == ["job-1"]
        broker.step_down()

    def test_later_surely_not_applied_does_not_settle_an_earlier_unknown_attempt(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.term.write_outcome_unknown()
        broker.look(broker.expect(LoadDocument))
        next_write(broker)
        assert broker.stored.put(write) is not None

        def refuse(effect: object) -> None:
            if isinstance(effect, WriteDocument):
                broker.term.write_not_applied(broker.steady_ms)
            else:
                broker.term.load_failed(broker.steady_ms)

        broker.term.write_not_applied(broker.steady_ms)
        assert until_given_up(broker, refuse) == [ticket]
        assert refusal_of(ticket) is OutcomeUnknown, "it is in the document"
        broker.step_down()

    def test_absent_from_a_short_lineage_is_not_proof_of_not_landed(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.lose(write, is_applied=True)
        for number in range(2, LINEAGE_LENGTH + 3):
            lead(broker.stored, number)
        assert not any(broker.name in taken.taken_from for taken in broker.stored.header().lineage)
        broker.look(broker.expect(LoadDocument))
        assert refusal_of(ticket) is OutcomeUnknown
        assert broker.stored.job_ids() == ["job-1"]

    def test_mutation_is_never_applied_again_under_a_second_commit_id(self) -> None:
        # Refused, loaded, applied to what was found and sent as new bytes, it would be there twice
        # once the first attempt lands.
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.term.write_outcome_unknown()
        broker.look(broker.expect(LoadDocument))
        for _ in range(3):
            again = next_write(broker)
            assert again.chunks == write.chunks
            broker.term.write_not_applied(broker.steady_ms)
        broker.stored.put(write)
        broker.land(next_write(broker))
        broker.look(broker.expect(LoadDocument))
        assert ticket.outcomes == [APPLIED]
        assert broker.stored.job_ids() == ["job-1"]
        assert broker.stored.puts_count == 2

    def test_takeover_that_lands_after_it_was_given_up_is_taken_over_anew(self) -> None:
        stored = StoredObject()
        lead(stored, 2)
        broker = DrivenBroker(stored, 1)
        while not isinstance(write := broker.next(), WriteDocument):
            broker.do(write)
        broker.leadership.write_outcome_unknown()
        last_ms = broker.steady_ms + TIMEOUT_MS
        while broker.steady_ms < last_ms:
            if isinstance(effect := broker.next(), LoadDocument):
                broker.leadership.load_failed(broker.steady_ms)
            else:
                broker.do(effect)
        assert stored.put(write) is not None
        broker.elect()
        assert stored.header().epoch == 3
        assert broker.reason == "this broker's own write has landed that it gave up"


class TestGivingUp:
    def test_write_never_unknown_is_undone_and_unavailable(self) -> None:
        broker = lead()
        broker.answer(submit_job(9))
        ticket, _ = broker.begin_write(submit_job(1, sequence=1))
        broker.term.write_not_applied(broker.steady_ms)
        assert until_given_up(
            broker, lambda _: broker.term.write_not_applied(broker.steady_ms)
        ) == [ticket]
        assert refusal_of(ticket) is Unavailable
        assert broker.term.ending is None
        assert list(broker.term.state.table.by_id) == ["job-9"]

    def test_undone_batch_leaves_nothing_behind(self) -> None:
        broker = lead()
        broker.answer(submit_job(9))
        before = b"".join(broker.term.state.table.blocks.encode())
        broker.begin_write(submit_job(1, sequence=1), claim_jobs("claim-1"))
        broker.term.write_not_applied(broker.steady_ms)
        until_given_up(broker, lambda _: broker.term.write_not_applied(broker.steady_ms))
        state = broker.term.state
        assert b"".join(state.table.blocks.encode()) == before
        assert len(state.clients) == 0, "its sequence was not applied"
        assert state.totals == broker.stored.loaded().state.totals
        state.check_invariants()
        # The same sequence, sent again, is new.
        assert broker.answer(submit_job(1, sequence=1)) == [APPLIED]
        assert broker.stored.job_ids() == ["job-9", "job-1"]

    def test_undone_give_back_is_tried_again(self) -> None:
        broker = lead()
        broker.answer(submit_job())
        gone, write = broker.begin_write(claim_jobs("claim-1"))
        broker.term.abandon(gone)
        broker.land(write)
        broker.expect(Settle)
        undone = broker.expect(WriteDocument)
        while (write := next_write(broker, undone)).chunks == undone.chunks:
            undone = write
        broker.land(write)
        broker.settle()
        job = broker.stored.loaded().state.table.by_id["job-1"]
        assert (job.status, job.attempts, job.max_attempts) == ("unclaimed", 1, 4)

    def test_give_back_withdrawn_by_a_batch_that_is_undone_stays_due(self) -> None:
        broker = lead()
        broker.answer(submit_job(1))
        gone, write = broker.begin_write(claim_jobs("claim-1"))
        broker.term.abandon(gone)
        repeat = broker.ask(claim_jobs("claim-1"), submit_job(2))
        broker.land(write)
        broker.expect(Settle)
        broker.expect(WriteDocument)
        broker.term.write_not_applied(broker.steady_ms)
        assert until_given_up(
            broker, lambda _: broker.term.write_not_applied(broker.steady_ms)
        ) == [repeat]
        broker.settle()
        assert broker.stored.loaded().state.table.by_id["job-1"].status == "unclaimed"

    def test_waiting_claim_is_served_after_a_batch_was_undone(self) -> None:
        broker = lead()
        waiting = broker.ask(claim_jobs(wait_until_ms=broker.steady_ms + 60_000))
        broker.settle()
        broker.begin_write(submit_job(1, type="other"), submit_job(2, delay_ms=60_000))
        broker.term.write_not_applied(broker.steady_ms)
        until_given_up(broker, lambda _: broker.term.write_not_applied(broker.steady_ms))
        broker.settle()
        assert refusal_of(waiting) is Unavailable
        fresh = broker.ask(claim_jobs(wait_until_ms=broker.steady_ms + 60_000))
        broker.answer(submit_job(3))
        assert claimed_ids(fresh.outcomes[0]) == ["job-3"]

    def test_write_once_unknown_ends_the_term_after_the_timeout(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        gathered = broker.ask(submit_job(2))
        broker.lose(write, is_applied=False)
        until_given_up(broker, lambda _: broker.term.load_failed(broker.steady_ms))
        assert refusal_of(ticket) is OutcomeUnknown
        assert refusal_of(gathered) is NotLeader
        broker.step_down()

    def test_attempt_that_outlasts_the_timeout_is_still_looked_for_once(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.wait(3 * TIMEOUT_MS)
        broker.lose(write, is_applied=True)
        broker.look(broker.expect(LoadDocument))
        assert broker.expect(Settle).tickets == [ticket]
        assert ticket.outcomes == [APPLIED]

    def test_leases_are_renewed_when_a_batch_is_undone(self) -> None:
        broker = lead()
        broker.answer(submit_job())
        broker.answer(claim_jobs())
        broker.begin_write(submit_job(2))
        broker.term.write_not_applied(broker.steady_ms)
        until_given_up(broker, lambda _: broker.term.write_not_applied(broker.steady_ms))
        assert broker.term.state.next_expiry_ms() == broker.steady_ms + 30_000

    def test_attempt_that_timed_out_counts_as_that_slow(self) -> None:
        broker = lead()
        _, write = broker.begin_write(submit_job())
        broker.term.write_outcome_unknown(timed_out_ms=write.timeout_ms)
        broker.look(broker.expect(LoadDocument))
        assert broker.pace.slowest_ms == write.timeout_ms
        assert next_write(broker).timeout_ms >= 2 * write.timeout_ms

    def test_stepped_down_broker_leads_again_only_by_a_new_election(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job(1, sequence=1))
        broker.lose(write, is_applied=True)
        until_given_up(broker, lambda _: broker.term.load_failed(broker.steady_ms))
        broker.step_down()
        assert refusal_of(ticket) is OutcomeUnknown
        broker.elect()
        assert broker.term.epoch == 2
        # The repeat finds what the first attempt did.
        assert broker.answer(submit_job(1, sequence=1)) == [APPLIED]
        assert broker.stored.job_ids() == ["job-1"]

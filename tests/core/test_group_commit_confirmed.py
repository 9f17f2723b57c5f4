"""Queries that are to be confirmed by the store: a term driven by facts."""

from __future__ import annotations

from osqueue.core.errors import NotLeader, Unavailable
from osqueue.core.mutations import ReadJob, ReadStats
from osqueue.core.outcomes import JobRead, JobsSubmitted, QueueStats
from osqueue.core.writes.effects import Settle, StepDown, WaitUntil, WriteDocument
from storage_adapters.throttled import Throttle
from tests.core.driven import BEAT_MS, TIMEOUT_MS, DrivenBroker, lead, submit_job

CONFIRMED = ReadStats(is_confirmed=True)
GAP_MS = 1_000


def takeover_by_another(leader: DrivenBroker) -> DrivenBroker:
    """Another broker leads by now, and the first one has heard nothing."""
    successor = DrivenBroker(leader.stored, 2, steady_ms=leader.steady_ms)
    successor.elect()
    return successor


def test_confirmed_query_is_answered_with_a_write_that_began_after_it() -> None:
    leader = lead()
    ticket, write = leader.begin_write(CONFIRMED)
    assert ticket.unsettled_count
    leader.land(write)
    assert isinstance(leader.next(), Settle)
    [stats] = ticket.outcomes
    assert isinstance(stats, QueueStats)
    # What was committed when it was asked: that of the write before.
    assert stats.commit_id == "1-1-0000000000000001"
    assert leader.term.mutation_writes_count == 0


def test_other_queries_are_answered_at_once_and_cost_nothing() -> None:
    leader = lead()
    ticket = leader.ask(ReadStats())
    assert leader.settle() == 0
    assert not ticket.unsettled_count


def test_query_that_came_during_a_write_waits_for_the_next() -> None:
    leader = lead()
    _, first = leader.begin_write(submit_job())
    ticket = leader.ask(CONFIRMED)
    leader.land(first)
    assert isinstance(leader.next(), Settle)
    assert ticket.unsettled_count
    assert leader.settle() == 1
    [stats] = ticket.outcomes
    assert isinstance(stats, QueueStats)
    assert stats.unclaimed == 1


def test_all_that_gathers_shares_one_write() -> None:
    leader = lead()
    _, first = leader.begin_write(submit_job(1))
    tickets = [leader.ask(CONFIRMED) for _ in range(1_000)]
    tickets.append(leader.ask(submit_job(2)))
    leader.land(first)
    assert leader.settle() == 1
    assert not any(ticket.unsettled_count for ticket in tickets)
    assert tickets[-1].outcomes == [JobsSubmitted(["job-2"])]


def test_deposed_leader_that_trusts_itself_never_answers_a_confirmed_query() -> None:
    leader = lead()
    successor = takeover_by_another(leader)
    successor.answer(submit_job())
    # Its clock stood still: it believes that it leads.
    assert leader.term.is_trusted(leader.steady_ms)
    [stale] = leader.answer(ReadStats())
    assert isinstance(stale, QueueStats)
    assert stale.total == 0
    ticket = leader.ask(CONFIRMED, ReadJob(job_id="job-1", is_confirmed=True))
    leader.settle()
    assert isinstance(leader.step_down(), StepDown)
    assert [type(outcome) for outcome in ticket.outcomes] == [NotLeader, NotLeader]
    [found] = successor.answer(ReadJob(job_id="job-1", is_confirmed=True))
    assert isinstance(found, JobRead)


def test_store_that_takes_no_write_confirms_nothing() -> None:
    leader = lead()
    ticket, write = leader.begin_write(CONFIRMED)
    end_ms = leader.steady_ms + 2 * TIMEOUT_MS
    effect: object = write
    while ticket.unsettled_count and leader.steady_ms < end_ms:
        if isinstance(effect, WriteDocument):
            leader.term.write_not_applied(leader.steady_ms)
        elif not isinstance(effect, Settle):
            leader.do(effect)
        effect = leader.next()
    assert isinstance(ticket.outcomes[0], Unavailable)


def test_leader_that_is_not_trusted_confirms_with_its_heartbeat() -> None:
    leader = lead()
    leader.wait(TIMEOUT_MS)
    ticket = leader.ask(CONFIRMED, ReadStats())
    assert leader.settle() == 1
    assert not ticket.unsettled_count


def test_confirming_write_is_a_heartbeat() -> None:
    leader = lead()
    leader.wait(BEAT_MS - 1)
    leader.answer(CONFIRMED)
    assert leader.term.proven_ms == leader.steady_ms
    assert leader.expect(WaitUntil).steady_ms == leader.steady_ms + BEAT_MS


class TestSpacing:
    def test_gap_of_the_store_is_kept(self) -> None:
        leader = lead(gap_ms=GAP_MS)
        began_ms = leader.steady_ms
        ticket = leader.ask(CONFIRMED)
        assert leader.expect(WaitUntil).steady_ms == began_ms + GAP_MS
        assert leader.settle() == 0
        leader.wait(GAP_MS)
        assert leader.settle() == 1
        assert not ticket.unsettled_count

    def test_interval_holds_it_back_as_a_mutation(self) -> None:
        leader = lead(interval_ms=500)
        began_ms = leader.steady_ms
        ticket = leader.ask(CONFIRMED)
        other = leader.ask(ReadStats())
        assert leader.settle() == 0
        assert not other.unsettled_count
        assert leader.expect(WaitUntil).steady_ms == began_ms + 500
        leader.wait(500)
        assert leader.settle() == 1
        assert not ticket.unsettled_count

    def test_budget_that_is_spent_leaves_it_the_heartbeat(self) -> None:
        budget = Throttle(writes_per_day=1)
        leader = lead(budget=budget)
        budget.write_begins(leader.now_ms, leader.steady_ms)
        began_ms = leader.steady_ms
        ticket = leader.ask(CONFIRMED)
        assert leader.expect(WaitUntil).steady_ms == began_ms + BEAT_MS
        leader.wait(BEAT_MS)
        assert leader.settle() == 1
        assert not ticket.unsettled_count


class TestDraining:
    def test_release_confirms_what_waits(self) -> None:
        leader = lead()
        leader.term.drain()
        ticket, release = leader.begin_write(CONFIRMED)
        assert b'"broker":null' in b"".join(release.chunks)
        leader.land(release)
        assert isinstance(leader.next(), Settle)
        assert isinstance(ticket.outcomes[0], QueueStats)
        assert isinstance(leader.next(), StepDown)

    def test_release_that_does_not_land_confirms_nothing(self) -> None:
        leader = lead()
        takeover_by_another(leader)
        leader.term.drain()
        ticket = leader.ask(CONFIRMED)
        leader.settle()
        assert isinstance(ticket.outcomes[0], NotLeader)

    def test_end_of_a_term_answers_what_still_waits(self) -> None:
        leader = lead(gap_ms=GAP_MS)
        ticket = leader.ask(CONFIRMED)
        leader.term.cut_off()
        assert isinstance(ticket.outcomes[0], NotLeader)

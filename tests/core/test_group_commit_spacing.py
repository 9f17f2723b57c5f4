"""Writes kept apart by a budget or by what the store bears: a term driven by facts."""

from __future__ import annotations

from osqueue.core.mutations import ReadStats
from osqueue.core.writes.effects import StepDown, WaitUntil, WriteDocument
from storage_adapters.throttled import Throttle
from tests.core.driven import BEAT_MS, DrivenBroker, StoredObject, claim_jobs, lead, submit_job

GAP_MS = 1_000
PER_MINUTE = 40
"""Twice the heartbeats: the least that the settings allow."""


class CountedBudget(Throttle):
    """A throttle that is told of the writes of a driven broker, as the store's shell does."""

    def spend(self, broker: DrivenBroker, count: int) -> None:
        for _ in range(count):
            self.write_begins(broker.now_ms, broker.steady_ms)


def run(broker: DrivenBroker, budget: CountedBudget, *, for_ms: int, busy: bool) -> int:
    """Let time pass, with a submit waiting all the time where it is busy. Counts the writes."""
    end_ms, writes, number = broker.steady_ms + for_ms, 0, 0
    ticket = None
    while broker.steady_ms < end_ms:
        if busy and (ticket is None or not ticket.unsettled_count):
            number += 1
            ticket = broker.ask(submit_job(number))
        effect = broker.next()
        if isinstance(effect, WriteDocument):
            writes += 1
            budget.spend(broker, 1)
        broker.do(effect)
    return writes


class TestBudget:
    def test_busy_hour_writes_what_the_budget_allows_and_one_burst(self) -> None:
        budget = CountedBudget(writes_per_minute=PER_MINUTE)
        broker = lead(budget=budget)
        writes = run(broker, budget, for_ms=3_600_000, busy=True)
        assert 60 * PER_MINUTE <= writes <= 61 * PER_MINUTE + 1
        assert broker.term.is_trusted(broker.steady_ms)

    def test_spent_budget_lets_every_heartbeat_pass_with_what_waits(self) -> None:
        # A day's budget without a minute's: used up, only heartbeats are left until midnight.
        budget = CountedBudget(writes_per_day=1)
        broker = lead(budget=budget)
        budget.spend(broker, 1)
        began_ms = broker.steady_ms
        ticket = broker.ask(submit_job())
        assert broker.expect(WaitUntil).steady_ms == began_ms + BEAT_MS
        broker.wait(BEAT_MS)
        assert broker.settle() == 1
        assert not ticket.unsettled_count
        assert run(broker, budget, for_ms=10 * BEAT_MS, busy=True) == 9

    def test_idle_leader_is_not_slowed_down(self) -> None:
        budget = CountedBudget(writes_per_minute=PER_MINUTE)
        broker = lead(budget=budget)
        budget.spend(broker, 3 * PER_MINUTE)
        assert run(broker, budget, for_ms=10 * BEAT_MS, busy=False) == 9

    def test_what_needs_no_write_is_answered_at_once(self) -> None:
        budget = CountedBudget(writes_per_minute=PER_MINUTE)
        broker = lead(budget=budget)
        budget.spend(broker, 2 * PER_MINUTE)
        ticket = broker.ask(claim_jobs(), ReadStats())
        assert broker.settle() == 0
        assert not ticket.unsettled_count
        assert budget.statistics(broker.now_ms).throttled_writes == 0

    def test_what_waits_is_counted_and_shares_one_write(self) -> None:
        budget = CountedBudget(writes_per_minute=PER_MINUTE)
        broker = lead(budget=budget)
        budget.spend(broker, PER_MINUTE)
        tickets = [broker.ask(submit_job(number)) for number in range(5)]
        began_ms = broker.steady_ms
        wait = broker.expect(WaitUntil)
        assert wait.steady_ms == began_ms + 60_000 // PER_MINUTE
        broker.do(wait)
        write = broker.expect(WriteDocument)
        budget.spend(broker, 1)
        broker.land(write)
        assert broker.settle() == 0
        assert not any(ticket.unsettled_count for ticket in tickets)
        statistics = budget.statistics(broker.now_ms)
        assert (statistics.throttled_writes, statistics.total_write_delay_ms) == (1, 1_500)

    def test_release_does_not_ask(self) -> None:
        budget = CountedBudget(writes_per_day=1)
        broker = lead(budget=budget)
        budget.spend(broker, 1)
        ticket = broker.ask(submit_job())
        broker.term.drain()
        assert broker.settle() == 2
        assert not ticket.unsettled_count
        assert broker.stored.header().broker is None


class TestGap:
    def test_two_writes_are_never_closer_than_the_gap(self) -> None:
        broker = lead(gap_ms=GAP_MS)
        began_ms = broker.steady_ms
        broker.ask(submit_job(1))
        assert broker.expect(WaitUntil).steady_ms == began_ms + GAP_MS
        broker.wait(GAP_MS)
        assert broker.settle() == 1
        broker.ask(submit_job(2))
        assert broker.expect(WaitUntil).steady_ms == broker.steady_ms + GAP_MS

    def test_same_bytes_are_not_sent_again_before_the_gap_is_over(self) -> None:
        broker = lead(gap_ms=GAP_MS)
        broker.wait(GAP_MS)
        ticket, write = broker.begin_write(submit_job())
        sent_ms = broker.steady_ms
        broker.lose(write, is_applied=False)
        while not isinstance(effect := broker.next(), WriteDocument):
            broker.do(effect)
        assert broker.steady_ms == sent_ms + GAP_MS
        broker.land(effect)
        broker.settle()
        assert not ticket.unsettled_count

    def test_reads_are_answered_within_the_gap(self) -> None:
        broker = lead(gap_ms=GAP_MS)
        ticket = broker.ask(ReadStats(), claim_jobs())
        assert broker.settle() == 0
        assert not ticket.unsettled_count

    def test_whoever_is_not_trusted_answers_nothing_before_it_may_write(self) -> None:
        broker = lead(gap_ms=60_000)
        broker.wait(30_000)
        ticket = broker.ask(ReadStats())
        wait = broker.expect(WaitUntil)
        assert ticket.unsettled_count
        broker.do(wait)
        assert broker.settle() == 1
        assert not ticket.unsettled_count

    def test_drain_waits_for_the_gap_then_releases(self) -> None:
        broker = lead(gap_ms=GAP_MS)
        ticket = broker.ask(submit_job())
        broker.term.drain()
        free_ms = broker.steady_ms + GAP_MS
        for expected_ms in (free_ms, free_ms + GAP_MS):
            wait = broker.expect(WaitUntil)
            assert wait.steady_ms == expected_ms
            broker.do(wait)
            broker.settle()
        assert not ticket.unsettled_count
        assert isinstance(broker.next(), StepDown)
        assert broker.stored.header().broker is None

    def test_gap_lasts_from_one_term_into_the_next(self) -> None:
        stored = StoredObject()
        broker = lead(stored, gap_ms=GAP_MS)
        broker.ask(submit_job())
        assert broker.expect(WaitUntil).steady_ms == broker.steady_ms + GAP_MS

"""How a batch is formed: what has gathered is applied to the state, in the order of a batch.

Called by `group_commit.py` while no write is in flight, which then writes what has changed, or
settles what has not. What one mutation does is decided in `queue_state.py`.
"""

from __future__ import annotations

import msgspec

from osqueue.core.document import Header
from osqueue.core.mutations import ClaimJobs, ExpireJobs, Mutation, StartDueJobs
from osqueue.core.outcomes import JobsClaimed, JobsCompleted, Outcome
from osqueue.core.queries import evaluate_query
from osqueue.core.queue_state import QueueState
from osqueue.core.reads.committed_view import CommittedView
from osqueue.core.writes.batches import (
    Batch,
    Gathering,
    MutationEntry,
    QueryEntry,
    claim_key,
    claim_of,
)
from osqueue.core.writes.endings import broker_draining
from osqueue.core.writes.tickets import Ticket
from osqueue.core.writes.writeless import needs_no_write

__all__ = ["Forming"]


class Forming:
    """One batch on its way into the state, at one moment."""

    def __init__(
        self, batch: Batch, gathering: Gathering, state: QueueState, *, now_ms: int, steady_ms: int
    ) -> None:
        self._batch = batch
        self._gathering = gathering
        self._state = state
        self._now_ms = now_ms
        self._steady_ms = steady_ms

    def evaluate_queries(
        self,
        queries: list[QueryEntry],
        reads: Batch,
        header: Header,
        committed_chunks: list[bytes],
    ) -> None:
        """Answer the queries, which see the state before the batch."""
        if not queries:
            return
        view = CommittedView(
            state=self._state,
            header=header,
            chunks=committed_chunks,
            find_polling=self._gathering.waiting_claims.worker_ids,
            now_ms=self._now_ms,
            steady_ms=self._steady_ms,
        )
        for ticket, index, query in queries:
            outcome = evaluate_query(query, view)
            reads.put(ticket, index, outcome)

    def apply_all(self, *, is_trusted: bool) -> None:
        """Heartbeats and settlements; give-backs, expiry and due jobs; then the rest.

        Whoever is not trusted may have been cut off: no lease expires before all were renewed.
        """
        batch, gathering = self._batch, self._gathering
        for ticket, _, mutation in list(gathering.repeated_claims()):
            self._withdraw_give_back(ticket, mutation)
        for entry in gathering.take_of_held_jobs():
            self._apply(entry)
        batch.given_back = gathering.take_give_backs()
        pulses: list[Mutation] = [*batch.given_back.values()]
        if is_trusted:
            pulses.append(ExpireJobs())
        for pulse in (*pulses, StartDueJobs()):
            self._state.apply(pulse, self._now_ms, self._steady_ms)
        for entry in gathering.take_rest():
            self._apply(entry)
        for ticket, index, mutation in gathering.take_late():
            batch.put(ticket, index, self._answer_late(ticket, mutation))
        self._serve_waiting()

    def apply_writeless(self) -> None:
        """No write may start yet: answer what needs none, and let the rest wait."""
        gathering = self._gathering
        for entry in gathering.take_fresh():
            ticket, _, mutation = entry
            if gathering.is_behind_deferred(ticket) or not needs_no_write(self._state, mutation):
                gathering.defer(entry)
            else:
                self._apply(entry)

    def end_waits(self, *, is_draining: bool) -> None:
        """Answer claims that have waited long enough: there was nothing."""
        waiting_claims = self._gathering.waiting_claims
        ended = waiting_claims.due(self._steady_ms)
        if is_draining:
            for waiting in waiting_claims.all():
                waiting_claims.remove(waiting)
                ended.append(waiting)
        for waiting in ended:
            self._batch.put(waiting.ticket, waiting.place, JobsClaimed([]))

    def _apply(self, entry: MutationEntry) -> None:
        ticket, index, mutation = entry
        batch, state = self._batch, self._state
        claim = claim_of(mutation)
        if claim is None:
            batch.mutations_count += 1
            outcome = state.apply(mutation, self._now_ms, self._steady_ms)
            batch.put(ticket, index, outcome)
            return
        is_completing = claim is not mutation
        if ticket.is_abandoned:
            if is_completing:
                # What was completed counts, but nobody is there to take the next job.
                self._apply((ticket, index, msgspec.structs.replace(mutation, claim=None)))
            else:
                batch.put(ticket, index, JobsClaimed([]))
            return
        if not is_completing and claim.wait_until_ms and self._must_wait(claim):
            worker = state.workers.heard_of(claim.worker_id, self._now_ms)
            worker.types = claim.types
            self._gathering.waiting_claims.add(ticket, index, claim)
            return
        batch.mutations_count += 1
        if self._gathering.give_backs:
            self._withdraw_give_back(ticket, mutation)
        outcome = state.apply(mutation, self._now_ms, self._steady_ms)
        batch.put(ticket, index, outcome)
        self._note_handed_out(ticket, mutation, claim.worker_id, outcome)

    def _must_wait(self, claim: ClaimJobs) -> bool:
        state = self._state
        if claim.wait_until_ms <= self._steady_ms or state.has_job_for(claim):
            return False
        return state.answer_repeat(claim) is None

    def _answer_late(self, ticket: Ticket, mutation: Mutation) -> Outcome:
        """While draining only repeats are answered."""
        answer = self._state.answer_repeat(mutation)
        if answer is None:
            return broker_draining()
        claim = claim_of(mutation)
        if claim is not None:
            self._note_handed_out(ticket, mutation, claim.worker_id, answer)
        return answer

    def _note_handed_out(
        self, ticket: Ticket, mutation: Mutation, worker_id: str, outcome: Outcome
    ) -> None:
        claimed = outcome.claimed if type(outcome) is JobsCompleted else outcome
        if type(claimed) is JobsClaimed and claimed.jobs:
            self._batch.hand_out(ticket, claim_key(mutation), worker_id, claimed)

    def _withdraw_give_back(self, ticket: Ticket, mutation: Mutation) -> None:
        give_backs = self._gathering.give_backs
        if not give_backs or ticket.is_abandoned:
            return
        key = claim_key(mutation)
        if key in give_backs:
            self._batch.withdrawn[key] = give_backs.pop(key)

    def _serve_waiting(self) -> None:
        """Give jobs that became claimable in this batch to those who wait for them."""
        waiting_claims = self._gathering.waiting_claims
        table = self._state.table
        kinds, table.newly_ready_types = table.newly_ready_types, set()
        if not kinds or not len(waiting_claims):
            return
        for waiting in waiting_claims.for_types(kinds):
            if not any(map(table.ready.count_of, kinds)):
                return
            if waiting not in waiting_claims or not self._state.has_job_for(waiting.claim):
                continue
            for sharer in waiting_claims.sharers_of(waiting):
                waiting_claims.remove(sharer)
                self._apply((sharer.ticket, sharer.place, sharer.claim))

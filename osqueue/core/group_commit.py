"""One term of a leader: batches, one conditional write at a time, and what lost replies mean.

    idle ── work ──> batch applied ──┬─ nothing changed, trusted ────────────────> settled
                                     ├─ nothing changed, not trusted ─> confirming ─> settled
                                     └─ changed ─> writing ─┬─ succeeded ─────────> settled
                                            ^               ├─ surely not applied ─ again, or undone
                                            └─ still open ──┴─ conflict, unknown ─> loading: `judge`

While a write is in flight requests gather; when it ends they all go into the next one. The state
is ahead of the store only while a write is in flight, and nothing is answered from it then:
batches are formed, and queries evaluated, only when none is. A batch that changed nothing is
answered without a write, but only by a *trusted* leader: less than half of the committed timeout
since the start of the last write that succeeded, or of a load that showed our version. Otherwise a
conditional read confirms the lead first.

A term ends by `StepDown`: the release after draining, another broker's takeover, or a write whose
outcome nothing can tell. A batch may be undone only if no attempt of its write was ever unknown;
then the state is rebuilt from the last committed bytes.

Rules of this file: inputs are facts, named so; the one output is `next_effect`; no clock, no
randomness that was not passed in. What a mutation does is decided in `queue_state.py`, what a load
says about a lost write in `writes/pending_write.py`.
"""

from __future__ import annotations

import random as random_module

import msgspec

from osqueue.core.document import encode_document, load_document, read_header
from osqueue.core.errors import QueueError, StoredDataInvalid
from osqueue.core.limits import QueueRules
from osqueue.core.mutations import (
    ClaimJobs,
    ExpireJobs,
    HeartbeatJobs,
    Mutation,
    StartDueJobs,
)
from osqueue.core.outcomes import JobsClaimed
from osqueue.core.queries import evaluate_query
from osqueue.core.writes.batches import Batch, Gathering
from osqueue.core.writes.effects import (
    CommitSummary,
    LoadDocument,
    Settle,
    StepDown,
    WaitUntil,
    WriteDocument,
)
from osqueue.core.writes.endings import (
    broker_draining,
    deposed_by,
    nobody_leads,
    outcome_unknown,
    store_unreachable,
)
from osqueue.core.writes.pending_write import NextStep, PendingWrite, Verdict
from osqueue.core.writes.terms import CommitIds, Term
from osqueue.core.writes.tickets import Ticket
from osqueue.core.writes.write_pace import WritePace

__all__ = ["Effect", "GroupCommit"]

Effect = LoadDocument | WriteDocument | Settle | WaitUntil | StepDown

_RETRY_READ_MS = 100
"""Between two tries to confirm the lead."""


class GroupCommit:
    """The machine of one term."""

    def __init__(
        self,
        term: Term,
        *,
        rules: QueueRules,
        pace: WritePace,
        commit_ids: CommitIds,
        random: random_module.Random,
        steady_ms: int,
        interval_ms: int = 0,
    ) -> None:
        """`interval_ms` is the shortest time between the starts of two writes that carry
        mutations."""
        self.header = term.header
        self.state = term.state
        self.is_draining = False
        self.conflicts_count = 0
        self.unknown_outcomes_count = 0
        self.mutation_writes_count = 0
        """Attempts to write that carried mutations, the broker's own heartbeats aside."""
        self._unknown_header = term.unknown_header
        self._committed_chunks = term.chunks
        self._version = term.version
        self._committed_timeout_ms = term.header.broker_timeout_ms
        self._proven_ms = term.proven_ms
        self._written_ms = term.proven_ms
        """Start of the last write that was formed."""
        self._rules = rules
        self._pace = pace
        self._commit_ids = commit_ids
        self._random = random
        self._interval_ms = interval_ms
        self._gathering = Gathering()
        self._settled = Settle([])
        self._act_is_running = False
        self._batch: Batch | None = None
        self._pending: PendingWrite | None = None
        self._is_releasing = False
        self._next_header = term.header
        self._confirm_since_ms: int | None = None
        self._confirm_not_before_ms = 0
        self._confirm_started_ms = 0
        self._step_down: StepDown | None = None
        self.state.lease_ms_min = pace.lease_ms_min
        self.state.renew_leases(steady_ms)

    @property
    def epoch(self) -> int:
        """The term's number."""
        return self.header.epoch

    @property
    def ending(self) -> QueueError | None:
        """What to answer instead of enqueueing, once the term is over; None while it goes on."""
        return None if self._step_down is None else self._step_down.error

    def is_trusted(self, steady_ms: int) -> bool:
        """Whether no other broker can have taken over by now."""
        return steady_ms - self._proven_ms < self._committed_timeout_ms // 2

    # Facts from the shell.

    def enqueue(self, ticket: Ticket) -> None:
        """Requests have arrived. They are evaluated in the next batch."""
        assert self._step_down is None, "the term is over"
        self._gathering.add(ticket, is_late=self.is_draining)

    def abandon(self, ticket: Ticket) -> None:
        """Nobody waits for the ticket any more: its claims are dropped or given back."""
        ticket.is_abandoned = True
        self._gathering.waiting_claims.abandon(ticket)

    def drain(self) -> None:
        """Answer what is here, refuse what comes, release the lead, step down."""
        self.is_draining = True

    def write_succeeded(self, version: str, steady_ms: int) -> None:
        """The write in flight was answered with its new version."""
        pending = self._end_act()
        self._pace.succeeded(steady_ms - pending.act_started_ms)
        self._landed(version, steady_ms)

    def write_not_applied(self, steady_ms: int) -> None:
        """The attempt surely did nothing: refused with 409, or never sent."""
        self._end_act().not_applied(steady_ms)

    def write_conflicted(self) -> None:
        """The attempt was refused by its condition."""
        self.conflicts_count += 1
        self._end_act().conflicted()

    def write_outcome_unknown(self, *, timed_out_ms: int | None = None) -> None:
        """The attempt was sent and not answered; `timed_out_ms` where the shell gave up waiting."""
        self.unknown_outcomes_count += 1
        if timed_out_ms is not None:
            self._pace.timed_out(timed_out_ms)
        self._end_act().outcome_unknown()

    def document_loaded(self, data: bytes, version: str, steady_ms: int) -> None:
        """A load has found the document.

        Raises:
            StoredDataInvalid: it cannot be read.
        """
        self._act_is_running = False
        found = read_header(data) or load_document(data, self._rules, self._random).header
        if self._pending is None:
            self._leave("another broker wrote", deposed_by(found), deposed_by(found))
            return
        verdict = self._pending.loaded(found, version, steady_ms)
        if verdict is Verdict.LANDED:
            is_edited = data != b"".join(self._pending.chunks)
            self._landed(version, steady_ms)
            if is_edited:
                self._leave("the document was edited", deposed_by(found), deposed_by(found))
        elif verdict is Verdict.LANDED_THEN_DEPOSED:
            self._settle_batch(None)
            self._leave("another broker took over", deposed_by(found), deposed_by(found))
        elif verdict is Verdict.NOT_LANDED:
            self._leave("another broker took over", deposed_by(found), deposed_by(found))
        elif verdict is Verdict.UNTELLABLE:
            self._leave("the document was replaced", outcome_unknown(), deposed_by(found))

    def document_missing(self, steady_ms: int) -> None:
        """A load has found nothing where the document was.

        Raises:
            StoredDataInvalid: always: whoever has seen the object never creates it again.
        """
        self._act_is_running = False
        raise StoredDataInvalid(
            "the stored queue has vanished while this broker led. Restore the object from a "
            "backup; restarting a broker without it starts with an empty queue"
        )

    def document_unchanged(self, steady_ms: int) -> None:
        """A conditional load has found our version: we still lead."""
        self._act_is_running = False
        if self._pending is not None:
            # An older header says nothing here: the version decides, by the second rule.
            verdict = self._pending.loaded(None, self._version, steady_ms)
            assert verdict is Verdict.STILL_OPEN, verdict
            return
        self._prove(self._confirm_started_ms, steady_ms)
        self._confirm_since_ms = None
        self._settle_batch(None)

    def load_failed(self, steady_ms: int) -> None:
        """The store could not be read."""
        self._act_is_running = False
        if self._pending is not None:
            self._pending.load_failed(steady_ms)
        else:
            self._confirm_not_before_ms = steady_ms + _RETRY_READ_MS

    # The one output.

    def next_effect(self, now_ms: int, steady_ms: int) -> Effect:
        """What to do now. Report what came of it before asking again, except of waiting."""
        assert not self._act_is_running, "the last store call was not reported"
        while True:
            if self._settled.tickets or self._settled.commit is not None:
                settled, self._settled = self._settled, Settle([])
                return settled
            if self._step_down is not None:
                return self._step_down
            if self._pending is not None:
                effect = self._continue_write(steady_ms)
            elif self._confirm_since_ms is not None:
                effect = self._continue_confirming(steady_ms)
            else:
                effect = self._form_batch(now_ms, steady_ms)
            if effect is not None:
                self._act_is_running = not isinstance(effect, WaitUntil)
                return effect

    def _end_act(self) -> PendingWrite:
        assert self._pending is not None, "no write is in flight"
        self._act_is_running = False
        return self._pending

    def _form_batch(self, now_ms: int, steady_ms: int) -> Effect | None:
        """Apply what has gathered; None: it was settled, or is to be written or confirmed."""
        beat_due = steady_ms >= self._written_ms + self._pace.heartbeat_interval_ms
        may_write = (
            beat_due or self.is_draining or (steady_ms >= self._written_ms + self._interval_ms)
        )
        batch = self._batch = Batch()
        self.state.has_changed = False
        self.state.lease_ms_min = self._pace.lease_ms_min
        for ticket, index, query in self._gathering.take_queries():
            outcome = evaluate_query(query, self.state, self.header, self._committed_chunks)
            batch.put(ticket, index, outcome)
        if may_write:
            self._apply_all(batch, now_ms, steady_ms)
        else:
            self._apply_writeless(batch, now_ms, steady_ms)
        self._end_waits(batch, steady_ms)
        self._is_releasing = self.is_draining and not self.state.has_changed and not len(batch)
        if self.state.has_changed or beat_due or self._is_releasing:
            self._begin_write(now_ms, steady_ms)
        elif not len(batch):
            self._batch = None
            return WaitUntil(self._next_time_ms(now_ms, steady_ms))
        elif self.is_trusted(steady_ms):
            self._settle_batch(None)
        else:
            self._confirm_since_ms = self._confirm_not_before_ms = steady_ms
        return None

    def _apply_all(self, batch: Batch, now_ms: int, steady_ms: int) -> None:
        """Heartbeats and settlements; give-backs, expiry and due jobs; then the rest."""
        gathering = self._gathering
        batch.give_backs = gathering.take_give_backs()
        for entry in gathering.take_of_held_jobs():
            self._apply(batch, *entry, now_ms=now_ms, steady_ms=steady_ms)
        pulses: list[Mutation] = [*batch.give_backs.values(), StartDueJobs()]
        if self.is_trusted(steady_ms):
            # Whoever may have been cut off gives all leases their full time again before any
            # expires.
            pulses.append(ExpireJobs())
        for pulse in pulses:
            self.state.apply(pulse, now_ms=now_ms, steady_ms=steady_ms)
        for entry in gathering.take_rest():
            self._apply(batch, *entry, now_ms=now_ms, steady_ms=steady_ms)
        self._apply_late(batch, now_ms, steady_ms)
        self._serve_waiting(batch, now_ms, steady_ms)

    def _apply(
        self,
        batch: Batch,
        ticket: Ticket,
        index: int,
        mutation: Mutation,
        *,
        now_ms: int,
        steady_ms: int,
    ) -> None:
        if isinstance(mutation, ClaimJobs):
            if ticket.is_abandoned:
                batch.put(ticket, index, JobsClaimed([]))
                return
            if mutation.wait_until_ms > steady_ms and not self.state.has_job_for(mutation):
                self._gathering.waiting_claims.add(ticket, index, mutation)
                return
        batch.mutations_count += 1
        outcome = self.state.apply(mutation, now_ms=now_ms, steady_ms=steady_ms)
        batch.put(ticket, index, outcome)

    def _apply_late(self, batch: Batch, now_ms: int, steady_ms: int) -> None:
        late, self._gathering.late = self._gathering.late, []
        for ticket, index, mutation in late:
            answer = self.state.answer_repeat(mutation)
            batch.put(ticket, index, answer or broker_draining())

    def _serve_waiting(self, batch: Batch, now_ms: int, steady_ms: int) -> None:
        """Give jobs that became claimable in this batch to those who wait for them."""
        waiting_claims = self._gathering.waiting_claims
        table = self.state.table
        kinds, table.newly_ready_types = table.newly_ready_types, set()
        if not kinds or not len(waiting_claims):
            return
        for waiting in waiting_claims.for_types(kinds):
            if not any(map(table.ready.count_of, kinds)):
                return
            if not self.state.has_job_for(waiting.claim):
                continue
            sharers = waiting_claims.with_claim(waiting.claim) if waiting.claim.claim_id else []
            for sharer in sharers or [waiting]:
                waiting_claims.remove(sharer)
                self._apply(batch, *sharer[1:], now_ms=now_ms, steady_ms=steady_ms)

    def _end_waits(self, batch: Batch, steady_ms: int) -> None:
        waiting_claims = self._gathering.waiting_claims
        ended = waiting_claims.due(steady_ms)
        if self.is_draining:
            for waiting in waiting_claims.all():
                waiting_claims.remove(waiting)
                ended.append(waiting)
        for waiting in ended:
            batch.put(waiting.ticket, waiting.place, JobsClaimed([]))

    def _apply_writeless(self, batch: Batch, now_ms: int, steady_ms: int) -> None:
        """No write may start yet: answer what needs none, and let the rest wait."""
        kept: list[tuple[Ticket, int, Mutation]] = []
        for entry in [*self._gathering.take_of_held_jobs(), *self._gathering.take_rest()]:
            mutation = entry[2]
            needs_no_write = isinstance(mutation, HeartbeatJobs) or (
                isinstance(mutation, ClaimJobs) and not self.state.has_job_for(mutation)
            )
            if needs_no_write or self.state.refuses(mutation):
                self._apply(batch, *entry, now_ms=now_ms, steady_ms=steady_ms)
            else:
                kept.append(entry)
        self._gathering.put_back(kept)
        assert not self.state.has_changed, "what needs no write has changed the queue"

    def _begin_write(self, now_ms: int, steady_ms: int) -> None:
        assert self._batch is not None
        state = self.state
        elapsed_ms = min(steady_ms - self._written_ms, self._committed_timeout_ms)
        state.totals.leadership_ms += max(elapsed_ms, 0)
        state.clients.drop_unused(state.totals.leadership_ms)
        commit_id = self._commit_ids.next(self.epoch)
        self._next_header = msgspec.structs.replace(
            self.header,
            broker=None if self._is_releasing else self.header.broker,
            broker_heartbeat=now_ms,
            broker_timeout_ms=self._pace.broker_timeout_ms,
            commit_id=str(commit_id),
        )
        self._pending = PendingWrite(
            commit_id=commit_id,
            chunks=encode_document(self._next_header, self._unknown_header, state),
            base_version=self._version,
            steady_ms=steady_ms,
            give_up_ms=self._pace.broker_timeout_ms,
            random=self._random,
        )
        self._written_ms = steady_ms

    def _continue_write(self, steady_ms: int) -> Effect | None:
        pending, batch = self._pending, self._batch
        assert pending is not None
        assert batch is not None
        step = pending.next_step(steady_ms)
        if step is NextStep.WAIT:
            return WaitUntil(pending.wait_until_ms())
        if step is NextStep.GIVE_UP:
            self._give_up(pending, batch, steady_ms)
            return None
        pending.begin_act(steady_ms)
        if step is NextStep.LOAD:
            return LoadDocument(if_changed_from=pending.base_version)
        self.mutation_writes_count += bool(self.state.has_changed)
        return WriteDocument(
            chunks=pending.chunks,
            base_version=pending.base_version,
            timeout_ms=self._pace.attempt_timeout_ms(pending.document_bytes),
        )

    def _give_up(self, pending: PendingWrite, batch: Batch, steady_ms: int) -> None:
        if pending.was_ever_unknown:
            self._leave(
                "a write's outcome stayed unknown", outcome_unknown(), nobody_leads(self.epoch)
            )
            return
        if self._is_releasing:
            self._leave("released, but not in the store", broker_draining(), broker_draining())
            return
        self._settled.tickets.extend(batch.refuse(store_unreachable()))
        self._gathering.give_backs.update(batch.give_backs)
        self._batch = self._pending = None
        committed = load_document(b"".join(self._committed_chunks), self._rules, self._random)
        self.state, self.header = committed.state, committed.header
        self.state.lease_ms_min = self._pace.lease_ms_min
        self.state.renew_leases(steady_ms)

    def _continue_confirming(self, steady_ms: int) -> Effect | None:
        assert self._confirm_since_ms is not None
        assert self._batch is not None
        if steady_ms >= self._confirm_since_ms + self._committed_timeout_ms:
            self._settled.tickets.extend(self._batch.refuse(store_unreachable()))
            self._batch = self._confirm_since_ms = None
            return None
        if steady_ms < self._confirm_not_before_ms:
            return WaitUntil(self._confirm_not_before_ms)
        self._confirm_started_ms = steady_ms
        return LoadDocument(if_changed_from=self._version, head_only=True)

    def _landed(self, version: str, steady_ms: int) -> None:
        pending, batch = self._pending, self._batch
        assert pending is not None
        assert batch is not None
        self._pending = None
        self._version = version
        self._committed_chunks = pending.chunks
        self.header = self._next_header
        self.state.settle_claims(steady_ms)
        self._prove(pending.act_started_ms, steady_ms)
        self._committed_timeout_ms = self.header.broker_timeout_ms
        summary = CommitSummary(
            commit_id=self.header.commit_id,
            mutations=batch.mutations_count,
            document_bytes=pending.document_bytes,
            duration_ms=steady_ms - pending.started_ms,
        )
        self._settle_batch(summary)
        if self._is_releasing:
            self._leave("released", broker_draining(), broker_draining())

    def _prove(self, proven_ms: int, steady_ms: int) -> None:
        """We led at that moment. If the trust had lapsed before it, leases start anew."""
        if not self.is_trusted(proven_ms):
            self.state.renew_leases(steady_ms)
        self._proven_ms = max(self._proven_ms, proven_ms)

    def _settle_batch(self, commit: CommitSummary | None) -> None:
        assert self._batch is not None
        batch, self._batch = self._batch, None
        self._gathering.give_backs.update(batch.unclaimed())
        self._settled = Settle([*self._settled.tickets, *batch.settle()], commit)

    def _leave(self, reason: str, batch_error: QueueError, rest_error: QueueError) -> None:
        """End the term: the batch that was not settled gets one error, what had no batch
        another."""
        if self._batch is not None:
            self._settled.tickets.extend(self._batch.refuse(batch_error))
        rest = Batch()
        for ticket, index, _ in self._gathering.take_all():
            rest.put(ticket, index, rest_error)
        self._settled.tickets.extend(rest.refuse(rest_error))
        self._batch = self._pending = self._confirm_since_ms = None
        self._step_down = StepDown(reason, rest_error)

    def _next_time_ms(self, now_ms: int, steady_ms: int) -> int:
        times = [self._written_ms + self._pace.heartbeat_interval_ms]
        if self._gathering.has_mutations:
            times.append(self._written_ms + self._interval_ms)
        expiry_ms = self.state.next_expiry_ms() if self.is_trusted(steady_ms) else None
        due_ms = self.state.next_due_ms()
        wait_ms = self._gathering.waiting_claims.next_ms()
        if due_ms is not None:
            times.append(steady_ms + due_ms - now_ms)
        times += [at for at in (expiry_ms, wait_ms) if at is not None]
        return min(times)

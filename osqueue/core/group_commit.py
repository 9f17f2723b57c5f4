"""One term of a leader: batches, one conditional write at a time, and what lost replies mean.

    idle ── work ──> batch applied ──┬─ nothing changed, trusted ──────> settled
                                     └─ changed, or a heartbeat is due
                                            v
                                         writing ─┬─ succeeded ────────> settled
                                            ^     ├─ never sent ─────── again, or undone
                                            └─ still open ── loading: `judge` ── conflict, unknown

While a write is in flight requests gather; when it ends they all go into the next one. The state
is ahead of the store only while a write is in flight, and nothing is answered from it then:
batches are formed, and queries evaluated, only when none is.

A batch that changed nothing is answered without a write, but only by a *trusted* leader: less than
half of the committed timeout since the start of the attempt that landed last (of its first attempt,
where only a load has shown that it landed: standbys wait from when they saw the version change, and
a load changes nothing); a write in flight that shortens the timeout may have landed. Whoever is not
trusted owes a heartbeat: the batch is settled with that write, which proves the lead. Until then no
lease expires, and after it all held jobs get a full one.

A query that asks to be confirmed is answered with a write as well, trusted or not: with one that
began after it arrived, which it shares with the batch, and waits for as a mutation does.

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
from osqueue.core.election.trust import trust_ms
from osqueue.core.errors import QueueError, StoredDataInvalid
from osqueue.core.limits import QueueRules
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
    document_vanished,
    nobody_leads,
    outcome_unknown,
    store_takes_nothing,
)
from osqueue.core.writes.forming import Forming
from osqueue.core.writes.pending_write import NextStep, PendingWrite, Verdict
from osqueue.core.writes.terms import CommitIds, EndedTerm, Term
from osqueue.core.writes.tickets import Ticket
from osqueue.core.writes.write_pace import WritePace
from osqueue.core.writes.write_spacing import WriteSpacing

__all__ = ["Effect", "GroupCommit"]

Effect = LoadDocument | WriteDocument | Settle | WaitUntil | StepDown


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
        spacing: WriteSpacing | None = None,
    ) -> None:
        """`spacing` is the process's own: it lasts longer than a term. None: none is kept."""
        self.header = term.header
        self.state = term.state
        self.is_draining = False
        self.mutation_writes_count = 0
        """Attempts to write that carried mutations, the broker's own heartbeats aside."""
        self._given_up = ""
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
        self._spacing = spacing or WriteSpacing()
        self._spacing.attempted(term.proven_ms)
        self._gathering = Gathering()
        self._settled = Settle([])
        self._act_is_running = False
        self._batch: Batch | None = None
        self._settled_batch: Batch | None = None
        """Until the next one is formed: its callers may be gone before they hear of it."""
        self._pending: PendingWrite | None = None
        self._is_releasing = False
        self._next_header = term.header
        self._own_address = term.header.broker or ""
        self._step_down: StepDown | None = None
        self._is_watched = False
        self.state.lease_ms_min = pace.lease_ms_min
        self.state.renew_leases(steady_ms)

    @property
    def epoch(self) -> int:
        """The term's number."""
        return self.header.epoch

    @property
    def proven_ms(self) -> int:
        """Steady time up to which it is known to have led: when its last landed write began."""
        return self._proven_ms

    @property
    def ending(self) -> QueueError | None:
        """What to answer instead of enqueueing, once the term is over; None while it goes on."""
        return None if self._step_down is None else self._step_down.error

    def is_trusted(self, steady_ms: int) -> bool:
        """Whether no other broker can have taken over by now.

        Once a release is on its way it may have landed, and then anybody may have.
        """
        return not self._is_releasing and self._is_proven(steady_ms)

    def _is_proven(self, steady_ms: int) -> bool:
        return steady_ms < self._trusted_until_ms

    @property
    def _trusted_until_ms(self) -> int:
        """When the trust ends that the writes so far have given: see `election/trust.py`."""
        timeout_ms = self._committed_timeout_ms
        if self._pending is not None:
            # It may have landed, and standbys wait what it says.
            timeout_ms = min(timeout_ms, self._next_header.broker_timeout_ms)
        return self._proven_ms + trust_ms(timeout_ms)

    # Facts from the shell.

    def enqueue(self, ticket: Ticket) -> None:
        """Requests have arrived. They are evaluated in the next batch."""
        assert self._step_down is None, "the term is over"
        self._gathering.add(ticket, is_late=self.is_draining)

    def abandon(self, ticket: Ticket) -> None:
        """Nobody waits for the ticket any more: its claims are dropped, or given back.

        Also one that the last `Settle` settled, until the next effect is asked for.
        """
        ticket.is_abandoned = True
        self._gathering.waiting_claims.abandon(ticket)

    def watch(self, is_watched: bool) -> None:
        """Whether settlements shall say what commits made of jobs; from the next batch on."""
        self._is_watched = is_watched
        self.state.table.changes = {} if is_watched else None

    def drain(self) -> None:
        """Answer what is here, refuse what comes, release the lead, step down."""
        self.is_draining = True

    def write_succeeded(self, version: str, steady_ms: int) -> None:
        """The write in flight was answered with its new version."""
        pending = self._end_act()
        duration_ms = steady_ms - pending.act_started_ms
        self._pace.succeeded(duration_ms, pending.document_bytes)
        self._landed(version, steady_ms)

    def write_not_applied(self, steady_ms: int) -> None:
        """The attempt surely did nothing: it was never sent."""
        self._end_act().not_applied(steady_ms)

    def write_conflicted(self) -> None:
        """The attempt was refused by its condition."""
        self._end_act().conflicted()

    def write_outcome_unknown(self, *, timed_out_ms: int | None = None) -> None:
        """The attempt was sent, and no answer said that it landed; `timed_out_ms` where the shell
        gave up waiting."""
        if timed_out_ms is not None:
            self._pace.timed_out(timed_out_ms)
        self._end_act().outcome_unknown()

    def document_loaded(self, data: bytes, version: str, steady_ms: int) -> None:
        """A load has found the document, which need not be one that we can read."""
        pending = self._end_act()
        try:
            found = read_header(data) or load_document(data, self._rules, self._random).header
        except StoredDataInvalid as error:
            self._leave("the document is unreadable", outcome_unknown(), error)
            return
        deposed = deposed_by(found, self._own_address)
        verdict = pending.loaded(found, version, steady_ms)
        if verdict is Verdict.LANDED:
            is_edited = data != b"".join(pending.chunks)
            self._landed(version, steady_ms)
            if is_edited:
                self._leave("the document was edited", deposed, deposed)
        elif verdict is Verdict.LANDED_THEN_DEPOSED:
            self._settle_batch(None)
            self._leave("another broker took over", deposed, deposed)
        elif verdict is Verdict.NOT_LANDED:
            self._leave("another broker took over", deposed, deposed)
        elif verdict is Verdict.UNTELLABLE:
            self._leave("the document was replaced", outcome_unknown(), deposed)

    def document_missing(self, steady_ms: int, *, was_there: str = "") -> None:
        """A load has found nothing where the document was: it is never created again."""
        self._end_act()
        self._leave("the document has vanished", outcome_unknown(), document_vanished(was_there))

    def document_unchanged(self, steady_ms: int) -> None:
        """A load has found the version that the write would replace."""
        verdict = self._end_act().loaded(None, self._version, steady_ms)
        assert verdict is Verdict.STILL_OPEN, verdict

    def load_failed(self, steady_ms: int) -> None:
        """The store could not be read."""
        self._end_act().load_failed(steady_ms)

    def ended(self) -> EndedTerm:
        """What is left of the term, once it is over."""
        return EndedTerm(
            header=self.header,
            version=self._version,
            given_up=self._given_up,
            trusted_until_ms=self._trusted_until_ms,
        )

    def cut_off(self) -> list[Ticket]:
        """The driver ends in the middle, by cancellation or an error: nothing more will happen.

        Returns the tickets that were not settled yet; they are now.
        """
        if self._step_down is None:
            nobody = nobody_leads(self.epoch)
            self._leave("cut off", outcome_unknown() if self._pending else nobody, nobody)
        settled, self._settled = self._settled, Settle([])
        return settled.tickets

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
            else:
                effect = self._form_batch(now_ms, steady_ms)
            if effect is not None:
                self._act_is_running = not isinstance(effect, WaitUntil)
                return effect

    def _end_act(self) -> PendingWrite:
        assert self._pending is not None, "no write is in flight"
        self._act_is_running = False
        return self._pending

    @property
    def _beat_due_ms(self) -> int:
        # Standbys wait what is committed, whatever the pace has become since.
        interval_ms = min(self._pace.heartbeat_interval_ms, self._committed_timeout_ms // 3)
        return self._written_ms + interval_ms

    def _batch_ms(self, now_ms: int, steady_ms: int) -> int:
        return self._spacing.batch_ms(self._written_ms, now_ms=now_ms, steady_ms=steady_ms)

    def _form_batch(self, now_ms: int, steady_ms: int) -> Effect | None:
        """Apply what has gathered; None: it was settled, or is to be written."""
        if self._settled_batch is not None:
            # As late as this: a caller can still have gone between its settlement and its waking.
            self._gathering.give_backs.update(self._settled_batch.unclaimed())
            self._settled_batch = None
        is_trusted = self.is_trusted(steady_ms)
        is_free = self._spacing.is_free(steady_ms)
        if not is_trusted and not is_free:
            # Nothing can be answered before a write has proved the lead, and none may start yet.
            return WaitUntil(self._spacing.free_ms)
        beat_due = is_free and (not is_trusted or steady_ms >= self._beat_due_ms)
        may_write = is_free and (
            beat_due or self.is_draining or steady_ms >= self._batch_ms(now_ms, steady_ms)
        )
        batch = self._batch = Batch()
        self.state.has_changed = False
        self.state.lease_ms_min = self._pace.lease_ms_min
        forming = Forming(batch, self._gathering, self.state, now_ms=now_ms, steady_ms=steady_ms)
        # The batch cannot change what queries see: a trusted leader does not let them wait for it.
        reads = Batch() if is_trusted else batch
        header, chunks = self.header, self._committed_chunks
        forming.evaluate_queries(self._gathering.take_queries(), reads, header, chunks)
        if is_trusted:
            self._settled.tickets.extend(reads.settle())
        confirmed = self._gathering.take_confirmed() if may_write else []
        forming.evaluate_queries(confirmed, batch, header, chunks)
        if may_write:
            forming.apply_all(is_trusted=is_trusted)
        else:
            forming.apply_writeless()
            if self._gathering.has_work:
                self._spacing.held(now_ms=now_ms, steady_ms=steady_ms)
        forming.end_waits(is_draining=self.is_draining)
        is_idle = not self.state.has_changed and len(batch) == len(confirmed)
        self._is_releasing = self.is_draining and may_write and is_idle
        if self.state.has_changed or beat_due or confirmed or self._is_releasing:
            self._begin_write(now_ms, steady_ms)
        elif len(batch):
            self._settle_batch(None)
        else:
            self._batch = None
            if not self._settled.tickets:
                return WaitUntil(self._next_time_ms(now_ms, steady_ms))
        return None

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
        if step is NextStep.SEND and not self._spacing.is_free(steady_ms):
            return WaitUntil(self._spacing.free_ms)
        if step is NextStep.GIVE_UP:
            self._give_up(pending, batch, steady_ms)
            return None
        pending.begin_act(steady_ms)
        if step is NextStep.LOAD:
            return LoadDocument(if_changed_from=pending.base_version)
        self._spacing.attempted(steady_ms)
        self.mutation_writes_count += bool(self.state.has_changed)
        return WriteDocument(
            chunks=pending.chunks,
            base_version=pending.base_version,
            timeout_ms=self._pace.attempt_timeout_ms(pending.document_bytes),
            commit_id=self._next_header.commit_id,
            mutations=batch.mutations_count,
        )

    def _give_up(self, pending: PendingWrite, batch: Batch, steady_ms: int) -> None:
        if pending.was_ever_unknown:
            self._given_up = str(pending.commit_id)
            self._leave(
                "a write's outcome stayed unknown",
                outcome_unknown(),
                nobody_leads(self.epoch),
                may_still_lead=True,
            )
            return
        if self._is_releasing:
            draining = broker_draining()
            self._leave("the store took no release", draining, draining, may_still_lead=True)
            return
        self._settled.tickets.extend(batch.refuse(store_takes_nothing()))
        self._gathering.give_backs.update(batch.given_back | batch.withdrawn)
        self._batch = self._pending = None
        committed = load_document(b"".join(self._committed_chunks), self._rules, self._random)
        self.state, self.header = committed.state, committed.header
        self.watch(self._is_watched)
        self.state.lease_ms_min = self._pace.lease_ms_min
        self.state.renew_leases(steady_ms)

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
            at=self.header.broker_heartbeat + steady_ms - pending.started_ms,
            tally=self.state.take_tally(),
        )
        self._settle_batch(summary)
        if self._is_releasing:
            self._leave("released", broker_draining(), broker_draining())

    def _prove(self, proven_ms: int, steady_ms: int) -> None:
        """We led at that moment. If the trust had lapsed before it, leases start anew."""
        if not self._is_proven(proven_ms):
            self.state.renew_leases(steady_ms)
        self._proven_ms = max(self._proven_ms, proven_ms)

    def _settle_batch(self, commit: CommitSummary | None) -> None:
        assert self._batch is not None
        batch, self._batch = self._batch, None
        self._settled_batch = batch
        changes = self.state.table.take_changes()
        self._settled = Settle([*self._settled.tickets, *batch.settle()], commit, changes)

    def _leave(
        self,
        reason: str,
        batch_error: QueueError,
        rest_error: QueueError,
        *,
        may_still_lead: bool = False,
    ) -> None:
        """End the term: the batch that was not settled gets one error, what had no batch
        another."""
        if self._batch is not None:
            refused = self._batch.refuse(batch_error, query_error=rest_error)
            self._settled.tickets.extend(refused)
        rest = Batch()
        for ticket, index, _ in self._gathering.take_all():
            rest.put(ticket, index, rest_error)
        self._settled.tickets.extend(rest.refuse(rest_error))
        self._batch = self._pending = None
        self._step_down = StepDown(reason, rest_error, may_still_lead)

    def _next_time_ms(self, now_ms: int, steady_ms: int) -> int:
        """When there is something to do again, unless something arrives."""
        expiry_ms, due_ms = self.state.next_expiry_ms(), self.state.next_due_ms()
        to_write = [] if expiry_ms is None else [expiry_ms]
        if due_ms is not None:
            to_write.append(steady_ms + due_ms - now_ms)
        if self._gathering.has_work:
            to_write.append(steady_ms)
        times = [max(self._beat_due_ms, self._spacing.free_ms or 0)]
        if self.is_draining:
            times.append(self._spacing.free_ms or 0)
        if to_write:
            times.append(max(min(to_write), self._batch_ms(now_ms, steady_ms)))
        wait_ms = self._gathering.waiting_claims.next_ms()
        return min(times) if wait_ms is None else min(*times, wait_ms)

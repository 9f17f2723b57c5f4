"""Who leads: following, standing for election, taking over.

    following ── a reason to lead ──> loading all ──> taking over ─┬─ landed ────> leads: a Term
        ^                                                          ├─ still open: same bytes again
        └─────────────── lost: somebody else wrote ────────────────┘

A standby never compares wall clocks. It waits, on its own steady clock, what the leader wrote in
`brokerTimeoutMs` since it last saw the document's *version* change. It takes over earlier only

- where the leader has released (`broker` is null);
- where it has bound its port and at its first load finds its own address and machine: the process
  that wrote it is gone, for two cannot be bound to one port;
- where it finds its own broker name: it has won an election that it had given up;
- where this very leader once answered here by its name, and its port now refuses twice, 250 ms
  apart. Silence, or another name, is no evidence.

It stands for no election while its wall clock is more than 5 s off the store's `Date`: what it
would write and decide by that clock (due jobs, schedules) would be wrong. It goes on looking.

The first load is of the whole document, which must be one that this broker could take over. From
then on its head is enough, until there is a reason to lead.

None of it counts after a term, or an election, has ended, until a load has shown what is there
now. And the document is loaded whole before it is replaced: if its version has changed since there
was a reason to lead, there is none any more.

Safety of what is written needs none of this: a write lands only on the version that it replaces. It
decides how soon a queue is served again, and that a leader is not deposed while it may still answer
without a write.

Rules of this file: as in `group_commit.py`.
"""

from __future__ import annotations

import random as random_module

import msgspec

from osqueue.core.document import (
    Header,
    LoadedDocument,
    Takeover,
    encode_document,
    load_document,
    read_header,
)
from osqueue.core.errors import NotLeader
from osqueue.core.limits import LINEAGE_LENGTH, QueueRules
from osqueue.core.queue_state import QueueState
from osqueue.core.writes.effects import LoadDocument, ProbeLeader, WaitUntil, WriteDocument
from osqueue.core.writes.endings import document_vanished
from osqueue.core.writes.pending_write import NextStep, PendingWrite, Verdict
from osqueue.core.writes.terms import CommitIds, Term
from osqueue.core.writes.write_pace import WritePace

__all__ = ["CLOCK_OFFSET_MS_MAX", "BrokerIdentity", "Elected", "ElectionEffect", "Leadership"]

CLOCK_OFFSET_MS_MAX = 5_000
"""How far the wall clock of a broker that stands for election may be off the store's."""

_REFUSALS_APART_MS = 250
_RETRY_READ_MS = 250


class BrokerIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Who this process is."""

    name: str
    """Random, new for each process."""
    address: str
    """Where others reach it; never 0.0.0.0."""
    host: str
    """What only one process can have at a time: this machine (host name, boot id and network
    namespace), and the port that it is bound to there."""


class Elected(msgspec.Struct, frozen=True):
    """This broker leads."""

    term: Term
    reason: str
    """Why it stood for election."""


ElectionEffect = LoadDocument | WriteDocument | WaitUntil | ProbeLeader | Elected


class Leadership:
    """The machine of a broker that does not lead."""

    def __init__(
        self,
        identity: BrokerIdentity,
        *,
        rules: QueueRules,
        pace: WritePace,
        commit_ids: CommitIds,
        random: random_module.Random,
    ) -> None:
        assert commit_ids.broker_name == identity.name, "commit ids carry this process's name"
        self.header: Header | None = None
        """The newest header seen; None before the first."""
        self.clock_offset_ms: int | None = None
        """How far the store's clock was ahead of this machine's at its last answer; None where
        nobody knows."""
        self._identity = identity
        self._rules = rules
        self._pace = pace
        self._commit_ids = commit_ids
        self._random = random
        self._version: str | None = None
        self._is_current = False
        """Whether the header is what a load has found since this broker last led or lost."""
        self._has_seen_object = False
        self._is_first_load = True
        self._head_suffices = True
        """Whether line 1 holds the header; not so after somebody has reformatted the document."""
        self._changed_ms = 0
        self._load_not_before_ms = 0
        self._probe_not_before_ms = 0
        self._known_leader: str | None = None
        self._refused_ms: int | None = None
        self._is_surely_gone = False
        self._reason: str | None = None
        self._pending: PendingWrite | None = None
        self._candidate: LoadedDocument | None = None
        self._elected: Elected | None = None
        self._act_is_running = False

    def not_leader(self) -> NotLeader:
        """What callers are told meanwhile: where to ask instead, never here."""
        header = self.header
        address = (header.broker or "") if header is not None else ""
        if header is None or not address or address == self._identity.address:
            epoch = 0 if header is None else header.epoch
            why = self.obstacle()
            why = f": {why}" if why else ", an election is under way"
            return NotLeader(f"this broker does not lead{why}", epoch=epoch)
        return NotLeader(
            f"this broker does not lead: ask {address}", epoch=header.epoch, broker_address=address
        )

    @property
    def is_clock_off(self) -> bool:
        """Whether the wall clock is too far off the store's to stand for election."""
        offset_ms = self.clock_offset_ms
        return offset_ms is not None and abs(offset_ms) > CLOCK_OFFSET_MS_MAX

    def obstacle(self) -> str:
        """Why this broker does not stand for election whoever leads; empty: it does."""
        offset_ms = self.clock_offset_ms
        if offset_ms is None or not self.is_clock_off:
            return ""
        direction = "behind" if offset_ms > 0 else "ahead of"
        return (
            f"its clock is {abs(offset_ms)} ms {direction} the store's,"
            f" at most {CLOCK_OFFSET_MS_MAX} are allowed; set the clock"
        )

    # Facts from the shell.

    def clock_compared(self, offset_ms: int | None) -> None:
        """The store's clock was so far ahead of this machine's wall clock; None: nobody knows."""
        self.clock_offset_ms = offset_ms

    def term_ended(self, steady_ms: int) -> None:
        """The term that was won is over: follow again, from a fresh load."""
        self._elected = self._version = None
        self._is_current = False
        self._changed_ms = steady_ms
        self._load_not_before_ms = steady_ms

    def document_loaded(self, data: bytes, version: str, steady_ms: int) -> None:
        """A load has found the document: the whole, or at least its first kilobytes where asked.

        Raises:
            StoredDataInvalid: it cannot be read.
        """
        self._act_is_running = False
        self._has_seen_object = True
        if self._pending is None and self._reason is not None:
            self._stand_for_election(data, version, steady_ms)
            return
        header = read_header(data)
        if self._is_first_load and self._pending is None:
            self._head_suffices = header is not None
            self._begin_following(data, version, steady_ms)
            return
        if self._pending is None:
            was_head, self._head_suffices = self._head_suffices, header is not None
            if header is not None or not was_head:
                header = header or load_document(data, self._rules, self._random).header
                self._follow(header, version, steady_ms)
            return
        header = header or load_document(data, self._rules, self._random).header
        verdict = self._pending.loaded(header, version, steady_ms)
        if verdict is Verdict.LANDED and data != b"".join(self._pending.chunks):
            # Edited since: what this broker has in memory is not what it would replace.
            self._lose(steady_ms)
            return
        self._settle_takeover(verdict, version, steady_ms)

    def document_unchanged(self, steady_ms: int) -> None:
        """A conditional load has found the version that was known."""
        self._act_is_running = False
        if self._pending is not None:
            verdict = self._pending.loaded(None, self._pending.base_version, steady_ms)
            self._settle_takeover(verdict, None, steady_ms)
            return
        self._is_current = True
        self._plan_next_load(steady_ms)

    def document_missing(self, steady_ms: int, *, was_there: str = "") -> None:
        """A load has found no object; `was_there`: what the store says of one that there was.

        Raises:
            StoredDataInvalid: this process or the store has seen it, so it is not created again.
        """
        self._act_is_running = False
        if self._has_seen_object or was_there:
            raise document_vanished(was_there)
        if self._pending is not None:
            verdict = self._pending.loaded(None, None, steady_ms)
            self._settle_takeover(verdict, None, steady_ms)
            return
        self._create()

    def load_failed(self, steady_ms: int) -> None:
        """The store could not be read."""
        self._act_is_running = False
        if self._pending is not None:
            self._pending.load_failed(steady_ms)
        else:
            self._load_not_before_ms = steady_ms + _RETRY_READ_MS

    def write_succeeded(self, version: str, steady_ms: int) -> None:
        """The takeover was answered with its version."""
        pending = self._end_act()
        duration_ms = steady_ms - pending.act_started_ms
        self._pace.succeeded(duration_ms, pending.document_bytes)
        self._settle_takeover(Verdict.LANDED, version, steady_ms)

    def write_not_applied(self, steady_ms: int) -> None:
        """The takeover's attempt surely did nothing."""
        self._end_act().not_applied(steady_ms)

    def write_conflicted(self) -> None:
        """The takeover's attempt was refused by its condition."""
        self._end_act().conflicted()

    def write_outcome_unknown(self, *, timed_out_ms: int | None = None) -> None:
        """The takeover's attempt was sent and not answered."""
        if timed_out_ms is not None:
            self._pace.timed_out(timed_out_ms)
        self._end_act().outcome_unknown()

    def leader_answered(self, name: str) -> None:
        """The broker at the leader's address has told its name."""
        self._act_is_running = False
        self._refused_ms = None
        if name == self._leader_name():
            self._known_leader = name

    def leader_refused(self, steady_ms: int) -> None:
        """Nobody listens at the leader's address."""
        self._act_is_running = False
        if self._known_leader is None or self._known_leader != self._leader_name():
            return
        if self._refused_ms is None:
            self._refused_ms = steady_ms
            self._probe_not_before_ms = steady_ms + _REFUSALS_APART_MS
        elif steady_ms >= self._refused_ms + _REFUSALS_APART_MS:
            self._is_surely_gone = True

    def leader_silent(self) -> None:
        """No answer: no evidence."""
        self._act_is_running = False
        self._refused_ms = None

    def poll(self, steady_ms: int) -> None:
        """Something hints at a change: load at once, and ask the leader for its name again."""
        self._load_not_before_ms = min(self._load_not_before_ms, steady_ms)
        self._probe_not_before_ms = min(self._probe_not_before_ms, steady_ms)

    # The one output.

    def next_effect(self, now_ms: int, steady_ms: int) -> ElectionEffect:
        """What to do now. Report what came of it before asking again, except of waiting."""
        assert not self._act_is_running, "the last act was not reported"
        if self._elected is not None:
            return self._elected
        effect = self._next_act(now_ms, steady_ms)
        self._act_is_running = not isinstance(effect, WaitUntil | Elected)
        return effect

    def _next_act(self, now_ms: int, steady_ms: int) -> ElectionEffect:
        if self.is_clock_off and self._pending is None:
            self._stand_back(steady_ms)
        if self._candidate is not None and self._pending is None:
            self._begin_takeover(self._candidate, now_ms, steady_ms)
        if self._pending is not None:
            step = self._pending.next_step(steady_ms)
            if step is not NextStep.GIVE_UP:
                return self._continue_takeover(self._pending, step, steady_ms)
            self._lose(steady_ms)
        if self._reason is None and self._is_current and not self.is_clock_off:
            assert self.header is not None, "a load has found one"
            self._reason = self._reason_to_lead(self.header, steady_ms)
        if self._reason is not None:
            if steady_ms < self._load_not_before_ms:
                return WaitUntil(self._load_not_before_ms)
            return LoadDocument()
        if steady_ms >= self._load_not_before_ms:
            is_head_enough = self._head_suffices and not self._is_first_load
            return LoadDocument(if_changed_from=self._version, head_only=is_head_enough)
        if self._wants_probe(steady_ms):
            assert self.header is not None
            assert self.header.broker is not None
            self._probe_not_before_ms = steady_ms + self._poll_interval_ms
            return ProbeLeader(self.header.broker)
        return WaitUntil(self._next_time_ms())

    @property
    def _poll_interval_ms(self) -> int:
        return max(self._pace.heartbeat_interval_ms // 2, 1)

    def _wants_probe(self, steady_ms: int) -> bool:
        header = self.header
        return (
            self._is_current
            and header is not None
            and header.broker not in (None, self._identity.address)
            and steady_ms >= self._probe_not_before_ms
        )

    def _next_time_ms(self) -> int:
        header = self.header
        times = [self._load_not_before_ms]
        if header is not None and self._is_current:
            if not self.is_clock_off:
                times.append(self._changed_ms + header.broker_timeout_ms)
            if header.broker not in (None, self._identity.address):
                times.append(self._probe_not_before_ms)
        return min(times)

    def _leader_name(self) -> str | None:
        return None if self.header is None else self.header.parsed_commit_id().broker_name

    def _begin_following(self, data: bytes, version: str, steady_ms: int) -> None:
        """The first load, of the whole document: a broker that could never take over must not stand
        by as if it could. Where there is a reason to lead already, no second load is needed."""
        loaded = load_document(data, self._rules, self._random)
        header = loaded.header
        self._is_first_load = False
        self._follow(header, version, steady_ms)
        if header.broker == self._identity.address and header.broker_host == self._identity.host:
            self._reason = "this port and machine are the leader's, whose process is gone"
        else:
            self._reason = self._reason_to_lead(header, steady_ms)
        self._candidate = None if self._reason is None else loaded

    def _follow(self, header: Header, version: str, steady_ms: int) -> None:
        if version != self._version:
            self._changed_ms = steady_ms
            self._refused_ms = None
            self._is_surely_gone = False
        self.header, self._version, self._is_current = header, version, True
        self._plan_next_load(steady_ms)

    def _plan_next_load(self, steady_ms: int) -> None:
        self._load_not_before_ms = steady_ms + self._poll_interval_ms

    def _reason_to_lead(self, header: Header, steady_ms: int) -> str | None:
        reason = None
        if header.broker is None:
            reason = "the last leader has released the queue"
        elif header.parsed_commit_id().broker_name == self._identity.name:
            reason = "this broker had won an election that it gave up"
        elif self._is_surely_gone:
            reason = f"the leader at {header.broker} is gone: its port refuses"
        elif steady_ms >= self._changed_ms + header.broker_timeout_ms:
            reason = f"the leader has not written for {header.broker_timeout_ms} ms"
        if reason is not None:
            self._load_not_before_ms = steady_ms
        return reason

    def _stand_back(self, steady_ms: int) -> None:
        """Forget any reason to lead, and look again at the usual time, at the clock too."""
        if self._reason is not None:
            self._reason = self._candidate = None
            self._plan_next_load(steady_ms)

    def _create(self) -> None:
        self._reason, self._is_first_load = "there is no queue yet", False
        state = QueueState(self._rules, self._random)
        self._candidate = LoadedDocument(header=Header(), unknown_header={}, state=state)
        self._version = None

    def _stand_for_election(self, data: bytes, version: str, steady_ms: int) -> None:
        """The whole document is here. Take over, unless it has changed since there was a reason
        to."""
        loaded = load_document(data, self._rules, self._random)
        if version != self._version:
            self._reason = None
            self._follow(loaded.header, version, steady_ms)
            return
        self._candidate = loaded

    def _begin_takeover(self, candidate: LoadedDocument, now_ms: int, steady_ms: int) -> None:
        old = candidate.header
        epoch = old.epoch + 1
        takeover = Takeover(epoch, self._identity.name, taken_from=old.commit_id, at=now_ms)
        commit_id = self._commit_ids.next(epoch)
        header = candidate.header = msgspec.structs.replace(
            old,
            broker=self._identity.address,
            broker_host=self._identity.host,
            broker_heartbeat=now_ms,
            broker_timeout_ms=self._pace.broker_timeout_ms,
            epoch=epoch,
            commit_id=str(commit_id),
            lineage=[*old.lineage, takeover][-LINEAGE_LENGTH:],
        )
        self._pending = PendingWrite(
            commit_id=commit_id,
            chunks=encode_document(header, candidate.unknown_header, candidate.state),
            base_version=self._version,
            steady_ms=steady_ms,
            give_up_ms=self._pace.broker_timeout_ms,
            random=self._random,
        )

    def _continue_takeover(
        self, pending: PendingWrite, step: NextStep, steady_ms: int
    ) -> ElectionEffect:
        if step is NextStep.WAIT:
            return WaitUntil(pending.wait_until_ms())
        pending.begin_act(steady_ms)
        if step is NextStep.LOAD:
            return LoadDocument(if_changed_from=pending.base_version)
        return WriteDocument(
            chunks=pending.chunks,
            base_version=pending.base_version,
            timeout_ms=self._pace.attempt_timeout_ms(pending.document_bytes),
            commit_id=str(pending.commit_id),
        )

    def _end_act(self) -> PendingWrite:
        assert self._pending is not None, "no takeover is in flight"
        self._act_is_running = False
        return self._pending

    def _settle_takeover(self, verdict: Verdict, version: str | None, steady_ms: int) -> None:
        if verdict is Verdict.STILL_OPEN:
            return
        if verdict is not Verdict.LANDED:
            self._lose(steady_ms)
            return
        pending, candidate = self._pending, self._candidate
        assert pending is not None
        assert candidate is not None
        assert version is not None
        term = Term(
            header=candidate.header,
            unknown_header=candidate.unknown_header,
            state=candidate.state,
            chunks=pending.chunks,
            version=version,
            proven_ms=pending.act_started_ms,
        )
        self._elected = Elected(term, self._reason or "")
        self.header, self._has_seen_object = candidate.header, True
        self._pending = self._candidate = self._reason = None

    def _lose(self, steady_ms: int) -> None:
        """Somebody else was faster, or the store did not answer: follow, from a fresh load."""
        self._pending = self._candidate = self._reason = None
        self._is_current = False
        self._load_not_before_ms = steady_ms

"""Who leads: following, standing for election, taking over.

    following ── a reason to lead ──> loading all ──> taking over ─┬─ landed ────> leads: a Term
        ^                                                          ├─ still open: same bytes again
        └─────────────── lost: somebody else wrote ────────────────┘

A standby never compares wall clocks. It measures on its own steady clock, from when it first saw
the document's *version* that it sees now. That version was written before it was seen, and its
leader trusts itself for half of the `brokerTimeoutMs` in it from before it was written. What a
standby may do, and when, follows from how much it knows (`election/leader_signs.py`).

**At once, on proof** that nobody trusts itself:

- the leader has released (`broker` is null);
- its process is gone. A standby on the same kernel, with the same process numbers, asks the system
  for the very process that the leader named in `brokerHost`. Its port must refuse as well, or be
  our own: a cloned machine has no such process either, and there the leader answers;
- the commit is the write that this process sent last and gave up, and which has landed since. This
  and the next two hold for as long as this broker has seen nobody else's document since;
- the version is the one that this broker's last term wrote last: nobody has written since;
- the commit is that one in another version, seen while this broker still trusted itself: somebody
  has edited or touched the document.

**After the leader's trust is over, on evidence** (half the timeout, and a tenth of that for clocks
that run apart: `election/trust.py`). Each of these may be so while the leader lives on:

- this very leader once answered by its name, and its port now refuses twice, 250 ms apart. A proxy,
  a firewall or a service without endpoints refuses as well;
- its process is gone, and its address is silent, or answers otherwise;
- the document names the place that this broker is bound to. A listener may be closed, or shared;
- the document carries this broker's own name. It may be an older copy.

**After the whole timeout** otherwise. Silence, or another name, is no evidence.

**An older copy** of the document, restored under running brokers, does not follow what was seen
before: its sequence went back, or its lineage does not lead there. Whoever led until then may trust
itself still, and whatever the copy says is old. So nobody who has seen more stands before the
longer of the two timeouts is over.

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
from osqueue.core.election.leader_process import BrokerIdentity, ProcessTraces
from osqueue.core.election.leader_signs import REFUSALS_APART_MS, LeaderSigns
from osqueue.core.errors import NotLeader
from osqueue.core.limits import LINEAGE_LENGTH, QueueRules
from osqueue.core.queue_state import QueueState
from osqueue.core.writes.effects import LoadDocument, ProbeLeader, WaitUntil, WriteDocument
from osqueue.core.writes.endings import document_vanished
from osqueue.core.writes.pending_write import NextStep, PendingWrite, Verdict
from osqueue.core.writes.terms import CommitIds, EndedTerm, Term
from osqueue.core.writes.write_pace import WritePace

__all__ = ["CLOCK_OFFSET_MS_MAX", "BrokerIdentity", "Elected", "ElectionEffect", "Leadership"]

CLOCK_OFFSET_MS_MAX = 5_000
"""How far the wall clock of a broker that stands for election may be off the store's."""

_RETRY_READ_MS = 250


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
        self._signs = LeaderSigns(identity)
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
        self._load_not_before_ms = 0
        self._probe_not_before_ms = 0
        self._reason: str | None = None
        self._pending: PendingWrite | None = None
        self._candidate: LoadedDocument | None = None
        """The whole document in memory, to be taken over; at the start also until the first probe
        has told whether it is to be."""
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

    def term_ended(self, term: EndedTerm, steady_ms: int) -> None:
        """The term that was won is over: follow again, from a fresh load."""
        header = term.header
        self._elected = self._version = None
        self.header, self._is_current = header, False
        self._signs.led(term)
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
        if verdict not in (Verdict.LANDED, Verdict.STILL_OPEN):
            # Who won was seen: an older copy that is restored from here on is known for one.
            self._follow(header, version, steady_ms)
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

    def process_traced(self, traces: ProcessTraces) -> None:
        """The system was asked for the leader's process; what its address answers follows."""
        self._signs.process_traced(self._followed, traces)

    def leader_answered(self, name: str) -> None:
        """The broker at the leader's address has told its name."""
        self._act_is_running = False
        self._signs.answered(self._followed, name)

    def leader_refused(self, steady_ms: int) -> None:
        """Nobody listens at the leader's address."""
        self._act_is_running = False
        if self._signs.refused(self._followed, steady_ms):
            self._probe_not_before_ms = steady_ms + REFUSALS_APART_MS

    def leader_silent(self) -> None:
        """No answer, or its address was not asked: no evidence."""
        self._act_is_running = False
        self._signs.fell_silent()

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
        self._find_reason(steady_ms)
        if self._candidate is not None and self._pending is None and self._reason is not None:
            self._begin_takeover(self._candidate, now_ms, steady_ms)
        if self._pending is not None:
            step = self._pending.next_step(steady_ms)
            if step is not NextStep.GIVE_UP:
                return self._continue_takeover(self._pending, step, steady_ms)
            self._signs.gave_up(str(self._pending.commit_id))
            self._lose(steady_ms)
        if self._reason is not None:
            if steady_ms < self._load_not_before_ms:
                return WaitUntil(self._load_not_before_ms)
            return LoadDocument()
        if steady_ms >= self._load_not_before_ms:
            is_head_enough = self._head_suffices and not self._is_first_load
            return LoadDocument(if_changed_from=self._version, head_only=is_head_enough)
        if self._wants_probe(steady_ms):
            self._probe_not_before_ms = steady_ms + self._poll_interval_ms
            return ProbeLeader(self._address_to_ask, self._signs.pid_to_trace(self._followed))
        self._candidate = None
        return WaitUntil(self._next_time_ms())

    def _find_reason(self, steady_ms: int) -> None:
        if self._pending is not None or self.is_clock_off or not self._is_current:
            return
        if self._reason is None:
            at_ms, reason = self._signs.standing(self._followed)
            if steady_ms >= at_ms:
                self._reason = reason
                self._load_not_before_ms = steady_ms

    @property
    def _poll_interval_ms(self) -> int:
        return max(self._pace.heartbeat_interval_ms // 2, 1)

    @property
    def _followed(self) -> Header:
        assert self.header is not None, "a load has found one"
        return self.header

    @property
    def _address_to_ask(self) -> str | None:
        address = self._followed.broker
        return None if address == self._identity.address else address

    @property
    def _has_probe(self) -> bool:
        """Whether anything can be asked about the leader."""
        header = self._followed
        if header.broker is None:
            return False
        return self._address_to_ask is not None or self._signs.pid_to_trace(header) is not None

    def _wants_probe(self, steady_ms: int) -> bool:
        return self._is_current and self._has_probe and steady_ms >= self._probe_not_before_ms

    def _next_time_ms(self) -> int:
        times = [self._load_not_before_ms]
        if self._is_current:
            if not self.is_clock_off:
                times.append(self._signs.standing(self._followed)[0])
            if self._has_probe:
                times.append(self._probe_not_before_ms)
        return min(times)

    def _begin_following(self, data: bytes, version: str, steady_ms: int) -> None:
        """The first load, of the whole document: a broker that could never take over must not stand
        by as if it could. Where there is a reason to lead already, no second load is needed."""
        loaded = load_document(data, self._rules, self._random)
        self._is_first_load = False
        self._follow(loaded.header, version, steady_ms)
        self._candidate = loaded

    def _follow(self, header: Header, version: str, steady_ms: int) -> None:
        if version != self._version:
            self._signs.version_changed(header, version, self.header, steady_ms)
            self._candidate = None
        self.header, self._version, self._is_current = header, version, True
        self._plan_next_load(steady_ms)

    def _plan_next_load(self, steady_ms: int) -> None:
        self._load_not_before_ms = steady_ms + self._poll_interval_ms

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

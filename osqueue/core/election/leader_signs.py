"""What this broker knows of the leader that it follows, and from when on that is a reason to lead.

Three classes, see `leadership.py`: what proves that nobody trusts itself any more counts at once;
what only suggests it counts once the leader's trust is surely over; without either the whole
timeout is waited. After an older copy was restored nothing shortens the wait.
"""

from __future__ import annotations

from osqueue.core.document import Header
from osqueue.core.election.leader_process import (
    BrokerIdentity,
    LeaderProcess,
    ProcessTraces,
    is_surely_gone,
    place_in,
)
from osqueue.core.election.trust import evidence_wait_ms
from osqueue.core.ids import CommitId
from osqueue.core.writes.terms import EndedTerm

__all__ = ["REFUSALS_APART_MS", "LeaderSigns"]

REFUSALS_APART_MS = 250
"""Between the two refusals that suggest that nobody listens any more."""


class LeaderSigns:
    """Of one document at a time: a change of its version begins anew."""

    def __init__(self, identity: BrokerIdentity) -> None:
        self._identity = identity
        self._own_process = LeaderProcess.parse(identity.host)
        self._changed_ms = 0
        """When this version was first seen: its leader's trust began before that."""
        self._not_before_ms = 0
        """Until then somebody may trust itself who led before an older copy was restored."""
        self._given_up = ""
        """Commit id of the last write that this process sent and gave up; as long as that."""
        self._last_term: EndedTerm | None = None
        """This process's own, for as long as it has found nothing else since."""
        self._version = ""
        self._known_leader = ""
        """The broker that has answered at the leader's address by its own name."""
        self._refused_ms: int | None = None
        self._has_refused = False
        """Twice in a row, and that far apart."""
        self._refuses_now = False
        self._is_process_gone = False

    # Facts.

    def version_changed(
        self, header: Header, version: str, last: Header | None, steady_ms: int
    ) -> None:
        """Another version was found; `last` is the header that was known before."""
        self._version, self._changed_ms = version, steady_ms
        self._refused_ms = None
        self._has_refused = self._refuses_now = self._is_process_gone = False
        if last is not None and not _follows(header, last):
            wait_ms = max(header.broker_timeout_ms, last.broker_timeout_ms)
            self._not_before_ms = max(self._not_before_ms, steady_ms + wait_ms)
        own = self._last_term
        if header.commit_id != self._given_up and (
            own is None or header.commit_id != own.header.commit_id
        ):
            # Somebody else has led since: what is found of our own from now on is a copy.
            self._last_term, self._given_up = None, ""

    def gave_up(self, commit_id: str) -> None:
        """This process has given up a takeover of that name, which may land yet."""
        self._given_up = commit_id

    def led(self, term: EndedTerm) -> None:
        """This process's term has ended."""
        self._last_term, self._given_up = term, term.given_up

    def process_traced(self, header: Header, traces: ProcessTraces) -> None:
        """The system of this machine was asked for the leader's process."""
        process = self._process_here(header)
        self._is_process_gone = process is not None and is_surely_gone(process, traces)

    def answered(self, header: Header, name: str) -> None:
        """Whoever is at the leader's address has told its name.

        The leader itself: then its process is another one, on a clone of this machine.
        """
        self.fell_silent()
        if name == _leader_name(header):
            self._known_leader = name
            self._is_process_gone = False

    def refused(self, header: Header, steady_ms: int) -> bool:
        """Nobody listens there. Returns whether to ask again when that makes a difference."""
        self._refuses_now = True
        if self._known_leader != _leader_name(header):
            return False
        if self._refused_ms is None:
            self._refused_ms = steady_ms
            return True
        if steady_ms >= self._refused_ms + REFUSALS_APART_MS:
            self._has_refused = True
        return False

    def fell_silent(self) -> None:
        """No answer: no evidence, and no refusals in a row."""
        self._refused_ms = None
        self._has_refused = self._refuses_now = False

    # What follows.

    def pid_to_trace(self, header: Header) -> int | None:
        """The number of the leader's process, where this machine's system can be asked for it."""
        process = self._process_here(header)
        return None if process is None else process.pid

    def standing(self, header: Header) -> tuple[int, str]:
        """From when on there is a reason to lead, if no other fact comes, and which."""
        at_ms, reason = self._changed_ms, self._proof(header)
        if not reason:
            reason = self._evidence(header)
            at_ms += evidence_wait_ms(header.broker_timeout_ms)
        if not reason:
            reason = f"the leader has not written for {header.broker_timeout_ms} ms"
            at_ms = self._changed_ms + header.broker_timeout_ms
        return max(at_ms, self._not_before_ms), reason

    def _process_here(self, header: Header) -> LeaderProcess | None:
        process, own = LeaderProcess.parse(header.broker_host), self._own_process
        if process is None or own is None or process.kernel != own.kernel:
            return None
        return process

    def _proof(self, header: Header) -> str:
        """Why nobody else can trust itself; empty: nothing proves it."""
        if header.broker is None:
            return "the last leader has released the queue"
        if header.commit_id == self._given_up:
            return "this broker's own write has landed that it gave up"
        own = self._last_term
        if own is not None and header.commit_id == own.header.commit_id:
            if self._version == own.version:
                return "nobody has written since this broker led"
            if self._changed_ms < own.trusted_until_ms:
                return "this broker's last commit was edited while it led"
        is_asked = header.broker != self._identity.address
        if self._is_process_gone and (self._refuses_now or not is_asked):
            return f"the leader's process {self.pid_to_trace(header)} is gone"
        return ""

    def _evidence(self, header: Header) -> str:
        """What suggests that the leader is gone; empty: nothing does."""
        if _leader_name(header) == self._identity.name:
            return "this broker was the leader, and leads no more"
        if place_in(header.broker_host) == place_in(self._identity.host):
            return f"this broker is where the leader at {header.broker} was"
        if self._is_process_gone:
            pid = self.pid_to_trace(header)
            return f"the leader's process {pid} is gone, {header.broker} does not refuse"
        if self._has_refused:
            return f"the leader at {header.broker} refuses, and has not written since"
        return ""


def _leader_name(header: Header) -> str:
    return header.parsed_commit_id().broker_name


def _follows(header: Header, last: Header) -> bool:
    """Whether the header can have been written after the other, with nothing restored between.

    Sequences rise within a term, and the lineage names the commit from which the term was taken.
    Where it has become too short to tell, the answer is no.
    """
    known = last.parsed_commit_id()
    ends = [header.commit_id, *(takeover.taken_from for takeover in header.lineage)]
    for text in ends:
        try:
            found = CommitId.parse(text)
        except ValueError:
            continue  # Empty where the queue was created; anything where it was edited by hand.
        if found.is_same_term(known):
            return found.sequence >= known.sequence
    return False

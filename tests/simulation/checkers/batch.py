"""The requests that a batch may hold: all that its broker had got and not answered before."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from osqueue.core.mutations import (
    CancelJob,
    ChangeJobs,
    ClaimJobs,
    CompleteJobs,
    DeleteJob,
    FailJob,
    NewJob,
    PauseQueue,
    RepeatKey,
    Request,
    ResumeQueue,
    RetryJob,
    SnoozeJob,
    SubmitJobs,
)
from tests.simulation.checkers.model import Ask
from tests.simulation.checkers.views import ClientView, StoredVersion, Violation

if TYPE_CHECKING:
    from tests.simulation.cast.brokers import SimulatedTicket

__all__ = ["Arrivals", "Batch", "Snapshot"]

ClaimKey = tuple[str, str]
Key = tuple[str, int]
"""A client and one of its sequences."""
Reach = tuple[Any, bool, bool]
"""A ticket; whether its callers were gone; whether it came after the drain had begun."""


class Snapshot:
    """All that was at a broker when the bytes of a commit were first sent."""

    def __init__(self, reached: list[Reach], gone_claims: set[ClaimKey]) -> None:
        self.reached = reached
        self.gone_claims = gone_claims


class Arrivals:
    """The tickets that reached one broker and were not answered yet."""

    def __init__(self) -> None:
        self._open: dict[SimulatedTicket, bool] = {}
        """And whether they came after the drain had begun."""
        self._gone: set[SimulatedTicket] = set()
        self._leaving: set[SimulatedTicket] = set()
        """Gone before the last batch was sent."""
        self._gone_claims: set[ClaimKey] = set()

    def arrived(self, ticket: SimulatedTicket, *, is_draining: bool) -> None:
        """A ticket has come."""
        self._open[ticket] = is_draining

    def abandoned(self, ticket: SimulatedTicket) -> None:
        """Its callers are gone; what it asks for may still be done, but for its claims."""
        if ticket in self._open:
            self._gone.add(ticket)
        for request in ticket.requests:
            claim = _claim_of(request)
            if claim is not None:
                self._gone_claims.add((claim.worker_id, claim.claim_id))

    def answered(self, ticket: SimulatedTicket) -> None:
        """All of it has been answered."""
        self._open.pop(ticket, None)
        self._gone.discard(ticket)

    def snapshot(self) -> Snapshot:
        """All that a batch may hold that is formed now."""
        gone = self._gone | self._leaving
        reached = [(ticket, ticket in gone, late) for ticket, late in self._open.items()]
        for ticket in self._leaving:
            self._open.pop(ticket, None)
        # Not at once: this batch may have been formed before they came, and sent later.
        self._leaving, self._gone = self._gone, set()
        return Snapshot(reached, set(self._gone_claims))


class Batch:
    """The requests that one version may hold beyond the version before it."""

    def __init__(self, snapshot: Snapshot, *, is_small_table: bool) -> None:
        self.settlements: defaultdict[str, list[Ask]] = defaultdict(list)
        """By job id: completions first, then failures, then snoozes."""
        self.named: defaultdict[str, list[Ask]] = defaultdict(list)
        """By job id: asked by operators of jobs that they name."""
        self.filtered: list[Ask] = []
        """Asked by them of those that pass a filter."""
        self.submits: dict[str, tuple[NewJob, Ask]] = {}
        self.claims: dict[ClaimKey, ClaimJobs] = {}
        self.pauses: list[Ask] = []
        self.applied: dict[Key, Any] = {}
        """Surely in it, with the answers that are kept."""
        self.untold: set[Key] = set()
        """Numbered, and nothing in the document tells whether it is in it."""
        self._reached = snapshot.reached
        self._is_small_table = is_small_table
        self._served: dict[ClaimKey, list[tuple[bool, bool]]] = {}

    def read(self, before: StoredVersion, version: StoredVersion) -> None:
        """Find out what the version holds."""
        new = _new_numbers(before.document.clients, version.document.clients)
        late: dict[Key, bool] = {}
        taken: set[Key] = set()
        for ticket, is_gone, is_late in self._reached:
            for request in ticket.requests:
                claim = _claim_of(request)
                repeat = getattr(request, "repeat", None)
                if claim is not None:
                    key = (claim.worker_id, claim.claim_id)
                    self._served.setdefault(key, []).append((is_gone, is_late))
                if repeat is None:
                    self._take(Ask(request, False))
                    continue
                number = (repeat.client_id, repeat.sequence)
                late[number] = late.get(number, True) and is_late
                if number in taken:
                    continue
                taken.add(number)
                if number in new:
                    self._take(Ask(request, True, new[number]))
                elif self._is_untold(request, repeat, before, version):
                    self.untold.add(number)
                    self._take(Ask(request, False))
        for number in new:
            if number not in late:
                raise Violation("auditor", f"{version.commit_id} holds {number}: nobody sent it")
            if late[number]:
                raise Violation(
                    "drains", f"{version.commit_id} holds {number}, which came after the drain"
                )
        self.applied = new

    def check_claim(self, key: ClaimKey, version: StoredVersion) -> ClaimJobs:
        """A claim that was served must have reached the broker, from somebody who is there."""
        asked = self._served.get(key)
        if not asked or key not in self.claims:
            raise Violation("auditor", f"{version.commit_id} serves {key}, which nobody sent")
        if all(is_gone for is_gone, _ in asked):
            raise Violation("abandoned claims", f"{version.commit_id} serves {key}: all are gone")
        if all(is_late for _, is_late in asked):
            raise Violation("drains", f"{version.commit_id} serves {key}, after the drain")
        return self.claims[key]

    def _is_untold(
        self,
        request: Request,
        repeat: RepeatKey,
        before: StoredVersion,
        version: StoredVersion,
    ) -> bool:
        """Whether it may be in the version although no sequence says so."""
        old = before.document.clients.get(repeat.client_id)
        if old is not None and _has(old, repeat.sequence):
            return False
        entry = version.document.clients.get(repeat.client_id)
        if entry is None:
            return old is not None or self._is_small_table
        return repeat.sequence < entry.floor and (old is None or repeat.sequence >= old.floor)

    def _take(self, ask: Ask) -> None:
        request = ask.request
        claim = _claim_of(request)
        if claim is not None:
            self.claims[claim.worker_id, claim.claim_id] = claim
        match request:
            case SubmitJobs():
                for new in request.jobs:
                    self.submits[new.id] = (new, ask)
            case CompleteJobs():
                for done in request.completions:
                    self.settlements[done.lease.job_id].append(ask)
                    for new in done.submit:
                        # With its parent or not at all: sure is only what becomes of that.
                        self.submits[new.id] = (new, Ask(request, False))
            case FailJob() | SnoozeJob():
                self.settlements[request.lease.job_id].append(ask)
            case CancelJob() | DeleteJob() | RetryJob():
                self.named[request.job_id].append(ask)
            case ChangeJobs() if request.selection.job_ids is not None:
                for job_id in set(request.selection.job_ids):
                    self.named[job_id].append(ask)
            case ChangeJobs():
                self.filtered.append(ask)
            case PauseQueue() | ResumeQueue():
                self.pauses.append(ask)
            case _:
                pass

    def changes(self) -> list[Ask]:
        """Requests of operators for many jobs at once that the document says it holds."""
        many = {id(ask): ask for asks in self.named.values() for ask in asks}
        many.update((id(ask), ask) for ask in self.filtered)
        return [ask for ask in many.values() if isinstance(ask.request, ChangeJobs) and ask.is_sure]


def _claim_of(request: Request) -> ClaimJobs | None:
    return request if isinstance(request, ClaimJobs) else getattr(request, "claim", None)


def _has(entry: ClientView, sequence: int) -> bool:
    return any(first <= sequence <= last for first, last in entry.applied)


def _new_numbers(before: dict[str, ClientView], now: dict[str, ClientView]) -> dict[Key, Any]:
    """The sequences that a version holds and the one before it did not, with their answers."""
    found: dict[Key, Any] = {}
    for client_id, entry in now.items():
        old = before.get(client_id)
        if old == entry:
            continue
        known = () if old is None else old.applied
        for first, last in entry.applied:
            for sequence in range(first, last + 1):
                if not any(start <= sequence <= end for start, end in known):
                    raw = entry.answers.get(sequence)
                    answer = None if raw is None else msgspec.json.decode(raw)
                    found[client_id, sequence] = answer
    return found

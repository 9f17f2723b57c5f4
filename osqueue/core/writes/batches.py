"""What gathers while a write is in flight, and the batch that it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from osqueue.core.errors import QueueError
from osqueue.core.mutations import (
    ClaimJobs,
    CompleteJobs,
    FailJob,
    GiveBackJobs,
    HeartbeatJobs,
    Lease,
    Mutation,
    Query,
    Request,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.outcomes import ClaimedJob, JobsClaimed, Outcome
from osqueue.core.writes.tickets import Ticket
from osqueue.core.writes.waiting_claims import WaitingClaims

__all__ = ["Batch", "ClaimKey", "Gathering", "MutationEntry", "QueryEntry", "claim_key"]

QueryEntry: TypeAlias = tuple[Ticket, int, Query]
MutationEntry: TypeAlias = tuple[Ticket, int, Mutation]
ClaimKey: TypeAlias = tuple[str, ...]
"""What a claim and its repeats have in common: the worker, and the claim id or sequence."""

_REST = 4
_PHASES: dict[type[Request], int] = {
    HeartbeatJobs: 0,
    CompleteJobs: 1,
    FailJob: 2,
    SnoozeJob: 3,
    SubmitJobs: _REST,
    ClaimJobs: _REST,
}
"""What workers say of jobs that they hold comes before expiry, in this order; all other mutations
after it."""


class Gathering:
    """Requests that wait for the next batch."""

    def __init__(self) -> None:
        self.queries: list[QueryEntry] = []
        self.confirmed: list[QueryEntry] = []
        """Queries that are answered with a write only."""
        self.late: list[MutationEntry] = []
        """Mutations that came while draining: only their repeats are answered."""
        self.give_backs: dict[ClaimKey, GiveBackJobs] = {}
        """Claims that reached nobody: undone by the next write, unless they are repeated."""
        self.waiting_claims = WaitingClaims()
        self._phases = _empty_phases()
        self._deferred = _empty_phases()
        self._deferred_tickets: set[Ticket] = set()

    def add(self, ticket: Ticket, *, is_late: bool) -> None:
        """Take a ticket's requests in."""
        phases, phase_of = self._phases, _PHASES.get
        for index, request in enumerate(ticket.requests):
            phase = phase_of(type(request))
            entry: Any = (ticket, index, request)
            if phase is None and isinstance(request, Query):
                (self.confirmed if request.is_confirmed else self.queries).append(entry)
            elif is_late:
                self.late.append(entry)
            else:
                phases[_REST if phase is None else phase].append(entry)

    def defer(self, entry: MutationEntry) -> None:
        """It needs a write, and none may start yet: it is not looked at again until one may."""
        self._deferred[_phase_of(entry[2])].append(entry)
        self._deferred_tickets.add(entry[0])

    def is_behind_deferred(self, ticket: Ticket) -> bool:
        """Whether an earlier request of the ticket waits: then the later ones wait as well."""
        return ticket in self._deferred_tickets

    @property
    def has_work(self) -> bool:
        """Whether anything waits that may need a write, confirmed queries among it."""
        waits = self.give_backs or self.late or self.confirmed or self._deferred_tickets
        return bool(waits) or any(self._phases)

    def take_queries(self) -> list[QueryEntry]:
        """Take out the queries that may be answered without a write."""
        queries, self.queries = self.queries, []
        return queries

    def take_confirmed(self) -> list[QueryEntry]:
        """Take out the queries that are answered with a write."""
        confirmed, self.confirmed = self.confirmed, []
        return confirmed

    def take_of_held_jobs(self) -> Iterator[MutationEntry]:
        """Take out what comes before expiry: heartbeats, completes, fails, snoozes."""
        for phase in range(_REST):
            yield from self._take(phase)

    def take_rest(self) -> list[MutationEntry]:
        """Take out what comes after expiry."""
        self._deferred_tickets.clear()
        return self._take(_REST)

    def take_fresh(self) -> Iterator[MutationEntry]:
        """Take out what was not deferred, in the order of a batch."""
        phases, self._phases = self._phases, _empty_phases()
        for entries in phases:
            yield from entries

    def take_late(self) -> list[MutationEntry]:
        """Take out what came while draining."""
        late, self.late = self.late, []
        return late

    def repeated_claims(self) -> Iterator[MutationEntry]:
        """What would be given back, but is being claimed again by somebody who is still there."""
        for entries in (*self._deferred, *self._phases, self.late) if self.give_backs else ():
            for entry in entries:
                if claim_key(entry[2]) in self.give_backs and not entry[0].is_abandoned:
                    yield entry

    def take_give_backs(self) -> dict[ClaimKey, GiveBackJobs]:
        """Take out the give-backs."""
        give_backs, self.give_backs = self.give_backs, {}
        return give_backs

    def take_all(self) -> list[tuple[Ticket, int, Request]]:
        """Take out everything: the term is over."""
        everything: list[tuple[Ticket, int, Request]] = [
            *self.take_queries(),
            *self.take_confirmed(),
        ]
        everything += [*self.take_of_held_jobs(), *self.take_rest(), *self.take_late()]
        everything += [(each.ticket, each.place, each.claim) for each in self.waiting_claims.all()]
        self.waiting_claims = WaitingClaims()
        return everything

    def _take(self, phase: int) -> list[MutationEntry]:
        entries = [*self._deferred[phase], *self._phases[phase]]
        self._deferred[phase], self._phases[phase] = [], []
        return entries


class Batch:
    """Outcomes that are final once the batch is settled."""

    def __init__(self) -> None:
        self.mutations_count = 0
        self.given_back: dict[ClaimKey, GiveBackJobs] = {}
        """What this batch gives back, to be tried again if it is undone."""
        self.withdrawn: dict[ClaimKey, GiveBackJobs] = {}
        """What is not given back because this batch answers a repeat of the claim."""
        self._entries: list[tuple[Ticket, int]] = []
        self._handed_out: list[tuple[Ticket, ClaimKey, str, list[ClaimedJob]]] = []
        """Who got jobs under which claim, as which worker; no jobs: those of an earlier claim."""

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, ticket: Ticket, index: int, outcome: Outcome) -> None:
        """Note an outcome."""
        ticket.outcomes[index] = outcome
        self._entries.append((ticket, index))

    def hand_out(
        self,
        ticket: Ticket,
        key: ClaimKey | None,
        worker_id: str,
        claimed: JobsClaimed,
    ) -> None:
        """Note that a ticket gets jobs: those of an earlier claim, or newly claimed ones."""
        key = key or (worker_id, "", claimed.jobs[0].job_id)
        self._handed_out.append((ticket, key, worker_id, [] if claimed.is_repeat else claimed.jobs))

    def settle(self) -> list[Ticket]:
        """Make the outcomes final. Returns the tickets that have all of theirs."""
        complete: list[Ticket] = []
        for ticket, _ in self._entries:
            ticket.unsettled_count -= 1
            if not ticket.unsettled_count:
                complete.append(ticket)
        return complete

    def refuse(self, error: QueueError, *, query_error: QueueError | None = None) -> list[Ticket]:
        """Make this error the outcome of all (of queries another, where one is given).

        Returns the tickets that have all of their outcomes.
        """
        for ticket, index in self._entries:
            is_query = isinstance(ticket.requests[index], Query)
            ticket.outcomes[index] = (query_error or error) if is_query else error
        return self.settle()

    def unclaimed(self) -> dict[ClaimKey, GiveBackJobs]:
        """Claims whose callers are all gone, to be given back.

        A repeat whose caller is gone gives back nothing of what the first caller was told that it
        holds; it only stops withdrawing what was to be given back anyway.
        """
        unclaimed = dict(self.withdrawn)
        for ticket, key, worker_id, jobs in self._handed_out:
            if ticket.is_abandoned and jobs:
                leases = [Lease(job.job_id, job.attempt) for job in jobs]
                unclaimed[key] = GiveBackJobs(worker_id=worker_id, leases=leases)
        if unclaimed:
            for ticket, key, _, _ in self._handed_out:
                if not ticket.is_abandoned:
                    unclaimed.pop(key, None)
        return unclaimed


def claim_of(request: Request) -> ClaimJobs | None:
    """The claim that a request is or brings along."""
    # By their types: asking each in vain whether it is an instance costs four times as much.
    if type(request) is ClaimJobs:
        return request
    return request.claim if type(request) is CompleteJobs else None


def claim_key(request: Request) -> ClaimKey | None:
    """What a repeat of its claim has in common with it; None: it claims nothing, or cannot be
    repeated."""
    if type(request) is ClaimJobs:
        worker_id, repeat_id = request.worker_id, request.repeat_id
    elif type(request) is CompleteJobs and request.claim is not None:
        worker_id, repeat_id = request.claim.worker_id, request.claim_repeat_id
    else:
        return None
    return (worker_id, repeat_id) if repeat_id else None


def _phase_of(mutation: Mutation) -> int:
    return _PHASES.get(type(mutation), _REST)


def _empty_phases() -> list[list[MutationEntry]]:
    return [[] for _ in range(_REST + 1)]

"""What gathers while a write is in flight, and the batch that it becomes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

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
)
from osqueue.core.outcomes import JobsClaimed, JobsCompleted, Outcome
from osqueue.core.writes.tickets import Ticket
from osqueue.core.writes.waiting_claims import WaitingClaims

__all__ = ["Batch", "Gathering", "QueryEntry"]

QueryEntry: TypeAlias = tuple[Ticket, int, Query]
MutationEntry: TypeAlias = tuple[Ticket, int, Mutation]

_HELD_JOBS_FIRST: dict[type[Mutation], int] = {
    HeartbeatJobs: 0,
    CompleteJobs: 1,
    FailJob: 2,
    SnoozeJob: 3,
}
"""What workers say of jobs that they hold comes before expiry, in this order; the rest after it."""
_REST = len(_HELD_JOBS_FIRST)


class Gathering:
    """Requests that wait for the next batch."""

    def __init__(self) -> None:
        self.queries: list[QueryEntry] = []
        self.late: list[MutationEntry] = []
        """Mutations that came while draining: only their repeats are answered."""
        self.give_backs: dict[tuple[str, str], GiveBackJobs] = {}
        """Claims that reached nobody, by worker and claim id (or the jobs', where it had none)."""
        self.waiting_claims = WaitingClaims()
        self._phases: list[list[MutationEntry]] = [[] for _ in range(_REST + 1)]

    def add(self, ticket: Ticket, *, is_late: bool) -> None:
        """Take a ticket's requests in."""
        phases = self._phases
        for index, request in enumerate(ticket.requests):
            if isinstance(request, Mutation):
                if is_late:
                    self.late.append((ticket, index, request))
                else:
                    phase = _HELD_JOBS_FIRST.get(type(request), _REST)
                    phases[phase].append((ticket, index, request))
            else:
                self.queries.append((ticket, index, request))

    @property
    def has_mutations(self) -> bool:
        """Whether anything waits that may need a write."""
        return bool(self.give_backs or self.late) or any(self._phases)

    def take_queries(self) -> list[QueryEntry]:
        """Take out the queries."""
        queries, self.queries = self.queries, []
        return queries

    def take_of_held_jobs(self) -> Iterator[MutationEntry]:
        """Take out what comes before expiry: heartbeats, completes, fails, snoozes."""
        for phase in range(_REST):
            entries, self._phases[phase] = self._phases[phase], []
            yield from entries

    def take_rest(self) -> list[MutationEntry]:
        """Take out what comes after expiry."""
        entries, self._phases[_REST] = self._phases[_REST], []
        return entries

    def take_give_backs(self) -> dict[tuple[str, str], GiveBackJobs]:
        """Take out the give-backs, without those whose claim is being repeated."""
        for entries in self._phases:
            for _, _, mutation in entries:
                claim = claim_of(mutation)
                if claim is not None and claim.claim_id:
                    self.give_backs.pop((claim.worker_id, claim.claim_id), None)
        give_backs, self.give_backs = self.give_backs, {}
        return give_backs

    def put_back(self, entries: list[MutationEntry]) -> None:
        """These must wait for a batch that may write; they keep their order."""
        for entry in entries:
            self._phases[_HELD_JOBS_FIRST.get(type(entry[2]), _REST)].append(entry)

    def take_all(self) -> list[tuple[Ticket, int, Request]]:
        """Take out everything: the term is over."""
        everything: list[tuple[Ticket, int, Request]] = [*self.take_queries()]
        everything += [*self.take_of_held_jobs(), *self.take_rest(), *self.late]
        everything += [(each.ticket, each.place, each.claim) for each in self.waiting_claims.all()]
        self.late = []
        self.waiting_claims = WaitingClaims()
        return everything


class Batch:
    """Outcomes that are final once the batch is settled."""

    def __init__(self) -> None:
        self.mutations_count = 0
        self.give_backs: dict[tuple[str, str], GiveBackJobs] = {}
        """What this batch gives back, to be tried again if it is undone."""
        self._entries: list[tuple[Ticket, int]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, ticket: Ticket, index: int, outcome: Outcome) -> None:
        """Note an outcome."""
        ticket.outcomes[index] = outcome
        self._entries.append((ticket, index))

    def settle(self) -> list[Ticket]:
        """Make the outcomes final. Returns the tickets that have all of theirs."""
        complete: list[Ticket] = []
        for ticket, _ in self._entries:
            ticket.unsettled_count -= 1
            if not ticket.unsettled_count:
                complete.append(ticket)
        return complete

    def refuse(self, error: QueueError) -> list[Ticket]:
        """Make this error the outcome of all. Returns the tickets that have all of theirs."""
        for ticket, index in self._entries:
            ticket.outcomes[index] = error
        return self.settle()

    def unclaimed(self) -> dict[tuple[str, str], GiveBackJobs]:
        """Claims of this batch whose callers are gone, unless somebody else shares the claim."""
        abandoned: dict[tuple[str, str], GiveBackJobs] = {}
        shared: set[tuple[str, str]] = set()
        for ticket, index in self._entries:
            request = ticket.requests[index]
            claim = claim_of(request)
            outcome = ticket.outcomes[index]
            claimed = outcome.claimed if isinstance(outcome, JobsCompleted) else outcome
            if claim is None or not isinstance(claimed, JobsClaimed) or not claimed.jobs:
                continue
            key = (claim.worker_id, claim.claim_id or f"jobs:{claimed.jobs[0].job_id}")
            if ticket.is_abandoned:
                leases = [Lease(job.job_id, job.attempt) for job in claimed.jobs]
                abandoned[key] = GiveBackJobs(worker_id=claim.worker_id, leases=leases)
            else:
                shared.add(key)
        return {key: given for key, given in abandoned.items() if key not in shared}


def claim_of(request: Request) -> ClaimJobs | None:
    """The claim that a request is or brings along."""
    if isinstance(request, ClaimJobs):
        return request
    return request.claim if isinstance(request, CompleteJobs) else None

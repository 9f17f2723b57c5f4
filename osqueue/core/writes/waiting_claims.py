"""Claims that found nothing and wait: who is served first when a job becomes claimable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from osqueue.core.mutations import ClaimJobs
from osqueue.core.tables.deadlines import Deadlines
from osqueue.core.writes.tickets import Ticket

__all__ = ["WaitingClaim", "WaitingClaims"]


Key = TypeVar("Key")


class WaitingClaim(NamedTuple):
    """One claim of a ticket."""

    arrival: int
    """Rises with each claim that starts to wait."""
    ticket: Ticket
    place: int
    """Index of the claim among the ticket's requests."""
    claim: ClaimJobs


class WaitingClaims:
    """Claims in order of arrival, findable by type, repeat id and deadline."""

    def __init__(self) -> None:
        self._waiting: dict[int, WaitingClaim] = {}
        self._by_type: dict[str, dict[int, WaitingClaim]] = {}
        self._by_claim: dict[tuple[str, str], dict[int, WaitingClaim]] = {}
        self._by_ticket: dict[Ticket, list[WaitingClaim]] = {}
        self._deadlines = Deadlines()
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, waiting: WaitingClaim) -> bool:
        return waiting.arrival in self._waiting

    def add(self, ticket: Ticket, place: int, claim: ClaimJobs) -> None:
        """The claim waits until its `wait_until_ms`."""
        self._arrivals += 1
        waiting = WaitingClaim(self._arrivals, ticket, place, claim)
        self._waiting[waiting.arrival] = waiting
        for kind in _type_keys(claim):
            self._by_type.setdefault(kind, {})[waiting.arrival] = waiting
        if claim.repeat_id:
            key = (claim.worker_id, claim.repeat_id)
            self._by_claim.setdefault(key, {})[waiting.arrival] = waiting
        self._by_ticket.setdefault(ticket, []).append(waiting)
        self._deadlines.set(str(waiting.arrival), claim.wait_until_ms)

    def remove(self, waiting: WaitingClaim) -> None:
        """The claim waits no more."""
        claim = waiting.claim
        del self._waiting[waiting.arrival]
        for kind in _type_keys(claim):
            _remove(self._by_type, kind, waiting.arrival)
        if claim.repeat_id:
            _remove(self._by_claim, (claim.worker_id, claim.repeat_id), waiting.arrival)
        self._by_ticket[waiting.ticket].remove(waiting)
        if not self._by_ticket[waiting.ticket]:
            del self._by_ticket[waiting.ticket]
        self._deadlines.remove(str(waiting.arrival))

    def abandon(self, ticket: Ticket) -> None:
        """The ticket's callers are gone: its claims take nothing."""
        for waiting in list(self._by_ticket.get(ticket, ())):
            self.remove(waiting)

    def for_types(self, kinds: Iterable[str]) -> list[WaitingClaim]:
        """Those that a job of one of these types may serve, the earliest first."""
        found: dict[int, WaitingClaim] = dict(self._by_type.get(_ANY_TYPE, {}))
        for kind in kinds:
            found.update(self._by_type.get(_named(kind), {}))
        return [found[arrival] for arrival in sorted(found)]

    def sharers_of(self, waiting: WaitingClaim) -> list[WaitingClaim]:
        """Those that share one answer, the claim itself included: it and its repeats."""
        claim = waiting.claim
        if not claim.repeat_id:
            return [waiting]
        return list(self._by_claim[claim.worker_id, claim.repeat_id].values())

    def due(self, steady_ms: int) -> list[WaitingClaim]:
        """Take out those that have waited long enough."""
        due = [self._waiting[int(key)] for key in self._deadlines.due(steady_ms)]
        for waiting in due:
            self.remove(waiting)
        return due

    def all(self) -> list[WaitingClaim]:
        """Every waiting claim, the earliest first."""
        return list(self._waiting.values())

    def worker_ids(self) -> set[str]:
        """The workers that wait."""
        return {waiting.claim.worker_id for waiting in self._waiting.values()}

    def next_ms(self) -> int | None:
        """Steady time when the next one has waited long enough, or None."""
        return self._deadlines.next_ms()


_ANY_TYPE = ""


def _named(kind: str) -> str:
    # A type may be the empty string, which is not the same as any type.
    return f"={kind}"


def _type_keys(claim: ClaimJobs) -> list[str]:
    return [_named(kind) for kind in dict.fromkeys(claim.types)] if claim.types else [_ANY_TYPE]


def _remove(index: dict[Key, dict[int, WaitingClaim]], key: Key, arrival: int) -> None:
    del index[key][arrival]
    if not index[key]:
        del index[key]

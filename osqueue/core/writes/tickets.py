"""A ticket: requests that came together, one waiter, and their outcomes in order."""

from __future__ import annotations

from collections.abc import Sequence

from osqueue.core.mutations import Request
from osqueue.core.outcomes import Outcome

__all__ = ["Ticket"]


class Ticket:
    """One list of requests on its way through the queue."""

    __slots__ = ("is_abandoned", "outcomes", "requests", "unsettled_count")

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests
        self.outcomes: list[Outcome | None] = [None] * len(requests)
        """An outcome is final once the batch that holds it is settled."""
        self.unsettled_count = len(requests)
        self.is_abandoned = False
        """Nobody waits any more. What was asked may still be done; claimed jobs are given back."""

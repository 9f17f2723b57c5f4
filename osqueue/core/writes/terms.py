"""What a takeover has won, the names of the commits that follow, and what is left of it."""

from __future__ import annotations

import msgspec

from osqueue.core.document import Header
from osqueue.core.ids import CommitId
from osqueue.core.queue_state import QueueState

__all__ = ["CommitIds", "EndedTerm", "Term"]


class CommitIds:
    """Commit ids of one process: the sequence never restarts, whatever terms it serves."""

    def __init__(self, broker_name: str) -> None:
        self.broker_name = broker_name
        self._sequence = 0

    def next(self, epoch: int) -> CommitId:
        """A commit id that was never given before."""
        self._sequence += 1
        return CommitId(epoch, self._sequence, self.broker_name)


class Term(msgspec.Struct, kw_only=True):
    """What a takeover has won."""

    header: Header
    unknown_header: dict[str, msgspec.Raw]
    state: QueueState
    chunks: list[bytes]
    """The bytes of the takeover's write."""
    version: str
    proven_ms: int
    """Steady time at the start of the attempt that landed."""


class EndedTerm(msgspec.Struct, frozen=True, kw_only=True):
    """What a term leaves behind for the next election."""

    header: Header
    """Of its last commit."""
    version: str
    """The store's name for that."""
    given_up: str
    """Commit id of the write whose outcome stayed unknown, which may land yet; empty: none."""
    trusted_until_ms: int
    """Steady time at which its trust ends."""

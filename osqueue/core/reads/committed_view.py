"""What queries see: the committed state, and who waits, at one moment."""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from osqueue.core.document import Header
from osqueue.core.queue_state import QueueState

__all__ = ["CommittedView"]


class CommittedView(msgspec.Struct, frozen=True, kw_only=True):
    """The queue as of the last commit."""

    state: QueueState
    header: Header
    chunks: list[bytes]
    """The document."""
    find_polling: Callable[[], Collection[str]] = set
    """Tells the ids of workers of which a claim waits."""
    now_ms: int = 0
    steady_ms: int = 0

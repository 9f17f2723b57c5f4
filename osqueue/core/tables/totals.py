"""The queue's counters and switches."""

from __future__ import annotations

import msgspec

__all__ = ["Totals"]


class Totals(msgspec.Struct, kw_only=True):
    """The queue's counters and switches that the document's header keeps."""

    completed_total: int = 0
    next_order: int = 1
    leadership_ms: int = 0
    """How long the queue has had a leader: the clock by which client entries age."""
    paused: bool = False

"""Counters of one broker process, as plain data; `server/metrics.py` will render them."""

from __future__ import annotations

import msgspec

from osqueue.core.writes.effects import CommitSummary

__all__ = ["Statistics"]


class Statistics(msgspec.Struct):
    """Since the process was started."""

    reads: int = 0
    """Calls to the store that read, unchanged and failed ones counted."""
    writes: int = 0
    """Calls to the store that wrote, heartbeats and failed ones counted."""
    bytes_read: int = 0
    bytes_written: int = 0
    """Of writes that succeeded."""
    mutation_writes: int = 0
    """Calls that carried mutations: the broker's own heartbeats aside."""
    conflicts: int = 0
    unknown_outcomes: int = 0
    terms: int = 0
    """Elections won."""
    commits: int = 0
    last_commit: CommitSummary | None = None

"""Counters of one broker process, as plain data; `server/metrics.py` will render them."""

from __future__ import annotations

import msgspec

from osqueue.broker.history import Attempt, History
from osqueue.core.writes.effects import CommitSummary

__all__ = ["Statistics", "Totals"]


class Totals(msgspec.Struct):
    """What this process has committed."""

    since: int = 0
    """When it started, ms since the epoch."""
    submitted: int = 0
    claimed: int = 0
    """Attempts begun."""
    completed: int = 0
    failed: int = 0
    """Attempts that failed, or whose lease ran out."""
    died: int = 0
    """Jobs that became dead letters."""


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
    totals: Totals = msgspec.field(default_factory=Totals)
    history: History = msgspec.field(default_factory=History)

    def note_commit(self, commit: CommitSummary) -> None:
        """A write has landed."""
        self.commits += 1
        self.last_commit = commit
        totals, tally = self.totals, commit.tally
        totals.submitted += tally.submitted
        totals.claimed += tally.claimed
        totals.completed += tally.completed
        totals.failed += tally.failed
        totals.died += tally.died
        self.history.note_commit(commit)

    def note_failed_attempt(self, attempt: Attempt) -> None:
        """An attempt to write was refused by its condition, or its outcome is unknown."""
        if attempt.outcome == "conflict":
            self.conflicts += 1
        else:
            self.unknown_outcomes += 1
        self.history.note_failed_attempt(attempt)

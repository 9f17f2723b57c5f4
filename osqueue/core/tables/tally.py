"""What a batch has done to the queue, in numbers: what a commit is counted by."""

from __future__ import annotations

import msgspec

__all__ = ["Tally"]


class Tally(msgspec.Struct, kw_only=True):
    """What was done since the last commit."""

    submitted: int = 0
    """Jobs enqueued, duplicates not counted."""
    completed: int = 0
    failed: int = 0
    """Attempts that were reported as failed, or whose lease ran out."""
    died: int = 0
    """Jobs that became dead letters."""
    waits_ms: list[int] = []
    """Of each attempt begun, how long its job had been claimable when the batch was formed."""
    oldest_unclaimed_at: int = 0
    """Since when the job has been claimable that has been so longest, ms since the epoch; 0: none
    waits."""

    @property
    def claimed(self) -> int:
        """Attempts begun."""
        return len(self.waits_ms)

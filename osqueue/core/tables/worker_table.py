"""Workers that a leader has heard of, in its memory only: a new leader knows those that hold jobs
from the document, and the others once they speak."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

__all__ = ["WORKERS_MAX", "WORKER_KEPT_MS", "WorkerEntry", "WorkerTable"]

WORKER_KEPT_MS = 120_000
"""How long a worker is remembered after it was last heard of: two of the longest polls."""
WORKERS_MAX = 10_000
"""Workers remembered; who comes when so many were heard of lately is served, and not counted."""

_FORGET_PACE_MS = 10_000
"""Between two looks for workers to forget, each of which costs as much as there are workers."""


class WorkerEntry(msgspec.Struct):
    """What is known of one worker."""

    first_seen_at: int
    """Ms since the epoch, as all times here."""
    last_seen_at: int
    types: list[str] = []
    """What its last claim asked for; empty: all."""
    claimed: int = 0
    """Attempts that it has begun since it was first seen."""
    completed: int = 0
    failed: int = 0
    """Attempts that it has reported as failed."""


class WorkerTable:
    """Workers by their ids, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._entries: dict[str, WorkerEntry] = {}
        self._is_full_until = 0

    def heard_of(self, worker_id: str, now_ms: int) -> WorkerEntry:
        """A worker has said something. Returns its entry, to be counted in."""
        entry = self._entries.get(worker_id)
        if entry is None:
            entry = WorkerEntry(now_ms, now_ms)
            if len(self._entries) >= WORKERS_MAX:
                self._forget_silent(now_ms)
            if len(self._entries) < WORKERS_MAX:
                self._entries[worker_id] = entry
        entry.last_seen_at = now_ms
        return entry

    def entry(self, worker_id: str) -> WorkerEntry | None:
        """What is known of a worker, or None."""
        return self._entries.get(worker_id)

    def heard_of_lately(self, now_ms: int) -> Iterator[str]:
        """The ids of those that were heard of within `WORKER_KEPT_MS`."""
        for worker_id, entry in self._entries.items():
            if entry.last_seen_at > now_ms - WORKER_KEPT_MS:
                yield worker_id

    def _forget_silent(self, now_ms: int) -> None:
        if now_ms < self._is_full_until:
            return
        self._is_full_until = now_ms + _FORGET_PACE_MS
        self._entries = {
            worker_id: self._entries[worker_id] for worker_id in self.heard_of_lately(now_ms)
        }

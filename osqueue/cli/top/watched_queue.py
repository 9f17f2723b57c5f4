"""What is known of a queue from its events: the newest of each, and how much happens a second.

No clock, no terminal: times are given, in seconds of any steady clock.
"""

from __future__ import annotations

from collections import OrderedDict, deque

import msgspec

from osqueue.client import (
    CommitEvent,
    Event,
    Gap,
    HistoryEvent,
    JobChange,
    JobsEvent,
    LeaderEvent,
    Stats,
    StatsEvent,
)

__all__ = ["Lost", "Rates", "WatchedQueue"]

WINDOW_S = 5.0
"""What happens a second is the mean over so long."""
WINDOW_S_MIN = 1.0
"""Less says nothing yet."""
CHANGES_KEPT = 200


class Lost(msgspec.Struct, frozen=True):
    """No broker has answered for as long as a call is repeated; the watch goes on."""

    reason: str


class Rates(msgspec.Struct, frozen=True):
    """What happens a second."""

    submitted: float = 0.0
    completed: float = 0.0
    failed: float = 0.0
    """Attempts that ended without success, whatever for; a snooze counts, too."""


class Happened(msgspec.Struct, frozen=True):
    """How many jobs something happened to, at one time."""

    at: float
    submitted: int = 0
    completed: int = 0
    failed: int = 0


class WatchedQueue:
    """The queue as its events tell of it."""

    def __init__(self) -> None:
        self.stats: Stats | None = None
        self.leader: LeaderEvent | None = None
        self.commit: CommitEvent | None = None
        self.commit_at = 0.0
        self.changes: OrderedDict[str, tuple[float, JobChange]] = OrderedDict()
        """Of each job its last change and when that came, the newest first."""
        self.trouble = ""
        """Why there is no news; empty: there is."""
        self.gaps = 0
        """How often something was missed."""
        self._happened: deque[Happened] = deque()
        self._counts: Stats | None = None
        """What the next counts are compared with; None: they are the first since a gap."""
        self._watched_since = 0.0

    def take(self, event: Event | Lost, now: float) -> None:
        """Learn what has happened."""
        match event:
            case StatsEvent(stats):
                self._compare(stats, now)
            case JobsEvent(jobs):
                self._note_changes(jobs, now)
            case CommitEvent():
                self.commit, self.commit_at = event, now
            case LeaderEvent():
                self.leader = event
            case HistoryEvent():
                # The screen makes its rates of the counts.
                pass
            case Gap():
                self.gaps += 1
                self._counts = None
            case Lost(reason):
                self.trouble = reason
                return
        self.trouble = ""

    def rates(self, now: float) -> Rates:
        """What happened a second, lately."""
        while self._happened and self._happened[0].at <= now - WINDOW_S:
            self._happened.popleft()
        seconds = min(max(now - self._watched_since, WINDOW_S_MIN), WINDOW_S)
        return Rates(
            # A job that is gone is told of before the counts that lack it.
            submitted=max(sum(each.submitted for each in self._happened), 0) / seconds,
            completed=sum(each.completed for each in self._happened) / seconds,
            failed=sum(each.failed for each in self._happened) / seconds,
        )

    def _compare(self, stats: Stats, now: float) -> None:
        before, self._counts, self.stats = self._counts, stats, stats
        if before is None:
            self._watched_since = now
            self._happened.clear()
            return
        completed = stats.completed_total - before.completed_total
        # Whatever is in the queue, or has been completed or removed, was submitted. Results that
        # are kept were counted when they were completed.
        kept_out = (stats.total - stats.completed) - (before.total - before.completed)
        self._happened.append(Happened(now, submitted=kept_out + completed, completed=completed))

    def _note_changes(self, changes: list[JobChange], now: float) -> None:
        failed = removed = 0
        for change in changes:
            self.changes[change.id] = (now, change)
            self.changes.move_to_end(change.id, last=False)
            if change.status in ("scheduled", "unclaimed", "dead"):
                # With a worker's name: its report or silence. Without: a submit, retry or redrive.
                failed += bool(change.worker_id)
            elif change.status == "gone":
                # The others that are gone were dead or completed, and are not missed.
                removed += bool(change.worker_id) or not change.attempts
        while len(self.changes) > CHANGES_KEPT:
            self.changes.popitem()
        if failed or removed:
            self._happened.append(Happened(now, submitted=removed, failed=failed))

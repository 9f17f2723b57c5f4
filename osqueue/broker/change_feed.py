"""What commits have made of the queue, for those who watch: bounded, coalesced, paced.

A slow reader costs no memory: of each job it gets the newest change, of commits the newest few,
and it is told how many it has missed. While nobody watches, nothing is recorded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager

import msgspec
import trio

from osqueue.core.outcomes import JobChange
from osqueue.core.writes.effects import CommitSummary

__all__ = ["EVENT_NAMES", "ChangeFeed", "FeedEvents", "Leader", "Subscription"]

EVENT_NAMES = ("stats", "jobs", "commit", "leader", "history")
JOBS_KEPT_MAX = 10_000
COMMITS_KEPT_MAX = 256
PACE_S = 0.05
"""Between two deliveries to one reader."""
STATS_PACE_S = 0.25
"""Between two deliveries of counts: at most four a second."""


class Leader(msgspec.Struct, frozen=True):
    """Who leads."""

    epoch: int
    broker_address: str
    """Empty: nobody is known to lead."""


class FeedEvents(msgspec.Struct):
    """One delivery."""

    jobs: list[JobChange] = []
    """One a job, in the order of their first change."""
    jobs_missed: int = 0
    """Jobs whose changes were dropped, because the reader is slow: list them again."""
    commits: list[CommitSummary] = []
    leader: Leader | None = None
    has_new_stats: bool = False
    """Counts may have changed: ask for them."""


class Subscription:
    """One reader of the feed."""

    def __init__(self, events: Collection[str]) -> None:
        self.events = frozenset(events)
        self._jobs: dict[str, JobChange] = {}
        self._jobs_missed = 0
        self._commits: deque[CommitSummary] = deque(maxlen=COMMITS_KEPT_MAX)
        self._leader: Leader | None = None
        self._has_new_stats = False
        self._arrived = trio.Event()
        """Anything is there to be taken."""
        self._urgent = trio.Event()
        """Something other than counts is."""
        self._not_before = self._stats_not_before = trio.current_time()

    def put_commit(self, commit: CommitSummary, changes: list[JobChange]) -> None:
        """Take in what a commit has done."""
        if "jobs" in self.events:
            for change in changes:
                # The newest change of a job moves behind those of others.
                self._jobs.pop(change.id, None)
                self._jobs[change.id] = change
            while len(self._jobs) > JOBS_KEPT_MAX:
                del self._jobs[next(iter(self._jobs))]
                self._jobs_missed += 1
        if "commit" in self.events:
            self._commits.append(commit)
        self._arrive(is_urgent=bool(self._jobs or self._commits))

    def put_leader(self, leader: Leader) -> None:
        """Take in who leads now."""
        if "leader" in self.events:
            self._leader = leader
        self._arrive(is_urgent=self._leader is not None)

    def _arrive(self, *, is_urgent: bool) -> None:
        self._has_new_stats |= "stats" in self.events
        if is_urgent:
            self._urgent.set()
        if is_urgent or self._has_new_stats:
            self._arrived.set()

    async def next_events(self) -> FeedEvents:
        """Wait for something new, and take all that there is.

        Cancellation: nothing is lost.
        """
        while True:
            await self._arrived.wait()
            await trio.sleep_until(self._not_before)
            now = trio.current_time()
            if self._urgent.is_set() or now >= self._stats_not_before:
                return self._take(now)
            # Only counts may have changed, and the last ones are too fresh.
            with trio.move_on_at(self._stats_not_before):
                await self._urgent.wait()

    def _take(self, now: float) -> FeedEvents:
        takes_stats = self._has_new_stats and now >= self._stats_not_before
        delivery = FeedEvents(
            jobs=list(self._jobs.values()),
            jobs_missed=self._jobs_missed,
            commits=list(self._commits),
            leader=self._leader,
            has_new_stats=takes_stats,
        )
        self._jobs, self._jobs_missed, self._leader = {}, 0, None
        self._commits.clear()
        self._urgent = trio.Event()
        self._not_before = now + PACE_S
        if takes_stats:
            self._has_new_stats = False
            self._stats_not_before = now + STATS_PACE_S
        if not self._has_new_stats:
            self._arrived = trio.Event()
        return delivery


class ChangeFeed:
    """All readers of one broker."""

    def __init__(self, on_watched: Callable[[bool], None]) -> None:
        """`on_watched` is told whether anybody wants to know of jobs, when that changes."""
        self._on_watched = on_watched
        self._subscriptions: set[Subscription] = set()
        self._ends: dict[str, set[trio.Event]] = {}

    @property
    def is_watched(self) -> bool:
        """Whether anybody wants to know what becomes of jobs."""
        return bool(self._ends) or any("jobs" in each.events for each in self._subscriptions)

    @contextmanager
    def subscribe(self, events: Collection[str]) -> Generator[Subscription]:
        """Read the feed for as long as the context lasts."""
        subscription = Subscription(events)
        with self._tell_if_watched():
            self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            with self._tell_if_watched():
                self._subscriptions.discard(subscription)

    @contextmanager
    def watch_end(self, job_id: str) -> Generator[trio.Event]:
        """An event that is set when the job may have ended: look then."""
        event = trio.Event()
        with self._tell_if_watched():
            self._ends.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            with self._tell_if_watched():
                watchers = self._ends.get(job_id, set())
                watchers.discard(event)
                if not watchers:
                    self._ends.pop(job_id, None)

    def publish(self, commit: CommitSummary, changes: list[JobChange]) -> None:
        """A commit has landed."""
        for subscription in self._subscriptions:
            subscription.put_commit(commit, changes)
        if self._ends:
            for change in changes:
                if change.has_ended:
                    self._wake(self._ends.get(change.id, ()))

    def publish_leader(self, leader: Leader) -> None:
        """Somebody else leads, or nobody: whoever waits for a job must look elsewhere."""
        for subscription in self._subscriptions:
            subscription.put_leader(leader)
        for watchers in self._ends.values():
            self._wake(watchers)

    def _wake(self, watchers: Collection[trio.Event]) -> None:
        for event in watchers:
            event.set()

    @contextmanager
    def _tell_if_watched(self) -> Generator[None]:
        was_watched = self.is_watched
        yield
        if self.is_watched != was_watched:
            self._on_watched(self.is_watched)

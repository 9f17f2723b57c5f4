"""The last ten minutes of one broker, a second at a time, and its newest writes: plain data.

Bounded: of each second a few numbers, of durations only their percentiles once it is over. Times
are given, ms since the epoch; where the clock is set back, what happens counts to the newest
second that there is.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

import msgspec

from osqueue.core.writes.effects import CommitSummary

__all__ = [
    "ATTEMPTS_KEPT",
    "BUCKETS_KEPT",
    "BUCKET_MS",
    "Attempt",
    "Buckets",
    "Histogram",
    "History",
    "summarize",
]

BUCKET_MS = 1_000
BUCKETS_KEPT = 600
ATTEMPTS_KEPT = 200
WAITS_SAMPLED = 64
"""Of the waits of one commit at most about so many are looked at, evenly spread."""
EXACT_BELOW = 16
STEPS_BITS = 3
"""Longer durations are told apart in steps of an eighth."""


class Attempt(msgspec.Struct, frozen=True):
    """One write, or an attempt of one that did not simply succeed."""

    commit_id: str
    at: int
    """When its outcome was known."""
    mutations: int
    bytes: int
    """Of the document."""
    milliseconds: int
    outcome: Literal["landed", "conflict", "unknown"]


class Buckets(msgspec.Struct):
    """Figures by the second, columns of equal length; None where nothing was measured."""

    submitted: list[int] = []
    claimed: list[int] = []
    completed: list[int] = []
    failed: list[int] = []
    commits: list[int] = []
    mutations: list[int] = []
    conflicts: list[int] = []
    unknown_outcomes: list[int] = []
    commit_ms_p50: list[int | None] = []
    commit_ms_p99: list[int | None] = []
    wait_ms_p50: list[int | None] = []
    wait_ms_p99: list[int | None] = []
    oldest_wait_ms: list[int | None] = []


class Histogram:
    """Durations, exact below 16 ms, then in steps of at most an eighth."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._total = 0

    def add(self, value_ms: int, count: int = 1) -> None:
        """Note a duration, that many times."""
        value_ms = max(value_ms, 0)
        shift = max(value_ms.bit_length() - STEPS_BITS - 1, 0)
        step = (shift << STEPS_BITS) + (value_ms >> shift)
        self._counts[step] = self._counts.get(step, 0) + count
        self._total += count

    def percentile(self, share: float) -> int | None:
        """The duration that this share of all is not longer than; None: there is none."""
        left = self._total * share
        for step in sorted(self._counts):
            left -= self._counts[step]
            if left <= 0:
                return _middle(step)
        return None


class _Second(msgspec.Struct):
    """What happened in one second."""

    number: int
    """Seconds since the epoch."""
    submitted: int = 0
    claimed: int = 0
    completed: int = 0
    failed: int = 0
    commits: int = 0
    mutations: int = 0
    conflicts: int = 0
    unknown_outcomes: int = 0
    commit_ms_p50: int | None = None
    commit_ms_p99: int | None = None
    wait_ms_p50: int | None = None
    wait_ms_p99: int | None = None
    oldest_wait_ms: int | None = None


class History:
    """What one broker has done lately."""

    def __init__(self) -> None:
        self.attempts: deque[Attempt] = deque(maxlen=ATTEMPTS_KEPT)
        """The newest last."""
        self.attempts_count = 0
        """All that there ever were, so that a reader can tell which are new to it."""
        self._seconds: deque[_Second] = deque(maxlen=BUCKETS_KEPT)
        """Those in which something happened."""
        self._commit_ms = Histogram()
        self._wait_ms = Histogram()
        """Of the newest second."""

    @property
    def newest_second(self) -> int:
        """The newest second in which something happened, since the epoch; 0: nothing did."""
        return self._seconds[-1].number if self._seconds else 0

    def note_commit(self, commit: CommitSummary) -> None:
        """A write has landed."""
        second, tally = self._second_of(commit.at), commit.tally
        second.commits += 1
        second.mutations += commit.mutations
        second.submitted += tally.submitted
        second.claimed += tally.claimed
        second.completed += tally.completed
        second.failed += tally.failed
        oldest_at = tally.oldest_unclaimed_at
        second.oldest_wait_ms = max(commit.at - oldest_at, 0) if oldest_at else 0
        self._commit_ms.add(commit.duration_ms)
        step = len(tally.waits_ms) // WAITS_SAMPLED + 1
        for wait_ms in tally.waits_ms[::step]:
            # The worker is told once the write has landed: a job that is claimed in the very write
            # that submits it has waited for that write.
            self._wait_ms.add(wait_ms + commit.duration_ms, step)
        self._note(summarize(commit))

    def note_failed_attempt(self, attempt: Attempt) -> None:
        """An attempt was refused by its condition, or nothing tells what became of it."""
        second = self._second_of(attempt.at)
        if attempt.outcome == "conflict":
            second.conflicts += 1
        else:
            second.unknown_outcomes += 1
        self._note(attempt)

    def buckets(self, first: int, end: int) -> Buckets:
        """The seconds from `first` to before `end`, in seconds since the epoch."""
        self._close_newest()
        by_number = {second.number: second for second in self._seconds}
        chosen = [by_number.get(number) or _Second(number) for number in range(first, end)]
        return Buckets(
            **{
                name: [getattr(second, name) for second in chosen]
                for name in Buckets.__struct_fields__
            }
        )

    def _note(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self.attempts_count += 1

    def _second_of(self, at: int) -> _Second:
        number = at // BUCKET_MS
        if self._seconds and self._seconds[-1].number >= number:
            return self._seconds[-1]
        self._close_newest()
        self._commit_ms, self._wait_ms = Histogram(), Histogram()
        self._seconds.append(_Second(number))
        return self._seconds[-1]

    def _close_newest(self) -> None:
        """Write down the percentiles of the newest second, which may still grow."""
        if self._seconds:
            newest = self._seconds[-1]
            newest.commit_ms_p50 = self._commit_ms.percentile(0.5)
            newest.commit_ms_p99 = self._commit_ms.percentile(0.99)
            newest.wait_ms_p50 = self._wait_ms.percentile(0.5)
            newest.wait_ms_p99 = self._wait_ms.percentile(0.99)


def summarize(commit: CommitSummary) -> Attempt:
    """A commit as the newest writes show it."""
    return Attempt(
        commit_id=commit.commit_id,
        at=commit.at,
        mutations=commit.mutations,
        bytes=commit.document_bytes,
        milliseconds=commit.duration_ms,
        outcome="landed",
    )


def _middle(step: int) -> int:
    if step < EXACT_BELOW:
        return step
    shift = (step >> STEPS_BITS) - 1
    least = ((step & (1 << STEPS_BITS) - 1) + (1 << STEPS_BITS)) << shift
    return least + (1 << shift >> 1)

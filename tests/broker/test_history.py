"""Ten minutes of figures: what they count, what bounds them."""

from __future__ import annotations

import msgspec
import pytest

from osqueue.broker.history import (
    ATTEMPTS_KEPT,
    BUCKETS_KEPT,
    Attempt,
    Histogram,
    History,
    summarize,
)
from osqueue.core.tables.tally import Tally
from osqueue.core.writes.effects import CommitSummary

T = 1_706_000_000
"""A second."""


def commit(at: int, *, duration_ms: int = 5, **tally: object) -> CommitSummary:
    counted = msgspec.convert(tally, Tally)
    return CommitSummary(f"1-{at}-{'a' * 16}", 2, 1_000, duration_ms, at, counted)


def test_new_history_is_empty() -> None:
    history = History()
    assert (history.newest_second, len(history.attempts)) == (0, 0)
    buckets = history.buckets(T, T + 2)
    assert (buckets.submitted, buckets.commit_ms_p50) == ([0, 0], [None, None])


def test_commits_are_counted_to_their_second() -> None:
    history = History()
    history.note_commit(commit(T * 1_000, submitted=3, oldest_unclaimed_at=T * 1_000 - 400))
    history.note_commit(commit(T * 1_000 + 999, duration_ms=9, waits_ms=[10, 12]))
    history.note_commit(commit(T * 1_000 + 2_000, completed=1, failed=4))
    assert history.newest_second == T + 2
    buckets = history.buckets(T, T + 3)
    assert buckets.commits == [2, 0, 1]
    assert buckets.mutations == [4, 0, 2]
    assert (buckets.submitted, buckets.claimed) == ([3, 0, 0], [2, 0, 0])
    assert (buckets.completed, buckets.failed) == ([0, 0, 1], [0, 0, 4])
    assert (buckets.commit_ms_p50, buckets.commit_ms_p99) == ([5, None, 5], [9, None, 5])
    assert (buckets.wait_ms_p50, buckets.wait_ms_p99) == ([19, None, None], [21, None, None])
    assert buckets.oldest_wait_ms == [0, None, 0]


def test_job_claimed_in_the_write_that_submits_it_has_waited_for_that_write() -> None:
    history = History()
    history.note_commit(commit(T * 1_000, duration_ms=9, submitted=1, waits_ms=[0]))
    assert history.buckets(T, T + 1).wait_ms_p50 == [9]


def test_second_shows_the_oldest_wait_at_its_last_commit() -> None:
    history = History()
    history.note_commit(commit(T * 1_000 + 5, oldest_unclaimed_at=T * 1_000))
    assert history.buckets(T, T + 1).oldest_wait_ms == [5]


def test_attempts_that_failed_are_counted_and_remembered_as_what_they_were() -> None:
    history = History()
    for outcome in ("conflict", "unknown", "unknown"):
        history.note_failed_attempt(Attempt("1-1-a", T * 1_000, 2, 9, 4, outcome))
    buckets = history.buckets(T, T + 1)
    assert (buckets.conflicts, buckets.unknown_outcomes, buckets.commits) == ([1], [2], [0])
    assert [attempt.outcome for attempt in history.attempts] == ["conflict", "unknown", "unknown"]


def test_only_the_newest_are_kept() -> None:
    history = History()
    for number in range(BUCKETS_KEPT + 1):
        history.note_commit(commit((T + number) * 1_000))
    assert len(history.attempts) == ATTEMPTS_KEPT
    assert history.attempts_count == BUCKETS_KEPT + 1
    assert history.attempts[-1] == summarize(commit((T + BUCKETS_KEPT) * 1_000))
    assert history.buckets(T, T + 2).commits == [0, 1]


def test_clock_that_is_set_back_adds_to_the_newest_second() -> None:
    history = History()
    history.note_commit(commit(T * 1_000))
    history.note_commit(commit(T * 1_000 - 90_000))
    assert history.buckets(T, T + 1).commits == [2]


def test_of_many_waits_an_even_sample_stands_for_all() -> None:
    history = History()
    history.note_commit(commit(T * 1_000, duration_ms=0, waits_ms=[1] * 9_000 + [8] * 1_000))
    buckets = history.buckets(T, T + 1)
    assert (buckets.wait_ms_p50, buckets.wait_ms_p99) == ([1], [8])


@pytest.mark.parametrize("value", [0, 1, 15, 16, 17, 100, 1_000, 86_400_000])
def test_histogram_is_right_within_a_sixteenth(value: int) -> None:
    histogram = Histogram()
    histogram.add(value)
    found = histogram.percentile(0.5)
    assert found is not None
    assert abs(found - value) <= value / 16


def test_histogram_takes_a_negative_duration_for_none() -> None:
    histogram = Histogram()
    histogram.add(-5)
    assert histogram.percentile(0.99) == 0

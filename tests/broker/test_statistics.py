"""Counters before anything was counted; `test_counts.py` has what they count."""

from osqueue.broker.history import Attempt
from osqueue.broker.statistics import Statistics, Totals
from osqueue.core.tables.tally import Tally
from osqueue.core.writes.effects import CommitSummary


def test_new_statistics_are_zero() -> None:
    statistics = Statistics()
    assert statistics.last_commit is None
    assert statistics.totals == Totals()
    assert not any((statistics.reads, statistics.writes, statistics.commits, statistics.terms))


def test_commits_add_up() -> None:
    statistics = Statistics()
    tally = Tally(submitted=1, waits_ms=[5, 6], completed=3, failed=4, died=5)
    commit = CommitSummary("1-1-a", 2, 1_000, 5, 1_000, tally)
    statistics.note_commit(commit)
    statistics.note_commit(commit)
    assert (statistics.commits, statistics.last_commit) == (2, commit)
    assert statistics.totals == Totals(0, 2, 4, 6, 8, 10)
    assert statistics.history.newest_second == 1


def test_attempts_that_failed_are_counted_by_what_became_of_them() -> None:
    statistics = Statistics()
    statistics.note_failed_attempt(Attempt("1-1-a", 1_000, 0, 0, 0, "conflict"))
    statistics.note_failed_attempt(Attempt("1-1-a", 1_000, 0, 0, 0, "unknown"))
    assert (statistics.conflicts, statistics.unknown_outcomes) == (1, 1)
    assert statistics.history.attempts_count == 2

"""Counters before anything was counted; `test_counts.py` has what they count."""

from osqueue.broker.statistics import Statistics


def test_new_statistics_are_zero() -> None:
    statistics = Statistics()
    assert statistics.last_commit is None
    assert not any((statistics.reads, statistics.writes, statistics.commits, statistics.terms))

"""A new queue starts from nothing."""

from osqueue.core.tables.totals import Totals


def test_totals_of_a_new_queue_are_nothing_yet() -> None:
    assert Totals() == Totals(completed_total=0, next_order=1, leadership_ms=0, paused=False)

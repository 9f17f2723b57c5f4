"""Failures in a row: the first is told, then one each 30 s, and each other kind at once."""

from __future__ import annotations

from osqueue.broker.trouble import TOLD_EVERY_MS, Trouble


def test_outage_is_told_once_and_then_now_and_again() -> None:
    trouble = Trouble()
    told = [ms for ms in range(0, 2 * TOLD_EVERY_MS + 1, 1_000) if trouble.is_news("refused", ms)]
    assert told == [0, TOLD_EVERY_MS, 2 * TOLD_EVERY_MS]
    assert trouble.failures_count == 61
    ended = trouble.end(2 * TOLD_EVERY_MS + 500)
    assert ended == (61, 2 * TOLD_EVERY_MS + 500)
    assert ended.is_news


def test_another_kind_is_told_at_once() -> None:
    trouble = Trouble()
    kinds = ["refused", "unknown", "unknown", "refused"]
    assert [trouble.is_news(kind, 1) for kind in kinds] == [True, True, False, True]


def test_it_lasts_as_long_as_calls_fail_and_are_made() -> None:
    trouble = Trouble()
    trouble.is_news("refused", 0)
    assert not trouble.lasts(0)
    trouble.is_news("refused", 1_000)
    assert trouble.lasts(1_000 + TOLD_EVERY_MS)
    # A standby, which does not write, is not kept from anything by what once failed.
    assert not trouble.lasts(1_001 + TOLD_EVERY_MS)


def test_success_ends_it() -> None:
    trouble = Trouble()
    assert trouble.end(3) == (0, 0)
    assert trouble.is_news("refused", 5)
    assert trouble.end(8) == (1, 3)
    assert trouble.failures_count == 0
    assert trouble.is_news("refused", 6)


def test_end_of_one_failure_is_told_where_its_call_took_long() -> None:
    for took_ms, is_news in ((999, False), (1_000, True)):
        trouble = Trouble()
        assert trouble.is_news("late", 5_000 + took_ms, began_ms=5_000)
        assert trouble.end(5_000 + took_ms).is_news is is_news

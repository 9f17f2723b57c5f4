"""What a handler means by what it raises."""

from __future__ import annotations

import pytest

from osqueue.worker.outcomes import Dead, Failed, Snooze, Snoozed, outcome_of

__all__: list[str] = []


def test_an_error_is_a_failure_that_is_tried_again() -> None:
    error = ValueError("no")
    assert outcome_of(error) == Failed(error)


def test_the_groups_of_nurseries_are_seen_through() -> None:
    snooze = ExceptionGroup("outer", [ExceptionGroup("inner", [Snooze(2_000)])])
    assert outcome_of(snooze) == Snoozed(2_000)
    dead = ExceptionGroup("one", [Dead("no")])
    assert outcome_of(dead) == Failed(dead, is_final=True)


def test_a_snooze_among_other_errors_is_a_failure() -> None:
    group = ExceptionGroup("two", [Snooze(2_000), ValueError("no")])
    assert outcome_of(group) == Failed(group)


@pytest.mark.parametrize("delay_ms", [-1, 0, 999, 10**15])
def test_the_delay_of_a_snooze_is_bounded(delay_ms: int) -> None:
    with pytest.raises(ValueError, match=str(delay_ms)):
        Snooze(delay_ms)

"""Waits grow, are capped, and are spread over their whole span."""

import random

import pytest

from osqueue.core.retry_policy import RetryPolicy


@pytest.mark.parametrize(
    ("attempt", "longest_ms"), [(1, 1_000), (2, 2_000), (3, 4_000), (10, 512_000), (11, 600_000)]
)
def test_longest_wait_doubles_to_its_cap(attempt: int, longest_ms: int) -> None:
    assert RetryPolicy().longest_ms(attempt) == longest_ms


@pytest.mark.parametrize("attempt", [1_000, 10**6, 10**9])
@pytest.mark.parametrize("factor", [2.0, 1e200])
def test_longest_wait_of_a_very_late_attempt_is_the_cap(attempt: int, factor: float) -> None:
    assert RetryPolicy(factor=factor).longest_ms(attempt) == 600_000


def test_longest_wait_without_growth_stays() -> None:
    assert RetryPolicy(base_ms=50, factor=1.0).longest_ms(1_000_000) == 50


def test_longest_wait_of_nothing_is_nothing() -> None:
    assert RetryPolicy(base_ms=0).longest_ms(5) == 0


def test_delay_is_spread_over_the_whole_span(seeded_random: random.Random) -> None:
    delays = [RetryPolicy().delay_ms(3, seeded_random) for _ in range(1_000)]
    assert min(delays) < 100
    assert 3_900 < max(delays) < 4_000


def test_delay_of_the_same_random_state_is_the_same() -> None:
    assert RetryPolicy().delay_ms(5, random.Random(4)) == RetryPolicy().delay_ms(
        5, random.Random(4)
    )


def test_delay_before_the_first_attempt_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="count from 1"):
        RetryPolicy().delay_ms(0, random.Random(1))

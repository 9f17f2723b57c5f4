"""The two times that have to fit."""

import pytest

from osqueue.core.election.trust import evidence_wait_ms, trust_ms


def test_times_of_the_default_timeout() -> None:
    assert (trust_ms(10_000), evidence_wait_ms(10_000)) == (5_000, 5_502)


@pytest.mark.parametrize("timeout_ms", [30, 31, 100, 999, 2_000, 10_000, 86_400_000])
@pytest.mark.parametrize("rate", [1.0, 1.09])
def test_evidence_counts_only_when_a_leader_trusts_itself_no_more(
    timeout_ms: int, rate: float
) -> None:
    # The leader's clock is behind by what it rounds off, and the standby's is faster.
    over_ms = trust_ms(timeout_ms) + 1
    assert evidence_wait_ms(timeout_ms) - 1 >= int(over_ms * rate)


@pytest.mark.parametrize("timeout_ms", [30, 10_000])
def test_evidence_shortens_the_wait(timeout_ms: int) -> None:
    assert evidence_wait_ms(timeout_ms) < timeout_ms

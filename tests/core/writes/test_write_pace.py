"""Timeouts follow the store's speed."""

from __future__ import annotations

import pytest

from osqueue.core.writes.write_pace import WritePace


def make_pace(*durations_ms: int) -> WritePace:
    pace = WritePace(heartbeat_interval_ms=3_000, broker_timeout_ms=10_000)
    for duration_ms in durations_ms:
        pace.succeeded(duration_ms)
    return pace


def test_pace_of_a_fast_store_is_what_is_set() -> None:
    pace = make_pace(20, 50)
    assert pace.slowest_ms == 50
    assert (pace.heartbeat_interval_ms, pace.broker_timeout_ms) == (3_000, 10_000)
    assert pace.lease_ms_min == 20_000


def test_pace_before_the_first_write_is_what_is_set() -> None:
    assert make_pace().slowest_ms == 0
    assert make_pace().broker_timeout_ms == 10_000


@pytest.mark.parametrize("slowest_ms", [1_501, 2_600, 9_000, 60_000])
def test_pace_of_a_slow_store_keeps_its_relations(slowest_ms: int) -> None:
    pace = make_pace(10)
    pace.timed_out(slowest_ms)
    assert pace.slowest_ms == slowest_ms
    assert pace.heartbeat_interval_ms >= 2 * slowest_ms
    assert pace.broker_timeout_ms >= 4 * slowest_ms
    assert pace.broker_timeout_ms >= 3 * pace.heartbeat_interval_ms
    assert pace.lease_ms_min == 2 * pace.broker_timeout_ms


def test_pace_forgets_a_slow_write_after_a_while() -> None:
    pace = make_pace(2_000)
    for _ in range(32):
        pace.succeeded(10)
    assert pace.slowest_ms == 10


def test_write_that_timed_out_counts_as_that_slow_and_doubles_the_next_timeout() -> None:
    pace = make_pace()
    assert pace.attempt_timeout_ms(0) == 2_500
    pace.timed_out(2_500)
    assert pace.slowest_ms == 2_500
    assert pace.attempt_timeout_ms(0) == 10_000


def test_write_that_outlasted_its_timeout_stood_still_with_the_machine() -> None:
    pace = make_pace()
    pace.succeeded(3_600_000)
    assert pace.slowest_ms == 2_500
    pace.succeeded(3_600_000, document_bytes=20_000_000)
    assert pace.slowest_ms == 5_000 + 20_000


def test_timeouts_of_one_attempt_do_not_grow_without_end() -> None:
    pace = make_pace()
    for _ in range(100):
        pace.timed_out(pace.attempt_timeout_ms(0))
    assert pace.attempt_timeout_ms(0) == 10_000


def test_success_ends_the_doubling() -> None:
    pace = make_pace()
    pace.timed_out(1_000)
    assert pace.attempt_timeout_ms(0) == 5_000
    pace.succeeded(1_000)
    assert pace.attempt_timeout_ms(0) == 2_500


def test_timeout_grows_with_the_bytes() -> None:
    assert make_pace().attempt_timeout_ms(64_000_000) == 2_500 + 64_000

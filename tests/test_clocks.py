"""The two clocks."""

from __future__ import annotations

import time

import pytest
import trio
import trio.testing

from osqueue.clocks import SleepCountingClock, SystemClock, TrioClock


async def test_trio_clock_follows_the_mock_clock(autojump_clock: trio.testing.MockClock) -> None:
    clock = TrioClock(epoch_ms=1_000)
    assert (clock.now_ms(), clock.steady_ms()) == (1_000, 0)
    await trio.sleep(2.5)
    assert (clock.now_ms(), clock.steady_ms()) == (3_500, 2_500)


def test_system_clock_runs_forwards_and_knows_the_year() -> None:
    clock = SystemClock()
    assert clock.now_ms() > 1_700_000_000_000
    first_ms = clock.steady_ms()
    assert 0 < first_ms <= clock.steady_ms()


def test_steady_clock_has_run_on_while_the_machine_was_suspended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    suspended_ns = {time.CLOCK_MONOTONIC: 2_000_000_000, time.CLOCK_BOOTTIME: 7_000_000_000}
    monkeypatch.setattr(time, "clock_gettime_ns", suspended_ns.__getitem__)
    assert SystemClock().steady_ms() == 7_000


async def test_clock_of_clients_follows_the_mock_clock_and_counts_what_it_leaves_out(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks_ns = {time.CLOCK_MONOTONIC: 2_000_000_000, time.CLOCK_BOOTTIME: 2_000_000_000}
    monkeypatch.setattr(time, "clock_gettime_ns", clocks_ns.__getitem__)
    clock = SleepCountingClock()
    assert clock.now_ms() > 1_700_000_000_000
    assert clock.steady_ms() == 0
    await trio.sleep(2.5)
    assert clock.steady_ms() == 2_500
    # The machine sleeps for an hour, and Trio's clock with it.
    clocks_ns[time.CLOCK_BOOTTIME] += 3_600_000_000_000
    assert clock.steady_ms() == 3_602_500

"""The two clocks of brokers, clients and workers: the wall, and one that only runs forwards and
also while suspended."""

from __future__ import annotations

import time
from typing import Protocol

import trio

__all__ = ["Clock", "SystemClock", "TrioClock"]

_STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What the shells ask for the time."""

    def now_ms(self) -> int:
        """The wall clock, ms since the epoch."""
        ...

    def steady_ms(self) -> int:
        """Ms since some moment, never set, running while the machine is suspended."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        """The wall clock, ms since the epoch."""
        return time.time_ns() // 1_000_000

    def steady_ms(self) -> int:
        """Ms since the machine was booted."""
        return time.clock_gettime_ns(_STEADY_CLOCK) // 1_000_000


class TrioClock:
    """Both clocks from Trio's: under a MockClock everything follows it."""

    def __init__(self, *, epoch_ms: int = 1_700_000_000_000) -> None:
        """`epoch_ms` is the wall time at Trio's zero."""
        self._epoch_ms = epoch_ms

    def now_ms(self) -> int:
        """The wall clock, ms since the epoch."""
        return self._epoch_ms + self.steady_ms()

    def steady_ms(self) -> int:
        """Trio's time in ms."""
        return int(trio.current_time() * 1_000)

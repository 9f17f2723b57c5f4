"""The two clocks of brokers, clients and workers: the wall, and one that only runs forwards and
also while the machine is suspended.

Trio's own clock stands still in suspend: on resume a wait goes on for its rest. So what is
somebody's safety is asked of the steady clock at the moment of the deed. docs/architecture.md lists
every use.

Linux counts suspended time in CLOCK_BOOTTIME, not in CLOCK_MONOTONIC (clock_gettime(2)). macOS has
no CLOCK_BOOTTIME; its CLOCK_MONOTONIC "will continue to increment while the system is asleep", its
CLOCK_UPTIME_RAW does not (clock_gettime(3) of macOS).
"""

from __future__ import annotations

import time
from typing import Protocol

import trio

__all__ = ["Clock", "SleepCountingClock", "SystemClock", "TrioClock"]

_STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_AWAKE_CLOCK = getattr(time, "CLOCK_UPTIME_RAW", time.CLOCK_MONOTONIC)
"""The one that stands still while the machine is suspended."""


class Clock(Protocol):
    """Tells the shells the time."""

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


class SleepCountingClock(SystemClock):
    """Trio's time, and the time that the machine was suspended: for what runs in anybody's program.

    Under a MockClock everything follows it, as the waits of that program do.
    """

    def steady_ms(self) -> int:
        """Ms since some moment."""
        awake_ns = time.clock_gettime_ns(_AWAKE_CLOCK)
        suspended_ns = time.clock_gettime_ns(_STEADY_CLOCK) - awake_ns
        return int(trio.current_time() * 1_000) + suspended_ns // 1_000_000


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

"""The time that the queue goes by: that of the wall clock, for as long as it does not jump.

A wall clock is set by people, by NTP and by hypervisors, and may be wrong by days. What goes by it
cannot be undone: a kept result that has expired is gone, a scheduled job that has started has
started. So the wall clock is measured against steady time from the first reading on. A step within
`WALL_JUMP_MS_MAX` is followed at once, as NTP makes them. A longer one, forwards or backwards,
changes nothing: the queue goes on by steady time until the step is confirmed, by the store's own
clock, or undone. A new process begins with the wall clock as it finds it: that is how an operator
confirms one.

Rests on the steady clock, which only runs forwards, at about the pace of time. What has to be false
for it to be wrong: that this clock goes on while the machine stands still. A hypervisor that pauses
a machine stops it; the right time then looks like a jump, and waits to be confirmed.
"""

from __future__ import annotations

from osqueue.core.leadership import CLOCK_OFFSET_MS_MAX

__all__ = ["WALL_JUMP_MS_MAX", "QueueTime"]

WALL_JUMP_MS_MAX = 60_000
"""The longest step of a wall clock that is followed without being confirmed."""


class QueueTime:
    """Decides which of two clocks tells the time of the queue. All times are in ms."""

    def __init__(self) -> None:
        self._ahead_ms: int | None = None
        """The queue's time less that of the steady clock; None before the first reading."""

    def now_ms(self, wall_ms: int, steady_ms: int) -> int:
        """The queue's time, ms since the epoch: `wall_ms`, unless that has jumped."""
        ahead_ms, known_ms = wall_ms - steady_ms, self._ahead_ms
        if known_ms is None or -WALL_JUMP_MS_MAX <= ahead_ms - known_ms <= WALL_JUMP_MS_MAX:
            self._ahead_ms = ahead_ms
            return wall_ms
        return steady_ms + known_ms

    def confirm(self, wall_ms: int, steady_ms: int, *, store_offset_ms: int | None) -> bool:
        """Follow the wall clock, jump or not, where the store's clock agrees with it.

        `store_offset_ms` is how far the store's clock is ahead of the wall clock now; None: nobody
        knows. Returns whether the wall clock is followed.
        """
        if store_offset_ms is None or abs(store_offset_ms) > CLOCK_OFFSET_MS_MAX:
            return False
        self._ahead_ms = wall_ms - steady_ms
        return True

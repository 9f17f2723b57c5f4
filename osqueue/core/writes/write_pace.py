"""How slow the store is, and what follows: timeouts that a slow store can meet.

`brokerTimeoutMs` in force is at least 4 times the slowest recent write and 3 times the heartbeat
interval in force, which is itself at least twice the slowest write.
"""

from __future__ import annotations

from collections import deque

__all__ = ["WritePace"]

_RECENT_WRITES = 32
_BYTES_PER_MS = 1_000
"""The slowest link that a write's timeout allows for: 1 MB a second."""
_DOUBLINGS_MAX = 6


class WritePace:
    """The durations of the recent writes of this process."""

    def __init__(self, *, heartbeat_interval_ms: int, broker_timeout_ms: int) -> None:
        self._heartbeat_interval_ms = heartbeat_interval_ms
        self._broker_timeout_ms = broker_timeout_ms
        self._recent_ms: deque[int] = deque(maxlen=_RECENT_WRITES)
        self._timeouts_in_a_row = 0

    def succeeded(self, duration_ms: int, document_bytes: int = 0) -> None:
        """A write of so many bytes was answered after so long.

        One that took longer than its attempt may take stood still with its machine, or with this
        process: that says nothing about the store.
        """
        self._recent_ms.append(min(duration_ms, self.attempt_timeout_ms(document_bytes)))
        self._timeouts_in_a_row = 0

    def timed_out(self, timeout_ms: int) -> None:
        """A write was not answered in time: it counts as that slow, and the next one gets
        double."""
        self._recent_ms.append(timeout_ms)
        self._timeouts_in_a_row = min(self._timeouts_in_a_row + 1, _DOUBLINGS_MAX)

    @property
    def slowest_ms(self) -> int:
        """The slowest recent write; 0 before the first."""
        return max(self._recent_ms, default=0)

    @property
    def heartbeat_interval_ms(self) -> int:
        """The longest that a leader goes without a write."""
        return max(self._heartbeat_interval_ms, 2 * self.slowest_ms)

    @property
    def broker_timeout_ms(self) -> int:
        """How long a standby waits, as the next document will say."""
        return max(self._broker_timeout_ms, 4 * self.slowest_ms, 3 * self.heartbeat_interval_ms)

    @property
    def lease_ms_min(self) -> int:
        """The shortest lease: twice the timeout, so that a failover does not cost a worker its
        jobs."""
        return 2 * self.broker_timeout_ms

    def attempt_timeout_ms(self, document_bytes: int) -> int:
        """How long one attempt to write so many bytes may take."""
        base_ms = max(self._broker_timeout_ms // 4, 2 * self.slowest_ms)
        doubled_ms = base_ms << self._timeouts_in_a_row if self._timeouts_in_a_row else base_ms
        return min(doubled_ms, self._broker_timeout_ms) + document_bytes // _BYTES_PER_MS

"""The clock that a broker goes by: the machine's, guarded against jumps of its wall clock."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

from osqueue.clocks import Clock
from osqueue.core.clocks.queue_time import WALL_JUMP_MS_MAX, QueueTime
from storage_adapters.contract import ObjectStore

__all__ = ["QueueClock"]

log = structlog.get_logger(__name__)

ADVICE = (
    "the queue goes on by steady time; set the clock right, or, where it is right now, restart the"
    " brokers of this machine: they begin with its time"
)


class QueueClock:
    """The time of the queue; see `core/clocks/queue_time.py`. Whoever reads it notices jumps."""

    def __init__(self, clock: Clock, store: ObjectStore) -> None:
        """`store` is asked for the time when `clock` has jumped."""
        self._clock = clock
        self._store = store
        self._time = QueueTime()
        self._jumped_ms: int | None = None
        """Steady time when a jump was noticed that goes on; None: there is none."""

    def now_ms(self) -> int:
        """The queue's time, ms since the epoch."""
        wall_ms, steady_ms = self._clock.now_ms(), self._clock.steady_ms()
        now_ms = self._time.now_ms(wall_ms, steady_ms)
        if now_ms == wall_ms and self._jumped_ms is None:
            return now_ms
        return self._guarded_ms(wall_ms, steady_ms, now_ms)

    def steady_ms(self) -> int:
        """Ms since some moment, as the machine counts them."""
        return self._clock.steady_ms()

    def _guarded_ms(self, wall_ms: int, steady_ms: int, now_ms: int) -> int:
        """The queue's time while the wall clock is off it, or was when it was read last."""
        is_right = now_ms == wall_ms
        reason = "it is right again"
        if not is_right:
            offset_ms = self._store.clock_offset_ms
            is_right = self._time.confirm(wall_ms, steady_ms, store_offset_ms=offset_ms)
            reason = "the store's clock says the same"
        if is_right:
            since_ms = steady_ms if self._jumped_ms is None else self._jumped_ms
            self._jumped_ms = None
            log.info("the wall clock is followed", reason=reason, lasted_ms=steady_ms - since_ms)
            return wall_ms
        if self._jumped_ms is None:
            self._jumped_ms = steady_ms
            log.warning(
                "the wall clock has jumped",
                wall_clock=_written(wall_ms),
                queue_time=_written(now_ms),
                jump_ms=wall_ms - now_ms,
                jump_ms_max=WALL_JUMP_MS_MAX,
                advice=ADVICE,
            )
        return now_ms


def _written(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1_000, UTC).isoformat(timespec="milliseconds")

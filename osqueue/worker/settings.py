"""How one worker works."""

from __future__ import annotations

import msgspec

__all__ = ["WorkerSettings"]


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs of one worker; `Worker` explains and checks them."""

    concurrency: int = 10
    """Handlers at the same time."""
    prefetch: int = 0
    """Jobs claimed beyond that, to start without delay."""
    lease_ms: int | None = None
    """None: the broker's setting."""
    wait_ms: int = 20_000
    """How long one poll waits at the broker."""
    drain_timeout_s: float = 30.0
    """How long running handlers may take to finish when the worker stops."""
    time_limit_s: float | None = None
    """For one attempt of a handler that has no limit of its own; None: no limit."""

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise ValueError(f"concurrency is 1 or more, not {self.concurrency}")
        if self.prefetch < 0:
            raise ValueError(f"prefetch is 0 or more, not {self.prefetch}")
        if not 0 < self.wait_ms <= 60_000:
            raise ValueError(f"wait_ms is 1 to 60,000, not {self.wait_ms}")
        if self.drain_timeout_s < 0:
            raise ValueError(f"drain_timeout_s is 0 or more, not {self.drain_timeout_s}")
        if self.time_limit_s is not None and self.time_limit_s <= 0:
            raise ValueError(f"time_limit_s is above 0, not {self.time_limit_s}")

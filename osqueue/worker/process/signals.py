"""The signals of a worker's process: the first one drains, a second one ends it wherever it hangs.

Not Trio's receiver: that is heard by a task, and a handler that never gives the thread back, or
that shields itself from cancellation, would keep a second signal from ever being heeded.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

import trio

__all__ = ["ECHO_S", "SIGNAL_STATUS", "heeding_signals"]

ECHO_S = 0.5
"""A repeat of the same signal within this is the same request: `timeout` and process groups send
one to the child itself and then to the whole group."""
SIGNAL_STATUS = 128
"""A process that ends by signal N has, to a shell, the status 128 + N."""


@contextmanager
def heeding_signals(on_first: Callable[[str], None]) -> Generator[None]:
    """Heed SIGTERM and SIGINT while the body runs; to be entered in the main thread, within Trio.

    The first is told to `on_first`, by its name, in Trio's thread. A second ends the process at
    once, with the status 128 + its number and no cleaning up: leases run out, other workers go on.
    """
    token = trio.lowlevel.current_trio_token()
    first, first_at_s = 0, 0.0

    def heed(number: int, frame: FrameType | None) -> None:
        nonlocal first, first_at_s
        if not first:
            first, first_at_s = number, time.monotonic()
            token.run_sync_soon(on_first, signal.Signals(number).name)
        elif number != first or time.monotonic() > first_at_s + ECHO_S:
            # Nothing else is safe here: whatever was interrupted may hold the lock of the log.
            os._exit(SIGNAL_STATUS + number)

    before = {number: signal.signal(number, heed) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

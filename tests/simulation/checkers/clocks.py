"""Whether what is written goes by the right time, whatever wall clocks say."""

from __future__ import annotations

from osqueue.core.clocks.queue_time import WALL_JUMP_MS_MAX
from tests.simulation.cast.processes import EPOCH_MS, Process
from tests.simulation.checkers.views import Violation

__all__ = ["check_queue_time"]

_SENT_LATE_MS = 120_000
"""The greatest age of bytes that are sent again."""


def check_queue_time(process: Process, body: bytes, now: int) -> None:
    """The time that a broker writes and decides by is the true one, but for the steps of its wall
    clock that it may follow: what is due by it is due.

    Raises:
        Violation: it is not.
    """
    start = body.index(b'"brokerHeartbeat":') + 18
    queue_ms = int(body[start : body.index(b",", start)])
    ahead_ms = queue_ms - (EPOCH_MS + now + process.machine.step_ms)
    allowed_ms = WALL_JUMP_MS_MAX + process.machine.stepped_ms
    if not -allowed_ms - _SENT_LATE_MS <= ahead_ms <= allowed_ms:
        raise Violation(
            "queue time", f"{process!r} writes by a time that is {ahead_ms} ms ahead of the true"
        )

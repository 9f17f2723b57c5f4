"""Runs a Trio program so that one seed names one run: order of tasks, and virtual time.

Trio promises no order among tasks that can run. It has a switch for its own tests, private and
without a promise: sort the tasks of a round, and shuffle them by a generator that can be seeded.
This file is the only place that knows the names; `test_determinism.py` fails first where Trio
changes them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio
from trio._core import _run as trio_run
from trio.testing import MockClock

__all__ = ["run_seeded"]


def run_seeded(seed: int, main: Callable[[], Awaitable[None]]) -> None:
    """Run to the end, on a clock that jumps whenever everybody waits.

    Nothing in there may use threads or sockets: the clock would not wait for them.
    """
    switch, generator = "_ALLOW_DETERMINISTIC_SCHEDULING", "_r"
    allowed_before = getattr(trio_run, switch)
    drawn_before = getattr(trio_run, generator).getstate()
    setattr(trio_run, switch, True)
    getattr(trio_run, generator).seed(seed)
    try:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    finally:
        setattr(trio_run, switch, allowed_before)
        getattr(trio_run, generator).setstate(drawn_before)

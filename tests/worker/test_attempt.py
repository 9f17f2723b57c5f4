"""Stopping one attempt."""

from __future__ import annotations

from osqueue.worker.attempt import Attempt
from tests.worker.builders import make_claimed

__all__: list[str] = []


async def test_the_first_reason_to_stop_counts() -> None:
    attempt = Attempt(make_claimed(), None)
    attempt.stop("lost")
    attempt.stop("drained")
    assert attempt.stopped == "lost"
    assert attempt.scope.cancel_called
    assert attempt.job.should_stop


async def test_a_thread_is_left_only_when_that_is_asked_for() -> None:
    attempt = Attempt(make_claimed(), None)
    attempt.stop("lost")
    assert not attempt.thread_scope.cancel_called
    attempt.leave_thread()
    assert attempt.thread_scope.cancel_called

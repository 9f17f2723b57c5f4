"""One job in this worker's hands, from its claim until its slot is free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import trio

from osqueue.client import ClaimedJob
from osqueue.worker.handlers import Handler
from osqueue.worker.job import Job

__all__ = ["Attempt", "StopReason"]

StopReason = Literal["lost", "cancelled", "drained"]
"""Why a handler is stopped: its lease is lost, its job was cancelled, or this worker goes home."""


class Attempt:
    """A held job, the handler that it gets, and the scopes that stop it."""

    __slots__ = ("claimed", "handler", "job", "scope", "stopped", "thread_scope")

    def __init__(
        self,
        claimed: ClaimedJob[Any],
        handler: Handler | None,
        *,
        make_job_id: Callable[[], str] | None = None,
    ) -> None:
        self.claimed = claimed
        self.handler = handler
        self.job = Job(claimed, make_job_id)
        self.scope = trio.CancelScope()
        self.thread_scope = trio.CancelScope(shield=True)
        self.stopped: StopReason | None = None

    def stop(self, reason: StopReason) -> None:
        """Cancel the handler; one in a thread is told, and waited for. The first reason counts."""
        if self.stopped is None:
            self.stopped = reason
        self.job.stop()
        self.scope.cancel()

    def leave_thread(self) -> None:
        """Wait for its thread no longer; the thread runs on until it ends, or the process does."""
        self.thread_scope.cancel()

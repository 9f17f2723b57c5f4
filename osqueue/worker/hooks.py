"""What a program adds to its worker: functions around the handlers, and functions told of jobs."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog

from osqueue.client import Failure
from osqueue.worker.job import Job

__all__ = ["CallNext", "Extensions", "Middleware"]

CallNext = Callable[[], Awaitable[Any]]
Middleware = Callable[[Job, CallNext], Awaitable[Any]]
Hook = Callable[..., Any]

_log = structlog.get_logger("osqueue.worker")


class Extensions:
    """The middleware and hooks of one worker, each kind in the order of registration."""

    def __init__(self) -> None:
        self.middleware: list[Middleware] = []
        """The first one is outermost."""
        self.on_claimed: list[Hook] = []
        self.on_completed: list[Hook] = []
        self.on_failed: list[Hook] = []

    def wrap(self, job: Job, call: CallNext) -> CallNext:
        """A call of the handler, with all middleware around it."""
        for middleware in reversed(self.middleware):
            call = partial(middleware, job, call)
        return call

    async def claimed(self, job: Job) -> None:
        """Tell that an attempt begins."""
        await _run_all("on_claimed", self.on_claimed, job)

    async def completed(self, job: Job, result: object) -> None:
        """Tell that a completion counts."""
        await _run_all("on_completed", self.on_completed, job, result)

    async def failed(self, job: Job, error: Exception, failure: Failure) -> None:
        """Tell that a failure was taken down."""
        await _run_all("on_failed", self.on_failed, job, error, failure)


async def _run_all(kind: str, hooks: list[Hook], job: Job, *about: object) -> None:
    for hook in hooks:
        try:
            returned = hook(job, *about)
            if inspect.isawaitable(returned):
                await returned
        except Exception:
            name = getattr(hook, "__qualname__", repr(hook))
            _log.exception("hook failed", kind=kind, hook=name, job_id=job.job_id)

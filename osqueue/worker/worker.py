"""The public worker: handlers are registered on it, and it runs until it is stopped."""

from __future__ import annotations

import inspect
import os
import random as random_module
import socket
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

import structlog
import trio

from osqueue.client import Client
from osqueue.client.connection import TransportKind
from osqueue.worker.handlers import Handler, Registry, RunInThread
from osqueue.worker.hooks import Extensions, Middleware
from osqueue.worker.process.signals import heeding_signals
from osqueue.worker.settings import WorkerSettings
from osqueue.worker.shift import Shift

__all__ = ["Worker"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
MiddlewareT = TypeVar("MiddlewareT", bound=Middleware)
_HOST_CHARS_MAX = 64

_log = structlog.get_logger("osqueue.worker")


class Worker:
    """Runs jobs: `worker = Worker(...)`, `@worker.handler("email:send")`, `worker.main()`.

    A job is run at least once: a handler may be run again after a crash or a lost lease, so its
    effects should bear a repetition (`Job.job_id` is the same in every attempt).

    Args:
        target: as for `Client`: a broker's URL, several, or a store's; by default BROKER_URL.
        concurrency: handlers at the same time, in tasks and threads together.
        prefetch: jobs claimed beyond that, so that a free slot has its next job at once.
        lease_ms: how long without a heartbeat until jobs go to others; by default the broker's.
        wait_ms: how long one poll waits at the broker, to 60,000.
        drain_timeout_s: how long handlers may take to finish when the worker stops; what is not
            finished then is stopped and given back, without spending an attempt.
        time_limit_s: for one attempt; a handler's own limit comes before it.
        transport: as for `Client`.
        random: as for `Client`.
    """

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        concurrency: int = 10,
        prefetch: int = 0,
        lease_ms: int | None = None,
        wait_ms: int = 20_000,
        drain_timeout_s: float = 30.0,
        time_limit_s: float | None = None,
        transport: TransportKind = "websocket",
        random: random_module.Random | None = None,
    ) -> None:
        self._settings = WorkerSettings(
            concurrency=concurrency,
            prefetch=prefetch,
            lease_ms=lease_ms,
            wait_ms=wait_ms,
            drain_timeout_s=drain_timeout_s,
            time_limit_s=time_limit_s,
        )
        self._target = target
        self._transport: TransportKind = transport
        self._random = random or random_module.Random()
        self._registry = Registry()
        self._extensions = Extensions()
        self._drain: trio.Event | None = None

    @property
    def types(self) -> list[str]:
        """The types that have a handler: the only ones that are claimed."""
        return self._registry.types

    @overload
    def handler(self, job_type: FunctionT, /) -> FunctionT: ...
    @overload
    def handler(
        self,
        job_type: str | None = None,
        /,
        *,
        payload_type: type[Any] | None = None,
        time_limit_s: float | None = None,
    ) -> Callable[[FunctionT], FunctionT]: ...
    def handler(
        self,
        job_type: str | Callable[..., Any] | None = None,
        /,
        *,
        payload_type: type[Any] | None = None,
        time_limit_s: float | None = None,
    ) -> Callable[..., Any]:
        """Register a function for a type of job, as a decorator; the function stays as it is.

        An async function runs as a Trio task, a plain one in a thread. It takes the payload,
        decoded to the annotation of its first parameter, and if it has a second parameter, the
        `Job`; one whose first parameter is annotated `Job` takes just that. What it returns is the
        job's result. What it raises makes the attempt fail, except for `Snooze` (later, without
        spending an attempt) and `Dead` (a dead letter at once); a payload that does not fit makes
        the job a dead letter, too.

        Args:
            job_type: by default the name of the function.
            payload_type: in place of the annotation.
            time_limit_s: for one attempt. A thread cannot be stopped: it fails when it ends.

        Raises:
            TypeError: the function takes too much, or its annotations cannot be resolved.
            ValueError: the type has a handler already.
        """

        def register(function: FunctionT) -> FunctionT:
            name = job_type if isinstance(job_type, str) else function.__name__
            limit_s = self._settings.time_limit_s if time_limit_s is None else time_limit_s
            handler = Handler(function, payload_type=payload_type, time_limit_s=limit_s)
            self._registry.add(name, handler)
            return function

        return register if job_type is None or isinstance(job_type, str) else register(job_type)

    def middleware(self, function: MiddlewareT) -> MiddlewareT:
        """Put an async function around all handlers, as a decorator: `mw(job, call_next)`.

        `await call_next()` runs the rest and gives the handler's result; what the function returns
        is the job's result, and what it raises counts as raised by the handler. The first function
        that is registered is outermost. Time limits include it.

        Raises:
            TypeError: it is not async.
        """
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"middleware is an async function: {function!r}")
        self._extensions.middleware.append(function)
        return function

    def on_claimed(self, function: FunctionT) -> FunctionT:
        """Call `function(job)` before each attempt's handler, as a decorator.

        Hooks are plain or async functions and run in Trio's thread, so they must not block. What
        they raise is logged and changes nothing.
        """
        self._extensions.on_claimed.append(function)
        return function

    def on_completed(self, function: FunctionT) -> FunctionT:
        """Call `function(job, result)` once a completion counts, durably. See `on_claimed`."""
        self._extensions.on_completed.append(function)
        return function

    def on_failed(self, function: FunctionT) -> FunctionT:
        """Call `function(job, error, failure)` once a failure is taken down. See `on_claimed`.

        `failure.status` says what became of the job (`dead`, or when it comes again). A snooze, a
        cancelled job and a lost lease are no failures of a handler: nothing is called.
        """
        self._extensions.on_failed.append(function)
        return function

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until `stop` is called; then drain, and return with everything reported.

        Raises:
            ValueError: no handler is registered.
            QueueError: the broker refuses this worker's claims for good.

        Cancellation: handlers are cancelled and nothing is reported; other workers get the jobs
        when their leases have run out. Call `stop` to leave politely.
        """
        self._check_handlers()
        async with Client(self._target, transport=self._transport, random=self._random) as client:
            await self.run_on(client, task_status=task_status)

    async def run_on(
        self,
        client: Client,
        *,
        run_in_thread: RunInThread | None = None,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """As `run`, on a client that is entered already.

        Args:
            client: how brokers are reached, in place of the worker's own target.
            run_in_thread: how plain handlers are run; by default in threads.

        Raises:
            ValueError: no handler is registered.
            QueueError: the broker refuses this worker's claims for good.

        Cancellation: as for `run`.
        """
        self._check_handlers()
        drain = self._drain = trio.Event()
        worker_id = self._make_worker_id()
        _log.info("working", worker_id=worker_id, types=self._registry.types)
        async with trio.open_nursery() as nursery:
            shift = Shift(
                client,
                worker_id,
                self._registry,
                self._settings,
                nursery,
                extensions=self._extensions,
                run_in_thread=run_in_thread,
                random=self._random,
            )
            task_status.started()
            await shift.run(drain)

    def stop(self) -> None:
        """Drain: claim no more, finish what is held. `run` returns when that is done."""
        if self._drain is not None:
            self._drain.set()

    def main(self) -> None:
        """Work until SIGTERM or SIGINT.

        A second signal ends the process at once, also out of a handler that cannot be stopped: with
        the status 128 + its number, and without reports; other workers get the jobs when their
        leases have run out. The same signal within half a second counts once.
        """
        trio.run(self._run_with_signals)

    async def _run_with_signals(self) -> None:
        with trio.CancelScope() as starting:

            def begin_to_stop(name: str) -> None:
                _log.info("stopping", signal=name)
                if self._drain is None:
                    # Nothing is claimed yet.
                    starting.cancel()
                self.stop()

            with heeding_signals(begin_to_stop):
                await self.run()

    def _check_handlers(self) -> None:
        if not self._registry.types:
            raise ValueError("the worker has no handlers: register some with @worker.handler(...)")

    def _make_worker_id(self) -> str:
        host = socket.gethostname()[:_HOST_CHARS_MAX]
        return f"{host}-{os.getpid()}-{self._random.getrandbits(64):016x}"

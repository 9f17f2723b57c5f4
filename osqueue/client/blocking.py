"""The same client for programs without Trio: its loop runs in a thread of its own."""

from __future__ import annotations

import random as random_module
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Concatenate, Generic, Literal, ParamSpec, Self, TypeVar

import trio

from osqueue.client.client import Client
from osqueue.client.connection import TransportKind
from osqueue.client.results import JobDetails
from osqueue.core.job import JobStatus

__all__ = ["BlockingClient"]

ParametersT = ParamSpec("ParametersT")
ResultT = TypeVar("ResultT")


class BlockingMethod(Generic[ParametersT, ResultT]):
    """A method of `Client`, called from any thread, with the same parameters and result."""

    def __init__(
        self, method: Callable[Concatenate[Client, ParametersT], Awaitable[ResultT]]
    ) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(
        self, instance: BlockingClient, owner: type[BlockingClient]
    ) -> Callable[ParametersT, ResultT]:
        method = self._method

        def call(*args: ParametersT.args, **kwargs: ParametersT.kwargs) -> ResultT:
            async def run() -> ResultT:
                return await method(instance.client, *args, **kwargs)

            return instance.run(run)

        return call


class BlockingClient:
    """A connection to a queue for synchronous programs, as a context manager.

    Any number of threads may share one. The methods are those of `Client`, with the same errors,
    except for its events. Arguments are those of `Client`, too.

    Interrupting a call (Ctrl-C, or whatever a signal handler raises) is as cancelling it: the
    waiting stops at once, what was asked for may still be applied, jobs that a claim would have
    brought are handed back, and the client can be used further.
    """

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        transport: TransportKind = "websocket",
        timeout_s: float = 300.0,
        random: random_module.Random | None = None,
    ) -> None:
        self.client = Client(target, transport=transport, timeout_s=timeout_s, random=random)
        self._thread = threading.Thread(target=self._run_loop, name="osqueue-client", daemon=True)
        self._is_running = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._stop: trio.Event | None = None

    submit = BlockingMethod(Client.submit)
    submit_many = BlockingMethod(Client.submit_many)
    claim = BlockingMethod(Client.claim)
    heartbeat = BlockingMethod(Client.heartbeat)
    heartbeat_many = BlockingMethod(Client.heartbeat_many)
    complete = BlockingMethod(Client.complete)
    complete_many = BlockingMethod(Client.complete_many)
    fail = BlockingMethod(Client.fail)
    snooze = BlockingMethod(Client.snooze)
    cancel = BlockingMethod(Client.cancel)
    delete = BlockingMethod(Client.delete)
    retry = BlockingMethod(Client.retry)
    redrive = BlockingMethod(Client.redrive)
    cancel_many = BlockingMethod(Client.cancel_many)
    delete_many = BlockingMethod(Client.delete_many)
    retry_many = BlockingMethod(Client.retry_many)
    dead_groups = BlockingMethod(Client.dead_groups)
    get_job = BlockingMethod(Client.get_job)
    list_jobs = BlockingMethod(Client.list_jobs)
    stats = BlockingMethod(Client.stats)
    history = BlockingMethod(Client.history)
    workers = BlockingMethod(Client.workers)
    pause = BlockingMethod(Client.pause)
    resume = BlockingMethod(Client.resume)
    health = BlockingMethod(Client.health)
    throttle_stats = BlockingMethod(Client.throttle_stats)
    wait = BlockingMethod(Client.wait)

    def iterate_jobs(
        self,
        *,
        status: JobStatus | None = None,
        type: str | None = None,
        text: str | None = None,
        order: Literal["asc", "desc"] = "asc",
    ) -> Iterator[JobDetails]:
        """All jobs, page by page; stable while the queue changes."""
        cursor = ""
        while True:
            page = self.list_jobs(status=status, type=type, text=text, order=order, cursor=cursor)
            yield from page.jobs
            cursor = page.cursor
            if not cursor:
                return

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_running.wait()
        if self._stop is None:
            raise RuntimeError("the client's thread did not start; its error stands above")
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        stop = self._stop
        self._stop = None
        if stop is not None and self._token is not None:
            self._token.run_sync_soon(stop.set)
        self._thread.join()

    def run(self, function: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Run an async function in the client's loop, and wait for its result.

        Raises:
            RuntimeError: the client is not entered, or is left already.
        """
        if self._stop is None or self._token is None:
            raise RuntimeError("not entered, or left: use it in with BlockingClient(...) as client")
        scope = trio.CancelScope()

        async def run_in_scope() -> ResultT:
            with scope:
                return await function()
            raise AssertionError("only an interruption cancels it, and that one does not ask")

        try:
            return trio.from_thread.run(run_in_scope, trio_token=self._token)
        except BaseException:
            # After an interruption nobody waits for what still runs in there.
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(scope.cancel)
            raise

    def _run_loop(self) -> None:
        try:
            trio.run(self._serve)
        finally:
            self._stop = None
            self._is_running.set()

    async def _serve(self) -> None:
        stop = trio.Event()
        async with self.client:
            self._token = trio.lowlevel.current_trio_token()
            self._stop = stop
            self._is_running.set()
            await stop.wait()

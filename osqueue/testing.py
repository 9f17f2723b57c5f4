"""A queue inside one process, for the tests of programs that submit and handle jobs.

    async with open_test_queue(worker) as queue:
        await place_order(queue.client, 17)
        queue.assert_enqueued("email:send", payload={"order": 17})
        await queue.run_until_idle()
        assert queue.completed("email:send")

A real broker on a memory store, a real client and the worker's own handlers: the rules for
payloads, retries, unique keys and dead letters are those of production. There are no sockets and
no threads (plain handlers run where async ones do), so Trio's autojump clock skips every wait.
"""

from __future__ import annotations

import math
import random as random_module
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Self

import msgspec
import trio

from osqueue.broker.broker import Broker, make_rules
from osqueue.client import Client, JobDetails
from osqueue.client.transports.bell import Bell
from osqueue.client.transports.in_process_transport import InProcessTransport
from osqueue.client.values import decode_value, encode_value
from osqueue.clocks import TrioClock
from osqueue.core.document import load_document
from osqueue.core.job import JobStatus
from osqueue.core.leadership import BrokerIdentity
from osqueue.core.mutations import CompleteJobs
from osqueue.core.queue_state import QueueState
from osqueue.protocol.codec import Encoding, decode_frame, encode_replies
from osqueue.protocol.messages import WireReply
from osqueue.protocol.results import ClaimedJobView, ClaimJobsResult, CompleteJobsResult
from osqueue.server.dispatch import Caller, Dispatcher, Reply, Ticket
from osqueue.settings import Settings
from osqueue.worker import Worker
from storage_adapters.contract import Condition, Version
from storage_adapters.memory import MemoryStore

__all__ = ["InProcessQueue", "open_test_queue"]

IDLE_TIMEOUT_S = 3_600.0
LOOK_AGAIN_S = 1.0
"""How often a run looks for its end where no call says that something has changed."""
ADDRESS = "in-process:80"
KEY = "queue.json"
ENQUEUED = ("scheduled", "unclaimed")


def open_test_queue(
    *workers: Worker, settings: Settings | None = None, now_ms: int | None = None
) -> InProcessQueue:
    """An empty queue, as an async context manager; with it everything in it ends.

    Args:
        workers: whose handlers `run_until_idle` runs; none for tests of what is submitted.
        settings: of the broker, such as `max_attempts`.
        now_ms: the queue's time at its opening, ms since the epoch; by default the real one. From
            then on it follows Trio's clock.
    """
    return InProcessQueue(
        workers, settings=settings or Settings(storage_backend="memory"), now_ms=now_ms
    )


class InProcessQueue:
    """A queue for one test; made by `open_test_queue`."""

    def __init__(
        self, workers: Sequence[Worker], *, settings: Settings, now_ms: int | None
    ) -> None:
        self._workers = workers
        self._settings = settings
        self._now_ms = now_ms
        self._random = random_module.Random(0)
        self._store = _ReadableStore()
        self._broker: Broker | None = None
        self._endpoint: _Endpoint | None = None
        self._client: Client | None = None
        self._recorder = _Recorder()
        self._has_changed = Bell()
        self._has_crashed = False
        self._nursery_manager: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._nursery: trio.Nursery | None = None

    @property
    def client(self) -> Client:
        """A client of this queue, for the program under test.

        Raises:
            RuntimeError: the queue is not entered.
        """
        if self._client is None:
            raise RuntimeError("enter the queue first: async with open_test_queue(...) as queue")
        return self._client

    def now_ms(self) -> int:
        """The queue's time, ms since the epoch."""
        return self._open_broker.now_ms()

    async def run_until_idle(
        self, *, with_scheduled: bool = False, timeout_s: float = IDLE_TIMEOUT_S
    ) -> None:
        """Run the workers until they have nothing to do, and stop them.

        That is when no job of their types can be claimed or is in progress: jobs that handlers
        submit are run as well.

        Args:
            with_scheduled: run also what is due later (retries, delays, snoozes), waiting for it;
                with Trio's autojump clock that takes no time.
            timeout_s: how long that may take, by Trio's clock.

        Raises:
            RuntimeError: the queue was opened without a worker.
            TimeoutError: handlers have not ended, or there was always more to do.

        Cancellation: handlers are cancelled; their jobs stay in progress.
        """
        if not self._workers:
            raise RuntimeError("there is nobody to run jobs: open_test_queue(worker)")
        with trio.move_on_after(timeout_s) as scope:
            while unfinished := self._unfinished(with_scheduled=with_scheduled):
                await self._run_workers(with_scheduled=with_scheduled)
        if scope.cancelled_caught:
            unfinished = self._unfinished(with_scheduled=with_scheduled)
            raise TimeoutError(f"not idle after {timeout_s} s: {_describe(unfinished)}")

    async def _run_workers(self, *, with_scheduled: bool) -> None:
        # With a client of their own, whose claims end with it: one that waits at the broker longer
        # than its worker would take a job, and spend an attempt, for nobody.
        async with self._make_client() as client, trio.open_nursery() as nursery:
            for worker in self._workers:
                run = partial(worker.run_on, client, run_in_thread=_run_inline)
                await nursery.start(run)
            while self._unfinished(with_scheduled=with_scheduled):
                with trio.move_on_after(LOOK_AGAIN_S):
                    await self._has_changed.wait()
            for worker in self._workers:
                worker.stop()

    def _unfinished(self, *, with_scheduled: bool) -> list[JobDetails]:
        """Jobs that a worker has, or will have."""
        state = self._read_state()
        if state is None:
            return []
        types = {name for worker in self._workers for name in worker.types}
        claimable = set[str]() if state.totals.paused else types - set(state.paused_types)
        due_ms = math.inf if with_scheduled else self.now_ms()
        return [
            job
            for job in _jobs_of(state)
            if (job.status == "in_progress" and job.type in types)
            or (job.status in ENQUEUED and job.type in claimable and job.run_at <= due_ms)
        ]

    def jobs(self, type: str | None = None, *, status: JobStatus | None = None) -> list[JobDetails]:
        """The jobs that are in the queue now, in the order of submission.

        Args:
            type: only of this type.
            status: only of this status; `completed` ones stay only if they are kept
                (`result_ttl_ms`), `completed()` has the others as well.
        """
        state = self._read_state()
        return [
            job
            for job in (_jobs_of(state) if state is not None else ())
            if type in (None, job.type) and status in (None, job.status)
        ]

    def enqueued(self, type: str | None = None) -> list[JobDetails]:
        """The jobs that wait, now or for their time, in the order of submission."""
        return [job for job in self.jobs(type) if job.status in ENQUEUED]

    def completed(self, type: str | None = None) -> list[JobDetails]:
        """The jobs that were completed since the opening, kept or not, the first one first."""
        return [job for job in self._recorder.completed if type in (None, job.type)]

    def dead(self, type: str | None = None) -> list[JobDetails]:
        """The dead letters, in the order of submission; `errors` of each say why."""
        return self.jobs(type, status="dead")

    def assert_enqueued(
        self, type: str, *, payload: object = msgspec.UNSET, count: int | None = None
    ) -> list[JobDetails]:
        """Check that jobs wait, now or for their time; returns them.

        Args:
            type: of these jobs.
            payload: of these jobs, any value that `submit` takes; by default any payload.
            count: how many there must be; by default one or more.

        Raises:
            AssertionError: there are others; it names what waits.
        """
        found = self._find_enqueued(type, payload)
        wanted = "" if count is None else f"{count} times "
        if len(found) != count if count is not None else not found:
            raise AssertionError(
                f"not {wanted}enqueued: {_describe_wanted(type, payload)}; "
                f"what is: {_describe(self.enqueued())}"
            )
        return found

    def assert_not_enqueued(self, type: str, *, payload: object = msgspec.UNSET) -> None:
        """Check that no such job waits; the arguments are those of `assert_enqueued`.

        Raises:
            AssertionError: one does.
        """
        found = self._find_enqueued(type, payload)
        if found:
            raise AssertionError(f"enqueued all the same: {_describe(found)}")

    def _find_enqueued(self, type: str, payload: object) -> list[JobDetails]:
        found = self.enqueued(type)
        if payload is msgspec.UNSET:
            return found
        plain = decode_value(encode_value(payload), None)
        return [job for job in found if job.payload == plain]

    async def __aenter__(self) -> Self:
        if self._nursery_manager is not None:
            raise RuntimeError("a test queue is entered once; open another one")
        trio_ms = int(trio.current_time() * 1_000)
        now_ms = time.time_ns() // 1_000_000 if self._now_ms is None else self._now_ms
        broker = self._broker = Broker(
            self._store,
            self._settings,
            BrokerIdentity(name=f"{1:016x}", address=ADDRESS, host="in-process"),
            clock=TrioClock(epoch_ms=now_ms - trio_ms),
            random=self._random,
            key=KEY,
        )
        self._endpoint = _Endpoint(
            Dispatcher(broker, self._settings, self._random), self._recorder, self._has_changed
        )
        self._nursery_manager = trio.open_nursery()
        self._nursery = await self._nursery_manager.__aenter__()
        await self._nursery.start(self._run_broker, broker)
        self._client = await self._make_client().__aenter__()
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._client is not None
        assert self._nursery is not None
        assert self._nursery_manager is not None
        try:
            await self._client.__aexit__(error_type, error, traceback)
        finally:
            self._nursery.cancel_scope.cancel()
            try:
                is_handled = await self._nursery_manager.__aexit__(error_type, error, traceback)
            except BaseExceptionGroup:
                if error is None or self._has_crashed:
                    raise
                is_handled = False  # The test's own error, which the nursery has wrapped.
        return is_handled

    async def _run_broker(self, broker: Broker, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            await broker.run(task_status=task_status)
        except* (Exception, KeyboardInterrupt, SystemExit):
            self._has_crashed = True
            raise

    def _make_client(self) -> Client:
        endpoint = self._endpoint
        assert endpoint is not None
        return Client(
            f"http://{ADDRESS}",
            transport=lambda traffic: InProcessTransport(traffic, endpoint.answer),
            random=self._random,
            clock=TrioClock(),
        )

    @property
    def _open_broker(self) -> Broker:
        if self._broker is None:
            raise RuntimeError("enter the queue first: async with open_test_queue(...) as queue")
        return self._broker

    def _read_state(self) -> QueueState | None:
        """What is committed; None: nothing was ever written."""
        if not self._store.body:
            return None
        rules = make_rules(self._settings)
        return load_document(self._store.body, rules, self._random).state


class _ReadableStore(MemoryStore):
    """A memory store whose one document can be read without waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.body = b""

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        version = await super().put(key, chunks, condition=condition, metadata=metadata)
        if key == KEY:
            self.body = b"".join(chunks)
        return version


class _Recorder:
    """Remembers completed jobs, which the queue forgets."""

    def __init__(self) -> None:
        self.completed: list[JobDetails] = []
        self._claimed: dict[tuple[str, int], ClaimedJobView] = {}

    def note(self, ticket: Ticket, replies: Sequence[Reply], *, now_ms: int) -> None:
        """Take down what these calls have completed and claimed."""
        for call, reply in zip(ticket.calls, replies, strict=True):
            if not isinstance(reply, WireReply):
                continue
            result = reply.result
            if isinstance(call.request, CompleteJobs):
                completed = result.completed if isinstance(result, CompleteJobsResult) else None
                self._note_completed(call.request, completed, now_ms)
            if isinstance(result, ClaimJobsResult | CompleteJobsResult) and result.jobs:
                for job in result.jobs:
                    self._claimed[job.job_id, job.attempt] = job

    def _note_completed(
        self, request: CompleteJobs, completed: Sequence[str] | None, now_ms: int
    ) -> None:
        for done in request.completions:
            lease = done.lease
            claimed = self._claimed.pop((lease.job_id, lease.attempt or 0), None)
            if claimed is None or (completed is not None and lease.job_id not in completed):
                continue
            self.completed.append(
                JobDetails(
                    id=claimed.job_id,
                    status="completed",
                    type=claimed.type,
                    payload=decode_value(claimed.payload, None),
                    created_at=claimed.created_at,
                    attempts=claimed.attempt,
                    max_attempts=claimed.max_attempts,
                    result=None if done.result is None else msgspec.json.decode(done.result),
                    ended_at=now_ms,
                )
            )


class _Endpoint:
    """The broker's end of the connection: frames in, frames out."""

    def __init__(self, dispatcher: Dispatcher, recorder: _Recorder, has_changed: Bell) -> None:
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._has_changed = has_changed

    async def answer(
        self, client_id: str, body: bytes, reply: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Answer a frame, each long poll in it by itself."""
        dispatcher = self._dispatcher
        frame = decode_frame(body, Encoding.MSGPACK, dispatcher.limits)
        tickets = dispatcher.read(frame, Caller(client_id=client_id))
        async with trio.open_nursery() as nursery:
            for ticket in tickets:
                nursery.start_soon(self._answer_ticket, ticket, reply)

    async def _answer_ticket(
        self, ticket: Ticket, reply: Callable[[bytes], Awaitable[None]]
    ) -> None:
        replies = await self._dispatcher.answer(ticket)
        self._recorder.note(ticket, replies, now_ms=self._dispatcher.broker.now_ms())
        for body in encode_replies(
            replies,
            is_array=True,
            encoding=ticket.encoding,
            bytes_max=self._dispatcher.limits.frame_bytes_max,
        ):
            await reply(body)
        self._has_changed.ring()


async def _run_inline(function: Callable[[], object]) -> object:
    await trio.lowlevel.checkpoint()
    return function()


def _jobs_of(state: QueueState) -> list[JobDetails]:
    jobs = state.table.blocks.after(-1)
    return msgspec.json.decode(msgspec.json.encode(list(jobs)), type=list[JobDetails])


def _describe(jobs: Sequence[JobDetails]) -> str:
    shown = [f"{job.type!r} {job.status} {job.payload!r}" for job in jobs]
    return ", ".join(shown) or "nothing"


def _describe_wanted(type: str, payload: object) -> str:
    return f"{type!r}" if payload is msgspec.UNSET else f"{type!r} with payload {payload!r}"

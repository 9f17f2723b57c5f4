"""The public client: one method for each thing that can be asked of a queue.

A method encodes its parameters, hands the call to the session (`session.py`: repeats, connections)
and decodes the answer. Errors are those of `osqueue.core.errors`, each with its advice.
"""

from __future__ import annotations

import math
import random as random_module
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, overload

import trio
from msgspec.msgpack import Decoder

from osqueue.client.connection import TransportKind
from osqueue.client.events import EventName, Subscription, check_names
from osqueue.client.operations.operator_calls import OperatorCalls
from osqueue.client.requests import NewJob, encode_params, retry_params
from osqueue.client.results import (
    JobDead,
    JobDetails,
    Submitted,
    SubmittedJobs,
)
from osqueue.client.values import encode_value
from osqueue.clocks import Clock
from osqueue.core.errors import InvalidRequest, QueueFull
from osqueue.core.retry_policy import RetryPolicy
from osqueue.protocol.params import (
    GetJobParams,
    SubmitJobParams,
    SubmitJobsParams,
)

__all__ = ["Client"]

ResultT = TypeVar("ResultT")

WAIT_MS = 30_000
"""How long one of the calls waits at the broker that make up `wait`."""
ANSWER_S = 1.0
"""How much longer `wait` listens for an answer that is on its way."""
PAUSE_S_MIN = 0.05
PAUSE_S_MAX = 1.0
"""Between looks, where too many others wait at the broker already."""

SUBMITTED = Decoder(Submitted)
SUBMITTED_JOBS = Decoder(SubmittedJobs)
JOB = Decoder(JobDetails)


class Client(OperatorCalls):
    """A connection to a queue, as an async context manager of Trio.

    One client serves any number of tasks, and is fastest so: concurrent calls travel in one frame.
    Calls are repeated for `timeout_s` while no broker answers, without being applied twice.

    Args:
        target: a broker's URL (http, https, ws or wss), several of them, or a store's URL such as
            `file:./osqueue-data`, where the leading broker's address is looked up. By default the
            environment's BROKER_URL, or http://127.0.0.1:8080. Where the store refuses that for
            good, every call raises Forbidden (credentials) or InvalidRequest (no such bucket).
        transport: `websocket`, or `http` where a proxy lets nothing else through, without events.
        timeout_s: how long one call is repeated, in seconds, at most 300; waiting that a call asked
            for (`wait_ms`) comes on top. Then it raises Unavailable, or OutcomeUnknown if it may
            have been applied.
        random: for ids and jitter; by default the system's.
        clock: counts `timeout_s`, also while the machine is suspended; by default the machine's.

    Cancellation: a cancelled call stops waiting, at once. What it asked for may still be applied,
    unless it had not been sent. Jobs that a cancelled claim was given are handed back.
    """

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        transport: TransportKind = "websocket",
        timeout_s: float = 300.0,
        random: random_module.Random | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            target, transport=transport, timeout_s=timeout_s, random=random, clock=clock
        )

    async def submit(
        self,
        payload: object = None,
        *,
        type: str = "",
        max_attempts: int | None = None,
        job_id: str | None = None,
        delay_ms: int = 0,
        run_at: int = 0,
        priority: int = 0,
        unique_key: str = "",
        result_ttl_ms: int = 0,
        retry: RetryPolicy | None = None,
    ) -> Submitted:
        """Enqueue one job; on return it is durable.

        Args:
            payload: any JSON value, or what msgspec turns into one (Structs, dataclasses, dates).
            type: which handlers take it.
            max_attempts: 1 to 1,000; by default the queue's.
            job_id: up to 64 characters of `[A-Za-z0-9_.:-]`; by default a UUID of version 7.
            delay_ms: how long from now until it may be claimed.
            run_at: when it may be claimed, ms since the epoch; not together with `delay_ms`.
            priority: -100 to 100, higher first.
            unique_key: no second job with this key is enqueued while one is waiting or in progress.
            result_ttl_ms: how long the completed job and its result are kept; 0: not at all.
            retry: overrides the queue's policy for failures.

        Raises:
            InvalidRequest: a field is wrong or the payload too large.
            QueueFull: a limit of the queue was reached; `retry_after_ms` says when to try again.
            Unavailable: no broker could take it in time; nothing was applied.
            OutcomeUnknown: it may have been applied.
        """
        params = SubmitJobParams(
            payload=encode_value(payload),
            type=type or None,
            max_attempts=max_attempts,
            job_id=job_id or self._make.job_id(),
            run_at=run_at or None,
            delay_ms=delay_ms or None,
            priority=priority or None,
            unique_key=unique_key or None,
            result_ttl_ms=result_ttl_ms or None,
            retry=retry_params(retry),
        )
        return SUBMITTED.decode(
            await self._open_session.call("submitJob", encode_params(params), is_sequenced=True)
        )

    async def submit_many(self, jobs: Iterable[NewJob]) -> SubmittedJobs:
        """Enqueue jobs, all of them or none, in one request (at most 10,000 and 8 MiB).

        Raises:
            InvalidRequest: a job is wrong; the message names its index.
            QueueFull, Unavailable, OutcomeUnknown: as `submit`.
        """
        params = SubmitJobsParams(jobs=[self._make.job(job) for job in jobs])
        return await self._mutate("submitJobs", params, SUBMITTED_JOBS)

    async def get_job(
        self,
        job_id: str,
        *,
        wait_ms: int = 0,
        payload_type: type[Any] | None = None,
        result_type: type[Any] | None = None,
        confirm: bool = False,
    ) -> JobDetails:
        """Read one job.

        Args:
            job_id: the job's id.
            wait_ms: how long to wait for its end, to 60,000.
            payload_type: what its `payload` becomes; by default plain values.
            result_type: what its `result` becomes.
            confirm: True asks the store as well, see `Client.stats`.

        Raises:
            JobNotFound: no such job (a completed one stays only if submitted with `result_ttl_ms`).
            msgspec.ValidationError: the payload or result does not fit its type.
        """
        params = GetJobParams(job_id=job_id, wait_ms=wait_ms, confirm=confirm or None)
        encoded = await self._open_session.call(
            "getJob", encode_params(params), is_sequenced=False, wait_ms=wait_ms
        )
        return JOB.decode(encoded).with_types(payload_type, result_type)

    @overload
    async def wait(self, job_id: str, *, timeout_s: float | None = None) -> Any: ...  # noqa: ANN401
    @overload
    async def wait(
        self, job_id: str, *, result_type: type[ResultT], timeout_s: float | None = None
    ) -> ResultT: ...
    async def wait(
        self,
        job_id: str,
        *,
        result_type: type[Any] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The result of a job, once it is completed; the job must be kept (`result_ttl_ms`).

        Args:
            job_id: the job's id.
            result_type: what the result becomes; by default plain values.
            timeout_s: how long to wait for the job's end, in seconds; None: until it ends.

        Raises:
            JobDead: it failed for good; `errors` says why.
            JobNotFound: no such job: cancelled, deleted, not kept, or kept long enough.
            TimeoutError: it has not ended in time.
            Unavailable: no broker answered.
            msgspec.ValidationError: the result does not fit its type.

        Cancellation: the job goes on.
        """
        deadline = trio.current_time() + (math.inf if timeout_s is None else timeout_s)
        pause_s = PAUSE_S_MIN
        status = "unknown: no broker answered"
        with trio.move_on_at(deadline + ANSWER_S):
            while True:
                left_s = max(deadline - trio.current_time(), 0)
                job, has_waited = await self._look_again(job_id, left_s)
                status = job.status
                if status == "completed":
                    return job.with_types(None, result_type).result
                if status == "dead":
                    raise JobDead(job)
                left_s = deadline - trio.current_time()
                if left_s <= 0:
                    break
                if not has_waited:
                    await trio.sleep(min(pause_s, left_s))
                    pause_s = min(2 * pause_s, PAUSE_S_MAX)
        raise TimeoutError(
            f"the job {job_id} has not ended after {timeout_s} s, its status is {status}; it goes "
            "on, and can be waited for again"
        )

    async def _look_again(self, job_id: str, left_s: float) -> tuple[JobDetails, bool]:
        """Read a job, waiting for its end where not too many do; whether this call was one that
        waited."""
        waits = self._open_session.waits
        try:
            waits.acquire_nowait()
        except trio.WouldBlock:
            return await self.get_job(job_id), False
        try:
            wait_ms = WAIT_MS if left_s == math.inf else min(int(left_s * 1_000), WAIT_MS)
            return await self.get_job(job_id, wait_ms=wait_ms), True
        except QueueFull:
            # Waits that were cancelled here still wait at the broker, as long as they would have.
            return await self.get_job(job_id), False
        finally:
            waits.release()

    def subscribe(self, events: Iterable[EventName]) -> Subscription:
        """Hear of changes while they happen.

            async with client.subscribe(["stats", "jobs"]) as events:
                async for event in events: ...

        A subscription lives through changes of connections and leaders; a `Gap` says that events
        were missed, by that or because they were not read fast enough. Memory is bounded.

        Args:
            events: `stats` (StatsEvent), `jobs` (JobsEvent), `commit` (CommitEvent), `leader`
                (LeaderEvent), `history` (HistoryEvent).

        Raises:
            ValueError: there are no such events.
            InvalidRequest: this client's transport carries none.
        """
        session = self._open_session
        if not session.has_events:
            raise InvalidRequest(
                "events come over a WebSocket only: Client(transport='websocket'); in"
                " osqueue.testing look at jobs(), completed() and dead() instead"
            )
        return Subscription(session.traffic.subscriptions, check_names(events))

"""The public client: one method for each thing that can be asked of a queue.

A method encodes its parameters, hands the call to the session (`session.py`: repeats, connections)
and decodes the answer. Errors are those of `osqueue.core.errors`, each with its advice.
"""

from __future__ import annotations

import random as random_module
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar, overload

import msgspec
from msgspec.msgpack import Decoder

from osqueue.client.connection import Connection
from osqueue.client.requests import (
    Claim,
    Completion,
    Held,
    JobError,
    NewJob,
    RequestMaker,
    describe_error,
    encode_params,
)
from osqueue.client.results import (
    Cancelled,
    ClaimedJob,
    Completions,
    Failure,
    Heartbeats,
    JobDetails,
    JobPage,
    Nothing,
    Redriven,
    Snoozed,
    Stats,
    Submitted,
    SubmittedJobs,
    WireJobs,
)
from osqueue.client.values import encode_value
from osqueue.core.errors import JobNotHeld
from osqueue.core.job import JobStatus
from osqueue.core.limits import SNOOZE_MS_MIN
from osqueue.core.retry_policy import RetryPolicy
from osqueue.protocol.params import (
    ClaimJobsParams,
    CompleteJobParams,
    CompleteJobsParams,
    FailJobParams,
    GetJobParams,
    HeartbeatJobsParams,
    JobParams,
    ListJobsParams,
    PauseQueueParams,
    QueueParams,
    RedriveDeadParams,
    SnoozeJobParams,
    SubmitJobParams,
    SubmitJobsParams,
)

__all__ = ["Client"]

PayloadT = TypeVar("PayloadT")

SUBMITTED = Decoder(Submitted)
SUBMITTED_JOBS = Decoder(SubmittedJobs)
JOBS = Decoder(WireJobs)
HEARTBEATS = Decoder(Heartbeats)
FAILURE = Decoder(Failure)
SNOOZED = Decoder(Snoozed)
CANCELLED = Decoder(Cancelled)
REDRIVEN = Decoder(Redriven)
JOB = Decoder(JobDetails)
JOB_PAGE = Decoder(JobPage)
STATS = Decoder(Stats)
NOTHING = Decoder(Nothing)


class Client(Connection):
    """A connection to a queue, as an async context manager of Trio.

    One client serves any number of tasks, and is fastest so: concurrent calls travel in one frame.
    Calls are repeated for `timeout_s` while no broker answers, without being applied twice.

    Args:
        target: a broker's URL (http, https, ws or wss), several of them, or a store's URL such as
            `file:./osqueue-data`, where the leading broker's address is looked up. By default the
            environment's BROKER_URL, or http://127.0.0.1:8080.
        transport: `websocket`, or `http` where a proxy lets nothing else through.
        timeout_s: how long one call is repeated, in seconds, at most 300; waiting that a call asked
            for (`wait_ms`) comes on top. Then it raises Unavailable, or OutcomeUnknown if it may
            have been applied.
        random: for ids and jitter; by default the system's.

    Cancellation: a cancelled call stops waiting, at once. What it asked for may still be applied,
    unless it had not been sent. Jobs that a cancelled claim was given are handed back.
    """

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        transport: Literal["websocket", "http"] = "websocket",
        timeout_s: float = 300.0,
        random: random_module.Random | None = None,
    ) -> None:
        super().__init__(target, transport=transport, timeout_s=timeout_s, random=random)
        self._make = RequestMaker(self._random)

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
            retry=retry,
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

    @overload
    async def claim(
        self,
        worker_id: str,
        *,
        types: Sequence[str] = (),
        limit: int = 1,
        wait_ms: int = 0,
        lease_ms: int | None = None,
        claim_id: str | None = None,
    ) -> list[ClaimedJob[Any]]: ...
    @overload
    async def claim(
        self,
        worker_id: str,
        *,
        payload_type: type[PayloadT],
        types: Sequence[str] = (),
        limit: int = 1,
        wait_ms: int = 0,
        lease_ms: int | None = None,
        claim_id: str | None = None,
    ) -> list[ClaimedJob[PayloadT]]: ...
    async def claim(
        self,
        worker_id: str,
        *,
        payload_type: type[Any] | None = None,
        types: Sequence[str] = (),
        limit: int = 1,
        wait_ms: int = 0,
        lease_ms: int | None = None,
        claim_id: str | None = None,
    ) -> list[ClaimedJob[Any]]:
        """Take jobs to work on; empty when there is nothing for this worker.

        Args:
            worker_id: names one process; a second process needs another.
            payload_type: what `ClaimedJob.payload` decodes to.
            types: only jobs of these types; empty: all.
            limit: at most so many, 1 to 1,000.
            wait_ms: how long to wait for a first job, to 60,000.
            lease_ms: how long without a heartbeat until the jobs go to others; by default the
                queue's.
            claim_id: repeats of one claim carry the same; by default random.

        Raises:
            InvalidRequest: a field is wrong.
            Unavailable: no broker could be reached in time.

        Cancellation: jobs that still arrive are handed back, without spending an attempt.
        """
        params = ClaimJobsParams(
            worker_id=worker_id,
            types=list(types) or None,
            limit=limit,
            lease_ms=lease_ms,
            claim_id=claim_id or self._make.claim_id(),
            wait_ms=wait_ms,
        )
        encoded = await self._open_session.call(
            "claimJobs",
            encode_params(params),
            is_sequenced=False,
            wait_ms=wait_ms,
            on_orphaned=partial(self._give_back, worker_id),
        )
        claimed = JOBS.decode(encoded)
        return [ClaimedJob(job, worker_id, payload_type) for job in claimed.jobs]

    async def heartbeat(self, job: Held) -> bool:
        """Extend a lease; returns True when its worker should stop (the job was cancelled).

        Raises:
            JobNotHeld: the lease is lost.
        """
        found = await self.heartbeat_many(job.worker_id, [job])
        if found.lost:
            raise JobNotHeld(f"the worker {job.worker_id} does not hold the job {job.job_id}")
        return bool(found.cancel_requested)

    async def heartbeat_many(self, worker_id: str, jobs: Iterable[Held]) -> Heartbeats:
        """Extend leases, in one request."""
        params = HeartbeatJobsParams(worker_id=worker_id, jobs=self._make.leases(jobs))
        return await self._read("heartbeatJobs", params, HEARTBEATS)

    async def complete(self, job: Held, result: object = None) -> None:
        """Report one job done.

        Args:
            job: from `claim`, or a `Lease`.
            result: any JSON value; kept where the job was submitted with `result_ttl_ms`.

        Raises:
            JobNotHeld: the lease was lost; another attempt counts.
            OutcomeUnknown: it may have counted.
        """
        params = CompleteJobParams(
            job_id=job.job_id,
            worker_id=job.worker_id,
            attempt=job.attempt,
            result=encode_value(result),
        )
        await self._open_session.call("completeJob", encode_params(params), is_sequenced=True)

    async def complete_many(
        self,
        worker_id: str,
        completions: Sequence[Completion],
        *,
        claim: Claim | None = None,
    ) -> Completions:
        """Report jobs done, and claim the next ones in the same write.

        Lost leases are named in the answer, not raised.
        """
        params = CompleteJobsParams(
            worker_id=worker_id,
            jobs=[self._make.completion(completion) for completion in completions],
            claim=None if claim is None else self._make.following_claim(worker_id, claim),
        )
        encoded = await self._open_session.call(
            "completeJobs",
            encode_params(params),
            is_sequenced=True,
            on_orphaned=None if claim is None else partial(self._give_back, worker_id),
        )
        found = JOBS.decode(encoded)
        jobs = [ClaimedJob[Any](job, worker_id, None) for job in found.jobs]
        return Completions(completed=found.completed, lost=found.lost, jobs=jobs)

    async def fail(
        self,
        job: Held,
        error: BaseException | JobError,
        *,
        retry_in_ms: int | None = None,
        final: bool = False,
    ) -> Failure:
        """Report that an attempt failed: the job is retried later, or becomes a dead letter.

        Args:
            job: from `claim`, or a `Lease`.
            error: its class, message and traceback are kept with the job, cut to 4 KiB each.
            retry_in_ms: by default the retry policy decides.
            final: to the dead letters whatever attempts are left.

        Raises:
            JobNotHeld: the lease was lost; nothing was changed.
        """
        params = FailJobParams(
            job_id=job.job_id,
            worker_id=job.worker_id,
            attempt=job.attempt,
            error=describe_error(error),
            retry_in_ms=retry_in_ms,
            final=final,
        )
        return await self._mutate("failJob", params, FAILURE)

    async def snooze(self, job: Held, delay_ms: int) -> int:
        """Give a held job back for later, without spending an attempt.

        Args:
            job: from `claim`, or a `Lease`.
            delay_ms: 1,000 or more.

        Returns:
            When it can be claimed again, ms since the epoch.

        Raises:
            JobNotHeld: the lease was lost; nothing was changed.
        """
        params = SnoozeJobParams(
            job_id=job.job_id, worker_id=job.worker_id, attempt=job.attempt, delay_ms=delay_ms
        )
        return (await self._mutate("snoozeJob", params, SNOOZED)).run_at

    async def cancel(self, job_id: str) -> Literal["gone", "cancelRequested"]:
        """Remove a waiting job, or ask the worker of one in progress to stop.

        Raises:
            JobNotFound: no such job.
        """
        return (await self._mutate("cancelJob", JobParams(job_id=job_id), CANCELLED)).status

    async def delete(self, job_id: str) -> None:
        """Remove a job that nobody works on.

        Raises:
            JobNotFound: no such job.
            WrongStatus: it is in progress.
        """
        await self._mutate("deleteJob", JobParams(job_id=job_id), NOTHING)

    async def retry(self, job_id: str) -> None:
        """Make a dead or scheduled job claimable now.

        Raises:
            JobNotFound: no such job.
            WrongStatus: it is neither dead nor scheduled, or its unique key is taken.
        """
        await self._mutate("retryJob", JobParams(job_id=job_id), NOTHING)

    async def redrive(self, *, type: str | None = None, limit: int | None = None) -> int:
        """Make dead jobs claimable again, the oldest first; returns how many.

        Args:
            type: only of this type.
            limit: at most so many; by default all.
        """
        params = RedriveDeadParams(type=type, limit=limit)
        return (await self._mutate("redriveDead", params, REDRIVEN)).count

    async def get_job(
        self,
        job_id: str,
        *,
        wait_ms: int = 0,
        payload_type: type[Any] | None = None,
        result_type: type[Any] | None = None,
    ) -> JobDetails:
        """Read one job.

        Args:
            job_id: the job's id.
            wait_ms: how long to wait for its end, to 60,000.
            payload_type: what its `payload` becomes; by default plain values.
            result_type: what its `result` becomes.

        Raises:
            JobNotFound: no such job (a completed one stays only if submitted with `result_ttl_ms`).
            msgspec.ValidationError: the payload or result does not fit its type.
        """
        params = GetJobParams(job_id=job_id, wait_ms=wait_ms)
        encoded = await self._open_session.call(
            "getJob", encode_params(params), is_sequenced=False, wait_ms=wait_ms
        )
        return JOB.decode(encoded).with_types(payload_type, result_type)

    async def list_jobs(
        self,
        *,
        status: JobStatus | None = None,
        type: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> JobPage:
        """A page of jobs in the order of submission.

        Args:
            status: only of this status.
            type: only of this type.
            limit: at most so many, to 1,000 (the default).
            cursor: from the page before.
        """
        params = ListJobsParams(status=status, type=type, limit=limit, cursor=cursor or None)
        return await self._read("listJobs", params, JOB_PAGE)

    async def iterate_jobs(
        self, *, status: JobStatus | None = None, type: str | None = None
    ) -> AsyncIterator[JobDetails]:
        """All jobs, page by page; stable while the queue changes."""
        cursor = ""
        while True:
            page = await self.list_jobs(status=status, type=type, cursor=cursor)
            for job in page.jobs:
                yield job
            cursor = page.cursor
            if not cursor:
                return

    async def stats(self) -> Stats:
        """Counts of the committed queue."""
        return await self._read("getStats", QueueParams(), STATS)

    async def pause(self, *, type: str | None = None) -> None:
        """Give claims nothing, of one type or of all; submits are taken as before."""
        await self._mutate("pauseQueue", PauseQueueParams(type=type), NOTHING)

    async def resume(self, *, type: str | None = None) -> None:
        """End a pause, of one type or of all."""
        await self._mutate("resumeQueue", PauseQueueParams(type=type), NOTHING)

    def _give_back(self, worker_id: str, encoded: msgspec.Raw) -> None:
        """Nobody waits for these jobs any more: hand them back, without spending an attempt."""
        for job in JOBS.decode(encoded).jobs:
            params = SnoozeJobParams(
                job_id=job.job_id, worker_id=worker_id, attempt=job.attempt, delay_ms=SNOOZE_MS_MIN
            )
            self._open_session.send("snoozeJob", encode_params(params), is_sequenced=True)

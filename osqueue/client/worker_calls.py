"""What a worker asks of a queue: claim jobs, keep them, and say what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, TypeVar, overload

import msgspec
import trio
from msgspec.msgpack import Decoder

from osqueue.client.connection import Connection
from osqueue.client.requests import (
    Claim,
    Completion,
    Held,
    JobError,
    describe_error,
    encode_params,
)
from osqueue.client.results import (
    ClaimedJob,
    Completions,
    Failure,
    Heartbeats,
    Snoozed,
    WireJobs,
)
from osqueue.client.values import encode_value
from osqueue.core.errors import JobNotHeld
from osqueue.core.limits import SNOOZE_MS_MIN
from osqueue.protocol.params import (
    ClaimJobsParams,
    CompleteJobParams,
    CompleteJobsParams,
    FailJobParams,
    HeartbeatJobsParams,
    SnoozeJobParams,
    WithdrawClaimParams,
)

__all__ = ["WorkerCalls"]

PayloadT = TypeVar("PayloadT")

JOBS = Decoder(WireJobs)
HEARTBEATS = Decoder(Heartbeats)
FAILURE = Decoder(Failure)
SNOOZED = Decoder(Snoozed)


class WorkerCalls(Connection):
    """The part of `Client` about jobs that a worker holds."""

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
        claim_id = claim_id or self._make.claim_id()
        params = ClaimJobsParams(
            worker_id=worker_id,
            types=list(types) or None,
            limit=limit,
            lease_ms=lease_ms,
            claim_id=claim_id,
            wait_ms=wait_ms,
        )
        try:
            encoded = await self._open_session.call(
                "claimJobs",
                encode_params(params),
                is_sequenced=False,
                wait_ms=wait_ms,
                on_orphaned=partial(self._give_back, worker_id),
            )
        except trio.Cancelled:
            if wait_ms:
                self._withdraw(worker_id, claim_id)
            raise
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

        Lost leases are named in the answer, not raised, and so are those that stay held because
        the queue has no room for the jobs that they submit.

        Raises:
            QueueFull: there is no room, and nothing else to settle; nothing was applied.
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
        return Completions(completed=found.completed, lost=found.lost, jobs=jobs, full=found.full)

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

    def _withdraw(self, worker_id: str, claim_id: str) -> None:
        """Nobody waits for this claim any more: the broker need not either."""
        session = self._open_session
        if not session.is_closed:
            params = WithdrawClaimParams(worker_id=worker_id, claim_id=claim_id)
            session.send("withdrawClaim", encode_params(params), is_sequenced=False)

    def _give_back(self, worker_id: str, encoded: msgspec.Raw) -> None:
        """Nobody waits for these jobs any more: hand them back, without spending an attempt."""
        if self._open_session.is_closed:
            return  # The goodbye was said before the answer came: their leases will run out.
        for job in JOBS.decode(encoded).jobs:
            params = SnoozeJobParams(
                job_id=job.job_id, worker_id=worker_id, attempt=job.attempt, delay_ms=SNOOZE_MS_MIN
            )
            call = self._open_session.send("snoozeJob", encode_params(params), is_sequenced=True)
            call.is_giving_back = True

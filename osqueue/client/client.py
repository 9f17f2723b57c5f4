"""The public client: one method for each thing that can be asked of a queue.

A method encodes its parameters, hands the call to the session (`session.py`: repeats, connections)
and decodes the answer. Errors are those of `osqueue.core.errors`, each with its advice.
"""

from __future__ import annotations

import random as random_module
import traceback as traceback_module
from collections.abc import AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Any, Literal, Protocol, TypeVar, overload

import msgspec

from osqueue.client.results import (
    ClaimedJob,
    Completions,
    Failure,
    Heartbeats,
    JobDetails,
    JobPage,
    Stats,
    Submitted,
    SubmittedJobs,
)
from osqueue.core.job import JobStatus
from osqueue.core.retry_policy import RetryPolicy

__all__ = ["Claim", "Client", "Completion", "Held", "JobError", "Lease", "NewJob"]

PayloadT = TypeVar("PayloadT")


class Held(Protocol):
    """What names a lease: a `ClaimedJob` or a `Lease`."""

    @property
    def job_id(self) -> str: ...
    @property
    def worker_id(self) -> str: ...
    @property
    def attempt(self) -> int | None: ...


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """A lease by its names, for programs that did not keep the `ClaimedJob`."""

    job_id: str
    worker_id: str
    attempt: int | None = None
    """None: whatever attempt that worker holds."""


class NewJob(msgspec.Struct, frozen=True, kw_only=True):
    """One job of `submit_many` or of a completion's follow-ups; fields as those of `submit`."""

    payload: Any = None
    type: str = ""
    max_attempts: int | None = None
    job_id: str | None = None
    delay_ms: int = 0
    run_at: int = 0
    priority: int = 0
    unique_key: str = ""
    result_ttl_ms: int = 0
    retry: RetryPolicy | None = None


class Completion(msgspec.Struct, frozen=True):
    """One job done."""

    job: Held
    result: Any = None
    """Kept only where the job was submitted with `result_ttl_ms`."""
    submit: Sequence[NewJob] = ()
    """Jobs that follow: enqueued in the same write as the completion, or not at all."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The claim that rides along with `complete_many`."""

    types: Sequence[str] = ()
    """Empty: all types."""
    limit: int = 1
    lease_ms: int | None = None


class JobError(msgspec.Struct, frozen=True, kw_only=True):
    """Why an attempt failed, for programs that have no exception to pass."""

    type: str
    message: str
    traceback: str = ""


class Client:
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
        raise NotImplementedError

    async def __aenter__(self) -> Client:
        raise NotImplementedError

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        raise NotImplementedError

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
        raise NotImplementedError

    async def submit_many(self, jobs: Iterable[NewJob]) -> SubmittedJobs:
        """Enqueue jobs, all of them or none, in one request (at most 10,000 and 8 MiB).

        Raises:
            InvalidRequest: a job is wrong; the message names its index.
            QueueFull, Unavailable, OutcomeUnknown: as `submit`.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    async def heartbeat(self, job: Held) -> bool:
        """Extend a lease; returns True when its worker should stop (the job was cancelled).

        Raises:
            JobNotHeld: the lease is lost.
        """
        raise NotImplementedError

    async def heartbeat_many(self, worker_id: str, jobs: Iterable[Held]) -> Heartbeats:
        """Extend leases, in one request."""
        raise NotImplementedError

    async def complete(self, job: Held, result: object = None) -> None:
        """Report one job done.

        Args:
            job: from `claim`, or a `Lease`.
            result: any JSON value; kept where the job was submitted with `result_ttl_ms`.

        Raises:
            JobNotHeld: the lease was lost; another attempt counts.
            OutcomeUnknown: it may have counted.
        """
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

    async def cancel(self, job_id: str) -> Literal["gone", "cancelRequested"]:
        """Remove a waiting job, or ask the worker of one in progress to stop.

        Raises:
            JobNotFound: no such job.
        """
        raise NotImplementedError

    async def delete(self, job_id: str) -> None:
        """Remove a job that nobody works on.

        Raises:
            JobNotFound: no such job.
            WrongStatus: it is in progress.
        """
        raise NotImplementedError

    async def retry(self, job_id: str) -> None:
        """Make a dead or scheduled job claimable now.

        Raises:
            JobNotFound: no such job.
            WrongStatus: it is neither dead nor scheduled, or its unique key is taken.
        """
        raise NotImplementedError

    async def redrive(self, *, type: str | None = None, limit: int | None = None) -> int:
        """Make dead jobs claimable again, the oldest first; returns how many.

        Args:
            type: only of this type.
            limit: at most so many; by default all.
        """
        raise NotImplementedError

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
        raise NotImplementedError

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
        raise NotImplementedError

    async def iterate_jobs(
        self, *, status: JobStatus | None = None, type: str | None = None
    ) -> AsyncIterator[JobDetails]:
        """All jobs, page by page; stable while the queue changes."""
        raise NotImplementedError
        yield

    async def stats(self) -> Stats:
        """Counts of the committed queue."""
        raise NotImplementedError

    async def pause(self, *, type: str | None = None) -> None:
        """Give claims nothing, of one type or of all; submits are taken as before."""
        raise NotImplementedError

    async def resume(self, *, type: str | None = None) -> None:
        """End a pause, of one type or of all."""
        raise NotImplementedError

    async def health(self) -> bool:
        """Whether the broker that this client talks to leads and is trusted (its /readyz)."""
        raise NotImplementedError


def describe_error(error: BaseException | JobError) -> JobError:
    """What is kept of an exception: class, message, traceback."""
    if isinstance(error, JobError):
        return error
    return JobError(
        type=type(error).__name__,
        message=str(error),
        traceback="".join(traceback_module.format_exception(error)),
    )

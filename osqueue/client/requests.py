"""What the client's methods take, and how it becomes the params of the wire."""

from __future__ import annotations

import random as random_module
import time
import traceback as traceback_module
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec.structs import asdict

from osqueue.client.values import encode_value
from osqueue.core.errors import InvalidRequest
from osqueue.core.ids import make_uuid7
from osqueue.core.retry_policy import RetryPolicy
from osqueue.core.tables.refusals import cut_text
from osqueue.protocol.params import (
    CompletionParams,
    ErrorParams,
    FollowingClaimParams,
    LeaseParams,
    Params,
    RetryParams,
    SubmitJobParams,
)

__all__ = [
    "Claim",
    "Completion",
    "Held",
    "JobError",
    "Lease",
    "NewJob",
    "RequestMaker",
    "describe_error",
    "encode_params",
    "retry_params",
]

ERROR_TEXT_BYTES_SENT_MAX = 1_048_576
"""The most that any broker keeps of a text (ERROR_TEXT_BYTES_MAX); more could exceed a frame."""


def retry_params(policy: RetryPolicy | None) -> RetryParams | None:
    """A policy in the words of the wire."""
    return None if policy is None else RetryParams(**asdict(policy))


_encode = msgspec.msgpack.Encoder().encode


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


def encode_params(params: Params) -> bytes:
    """Params as MessagePack.

    Raises:
        InvalidRequest: a field has no form on the wire.
    """
    try:
        return _encode(params)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequest(f"the request cannot be encoded: {error}") from error


def describe_error(error: BaseException | JobError) -> ErrorParams:
    """What is kept of a failure: class, message, traceback, in a form that can always be sent.

    An exception that cannot say what it is, or says it in what no wire carries, is still a failure.
    """
    if isinstance(error, JobError):
        kind, message, traceback = error.type, error.message, error.traceback
    else:
        # It catches what the exception's own __str__ raises.
        summary = traceback_module.TracebackException.from_exception(error)
        kind, message, traceback = type(error).__name__, str(summary), "".join(summary.format())
    return ErrorParams(
        type=_sendable(kind), message=_sendable(message), traceback=_sendable(traceback) or None
    )


def _sendable(text: str) -> str:
    """The text without what UTF-8 has not (file names bring it along), cut in the middle."""
    return cut_text(text.encode("utf-8", "backslashreplace").decode(), ERROR_TEXT_BYTES_SENT_MAX)


class RequestMaker:
    """Makes params whose ids are fixed before the first attempt, so that a repeat is the same."""

    def __init__(self, random: random_module.Random) -> None:
        self._random_bits = random.getrandbits

    def job_id(self) -> str:
        """A new job id."""
        return make_uuid7(time.time_ns() // 1_000_000, self._random_bits(74))

    def claim_id(self) -> str:
        """A new claim id."""
        return f"{self._random_bits(96):024x}"

    def job(self, job: NewJob) -> SubmitJobParams:
        """One job to be submitted, alone or in a list."""
        return SubmitJobParams(
            payload=encode_value(job.payload),
            type=job.type or None,
            max_attempts=job.max_attempts,
            job_id=job.job_id or self.job_id(),
            run_at=job.run_at or None,
            delay_ms=job.delay_ms or None,
            priority=job.priority or None,
            unique_key=job.unique_key or None,
            result_ttl_ms=job.result_ttl_ms or None,
            retry=retry_params(job.retry),
        )

    def completion(self, completion: Completion) -> CompletionParams:
        """One job of `complete_many`."""
        return CompletionParams(
            job_id=completion.job.job_id,
            attempt=completion.job.attempt,
            result=encode_value(completion.result),
            submit=[self.job(job) for job in completion.submit] or None,
        )

    def following_claim(self, worker_id: str, claim: Claim) -> FollowingClaimParams:
        """The claim of `complete_many`."""
        return FollowingClaimParams(
            worker_id=worker_id,
            types=list(claim.types) or None,
            limit=claim.limit,
            lease_ms=claim.lease_ms,
            claim_id=self.claim_id(),
        )

    def leases(self, jobs: Iterable[Held]) -> list[LeaseParams]:
        """The leases of `heartbeat_many`."""
        return [LeaseParams(job_id=job.job_id, attempt=job.attempt) for job in jobs]

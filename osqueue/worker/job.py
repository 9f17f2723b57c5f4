"""What a handler can know about its job."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from osqueue.client import ClaimedJob, NewJob
from osqueue.client.requests import RequestMaker
from osqueue.client.values import encode_value
from osqueue.core.retry_policy import RetryPolicy

__all__ = ["Job"]


class Job:
    """The optional second argument of a handler. Safe to use from a handler's thread."""

    __slots__ = ("_claimed", "_follow_ups", "_is_stopping", "_make_job_id", "deadline_at")

    def __init__(
        self, claimed: ClaimedJob[Any], make_job_id: Callable[[], str] | None = None
    ) -> None:
        self._claimed = claimed
        self._make_job_id = make_job_id or RequestMaker(random.Random()).job_id
        self._follow_ups: list[NewJob] = []
        self._is_stopping = False
        self.deadline_at: int | None = None
        """When its time limit is over, ms since the epoch; None: it has none."""

    def __repr__(self) -> str:
        return f"<Job {self.job_id} {self.type!r} attempt {self.attempt}>"

    @property
    def job_id(self) -> str:
        """The same in every attempt: what makes a handler's own effects recognisable."""
        return self._claimed.job_id

    @property
    def type(self) -> str:
        """The job's type."""
        return self._claimed.type

    @property
    def payload(self) -> Any:  # noqa: ANN401
        """The payload in plain values, decoded at each access."""
        return self._claimed.payload

    @property
    def attempt(self) -> int:
        """This attempt's number, from 1."""
        return self._claimed.attempt

    @property
    def max_attempts(self) -> int:
        """The last attempt's number."""
        return self._claimed.max_attempts

    @property
    def is_last_attempt(self) -> bool:
        """Whether a failure makes the job a dead letter."""
        return self.attempt >= self.max_attempts

    @property
    def created_at(self) -> int:
        """When the job was submitted, ms since the epoch."""
        return self._claimed.created_at

    @property
    def worker_id(self) -> str:
        """The worker that holds this attempt."""
        return self._claimed.worker_id

    @property
    def should_stop(self) -> bool:
        """Whether the result no longer counts, or the time is over.

        A handler in a thread cannot be stopped from outside; a long one should look here.
        """
        return self._is_stopping or self.is_late

    @property
    def is_late(self) -> bool:
        """Whether the time limit is over."""
        return self.deadline_at is not None and time.time() * 1_000 >= self.deadline_at

    @property
    def follow_ups(self) -> Sequence[NewJob]:
        """What was submitted so far."""
        return tuple(self._follow_ups)

    def submit(
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
    ) -> str:
        """Enqueue a job in the same write as this one's completion, or not at all.

        An attempt that fails, is snoozed or loses its lease submits nothing. The arguments are
        those of `Client.submit`. A follow-up that the broker refuses makes this job fail.

        Returns:
            The id of the new job, which is not there before this one is completed.

        Raises:
            InvalidRequest: the payload has no JSON form.
        """
        new_id = job_id or self._make_job_id()
        self._follow_ups.append(
            NewJob(
                payload=encode_value(payload),
                type=type,
                max_attempts=max_attempts,
                job_id=new_id,
                delay_ms=delay_ms,
                run_at=run_at,
                priority=priority,
                unique_key=unique_key,
                result_ttl_ms=result_ttl_ms,
                retry=retry,
            )
        )
        return new_id

    def start(self, time_limit_s: float | None) -> None:
        """For the worker: the time limit counts from now."""
        if time_limit_s is not None:
            self.deadline_at = int((time.time() + time_limit_s) * 1_000)

    def stop(self) -> None:
        """For the worker: tell the handler to stop."""
        self._is_stopping = True

"""What a handler can know about its job."""

from __future__ import annotations

import time
from typing import Any

from osqueue.client import ClaimedJob

__all__ = ["Job"]


class Job:
    """The optional second argument of a handler. Safe to read from a handler's thread."""

    __slots__ = ("_claimed", "_is_stopping", "deadline_at")

    def __init__(self, claimed: ClaimedJob[Any]) -> None:
        self._claimed = claimed
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

    def start(self, time_limit_s: float | None) -> None:
        """For the worker: the time limit counts from now."""
        if time_limit_s is not None:
            self.deadline_at = int((time.time() + time_limit_s) * 1_000)

    def stop(self) -> None:
        """For the worker: tell the handler to stop."""
        self._is_stopping = True

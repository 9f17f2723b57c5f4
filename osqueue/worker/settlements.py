"""What a worker reports: completions with the next claim, failures, and what it gives back."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog
import trio

from osqueue.client import Claim, ClaimedJob, Client, Completion, Held, JobError
from osqueue.client.transports.bell import Bell
from osqueue.core.errors import InvalidRequest, JobNotHeld, QueueError
from osqueue.core.limits import SNOOZE_MS_MIN
from osqueue.worker.handlers import Failed

__all__ = ["Settlements"]

COMPLETIONS_MAX = 1_000
"""In one call."""

_log = structlog.get_logger("osqueue.worker")


class Settlements:
    """Reports of one worker, on their way to the broker.

    Args:
        client: the connection.
        worker_id: who reports.
        nursery: where the reports of failures run.
        next_claim: the claim that may ride along with completions; None: none now.
        on_claimed: given what was claimed so, and the claim's limit.
        changed: rung when something was settled.
    """

    def __init__(
        self,
        client: Client,
        worker_id: str,
        nursery: trio.Nursery,
        *,
        next_claim: Callable[[], Claim | None],
        on_claimed: Callable[[Sequence[ClaimedJob[Any]], int], None],
        changed: Bell,
    ) -> None:
        self._client = client
        self._worker_id = worker_id
        self._nursery = nursery
        self._next_claim = next_claim
        self._on_claimed = on_claimed
        self._changed = changed
        self._finished: deque[Completion] = deque()
        self._has_finished = Bell()
        self._is_completing = False
        self._under_way = 0

    @property
    def will_claim(self) -> bool:
        """Whether a report is due or on its way that may carry a claim."""
        return bool(self._finished) or self._is_completing

    @property
    def is_idle(self) -> bool:
        """Whether everything is reported."""
        return not self.will_claim and not self._under_way

    def complete(self, claimed: ClaimedJob[Any], result: msgspec.Raw) -> None:
        """Report a job done, with whatever else is done by then."""
        self._finished.append(Completion(claimed, result))
        self._has_finished.ring()

    def fail(self, claimed: ClaimedJob[Any], failed: Failed) -> None:
        """Report an attempt failed."""
        self._start(self._fail, claimed, failed.error, failed.is_final)

    def cancelled(self, claimed: ClaimedJob[Any]) -> None:
        """Report that the handler of a cancelled job has stopped: then the job is gone."""
        error = JobError(type="Cancelled", message="the job was cancelled, its handler has stopped")
        self._start(self._fail, claimed, error, True)

    def give_back(self, claimed: ClaimedJob[Any]) -> None:
        """Hand the job to others, without spending its attempt."""
        self._start(self._snooze, claimed)

    async def run(self) -> None:
        """Send completions, as many as there are by then in one call, until cancelled."""
        while True:
            if not self._finished:
                await self._has_finished.wait()
                continue
            count = min(len(self._finished), COMPLETIONS_MAX)
            completions = [self._finished.popleft() for _ in range(count)]
            self._is_completing = True
            await self._complete(completions)
            self._is_completing = False
            self._changed.ring()

    async def _complete(self, completions: list[Completion]) -> None:
        claim = self._next_claim()
        jobs: Sequence[ClaimedJob[Any]] = ()
        try:
            answer = await self._client.complete_many(self._worker_id, completions, claim=claim)
            jobs = answer.jobs
            for job_id in answer.lost:
                _log.warning("completed too late, another attempt counts", job_id=job_id)
        except InvalidRequest:
            # All of the call was refused for one of its results: which one, only asking tells.
            for completion in completions:
                await self._complete_alone(completion)
        except QueueError as error:
            _log.error("completions not settled", jobs=len(completions), error=error.message)
        finally:
            if claim is not None:
                self._on_claimed(jobs, claim.limit)

    async def _complete_alone(self, completion: Completion) -> None:
        job = completion.job
        try:
            await self._client.complete(job, completion.result)
        except InvalidRequest as refusal:
            await self._fail(job, refusal, True)
        except JobNotHeld:
            _log.warning("completed too late, another attempt counts", job_id=job.job_id)
        except QueueError as refusal:
            _log.error("completion not settled", job_id=job.job_id, error=refusal.message)

    async def _fail(self, job: Held, error: Exception | JobError, is_final: bool) -> None:
        try:
            found = await self._client.fail(job, error, final=is_final)
            _log.info("failed", job_id=job.job_id, attempt=job.attempt, status=found.status)
        except JobNotHeld:
            _log.warning("failed too late, another attempt counts", job_id=job.job_id)
        except QueueError as refusal:
            _log.error("failure not settled", job_id=job.job_id, error=refusal.message)

    async def _snooze(self, job: Held) -> None:
        try:
            await self._client.snooze(job, SNOOZE_MS_MIN)
        except QueueError as refusal:
            _log.warning("not given back", job_id=job.job_id, error=refusal.message)

    def _start(self, report: Callable[..., Awaitable[None]], *arguments: object) -> None:
        self._under_way += 1
        self._nursery.start_soon(self._run_report, report, arguments)

    async def _run_report(
        self, report: Callable[..., Awaitable[None]], arguments: tuple[object, ...]
    ) -> None:
        await report(*arguments)
        self._under_way -= 1
        self._changed.ring()

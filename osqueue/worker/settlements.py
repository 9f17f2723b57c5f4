"""What a worker reports: completions with the next claim, failures, and what it gives back."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import msgspec
import structlog
import trio

from osqueue.client import (
    Claim,
    ClaimedJob,
    Client,
    Completion,
    Completions,
    Failure,
    Held,
    JobError,
)
from osqueue.client.transports.bell import Bell
from osqueue.core.errors import InvalidRequest, JobNotHeld, QueueError, QueueFull
from osqueue.core.limits import SNOOZE_MS_MIN
from osqueue.worker.outcomes import Failed, Succeeded

__all__ = ["Settlements"]

COMPLETIONS_MAX = 1_000
"""In one call."""
FOLLOW_UPS_MAX = 5_000
"""In one call, unless it is one job that submits more."""
BYTES_WANTED = 1_048_576
"""Of results and follow-up jobs in one call: more go into the next."""
FOLLOW_UP_BYTES_EXTRA = 200
"""About what a follow-up takes beside its payload."""
ROOM_WAIT_S = 1.0
"""Until a completion whose follow-ups found no room is tried again."""

OnCompleted = Callable[[], Awaitable[None]]
OnFailed = Callable[[Exception, Failure], Awaitable[None]]

_log = structlog.get_logger("osqueue.worker")


class _Finished(msgspec.Struct, frozen=True, eq=False):
    """A job done, and who wants to know what comes of its report."""

    completion: Completion
    on_completed: OnCompleted | None
    on_failed: OnFailed
    """Called if the broker refuses the completion and the job fails for it."""

    @property
    def job(self) -> ClaimedJob[Any]:
        """The job done."""
        return cast("ClaimedJob[Any]", self.completion.job)


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
        self._finished: deque[_Finished] = deque()
        self._has_finished = Bell()
        self._is_completing = False
        self._under_way = 0
        self._waiting: list[_Finished] = []
        self._unsettled: dict[tuple[str, int | None], ClaimedJob[Any]] = {}

    @property
    def unsettled(self) -> list[ClaimedJob[Any]]:
        """Jobs whose report is not answered: their leases are to be kept meanwhile."""
        return list(self._unsettled.values())

    @property
    def waiting_count(self) -> int:
        """Jobs done that wait for room for their follow-ups; they take the place of new ones."""
        return len(self._waiting)

    @property
    def will_claim(self) -> bool:
        """Whether a report is due or on its way that may carry a claim."""
        return bool(self._finished) or self._is_completing

    @property
    def is_idle(self) -> bool:
        """Whether everything is reported."""
        return not self.will_claim and not self._under_way and not self._waiting

    def complete(
        self,
        claimed: ClaimedJob[Any],
        succeeded: Succeeded,
        on_completed: OnCompleted | None,
        on_failed: OnFailed,
    ) -> None:
        """Report a job done, with whatever else is done by then, and tell one of the two."""
        self._unsettled[claimed.job_id, claimed.attempt] = claimed
        completion = Completion(claimed, succeeded.result, succeeded.submit)
        self._finished.append(_Finished(completion, on_completed, on_failed))
        self._has_finished.ring()

    def fail(self, claimed: ClaimedJob[Any], failed: Failed, on_failed: OnFailed) -> None:
        """Report an attempt failed."""
        self._report(claimed, self._fail, failed.error, failed.is_final, on_failed)

    def cancelled(self, claimed: ClaimedJob[Any]) -> None:
        """Report that the handler of a cancelled job has stopped: then the job is gone."""
        error = JobError(type="Cancelled", message="the job was cancelled, its handler has stopped")
        self._report(claimed, self._report_failure, error, True)

    def give_back(self, claimed: ClaimedJob[Any]) -> None:
        """Hand the job to others, without spending its attempt."""
        self._report(claimed, self._snooze, SNOOZE_MS_MIN)

    def snooze(self, claimed: ClaimedJob[Any], delay_ms: int) -> None:
        """Give the job back for later, without spending its attempt."""
        self._report(claimed, self._snooze, delay_ms)

    def give_back_waiting(self) -> None:
        """Hand the jobs to others whose follow-ups find no room; they will be worked on again."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            _log.warning("given back, there is no room for what follows", job_id=one.job.job_id)
            self.give_back(one.job)

    async def run(self) -> None:
        """Send completions, as many as there are by then in one call, until cancelled."""
        while True:
            if not self._finished:
                await self._has_finished.wait()
                continue
            self._is_completing = True
            await self._complete(self._take_finished())
            self._is_completing = False
            self._changed.ring()

    def _take_finished(self) -> list[_Finished]:
        """What goes into one call, at least one."""
        taken: list[_Finished] = []
        follow_ups = size = 0
        while self._finished and len(taken) < COMPLETIONS_MAX and size < BYTES_WANTED:
            completion = self._finished[0].completion
            follow_ups += len(completion.submit)
            if taken and follow_ups > FOLLOW_UPS_MAX:
                break
            size += memoryview(completion.result).nbytes + sum(
                memoryview(job.payload).nbytes + FOLLOW_UP_BYTES_EXTRA for job in completion.submit
            )
            taken.append(self._finished.popleft())
        return taken

    async def _complete(self, finished: list[_Finished]) -> None:
        claim = self._next_claim()
        jobs: Sequence[ClaimedJob[Any]] = ()
        completions = [one.completion for one in finished]
        again: list[_Finished] = []
        try:
            answer = await self._client.complete_many(self._worker_id, completions, claim=claim)
            jobs = answer.jobs
            self._note_completed(finished, answer)
            full = set(answer.full)
            again = [one for one in finished if one.job.job_id in full]
            self._wait_for_room(again)
        except InvalidRequest:
            # All of the call was refused for one of its results: which one, only asking tells.
            for one in finished:
                if not await self._complete_alone(one):
                    again.append(one)
            self._wait_for_room(again)
        except QueueFull:
            # Only follow-ups need room; what has none is not to wait for it.
            again = finished
            plain = [one for one in finished if not one.completion.submit]
            waiting = [one for one in finished if one.completion.submit]
            self._finished.extendleft(reversed(plain if waiting else []))
            self._wait_for_room(waiting or finished)
        except QueueError as error:
            _log.error("completions not settled", jobs=len(completions), error=error.message)
        finally:
            for one in finished:
                if one not in again:
                    self._unsettled.pop((one.job.job_id, one.job.attempt), None)
            if claim is not None:
                self._on_claimed(jobs, claim.limit)

    def _wait_for_room(self, finished: list[_Finished]) -> None:
        if not finished:
            return
        _log.warning("no room for the jobs that follow, completed later", jobs=len(finished))
        is_timed = bool(self._waiting)
        self._waiting += finished
        if not is_timed:
            self._start(self._retry_waiting)

    async def _retry_waiting(self) -> None:
        await trio.sleep(ROOM_WAIT_S)
        self._finished.extend(self._waiting)
        self._waiting = []
        self._has_finished.ring()

    def _note_completed(self, finished: Sequence[_Finished], answer: Completions) -> None:
        completed = set(answer.completed)
        for one in finished:
            if one.on_completed is not None and one.completion.job.job_id in completed:
                self._start(one.on_completed)
        for job_id in answer.lost:
            _log.warning("completed too late, another attempt counts", job_id=job_id)

    async def _complete_alone(self, finished: _Finished) -> bool:
        """Whether it is settled; otherwise there is no room for what follows."""
        completion = finished.completion
        job = finished.job
        try:
            answer = await self._client.complete_many(self._worker_id, [completion], claim=None)
            self._note_completed([finished], answer)
        except InvalidRequest as refusal:
            await self._fail(job, refusal, True, finished.on_failed)
        except QueueFull:
            return False
        except QueueError as refusal:
            _log.error("completion not settled", job_id=job.job_id, error=refusal.message)
        return True

    async def _fail(self, job: Held, error: Exception, is_final: bool, on_failed: OnFailed) -> None:
        found = await self._report_failure(job, error, is_final)
        if found is not None:
            await on_failed(error, found)

    async def _report_failure(
        self, job: Held, error: Exception | JobError, is_final: bool
    ) -> Failure | None:
        try:
            found = await self._client.fail(job, error, final=is_final)
            _log.info("failed", job_id=job.job_id, attempt=job.attempt, status=found.status)
            return found
        except JobNotHeld:
            _log.warning("failed too late, another attempt counts", job_id=job.job_id)
        except QueueError as refusal:
            _log.error("failure not settled", job_id=job.job_id, error=refusal.message)
        return None

    async def _snooze(self, job: Held, delay_ms: int) -> None:
        try:
            await self._client.snooze(job, delay_ms)
        except QueueError as refusal:
            _log.warning("not given back", job_id=job.job_id, error=refusal.message)

    def _report(
        self, job: ClaimedJob[Any], report: Callable[..., Awaitable[object]], *arguments: object
    ) -> None:
        """Report what became of a job, whose lease is kept until that is answered."""
        self._unsettled[job.job_id, job.attempt] = job
        self._start(self._report_one, job, report, arguments)

    async def _report_one(
        self,
        job: ClaimedJob[Any],
        report: Callable[..., Awaitable[object]],
        arguments: tuple[object, ...],
    ) -> None:
        await report(job, *arguments)
        self._unsettled.pop((job.job_id, job.attempt), None)

    def _start(self, act: Callable[..., Awaitable[object]], *arguments: object) -> None:
        self._under_way += 1
        self._nursery.start_soon(self._run, act, arguments)

    async def _run(
        self, act: Callable[..., Awaitable[object]], arguments: tuple[object, ...]
    ) -> None:
        await act(*arguments)
        self._under_way -= 1
        self._changed.ring()

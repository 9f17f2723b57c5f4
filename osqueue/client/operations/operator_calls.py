"""What operators ask of a queue: single jobs, many at once, lists, figures, pauses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal

import msgspec
from msgspec.msgpack import Decoder

from osqueue.client.operations.figures import History, Stats, ThrottleStats, WorkerPage
from osqueue.client.results import (
    Cancelled,
    Changed,
    DeadGroups,
    JobDetails,
    JobPage,
    Nothing,
)
from osqueue.client.worker_calls import WorkerCalls
from osqueue.core.job import JobStatus
from osqueue.core.mutations import JobFilter
from osqueue.protocol.params import (
    ChangeJobsParams,
    GetHistoryParams,
    JobFilterParams,
    JobParams,
    ListDeadGroupsParams,
    ListJobsParams,
    ListWorkersParams,
    PauseQueueParams,
    QueueParams,
    ReadParams,
    RedriveDeadParams,
)

__all__ = ["OperatorCalls"]

CANCELLED = Decoder(Cancelled)
CHANGED = Decoder(Changed)
DEAD_GROUPS = Decoder(DeadGroups)
JOB_PAGE = Decoder(JobPage)
STATS = Decoder(Stats)
HISTORY = Decoder(History)
WORKER_PAGE = Decoder(WorkerPage)
THROTTLE_STATS = Decoder(ThrottleStats)
NOTHING = Decoder(Nothing)


class OperatorCalls(WorkerCalls):
    """The part of `Client` for those who look after a queue."""

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

    async def redrive(
        self,
        job_ids: Sequence[str] | None = None,
        *,
        type: str | None = None,
        error_type: str | None = None,
        error_message: str | None = None,
        text: str | None = None,
        limit: int | None = None,
        dry_run: bool = False,
    ) -> int:
        """Make dead jobs claimable again, the oldest first, but for those whose unique key is
        taken; returns how many.

        Args:
            job_ids: these; by default all that the other arguments mean.
            type: only of this type.
            error_type: only those whose newest error is of this type.
            error_message: only those whose newest error's message begins with this line, as
                `dead_groups` tells it.
            text: only those that hold this text somewhere.
            limit: at most so many; by default all.
            dry_run: change nothing, only count.
        """
        params = RedriveDeadParams(
            type=type,
            error_type=error_type,
            error_message=error_message,
            text=text,
            job_ids=None if job_ids is None else list(job_ids),
            limit=limit,
            dry_run=dry_run or None,
        )
        return await self._change("redriveDead", params)

    async def cancel_many(
        self,
        job_ids: Sequence[str] | None = None,
        *,
        wanted: JobFilter | None = None,
        limit: int | None = None,
        dry_run: bool = False,
    ) -> int:
        """Remove waiting jobs, and ask the workers of running ones to stop; returns how many.

        Args:
            job_ids: these; or
            wanted: all that pass this filter.
            limit: at most so many; by default all.
            dry_run: change nothing, only count.

        Raises:
            InvalidRequest: not one of `job_ids` and `wanted` is given, or a value is out of bounds.
        """
        return await self._change("cancelJobs", change_params(job_ids, wanted, limit, dry_run))

    async def delete_many(
        self,
        job_ids: Sequence[str] | None = None,
        *,
        wanted: JobFilter | None = None,
        limit: int | None = None,
        dry_run: bool = False,
    ) -> int:
        """Remove jobs that are not in progress; returns how many. Arguments as of `cancel_many`."""
        return await self._change("deleteJobs", change_params(job_ids, wanted, limit, dry_run))

    async def retry_many(
        self,
        job_ids: Sequence[str] | None = None,
        *,
        wanted: JobFilter | None = None,
        limit: int | None = None,
        dry_run: bool = False,
    ) -> int:
        """Make dead and scheduled jobs claimable now; returns how many. Arguments as of
        `cancel_many`."""
        return await self._change("retryJobs", change_params(job_ids, wanted, limit, dry_run))

    async def _change(self, method: str, params: ChangeJobsParams | RedriveDeadParams) -> int:
        """Repeat a bounded change until nothing is left of it.

        Cancellation: what was changed stays so.
        """
        count = 0
        while True:
            call = self._read if params.dry_run else self._mutate
            changed = await call(method, params, CHANGED)
            count += changed.count
            if not changed.cursor or changed.count == params.limit:
                return count
            left = None if params.limit is None else params.limit - changed.count
            params = msgspec.structs.replace(params, cursor=changed.cursor, limit=left)

    async def dead_groups(
        self, *, type: str | None = None, limit: int | None = None, confirm: bool = False
    ) -> DeadGroups:
        """Dead jobs by type and error, the largest groups first.

        Args:
            type: only of this type.
            limit: at most so many groups, 1 to 1,000; by default 100.
            confirm: True asks the store as well, see `Client.stats`.
        """
        params = ListDeadGroupsParams(type=type, limit=limit, confirm=confirm or None)
        return await self._read("listDeadGroups", params, DEAD_GROUPS)

    async def list_jobs(
        self,
        *,
        status: JobStatus | None = None,
        type: str | None = None,
        text: str | None = None,
        error_type: str | None = None,
        error_message: str | None = None,
        order: Literal["asc", "desc"] = "asc",
        limit: int | None = None,
        cursor: str | None = None,
        offset: int | None = None,
        payloads: bool = True,
        confirm: bool = False,
    ) -> JobPage:
        """A page of jobs in the order of submission, or the newest first.

        A page may hold fewer jobs than `limit`, even none, and have a cursor all the same.

        Args:
            status: only of this status.
            type: only of this type.
            text: only those that hold this text somewhere; a job's whole id finds that job alone.
            error_type: only those whose newest error is of this type.
            error_message: only those whose newest error's message begins with this line.
            order: `desc` for the newest first.
            limit: at most so many, to 1,000 (the default).
            cursor: from the page before.
            offset: instead of a cursor: leave out so many; with status and type only.
            payloads: False leaves payloads out.
            confirm: True asks the store as well, see `Client.stats`.
        """
        params = ListJobsParams(
            status=status,
            type=type,
            text=text,
            error_type=error_type,
            error_message=error_message,
            order=order,
            limit=limit,
            cursor=cursor or None,
            offset=offset,
            payloads=payloads,
            confirm=confirm or None,
        )
        return await self._read("listJobs", params, JOB_PAGE)

    async def iterate_jobs(
        self,
        *,
        status: JobStatus | None = None,
        type: str | None = None,
        text: str | None = None,
        order: Literal["asc", "desc"] = "asc",
    ) -> AsyncIterator[JobDetails]:
        """All jobs, page by page; stable while the queue changes."""
        cursor = ""
        while True:
            page = await self.list_jobs(
                status=status, type=type, text=text, order=order, cursor=cursor
            )
            for job in page.jobs:
                yield job
            cursor = page.cursor
            if not cursor:
                return

    async def stats(self, *, confirm: bool = False) -> Stats:
        """Counts of the committed queue.

        Args:
            confirm: True: the leader answers with a write to the store that begins after this call,
                not from its memory. The answer then holds whatever its clocks say, and costs a
                share of that write.
        """
        return await self._read("getStats", ReadParams(confirm=confirm or None), STATS)

    async def history(self, *, seconds: int | None = None, confirm: bool = False) -> History:
        """What the leader has seen lately: figures by the second, its newest writes, who has led.

        Args:
            seconds: how far back, 1 to 600; by default 300.
            confirm: True asks the store as well, see `Client.stats`.
        """
        params = GetHistoryParams(seconds=seconds, confirm=confirm or None)
        return await self._read("getHistory", params, HISTORY)

    async def workers(self, *, limit: int | None = None, confirm: bool = False) -> WorkerPage:
        """The workers that the leader has heard of lately, or that hold jobs, and what they hold.

        Args:
            limit: at most so many, those heard of last; 1 to 1,000, by default 100.
            confirm: True asks the store as well, see `Client.stats`.
        """
        params = ListWorkersParams(limit=limit, confirm=confirm or None)
        return await self._read("listWorkers", params, WORKER_PAGE)

    async def throttle_stats(self) -> ThrottleStats:
        """What limits of the store have cost the broker since it started."""
        return await self._read("getThrottleStats", QueueParams(), THROTTLE_STATS)

    async def pause(self, *, type: str | None = None) -> None:
        """Give claims nothing, of one type or of all; submits are taken as before."""
        await self._mutate("pauseQueue", PauseQueueParams(type=type), NOTHING)

    async def resume(self, *, type: str | None = None) -> None:
        """End a pause, of one type or of all."""
        await self._mutate("resumeQueue", PauseQueueParams(type=type), NOTHING)


def change_params(
    job_ids: Sequence[str] | None, wanted: JobFilter | None, limit: int | None, dry_run: bool
) -> ChangeJobsParams:
    """Which jobs are to be changed, in the words of the wire."""
    params = ChangeJobsParams(limit=limit, dry_run=dry_run or None)
    if job_ids is not None:
        params.job_ids = list(job_ids)
    if wanted is not None:
        params.filter = JobFilterParams(**msgspec.structs.asdict(wanted))
    return params

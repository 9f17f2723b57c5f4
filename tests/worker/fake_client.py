"""A queue as the worker sees it, in memory and in virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import trio

from osqueue.client import (
    Claim,
    ClaimedJob,
    Completion,
    Completions,
    Failure,
    Heartbeats,
    Held,
    NewJob,
)
from osqueue.core.errors import QueueError

__all__ = ["FakeClient"]


class FakeClient:
    """Gives out `waiting` jobs; each call takes `answers_after_s`, a poll as long as it waits."""

    def __init__(self, waiting: Sequence[ClaimedJob[Any]] = ()) -> None:
        self.waiting = list(waiting)
        self.refusals: list[QueueError] = []
        """Raised by the next claims and completions."""
        self.answers_after_s = 0.1
        self.lost: set[str] = set()
        self.lost_leases: set[str] = set()
        """Told to heartbeats; completions are told what is in `lost`."""
        self.full: set[str] = set()
        """Jobs whose follow-ups find no room."""
        self.submitted: list[NewJob] = []
        """With completions, refused ones too."""
        self.calls: list[tuple[str, Any]] = []
        self._has_more = trio.Event()

    def named(self, name: str) -> list[Any]:
        """What the calls of one method were about."""
        return [about for called, about in self.calls if called == name]

    def add(self, *jobs: ClaimedJob[Any]) -> None:
        self.waiting += jobs
        self._has_more.set()
        self._has_more = trio.Event()

    def _take(self, limit: int) -> list[ClaimedJob[Any]]:
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    async def _travel(self) -> None:
        await trio.sleep(self.answers_after_s)
        if self.refusals:
            raise self.refusals.pop(0)

    async def claim(
        self, worker_id: str, *, types: Sequence[str], limit: int, wait_ms: int, lease_ms: int
    ) -> list[ClaimedJob[Any]]:
        self.calls.append(("claim", limit))
        await self._travel()
        if not self.waiting:
            with trio.move_on_after(wait_ms / 1_000):
                await self._has_more.wait()
        return self._take(limit)

    async def complete_many(
        self, worker_id: str, completions: Sequence[Completion], *, claim: Claim | None
    ) -> Completions:
        job_ids = [completion.job.job_id for completion in completions]
        self.calls.append(("complete_many", (job_ids, claim and claim.limit)))
        self.submitted += [job for completion in completions for job in completion.submit]
        await self._travel()
        return Completions(
            completed=[job_id for job_id in job_ids if job_id not in self.lost | self.full],
            full=[job_id for job_id in job_ids if job_id in self.full],
            lost=[job_id for job_id in job_ids if job_id in self.lost],
            jobs=self._take(claim.limit) if claim else [],
        )

    async def fail(self, job: Held, error: Any, *, final: bool) -> Failure:
        self.calls.append(("fail", (job.job_id, str(error), final)))
        await self._travel()
        return Failure(status="dead")

    async def snooze(self, job: Held, delay_ms: int) -> int:
        self.calls.append(("snooze", (job.job_id, delay_ms)))
        await self._travel()
        return 0

    async def heartbeat_many(self, worker_id: str, jobs: Iterable[Held]) -> Heartbeats:
        job_ids = [job.job_id for job in jobs]
        self.calls.append(("heartbeat_many", job_ids))
        return Heartbeats(
            held=[job_id for job_id in job_ids if job_id not in self.lost_leases],
            lost=[job_id for job_id in job_ids if job_id in self.lost_leases],
        )

"""One message for all held jobs, at a third of their lease: what keeps them held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog
import trio

from osqueue.client import ClaimedJob, Client
from osqueue.client.transports.bell import Bell
from osqueue.core.errors import QueueError

__all__ = ["keep_leases"]

LEASE_SHARE = 3
"""Heartbeats in one lease: two may be lost."""

_log = structlog.get_logger("osqueue.worker")


async def keep_leases(
    client: Client,
    worker_id: str,
    *,
    held: Callable[[], Sequence[ClaimedJob[Any]]],
    has_held: Bell,
    on_lost: Callable[[ClaimedJob[Any]], None],
    on_cancel_requested: Callable[[ClaimedJob[Any]], None],
) -> None:
    """Send heartbeats until cancelled.

    Silence of the broker is no reason to stop a handler: after every takeover and every outage all
    held jobs get one full lease. So a heartbeat that cannot be sent is given up for the next one.

    Args:
        client: the connection.
        worker_id: whose jobs they are.
        held: the jobs held at the moment.
        has_held: rung when there are some.
        on_lost: called with a job that this worker does not hold any more.
        on_cancel_requested: called with a job whose handler should stop.
    """
    while True:
        jobs = held()
        if not jobs:
            await has_held.wait()
            continue
        interval_s = min(job.lease_ms for job in jobs) / LEASE_SHARE / 1_000
        await trio.sleep(interval_s)
        jobs = {job.job_id: job for job in held()}
        if not jobs:
            continue
        try:
            with trio.move_on_after(interval_s):
                answer = await client.heartbeat_many(worker_id, list(jobs.values()))
                for job_id in answer.lost:
                    on_lost(jobs[job_id])
                for job_id in answer.cancel_requested:
                    on_cancel_requested(jobs[job_id])
        except QueueError as error:
            _log.warning("heartbeat refused", error=error.message, advice=error.advice)

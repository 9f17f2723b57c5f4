"""Jobs that fail, for the commands that show and mend them."""

from __future__ import annotations

import trio

from osqueue.client import Client, JobError
from tests.cli.processes import OsqueueProcess

__all__ = ["fail_jobs"]


def fail_jobs(broker: OsqueueProcess, job_type: str, messages: list[str]) -> list[str]:
    """Submit and fail a job for each message; they have one attempt, so they are dead then."""

    async def talk() -> list[str]:
        dead: list[str] = []
        async with Client(broker.url) as client:
            for message in messages:
                await client.submit({"message": message}, type=job_type)
                (job,) = await client.claim("worker-1", types=[job_type])
                error = JobError(type="ValueError", message=message, traceback="at line\x1b[31m 1")
                await client.fail(job, error)
                dead.append(job.job_id)
        return dead

    return trio.run(talk)

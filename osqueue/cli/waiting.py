"""Waits for the end of a job, and prints its result."""

from __future__ import annotations

from osqueue.cli.asking import ask
from osqueue.cli.endings import CommandError, ExitStatus
from osqueue.cli.showing import print_json
from osqueue.client import Client
from osqueue.core.errors import JobNotFound

__all__ = ["print_result", "result_of", "wait_for_job"]


def wait_for_job(
    job_id: str, *, wait_ms: int | None, url: str | None, timeout_s: float, as_json: bool
) -> None:
    """Print the result of a job as JSON, once it is completed.

    Args:
        job_id: the job's id.
        wait_ms: no longer than so many milliseconds; None: until it ends.
        url, timeout_s: as `ask` takes them.
        as_json: print what getJob calls id, status and result, not the result alone.

    Raises:
        CommandError: it has not ended in time.
        QueueError: it is dead or gone, or no broker answers.
    """
    result = ask(
        lambda client: result_of(client, job_id, wait_ms=wait_ms), url=url, timeout_s=timeout_s
    )
    print_result(job_id, result, as_json=as_json)


async def result_of(client: Client, job_id: str, *, wait_ms: int | None) -> object:
    """The result of a job, once it is completed.

    Raises:
        CommandError: it has not ended in time.
        QueueError: it is dead or gone, or no broker answers.
    """
    timeout_s = None if wait_ms is None else wait_ms / 1_000
    try:
        return await client.wait(job_id, timeout_s=timeout_s)
    except JobNotFound as error:
        hint = "only a job that was submitted with --result-ttl-ms leaves its result"
        raise JobNotFound(f"{error.message}; {hint}") from error
    except TimeoutError as error:
        raise CommandError(
            f"the job {job_id} has not ended after {wait_ms} ms",
            advice=f"osqueue job {job_id} --wait goes on waiting",
            status=ExitStatus.UNFINISHED,
        ) from error


def print_result(job_id: str, result: object, *, as_json: bool) -> None:
    """Print a result as JSON, alone or with the job that it is of."""
    if as_json:
        print_json({"id": job_id, "status": "completed", "result": result})
    else:
        print_json(result)

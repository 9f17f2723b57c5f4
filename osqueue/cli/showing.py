"""What the reading commands ask the broker: printed as JSON of the wire, or by `tables`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import trio

from osqueue.cli.asking import ask
from osqueue.client import Client, JobDetails, JobPage, Stats, ThrottleStats
from osqueue.core.errors import JobNotFound
from osqueue.core.job import JobStatus

__all__ = [
    "Wanted",
    "jobs_text",
    "print_json",
    "show_dead",
    "show_history",
    "show_job",
    "show_jobs",
    "show_stats",
    "show_workers",
]

PAGE_JOBS = 1_000
NOT_IN_LISTS = ("leaseMs", "resultTtlMs", "retry", "errors", "result")
"""What a list does not tell of a job: its defaults would read as if the job had none."""
ONLY_IN_LISTS = ("lastError",)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs to list."""

    status: JobStatus | None
    type: str | None
    limit: int
    text: str | None = None
    newest: bool = False
    cursor: str | None = None
    confirm: bool = False

    def page_arguments(self) -> dict[str, Any]:
        """What `Client.list_jobs` takes of it, but for the limit and the cursor."""
        return {
            "status": self.status,
            "type": self.type,
            "text": self.text,
            "order": "desc" if self.newest else "asc",
            "confirm": self.confirm,
        }


def show_stats(*, confirm: bool, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Print the counts of the queue, and what the budgets of its store held back."""

    async def look(client: Client) -> tuple[Stats, ThrottleStats]:
        return await client.stats(confirm=confirm), await client.throttle_stats()

    stats, throttle = ask(look, url=url, timeout_s=timeout_s)
    if as_json:
        fields = msgspec.to_builtins(stats)
        print_json({**fields, "throttle": throttle if throttle.throttling else None})
        return
    from osqueue.cli import tables

    tables.print_stats(stats, throttle)


def show_jobs(
    wanted: Wanted, *, everything: bool, url: str | None, timeout_s: float, as_json: bool
) -> None:
    """Print a page of jobs, or all of them."""
    read = read_all if everything else read_page
    page = ask(partial(read, wanted), url=url, timeout_s=timeout_s)
    if as_json:
        print_json(page_fields(page, unknown=NOT_IN_LISTS))
        return
    from osqueue.cli import tables

    tables.print_jobs(page)


def show_job(
    job_id: str, *, confirm: bool, url: str | None, timeout_s: float, as_json: bool
) -> None:
    """Print one job."""
    job = ask(lambda client: client.get_job(job_id, confirm=confirm), url=url, timeout_s=timeout_s)
    if as_json:
        print_json(job_fields(job, unknown=ONLY_IN_LISTS))
        return
    from osqueue.cli import tables

    tables.print_job(job)


def show_dead(
    job_type: str | None,
    limit: int,
    *,
    confirm: bool,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Print dead letters: grouped by their last error, or with `as_json` each with its errors."""
    from osqueue.cli import tables

    if as_json:
        wanted = Wanted(status="dead", type=job_type, limit=limit, confirm=confirm)
        page = ask(partial(read_with_errors, wanted), url=url, timeout_s=timeout_s)
        print_json(page_fields(page, unknown=ONLY_IN_LISTS))
        return
    groups = ask(
        lambda client: client.dead_groups(type=job_type, limit=limit, confirm=confirm),
        url=url,
        timeout_s=timeout_s,
    )
    tables.print_dead(groups)


def show_workers(limit: int, *, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Print who works."""
    page = ask(lambda client: client.workers(limit=limit), url=url, timeout_s=timeout_s)
    if as_json:
        print_json(page)
        return
    from osqueue.cli import tables

    tables.print_workers(page)


def show_history(seconds: int, *, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Print what the leader has seen lately."""
    found = ask(lambda client: client.history(seconds=seconds), url=url, timeout_s=timeout_s)
    if as_json:
        print_json(found)
        return
    from osqueue.cli import tables

    tables.print_history(found)


async def read_page(wanted: Wanted, client: Client) -> JobPage:
    """One page."""
    return await client.list_jobs(
        **wanted.page_arguments(), limit=wanted.limit, cursor=wanted.cursor
    )


async def read_all(wanted: Wanted, client: Client) -> JobPage:
    """All pages as one; the counts are those of the last."""
    jobs: list[JobDetails] = []
    cursor = wanted.cursor
    while True:
        page = await client.list_jobs(**wanted.page_arguments(), limit=PAGE_JOBS, cursor=cursor)
        jobs += page.jobs
        cursor = page.cursor
        if not cursor:
            return msgspec.structs.replace(page, jobs=jobs)


async def read_with_errors(wanted: Wanted, client: Client) -> JobPage:
    """One page of jobs with everything known about them: lists leave errors out."""
    page = await read_page(wanted, client)
    found: dict[int, JobDetails] = {}

    async def read_one(index: int, job_id: str) -> None:
        try:
            found[index] = await client.get_job(job_id, confirm=wanted.confirm)
        except JobNotFound:
            return  # Somebody has deleted it meanwhile.

    async with trio.open_nursery() as nursery:
        for index, job in enumerate(page.jobs):
            nursery.start_soon(read_one, index, job.id)
    return msgspec.structs.replace(page, jobs=[found[index] for index in sorted(found)])


def page_fields(page: JobPage, *, unknown: Sequence[str]) -> dict[str, Any]:
    """A page of jobs by the names of the wire, without what was not asked for of the jobs."""
    fields = msgspec.to_builtins(page)
    return {**fields, "jobs": [job_fields(job, unknown=unknown) for job in page.jobs]}


def job_fields(job: JobDetails, *, unknown: Sequence[str]) -> dict[str, Any]:
    """A job by the names of the wire, without these fields."""
    fields = msgspec.to_builtins(job)
    return {name: value for name, value in fields.items() if name not in unknown}


def print_json(answer: object) -> None:
    """Print a value as one line of JSON."""
    print(msgspec.json.encode(answer).decode())


def jobs_text(count: int) -> str:
    """So many jobs, in words."""
    return "1 job" if count == 1 else f"{count:,} jobs"

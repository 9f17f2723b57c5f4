"""The commands that look: at counts, at jobs, at dead letters, at what happens."""

from __future__ import annotations

from typing import get_args

import click

from osqueue.cli.options import confirm_option, json_option, url_options
from osqueue.cli.starting import conversation
from osqueue.core.job import JobStatus

__all__ = ["dead", "history", "job", "jobs", "stats", "top", "workers"]

LIST_LIMIT = 100


@click.command()
@confirm_option
@url_options()
@json_option
def stats(confirm: bool, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Show how many jobs there are, and who leads.

    \b
    Examples:
      osqueue stats
      osqueue stats --json --url http://10.0.0.7:8080
    """
    from osqueue.cli import showing

    with conversation(as_json=as_json):
        showing.show_stats(confirm=confirm, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@click.option("--status", type=click.Choice(get_args(JobStatus)), help="Only jobs of this status.")
@click.option("--type", metavar="TYPE", help="Only jobs of this type.")
@click.option("--text", metavar="TEXT", help="Only jobs that hold this text somewhere.")
@click.option("--newest", is_flag=True, help="The newest first.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=LIST_LIMIT,
    show_default=True,
    help="At most so many: one page.",
)
@click.option("--cursor", metavar="CURSOR", help="Go on from where the page before ended.")
@click.option("--all", "everything", is_flag=True, help="All pages.")
@confirm_option
@url_options()
@json_option
def jobs(
    status: JobStatus | None,
    type: str | None,
    text: str | None,
    newest: bool,
    limit: int,
    cursor: str | None,
    everything: bool,
    confirm: bool,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """List jobs in the order in which they were submitted, or the newest first.

    --text looks into ids, types, payloads and newest errors, in upper and lower case as written.

    \b
    Examples:
      osqueue jobs
      osqueue jobs --status in_progress --type email:send
      osqueue jobs --text ann@example.org --newest
      osqueue jobs --json --all
    """
    from osqueue.cli import showing

    with conversation(as_json=as_json):
        wanted = showing.Wanted(
            status=status,
            type=type,
            text=text,
            newest=newest,
            limit=limit,
            cursor=cursor,
            confirm=confirm,
        )
        showing.show_jobs(
            wanted, everything=everything, url=url, timeout_s=timeout_s, as_json=as_json
        )


@click.command()
@click.argument("job_id", metavar="ID")
@click.option("--wait", "waits", is_flag=True, help="Wait for its end, and print its result.")
@click.option(
    "--wait-ms",
    type=click.IntRange(min=0),
    metavar="N",
    help="Wait no longer than so many milliseconds.  [default: until it ends]",
)
@confirm_option
@url_options()
@json_option
def job(
    job_id: str,
    waits: bool,
    wait_ms: int | None,
    confirm: bool,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Show one job, or wait for its end.

    With --wait the result is printed as JSON, with --json the job's id, status and result. Only a
    job that was submitted with --result-ttl-ms has a result to be read. One that is dead, or was
    not kept, is status 1; one that has not ended within --wait-ms is status 5.

    \b
    Examples:
      osqueue job 019a2b64-6d3e-7c55-8f1a-2b7f0d9c4e11
      osqueue job 019a2b64-6d3e-7c55-8f1a-2b7f0d9c4e11 --wait --wait-ms 60000
    """
    if confirm and (waits or wait_ms is not None):
        raise click.UsageError("--confirm is for a look at a job; leave it out, or --wait")
    from osqueue.cli import showing, waiting

    with conversation(as_json=as_json):
        if waits or wait_ms is not None:
            waiting.wait_for_job(
                job_id, wait_ms=wait_ms, url=url, timeout_s=timeout_s, as_json=as_json
            )
        else:
            showing.show_job(job_id, confirm=confirm, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@click.option("--type", metavar="TYPE", help="Only jobs of this type.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=LIST_LIMIT,
    show_default=True,
    help="At most so many groups; with --json, jobs.",
)
@confirm_option
@url_options()
@json_option
def dead(
    type: str | None,
    limit: int,
    confirm: bool,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Show the dead letters, grouped by type and the error that they ended with.

    With --json it prints the letters themselves, each with its errors.

    A job is a dead letter once it has failed its last attempt. It stays until it is made claimable
    again (osqueue redrive, osqueue retry) or deleted.

    \b
    Examples:
      osqueue dead
      osqueue dead --type email:send --json
    """
    from osqueue.cli import showing

    with conversation(as_json=as_json):
        showing.show_dead(
            type, limit, confirm=confirm, url=url, timeout_s=timeout_s, as_json=as_json
        )


@click.command()
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=LIST_LIMIT,
    show_default=True,
    help="At most so many workers.",
)
@url_options()
@json_option
def workers(limit: int, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Show who works, and what they hold.

    A worker is listed while it holds jobs or waits for some, and for two minutes after the leader
    has last heard of it.

    \b
    Examples:
      osqueue workers
      osqueue workers --json
    """
    from osqueue.cli import showing

    with conversation(as_json=as_json):
        showing.show_workers(limit, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@click.option(
    "--seconds",
    type=click.IntRange(1, 600),
    default=300,
    show_default=True,
    help="How far back.",
)
@url_options()
@json_option
def history(seconds: int, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Show what the leader has seen lately, ten seconds a line.

    Rates are counts a second. Commit times and waits (from when a job is claimable to when its
    worker is told) are the worst of the 99th percentiles of those seconds. With --json every
    second, the newest writes and who has led.

    \b
    Examples:
      osqueue history
      osqueue history --seconds 60 --json
    """
    from osqueue.cli import showing

    with conversation(as_json=as_json):
        showing.show_history(seconds, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@url_options()
@json_option
def top(url: str | None, timeout_s: float, as_json: bool) -> None:
    """Watch the queue live.

    It shows counts, throughput, the leader, its last write and the newest changes. The broker tells
    what happens; nothing is polled. On a terminal q or Ctrl-C ends it. Elsewhere it prints a line
    for each thing that happens, and with --json an object. When the broker is lost, it looks for
    the next one, and says that something was missed.

    \b
    Examples:
      osqueue top
      osqueue top --json | grep '"dead"'
    """
    from osqueue.cli.top.watching import watch

    with conversation(as_json=as_json):
        watch(url=url, timeout_s=timeout_s, as_json=as_json)

"""The commands and their options. What each does stands in its own module, loaded when it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, BinaryIO, get_args

import click

from osqueue import __version__
from osqueue.cli.endings import CommandError, Ending, end_with_line, reporting
from osqueue.cli.options import (
    SectionedCommand,
    json_option,
    read_settings,
    setting_options,
    url_options,
)
from osqueue.core.job import JobStatus
from osqueue.settings import Settings, SettingValue

__all__ = ["main"]

HELP_OPTIONS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
LIST_LIMIT = 100
SERVER_GROUPS = ("broker", "storage", "jobs", "logs", "limits")


@click.group(context_settings=HELP_OPTIONS)
@click.version_option(__version__, prog_name="osqueue")
def main() -> None:
    """A durable job queue whose only infrastructure is one JSON object.

    Start a broker, give it jobs, and run workers for them:

    \b
      osqueue server
      osqueue submit email:send '{"to": "ann@example.org"}'
      osqueue worker tasks:worker
      osqueue stats

    Exit status: 0 done; 1 refused or failed; 2 the command line or a setting is wrong; 3 no broker
    could be reached, try again; 4 it may have been applied, look it up.
    """


@main.command(cls=SectionedCommand)
@setting_options(*SERVER_GROUPS)
@click.option("--json", "json_logs", is_flag=True, help="The same as --log-format json.")
def server(json_logs: bool, **flags: SettingValue | None) -> None:
    """Run a broker: it keeps the queue, and answers clients and workers.

    Several brokers may share one store: one leads, the others stand by and take over when it ends.
    SIGTERM or SIGINT stops it: what was asked for is settled and the lead is handed over.

    \b
    Examples:
      osqueue server
      osqueue server --broker-port 9000 --file-directory /var/lib/osqueue
      STORAGE_BACKEND=memory osqueue server

    Each option can also be set by the environment name in brackets; the option wins. Times are in
    milliseconds, and end in -ms.
    """
    if json_logs:
        flags["log_format"] = "json"
    with reporting(end_with_line(as_json=json_logs)):
        settings = read_settings(SERVER_GROUPS, flags)
    tell = start_logs(settings)
    from osqueue.cli.broker.process import run_broker

    with reporting(tell):
        run_broker(settings)


@main.command()
@click.argument("worker", metavar="MODULE:ATTRIBUTE")
@url_options(with_timeout=False)
@setting_options("logs")
@click.option("--json", "json_logs", is_flag=True, help="The same as --log-format json.")
def worker(worker: str, url: str | None, json_logs: bool, **flags: SettingValue | None) -> None:
    """Run the worker that a module of yours defines.

    The module is looked for in the current directory first. SIGTERM or SIGINT stops the worker: it
    claims no more, finishes the jobs that it holds, and ends.

    \b
    Example, with this in the file tasks.py:
      from osqueue.worker import Worker
      worker = Worker()
      @worker.handler("email:send")
      async def send_email(payload: dict[str, str]) -> None:
          print("to", payload["to"])

    \b
      osqueue worker tasks:worker

    --url is for workers that name no broker in their own code.
    """
    if json_logs:
        flags["log_format"] = "json"
    with reporting(end_with_line(as_json=json_logs)):
        settings = read_settings(["logs"], flags)
    tell = start_logs(settings)
    from osqueue.cli.working import run_worker

    with reporting(tell):
        run_worker(worker, url)


@main.command()
@click.argument("type", metavar="[TYPE]", required=False)
@click.argument("payload", metavar="[PAYLOAD]", required=False)
@click.option(
    "--file",
    "source",
    type=click.File("rb"),
    metavar="FILE",
    help="Submit one job for each line of a file of JSON lines; - reads from stdin.",
)
@click.option(
    "--envelope",
    is_flag=True,
    help=(
        "Each line is an object with the fields of a job: payload, type, maxAttempts, jobId, runAt,"
        " delayMs, priority, uniqueKey, resultTtlMs, retry."
    ),
)
@click.option("--max-attempts", type=int, metavar="N", help="Attempts before it is a dead letter.")
@click.option("--priority", type=int, metavar="N", help="-100 to 100, higher first.")
@click.option("--delay-ms", type=int, metavar="N", help="Not before so many milliseconds.")
@click.option("--run-at", type=int, metavar="MS", help="Not before this time, ms since 1970.")
@click.option("--unique-key", metavar="KEY", help="Not while a job with this key is queued.")
@click.option("--job-id", metavar="ID", help="Its id; by default a new one is made.")
@click.option(
    "--result-ttl-ms", type=int, metavar="N", help="Keep the completed job and its result so long."
)
@url_options()
@json_option
def submit(
    type: str | None,
    payload: str | None,
    source: BinaryIO | None,
    envelope: bool,
    url: str | None,
    timeout_s: float,
    as_json: bool,
    **fields: Any,  # noqa: ANN401
) -> None:
    """Submit one job, or many from a file. When this ends with status 0 they are durable.

    PAYLOAD is any JSON value, and null if it is left out. Jobs of a file are submitted in batches,
    each of them whole or not at all; after an error the message says how many are in the queue.

    \b
    Examples:
      osqueue submit email:send '{"to": "ann@example.org"}'
      osqueue submit report '"2026-01"' --delay-ms 60000
      osqueue submit resize --file pictures.jsonl
      generate | osqueue submit --file - --envelope
    """
    from osqueue.cli import submitting

    start_client_logs()
    with reporting(end_with_line(as_json=as_json)):
        given = {name: value for name, value in fields.items() if value is not None}
        if source is not None:
            if payload is not None:
                raise CommandError("give a PAYLOAD or --file, not both")
            lines = submitting.Lines(source, envelope, type or "", given)
            submitting.submit_lines(lines, url=url, timeout_s=timeout_s, as_json=as_json)
            return
        if type is None or envelope:
            raise CommandError("a job needs a TYPE, or --file", advice="see osqueue submit --help")
        submitting.submit_one(type, payload, given, url=url, timeout_s=timeout_s, as_json=as_json)


@main.command()
@url_options()
@json_option
def stats(url: str | None, timeout_s: float, as_json: bool) -> None:
    """Show how many jobs there are, and who leads.

    \b
    Examples:
      osqueue stats
      osqueue stats --json --url http://10.0.0.7:8080
    """
    from osqueue.cli import showing

    start_client_logs()
    with reporting(end_with_line(as_json=as_json)):
        showing.show_stats(url=url, timeout_s=timeout_s, as_json=as_json)


@main.command()
@click.option("--status", type=click.Choice(get_args(JobStatus)), help="Only jobs of this status.")
@click.option("--type", metavar="TYPE", help="Only jobs of this type.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=LIST_LIMIT,
    show_default=True,
    help="At most so many: one page.",
)
@click.option("--cursor", metavar="CURSOR", help="Go on from where the page before ended.")
@click.option("--all", "everything", is_flag=True, help="All pages.")
@url_options()
@json_option
def jobs(
    status: JobStatus | None,
    type: str | None,
    limit: int,
    cursor: str | None,
    everything: bool,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """List jobs in the order in which they were submitted.

    \b
    Examples:
      osqueue jobs
      osqueue jobs --status in_progress --type email:send
      osqueue jobs --json --all
    """
    from osqueue.cli import showing

    start_client_logs()
    with reporting(end_with_line(as_json=as_json)):
        wanted = showing.Wanted(status=status, type=type, limit=limit, cursor=cursor)
        showing.show_jobs(
            wanted, everything=everything, url=url, timeout_s=timeout_s, as_json=as_json
        )


@main.command()
@click.argument("job_id", metavar="ID")
@click.option("--retry", "action", flag_value="retry", help="A dead or scheduled job: now.")
@click.option("--cancel", "action", flag_value="cancel", help="Remove it, or stop its worker.")
@click.option("--delete", "action", flag_value="delete", help="Remove it, unless in progress.")
@url_options()
@json_option
def job(
    job_id: str,
    action: str | None,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Show one job with its payload and its errors, or do something about it.

    \b
    Examples:
      osqueue job 019a2b64-6d3e-7c55-8f1a-2b7f0d9c4e11
      osqueue job 019a2b64-6d3e-7c55-8f1a-2b7f0d9c4e11 --retry
    """
    from osqueue.cli import showing

    start_client_logs()
    with reporting(end_with_line(as_json=as_json)):
        if action is not None:
            showing.act_on_job(job_id, action, url=url, timeout_s=timeout_s, as_json=as_json)
        else:
            showing.show_job(job_id, url=url, timeout_s=timeout_s, as_json=as_json)


@main.command()
@click.option("--type", metavar="TYPE", help="Only jobs of this type.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000),
    default=None,
    help=f"At most so many jobs.  [default: {LIST_LIMIT}, and all with --redrive]",
)
@click.option("--redrive", is_flag=True, help="Make them claimable again, the oldest first.")
@url_options()
@json_option
def dead(
    type: str | None,
    limit: int | None,
    redrive: bool,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Show the dead letters, grouped by the error that they ended with.

    A job is a dead letter once it has failed its last attempt. It stays until it is redriven or
    deleted.

    \b
    Examples:
      osqueue dead
      osqueue dead --type email:send --redrive
    """
    from osqueue.cli import showing

    start_client_logs()
    with reporting(end_with_line(as_json=as_json)):
        if redrive:
            showing.redrive(type, limit, url=url, timeout_s=timeout_s, as_json=as_json)
        else:
            showing.show_dead(
                type, limit or LIST_LIMIT, url=url, timeout_s=timeout_s, as_json=as_json
            )


def start_logs(settings: Settings) -> Callable[[Ending], None]:
    """Log as the settings say; returns how to tell of an ending: in JSON by a last log line."""
    from osqueue.cli.logs import configure_logs, is_json, log_ending

    configure_logs(log_format=settings.log_format, log_level=settings.log_level)
    return log_ending if is_json(settings.log_format, sys.stderr) else end_with_line(as_json=False)


def start_client_logs() -> None:
    """Log what a person at a command should know of, unless the environment asks for more."""
    from osqueue.cli.logs import configure_logs

    with reporting(end_with_line(as_json=False)):
        settings = read_settings(["logs"], {})
    is_default = settings.log_level == Settings().log_level
    configure_logs(
        log_format=settings.log_format, log_level="warning" if is_default else settings.log_level
    )

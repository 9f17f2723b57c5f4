"""The commands that change the queue: they submit jobs, and manage those that are there."""

from __future__ import annotations

from typing import Any, BinaryIO

import click

from osqueue.cli.endings import CommandError
from osqueue.cli.options import json_option, selection_options, url_options
from osqueue.cli.starting import conversation

__all__ = ["cancel", "delete", "pause", "redrive", "resume", "retry", "submit"]


@click.command()
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
@click.option("--wait", "waits", is_flag=True, help="Wait for its end, and print its result.")
@url_options()
@json_option
def submit(
    type: str | None,
    payload: str | None,
    source: BinaryIO | None,
    envelope: bool,
    waits: bool,
    url: str | None,
    timeout_s: float,
    as_json: bool,
    **fields: Any,  # noqa: ANN401
) -> None:
    """Submit one job, or many from a file. When this ends with status 0 they are durable.

    PAYLOAD is any JSON value, and null if it is left out. Jobs of a file are submitted in batches,
    each of them whole or not at all; after an error the message says how many are in the queue.
    With --wait the result of the job is printed in place of its id.

    \b
    Examples:
      osqueue submit email:send '{"to": "ann@example.org"}'
      osqueue submit report '"2026-01"' --delay-ms 60000
      osqueue submit resize '{"path": "a.png"}' --wait
      osqueue submit resize --file pictures.jsonl
      generate | osqueue submit --file - --envelope
    """
    from osqueue.cli import submitting

    with conversation(as_json=as_json):
        given = {name: value for name, value in fields.items() if value is not None}
        if source is not None:
            if payload is not None or waits:
                raise CommandError(f"give {'--wait' if waits else 'a PAYLOAD'} or --file, not both")
            lines = submitting.Lines(source, envelope, type or "", given)
            submitting.submit_lines(lines, url=url, timeout_s=timeout_s, as_json=as_json)
            return
        if type is None or envelope:
            raise CommandError("a job needs a TYPE, or --file", advice="see osqueue submit --help")
        submit_one = submitting.submit_and_wait if waits else submitting.submit_one
        submit_one(type, payload, given, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@selection_options
@url_options()
@json_option
def cancel(
    job_ids: tuple[str, ...],
    url: str | None,
    timeout_s: float,
    as_json: bool,
    **chosen: Any,  # noqa: ANN401
) -> None:
    """Remove waiting jobs, or ask the workers of running ones to stop.

    Name jobs by their ids, or say which by --status, --type, --text, --error-type, --error-message
    or --all.

    \b
    Examples:
      osqueue cancel 019a2b64-6d3e-7c55-8f1a-2b7f0d9c4e11
      osqueue cancel --type email:send --dry-run
      osqueue cancel --status scheduled --text ann@example.org --yes
    """
    from osqueue.cli import acting

    with conversation(as_json=as_json):
        acting.act("cancel", job_ids, chosen, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@selection_options
@url_options()
@json_option
def delete(
    job_ids: tuple[str, ...],
    url: str | None,
    timeout_s: float,
    as_json: bool,
    **chosen: Any,  # noqa: ANN401
) -> None:
    """Remove jobs that are not in progress.

    Name jobs by their ids, or say which by --status, --type, --text, --error-type, --error-message
    or --all.

    \b
    Examples:
      osqueue delete 019a2b64-6d3e-7c55-8f1a-2b7f0d9c4e11
      osqueue delete --status dead --error-type FileNotFoundError --dry-run
    """
    from osqueue.cli import acting

    with conversation(as_json=as_json):
        acting.act("delete", job_ids, chosen, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@selection_options
@url_options()
@json_option
def retry(
    job_ids: tuple[str, ...],
    url: str | None,
    timeout_s: float,
    as_json: bool,
    **chosen: Any,  # noqa: ANN401
) -> None:
    """Make dead or scheduled jobs claimable now.

    Name jobs by their ids, or say which by --status, --type, --text, --error-type, --error-message
    or --all.

    \b
    Examples:
      osqueue retry 019a2b64-6d3e-7c55-8f1a-2b7f0d9c4e11
      osqueue retry --status scheduled --type report --yes
    """
    from osqueue.cli import acting

    with conversation(as_json=as_json):
        acting.act("retry", job_ids, chosen, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@click.option("--type", metavar="TYPE", help="Only jobs of this type.")
@click.option("--error-type", metavar="TYPE", help="Only jobs that died of an error of this type.")
@click.option("--error-message", metavar="LINE", help="Only jobs that died with this message.")
@click.option("--text", metavar="TEXT", help="Only jobs that hold this text somewhere.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many jobs.")
@click.option("--dry-run", is_flag=True, help="Change nothing, only say how many.")
@url_options()
@json_option
def redrive(
    url: str | None,
    timeout_s: float,
    as_json: bool,
    **chosen: Any,  # noqa: ANN401
) -> None:
    """Make dead letters claimable again.

    By default all of them; with --limit the oldest. osqueue dead shows types, errors and messages.

    \b
    Examples:
      osqueue redrive
      osqueue redrive --type email:send --limit 10
      osqueue redrive --error-type TimeoutError --dry-run
    """
    from osqueue.cli import acting

    with conversation(as_json=as_json):
        acting.redrive(chosen, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@click.argument("type", metavar="[TYPE]", required=False)
@url_options()
@json_option
def pause(type: str | None, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Give workers no more jobs, of one type or of all.

    Submits are taken as before, and jobs in progress go on.

    \b
    Examples:
      osqueue pause
      osqueue pause email:send
    """
    from osqueue.cli import acting

    with conversation(as_json=as_json):
        acting.pause(type, url=url, timeout_s=timeout_s, as_json=as_json)


@click.command()
@click.argument("type", metavar="[TYPE]", required=False)
@url_options()
@json_option
def resume(type: str | None, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Give workers jobs again, of one type or of all.

    \b
    Examples:
      osqueue resume
      osqueue resume email:send
    """
    from osqueue.cli import acting

    with conversation(as_json=as_json):
        acting.resume(type, url=url, timeout_s=timeout_s, as_json=as_json)

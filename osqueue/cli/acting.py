"""What is done to jobs that are in the queue, and to the queue as a whole."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import click

from osqueue.cli.asking import ask
from osqueue.cli.endings import CommandError, ExitStatus, printable
from osqueue.cli.showing import jobs_text, print_json
from osqueue.client import Client, JobFilter

__all__ = ["act", "act_on_job", "pause", "redrive", "resume"]

Action = Literal["cancel", "delete", "retry"]
FILTER_FIELDS = ("status", "type", "text", "error_type", "error_message")
DONE_TO_MANY: dict[Action, str] = {
    "cancel": "removed, or their workers asked to stop",
    "delete": "deleted",
    "retry": "claimable now",
}


def act_on_job(
    job_id: str,
    action: Action,
    *,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Cancel, delete or retry one job, and say what came of it."""

    async def act(client: Client) -> dict[str, str]:
        match action:
            case "cancel":
                return {"status": await client.cancel(job_id)}
            case "delete":
                await client.delete(job_id)
            case "retry":
                await client.retry(job_id)
        return {}

    answer = ask(act, url=url, timeout_s=timeout_s)
    if as_json:
        print_json(answer)
        return
    done = {"retry": "claimable now", "delete": "deleted", "gone": "removed"}
    said = answer.get("status", action)
    print(f"{job_id}: {done.get(said, 'its worker is asked to stop')}")


def act(
    action: Action,
    job_ids: Sequence[str],
    chosen: Mapping[str, Any],
    *,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Cancel, delete or retry jobs that are named, or all that are meant; say what came of it.

    Raises:
        CommandError: it is not said which, or not agreed to.
    """
    fields = {name: chosen[name] for name in FILTER_FIELDS if chosen[name] is not None}
    has_filter = bool(fields or chosen["everything"])
    if bool(job_ids) is has_filter:
        raise CommandError(
            "say which jobs: by their ids, or by a filter such as --type, or --all",
            advice=f"see osqueue {action} --help",
        )
    if len(job_ids) == 1 and not chosen["dry_run"]:
        act_on_job(job_ids[0], action, url=url, timeout_s=timeout_s, as_json=as_json)
        return
    named = list(job_ids) if job_ids else None
    wanted = JobFilter(**fields) if has_filter else None
    limit = chosen["limit"]

    def change(*, dry_run: bool) -> int:
        async def call(client: Client) -> int:
            changes = {
                "cancel": client.cancel_many,
                "delete": client.delete_many,
                "retry": client.retry_many,
            }
            return await changes[action](named, wanted=wanted, limit=limit, dry_run=dry_run)

        return ask(call, url=url, timeout_s=timeout_s)

    dry_run = chosen["dry_run"]
    if has_filter and not (dry_run or chosen["yes"]):
        agree(action, change(dry_run=True))
    count = change(dry_run=dry_run)
    # Of jobs that are named each is meant: it is told how many of them were not to be had.
    skipped = len(set(job_ids)) - count if job_ids and limit is None else 0
    what_came = f"would be {DONE_TO_MANY[action]}" if dry_run else DONE_TO_MANY[action]
    tell_count(count, what_came, skipped=skipped, as_json=as_json)


def agree(action: Action, count: int) -> None:
    """Ask whoever sits at the terminal, before many jobs are changed.

    Raises:
        CommandError: nobody is there to be asked, or the answer is no.
    """
    if not sys.stdin.isatty():
        raise CommandError(
            f"{jobs_text(count)} would be changed: nobody is here to be asked",
            advice="say --yes, or --dry-run to see how many",
        )
    if not click.confirm(f"{action} {jobs_text(count)}?", err=True):
        raise CommandError("nothing was changed", status=ExitStatus.REFUSED)


def redrive(chosen: Mapping[str, Any], *, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Make dead letters claimable again, and say how many."""
    count = ask(lambda client: client.redrive(**chosen), url=url, timeout_s=timeout_s)
    what_came = "would be claimable again" if chosen["dry_run"] else "claimable again"
    tell_count(count, what_came, as_json=as_json)


def tell_count(count: int, what_came: str, *, skipped: int = 0, as_json: bool) -> None:
    """Say how many jobs something became of, and how many were passed over."""
    if as_json:
        print_json({"count": count, **({"skipped": skipped} if skipped else {})})
        return
    is_or_are = "" if what_came.startswith("would") else " is" if count == 1 else " are"
    rest = f"; {skipped:,} passed over: gone, or of a status that forbids it" if skipped else ""
    print(f"{jobs_text(count)}{is_or_are} {what_came}{rest}")


def pause(job_type: str | None, *, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Give claims nothing, of one type or of all."""
    ask(lambda client: client.pause(type=job_type), url=url, timeout_s=timeout_s)
    print_json({}) if as_json else print(f"{what(job_type)}: paused")


def resume(job_type: str | None, *, url: str | None, timeout_s: float, as_json: bool) -> None:
    """End a pause, and say what stays paused all the same."""

    async def act(client: Client) -> str:
        await client.resume(type=job_type)
        return "" if job_type is None else await still_paused(client)

    still = ask(act, url=url, timeout_s=timeout_s)
    print_json({}) if as_json else print(f"{what(job_type)}: resumed{still}")


async def still_paused(client: Client) -> str:
    """A pause of the whole queue outlasts the end of a type's own."""
    is_paused = (await client.stats()).paused
    return "; the whole queue is paused, though: see osqueue resume" if is_paused else ""


def what(job_type: str | None) -> str:
    """What was paused or resumed, for people."""
    return "the queue" if job_type is None else f"jobs of type {printable(job_type)}"

"""What is done to jobs that are in the queue, and to the queue as a whole."""

from __future__ import annotations

from typing import Literal

from osqueue.cli.asking import ask
from osqueue.cli.endings import printable
from osqueue.cli.showing import print_json
from osqueue.client import Client

__all__ = ["act_on_job", "pause", "redrive", "resume"]


def act_on_job(
    job_id: str,
    action: Literal["cancel", "delete", "retry"],
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


def redrive(
    job_type: str | None, limit: int | None, *, url: str | None, timeout_s: float, as_json: bool
) -> None:
    """Make dead letters claimable again, and say how many."""
    count = ask(
        lambda client: client.redrive(type=job_type, limit=limit), url=url, timeout_s=timeout_s
    )
    if as_json:
        print_json({"count": count})
    else:
        print("1 job is claimable again" if count == 1 else f"{count:,} jobs are claimable again")


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

"""Events as lines, for programs and for whatever is not a terminal."""

from __future__ import annotations

import msgspec

from osqueue.cli.endings import printable
from osqueue.cli.top.watched_queue import Lost
from osqueue.client import (
    CommitEvent,
    Event,
    Gap,
    HistoryEvent,
    JobsEvent,
    LeaderEvent,
    Stats,
    StatsEvent,
)

__all__ = ["commit_text", "json_line", "leader_text", "plain_lines"]


class EventLine(msgspec.Struct):
    """An event in the words of the wire; `gap` and `lost` are this command's own."""

    event: str
    data: object


def json_line(event: Event | Lost) -> str:
    """An event as one JSON object."""
    match event:
        case StatsEvent(stats):
            line = EventLine("stats", stats)
        case JobsEvent(jobs):
            line = EventLine("jobs", jobs)
        case CommitEvent():
            line = EventLine("commit", event)
        case LeaderEvent():
            line = EventLine("leader", event)
        case HistoryEvent(history):
            line = EventLine("history", history)
        case Gap():
            line = EventLine("gap", event)
        case Lost():
            line = EventLine("lost", event)
    return msgspec.json.encode(line).decode()


def plain_lines(event: Event | Lost) -> list[str]:
    """An event as lines for people, the first word of each its kind."""
    match event:
        case StatsEvent(stats):
            lines = [f"counts  {counts_text(stats)}"]
        case JobsEvent(jobs):
            lines = [
                f"job     {change.id} {change.status}, type {change.type or 'none'}, "
                f"attempt {change.attempts}"
                + (f", worker {change.worker_id}" if change.worker_id else "")
                for change in jobs
            ]
        case CommitEvent():
            lines = [f"commit  {commit_text(event)}"]
        case LeaderEvent():
            lines = [f"leader  {leader_text(event)}"]
        case HistoryEvent():
            # For programs. People get `osqueue history`.
            lines = []
        case Gap(reason):
            lines = [f"gap     {reason}: something was missed"]
        case Lost(reason):
            lines = [f"lost    {reason}; trying again"]
    return [printable(line) for line in lines]


def leader_text(leader: LeaderEvent) -> str:
    """Who leads."""
    if not leader.broker_address:
        return f"nobody is known to lead (term {leader.epoch})"
    return f"{leader.broker_address} (term {leader.epoch})"


def commit_text(commit: CommitEvent) -> str:
    """What a write was."""
    return (
        f"{commit.commit_id}, {commit.bytes:,} bytes in {commit.milliseconds:,} ms, "
        f"mutations: {commit.mutations:,}"
    )


def counts_text(stats: Stats) -> str:
    """The counts in one line."""
    return (
        f"waiting {stats.unclaimed:,}, scheduled {stats.scheduled:,}, "
        f"in progress {stats.in_progress:,}, dead {stats.dead:,}, "
        f"completed ever {stats.completed_total:,}"
    )

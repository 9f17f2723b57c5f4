"""The picture that the live view draws; its keys and its terminal are tested with `watching`."""

from __future__ import annotations

import io
import sys

import pytest
import trio
from rich.console import Console

from osqueue.cli.top.screen import draw, keys_at_once, wait_for_end_key
from osqueue.cli.top.watched_queue import Lost, WatchedQueue
from osqueue.client import CommitEvent, Gap, JobChange, JobsEvent, LeaderEvent, Stats, StatsEvent


def text_of(
    queue: WatchedQueue, *, is_connected: bool = True, width: int = 80, height: int = 24
) -> str:
    console = Console(file=io.StringIO(), width=width, height=height)
    picture = draw(queue, 10.0, is_connected=is_connected, width=width, height=height)
    with console.capture() as captured:
        console.print(picture)
    return captured.get()


def busy_queue() -> WatchedQueue:
    queue = WatchedQueue()
    queue.take(LeaderEvent(3, "10.0.0.7:8080"), 1.0)
    queue.take(StatsEvent(Stats()), 5.0)
    stats = Stats(unclaimed=12, in_progress=3, dead=1, total=16, completed_total=1_234)
    queue.take(StatsEvent(stats), 8.0)
    queue.take(CommitEvent("3-9-ab", 57, 1_000, 12), 8.0)
    changes = [JobChange(f"job-{n}", "dead", "mail\x1b[31m", 3, "worker-1") for n in range(40)]
    queue.take(JobsEvent(changes), 9.0)
    return queue


def test_everything_is_in_the_picture_and_fits_the_terminal() -> None:
    text = text_of(busy_queue())
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 80
    rows = [line.split() for line in text.splitlines()]
    assert ["leader", "10.0.0.7:8080", "(term", "3)"] in rows
    assert ["connection", "live"] in rows
    assert "3-9-ab, 1,000 bytes in 12 ms, mutations: 57, 2 s ago" in text
    assert ["12", "0", "3", "1", "0", "1,234"] in rows
    assert ["250.0", "246.8", "8.0"] in rows
    assert "q or Ctrl-C" in text


def test_newest_changes_stand_first_and_command_no_terminal() -> None:
    text = text_of(busy_queue())
    rows = [line.split() for line in text.splitlines()]
    assert ["job-39", "dead", "3", "1", "s", "mail\ufffd[31m,", "worker-1"] in rows
    assert "job-29" not in text
    assert "\x1b" not in text


def test_ids_are_whole_on_a_narrow_terminal() -> None:
    queue = WatchedQueue()
    job_id = "01a20c2a-49ed-7d67-89ae-c86c27204df0"
    change = JobChange(job_id, "in_progress", "a:long:type", 1, "machine-25213-2d2675c7986c9b8d")
    queue.take(JobsEvent([change]), 1.0)
    line = next(line for line in text_of(queue).splitlines() if job_id in line)
    assert f"{job_id}  in_progress  1" in line
    assert len(line) <= 80


def test_small_terminal_still_shows_some_changes() -> None:
    assert "job-37" in text_of(busy_queue(), height=5)


def test_before_the_first_event_it_says_so() -> None:
    text = text_of(WatchedQueue())
    assert "not known yet" in text
    assert "none seen yet" in text


def test_lost_broker_and_gaps_are_seen() -> None:
    queue = busy_queue()
    assert "lost, looking for the leader" in text_of(queue, is_connected=False)
    queue.take(Lost("no broker answered"), 10.0)
    assert "lost, looking for the leader: no broker answered" in text_of(queue)
    queue.take(Gap("resubscribed"), 10.0)
    assert "live; changes were missed, times: 1" in text_of(queue)


async def test_where_nobody_can_type_no_key_ends_it(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("q"))
    with keys_at_once(), trio.move_on_after(5) as scope:
        await wait_for_end_key()
    assert scope.cancelled_caught

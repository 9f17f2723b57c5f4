"""Events as lines."""

from __future__ import annotations

import msgspec
import pytest

from osqueue.cli.top.lines import json_line, plain_lines
from osqueue.cli.top.watched_queue import Lost
from osqueue.client import (
    CommitEvent,
    Event,
    Gap,
    History,
    HistoryEvent,
    JobChange,
    JobsEvent,
    LeaderEvent,
    Stats,
    StatsEvent,
)

CHANGES = JobsEvent([JobChange("1", "dead", "mail", 3, "w\x1b1"), JobChange("2", "unclaimed")])


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        (CHANGES, "jobs", {"status": "dead", "attempts": 3}),
        (CommitEvent("1-2-a", 3, 4, 5), "commit", {"commitId": "1-2-a", "milliseconds": 5}),
        (LeaderEvent(7, "a:1"), "leader", {"epoch": 7, "brokerAddress": "a:1"}),
        (StatsEvent(Stats(in_progress=2)), "stats", {"inProgress": 2}),
        (HistoryEvent(History(begin=9)), "history", {"from": 9}),
        (Gap("resubscribed"), "gap", {"reason": "resubscribed"}),
        (Lost("no broker"), "lost", {"reason": "no broker"}),
    ],
)
def test_event_is_one_json_object_in_the_words_of_the_wire(
    event: Event | Lost, name: str, data: dict[str, object]
) -> None:
    line = json_line(event)
    assert "\n" not in line
    read = msgspec.json.decode(line)
    assert read["event"] == name
    said = read["data"][0] if name == "jobs" else read["data"]
    assert data.items() <= said.items()


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (
            CHANGES,
            [
                "job     1 dead, type mail, attempt 3, worker w\ufffd1",
                "job     2 unclaimed, type none, attempt 0",
            ],
        ),
        (
            CommitEvent("1-2-a", 3, 4_000, 5),
            ["commit  1-2-a, 4,000 bytes in 5 ms, mutations: 3"],
        ),
        (LeaderEvent(7, "a:1"), ["leader  a:1 (term 7)"]),
        (LeaderEvent(7), ["leader  nobody is known to lead (term 7)"]),
        (
            StatsEvent(Stats(unclaimed=1, scheduled=2, in_progress=3, dead=4, completed_total=5)),
            ["counts  waiting 1, scheduled 2, in progress 3, dead 4, completed ever 5"],
        ),
        (HistoryEvent(History()), []),
        (Gap("fell behind"), ["gap     fell behind: something was missed"]),
        (Lost("no broker"), ["lost    no broker; trying again"]),
    ],
)
def test_event_is_a_line_or_more_for_people(event: Event | Lost, lines: list[str]) -> None:
    assert plain_lines(event) == lines

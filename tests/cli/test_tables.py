"""How tables look off a terminal; what they hold is tested with the commands."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from osqueue.cli.tables import (
    age,
    as_json,
    make_table,
    moment,
    print_dead,
    print_history,
    print_job,
    print_jobs,
    print_stats,
    print_workers,
)
from osqueue.client import (
    DeadGroup,
    DeadGroups,
    History,
    HistoryBuckets,
    JobDetails,
    JobPage,
    Stats,
    ThrottleStats,
    WorkerDetails,
    WorkerPage,
)

NO_THROTTLE = ThrottleStats(throttling=False)
JOB = JobDetails(
    id="019a2b64-6d3e-7c55-8f1a-2b7f0d9c4e11",
    status="in_progress",
    type="email:send",
    payload={"to": "x" * 400},
    attempts=1,
    max_attempts=3,
    created_at=1,
    worker_id="w\x1b1",
    cancel_requested=True,
)


def test_jobs_are_one_line_each_with_whole_ids(capsys: pytest.CaptureFixture[str]) -> None:
    print_jobs(JobPage(jobs=[JOB, JOB], total=5, cursor="next"))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1].startswith(JOB.id)
    assert max(map(len, lines)) <= 160
    assert lines[-1] == "2 shown, 5 in the queue; go on with --cursor next"


def test_only_the_last_column_is_cut_to_the_width() -> None:
    rows = [("0" * 36, "in_progress", "日本" * 40)]
    console = Console(width=90, file=io.StringIO(), highlight=False)
    console.print(make_table(("id", "status", "payload"), rows, width=90))
    output = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    (_, line) = output.splitlines()
    assert line.startswith("0" * 36 + "  in_progress  日本")
    assert line.rstrip().endswith("…")


@pytest.mark.parametrize("width", [60, 80])
def test_ids_of_jobs_are_whole_on_a_narrow_terminal(width: int) -> None:
    job_id = "019a2b64-6d3e-7c55-8f1a-2b7f0d9c4e11"
    console = Console(width=width, file=io.StringIO(), highlight=False)
    row = [job_id, "in_progress", "email:send", "1/3", "2 min ago", "host-16502-4005196691aba7f2"]
    titles = ("id", "status", "type", "attempts", "submitted", "worker", "payload")
    console.print(make_table(titles, [[*row, "{}"]], width=width))
    row = ["12", "email:send", "FileNotFoundError", job_id, "No such file: 'a.png'"]
    titles = ("jobs", "type", "last error", "for example", "message")
    console.print(make_table(titles, [row], width=width))
    output = console.file.getvalue() if isinstance(console.file, io.StringIO) else ""
    lines = output.splitlines()
    assert [job_id in line for line in lines] == [False, True, False, True]
    assert max(map(len, lines)) <= width


def test_job_shows_only_the_fields_that_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    print_job(JOB)
    shown = capsys.readouterr().out
    assert "in_progress, asked to stop" in shown
    assert "w\ufffd1" in shown
    assert "unique key" not in shown
    assert "result" not in shown


def test_no_dead_letters_are_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_dead(DeadGroups())
    assert capsys.readouterr().out == "0 dead letters\n"
    print_dead(DeadGroups([DeadGroup(job_id="j", count=1)], total=3, dead=4))
    assert capsys.readouterr().out.endswith("4 dead letters; 2 more groups, see --limit\n")


def test_workers_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_workers(WorkerPage())
    assert capsys.readouterr().out == "0 workers\n"
    worker = WorkerDetails("w\x1b", last_seen_at=1_000, is_polling=True, completed=7, held=2)
    print_workers(WorkerPage([worker], total=1, now=4_000))
    title, row, total = capsys.readouterr().out.splitlines()
    assert title.split()[0] == "worker"
    assert row.split() == ["w\ufffd", "2", "7", "0", "3", "s", "ago", "yes", "all"]
    assert total == "1 worker"


def test_history_is_a_line_for_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    counts = [1] * 10 + [4, 0]
    nothing: list[int | None] = [None] * 12
    print_history(
        History(
            begin=1_700_000_000_000,
            buckets=HistoryBuckets(
                submitted=counts,
                claimed=counts,
                completed=counts,
                failed=[0] * 12,
                commits=counts,
                commit_ms_p99=[5, 7, *nothing[2:]],
                wait_ms_p99=nothing,
            ),
        )
    )
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["22:13:20", "UTC", "1.0", "1.0", "1.0", "0.0", "1.0", "7", "ms", "-"]
    assert second.split() == ["22:13:30", "UTC", "2.0", "2.0", "2.0", "0.0", "2.0", "-", "-"]


def test_stats_say_what_is_paused(capsys: pytest.CaptureFixture[str]) -> None:
    print_stats(Stats(paused_types=["a", "b"]), NO_THROTTLE)
    print_stats(Stats(paused=True), NO_THROTTLE)
    shown = capsys.readouterr().out
    assert "a, b" in shown
    assert "all types" in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 s ago"), (119, "119 s ago"), (600, "10 min ago"), (9_000, "2 h ago")],
)
def test_age_is_in_one_unit(seconds: int, text: str) -> None:
    assert age(int((time.time() - seconds) * 1_000)) == text


def test_age_of_what_comes_is_ahead() -> None:
    assert age(int((time.time() + 200_000) * 1_000)) == "in 2 d"


def test_moment_of_nothing_is_empty_and_payloads_are_cut() -> None:
    assert moment(0) == ""
    assert moment(1_700_000_000_000).startswith("2023-11-14 22:13:20 UTC")
    assert len(as_json("x" * 500)) == 200


def test_stats_say_what_the_budgets_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    throttle = ThrottleStats(throttled_writes=12, total_write_delay_ms=3_400, daily_write_count=999)
    print_stats(Stats(), NO_THROTTLE)
    assert "held back" not in capsys.readouterr().out
    print_stats(Stats(), throttle)
    shown = capsys.readouterr().out
    assert "12 writes for 3.4 s, 0 reads for 0.0 s in all; 999 writes today\n" in shown
    print_stats(Stats(), ThrottleStats(daily_budget_exceeded=True))
    assert "0 writes today, the day's budget is used up" in capsys.readouterr().out

"""Tables for people. Everything that a job's author wrote is made harmless before it is shown."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from osqueue.cli.endings import printable
from osqueue.client import (
    DeadGroups,
    History,
    JobDetails,
    JobPage,
    Stats,
    ThrottleStats,
    WorkerPage,
)

__all__ = [
    "make_console",
    "make_table",
    "paused_text",
    "print_dead",
    "print_history",
    "print_job",
    "print_jobs",
    "print_stats",
    "print_workers",
]

WIDTH_WITHOUT_TERMINAL = 160
PAYLOAD_CHARS_MAX = 200
COLUMN_GAP = 2
HISTORY_LINE_SECONDS = 10
LAST_COLUMN_WIDTH_MIN = 12
COLUMN_WIDTH_MIN = 5
ID_TITLES = ("id", "for example", "newest changes")
"""Columns of job ids: other commands take an id whole or not at all."""


def make_console() -> Console:
    """Where tables go: stdout, and wide where no terminal says how wide it is."""
    width = None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(width=width, highlight=False, markup=False, emoji=False)


def print_stats(stats: Stats, throttle: ThrottleStats) -> None:
    """Counts, who leads, what the store was asked, and what its budgets held back."""
    storage = stats.storage
    rows = [
        ("waiting", f"{stats.unclaimed:,}"),
        ("scheduled", f"{stats.scheduled:,}"),
        ("in progress", f"{stats.in_progress:,}"),
        ("dead", f"{stats.dead:,}"),
        ("completed, kept", f"{stats.completed:,}"),
        ("in the queue", f"{stats.total:,}"),
        ("completed ever", f"{stats.completed_total:,}"),
        ("workers", f"{stats.workers:,}"),
        ("oldest wait", duration(stats.now - stats.oldest_unclaimed_at, stats.oldest_unclaimed_at)),
        ("next scheduled", duration(stats.next_run_at - stats.now, stats.next_run_at)),
        ("paused", paused_text(stats)),
        ("leader", f"{stats.broker_address} (term {stats.epoch})"),
        ("store", f"{storage.writes:,} writes, {storage.reads:,} reads since the leader's start"),
    ]
    if throttle.throttling:
        rows.append(("held back", held_back_text(throttle)))
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in rows:
        table.add_row(name, Text(printable(value)))
    make_console().print(table)


def held_back_text(throttle: ThrottleStats) -> str:
    """What waited for the budgets of the store."""
    text = (
        f"{throttle.throttled_writes:,} writes for {throttle.total_write_delay_ms / 1_000:,.1f} s,"
        f" {throttle.throttled_reads:,} reads for {throttle.total_read_delay_ms / 1_000:,.1f} s in"
        f" all; {throttle.daily_write_count:,} writes today"
    )
    return f"{text}, the day's budget is used up" if throttle.daily_budget_exceeded else text


def duration(milliseconds: int, is_known: int) -> str:
    """How long, for people; a dash where there is nothing to tell of."""
    return f"{max(milliseconds, 0) / 1_000:,.1f} s" if is_known else "-"


def paused_text(stats: Stats) -> str:
    """Which types of jobs claims get none of."""
    if stats.paused:
        return "all types"
    return ", ".join(map(printable, stats.paused_types)) or "no"


def print_jobs(page: JobPage) -> None:
    """Jobs, a line each."""
    console = make_console()
    titles = ("id", "status", "type", "attempts", "submitted", "worker", "payload")
    rows = [
        (
            job.id,
            job.status,
            job.type,
            f"{job.attempts}/{job.max_attempts}",
            age(job.created_at),
            job.worker_id,
            as_json(job.payload),
        )
        for job in page.jobs
    ]
    console.print(make_table(titles, rows, width=console.width))
    shown = f"{len(page.jobs):,} shown, {page.total:,} in the queue"
    console.print(f"{shown}; go on with --cursor {page.cursor}" if page.cursor else shown)


def print_job(job: JobDetails) -> None:
    """One job: its fields, then each error with its traceback."""
    console = make_console()
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    fields = (
        ("id", job.id),
        ("status", job.status + (", asked to stop" if job.cancel_requested else "")),
        ("type", job.type),
        ("payload", as_json(job.payload)),
        ("attempts", f"{job.attempts} of {job.max_attempts}"),
        ("priority", str(job.priority or "")),
        ("unique key", job.unique_key),
        ("submitted", moment(job.created_at)),
        ("runs at", moment(job.run_at)),
        ("worker", job.worker_id),
        ("heartbeat", moment(job.heartbeat)),
        ("ended", moment(job.ended_at)),
        ("result", as_json(job.result) if job.status == "completed" else ""),
    )
    for name, value in fields:
        if value:
            table.add_row(name, Text(printable(value)))
    console.print(table)
    for error in job.errors:
        console.print()
        console.print(Text(printable(f"attempt {error.attempt}: {error.type}: {error.message}")))
        for line in error.traceback.splitlines():
            console.print(Text(f"  {printable(line)}"))


def print_dead(found: DeadGroups) -> None:
    """Dead letters by type and error."""
    console = make_console()
    titles = ("jobs", "type", "last error", "for example", "message")
    rows = [
        (f"{group.count:,}", group.type, group.error_type, group.job_id, group.error_message)
        for group in found.groups
    ]
    if rows:
        console.print(make_table(titles, rows, width=console.width))
    left = found.total - len(found.groups)
    more = f"; {left:,} more groups, see --limit" if left > 0 else ""
    letters = "1 dead letter" if found.dead == 1 else f"{found.dead:,} dead letters"
    console.print(f"{letters}{more}")


def print_workers(page: WorkerPage) -> None:
    """Workers, a line each."""
    console = make_console()
    titles = ("worker", "holds", "done", "failed", "heard of", "waits", "types")
    rows = [
        (
            worker.worker_id,
            f"{worker.held:,}",
            f"{worker.completed:,}",
            f"{worker.failed:,}",
            f"{max(page.now - worker.last_seen_at, 0) / 1_000:,.0f} s ago",
            "yes" if worker.is_polling else "no",
            ", ".join(worker.types) or "all",
        )
        for worker in page.workers
    ]
    if rows:
        console.print(make_table(titles, rows, width=console.width))
    console.print("1 worker" if page.total == 1 else f"{page.total:,} workers")


def print_history(history: History) -> None:
    """Figures, ten seconds a line, the newest last."""
    console = make_console()
    titles = ("from", "submits/s", "claims/s", "done/s", "failed/s", "commits/s", "commit", "wait")
    buckets = history.buckets
    rows: list[tuple[str, ...]] = []
    for start in range(0, len(buckets.commits), HISTORY_LINE_SECONDS):
        span = slice(start, start + HISTORY_LINE_SECONDS)
        seconds = len(buckets.commits[span])
        counts = (
            buckets.submitted, buckets.claimed, buckets.completed, buckets.failed, buckets.commits
        )  # fmt: skip
        began = datetime.fromtimestamp(history.begin / 1_000 + start, UTC)
        rows.append(
            (
                f"{began:%H:%M:%S} UTC",
                *(f"{sum(column[span]) / seconds:,.1f}" for column in counts),
                worst(buckets.commit_ms_p99[span]),
                worst(buckets.wait_ms_p99[span]),
            )
        )
    console.print(make_table(titles, rows, width=console.width))


def worst(values: Sequence[int | None]) -> str:
    """The longest of some durations; a dash where none was measured."""
    known = [value for value in values if value is not None]
    return f"{max(known):,} ms" if known else "-"


def make_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> Table:
    """A line for each row. The last column is the one that is cut where a line gets too long.

    Left to itself, rich would shorten all columns alike, ids as well.
    """
    shown = [[printable(text) for text in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(titles, *shown, strict=True)]
    fit_widths(widths, titles, width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, column_width in zip(titles, widths, strict=True):
        table.add_column(cut(title, column_width), no_wrap=True, min_width=column_width)
    for row in shown:
        table.add_row(*map(cut, row, widths))
    return table


def fit_widths(widths: list[int], titles: Sequence[str], width: int) -> None:
    """Shorten the last column, and on a narrow terminal the widest of the others, but for ids.

    What does not fit even so runs out of the terminal on the right.
    """
    room = width - COLUMN_GAP * (len(widths) - 1)
    left = room - sum(widths[:-1])
    widths[-1] = min(widths[-1], max(left, LAST_COLUMN_WIDTH_MIN))
    others = [index for index, title in enumerate(titles) if title not in ID_TITLES]
    while sum(widths) > room:
        widest = max(others, key=widths.__getitem__)
        if widths[widest] <= COLUMN_WIDTH_MIN:
            return
        widths[widest] -= 1


def cut(text: str, width: int) -> Text:
    """A text in so many columns of the terminal, with an ellipsis where it is longer."""
    shown = Text(text)
    shown.truncate(width, overflow="ellipsis")
    return shown


def as_json(value: object) -> str:
    """A payload in one line, cut."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= PAYLOAD_CHARS_MAX else f"{text[: PAYLOAD_CHARS_MAX - 1]}…"


def moment(at: int) -> str:
    """A time in ms since the epoch, for people; empty for none."""
    if not at:
        return ""
    return f"{datetime.fromtimestamp(at / 1_000, UTC):%Y-%m-%d %H:%M:%S} UTC ({age(at)})"


def age(at: int) -> str:
    """How long ago a time in ms since the epoch was, in one unit."""
    seconds = time.time() - at / 1_000
    ahead = seconds < 0
    seconds = abs(seconds)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            text = f"{seconds // length:.0f} {unit}"
            break
    else:
        text = f"{seconds:.0f} s"
    return f"in {text}" if ahead else f"{text} ago"

"""The live view on a terminal: what it shows, and the keys that end it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

import trio
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from osqueue.cli.endings import printable
from osqueue.cli.tables import make_table, paused_text
from osqueue.cli.top.lines import commit_text, leader_text
from osqueue.cli.top.watched_queue import WatchedQueue
from osqueue.client import Stats

__all__ = ["Screen", "draw", "open_screen", "wait_for_end_key"]

CHANGES_SHOWN_MIN = 3
LINES_AROUND_CHANGES = 14
END_KEYS = b"qQ"


class Screen:
    """A terminal that shows a queue."""

    def __init__(self, live: Live, console: Console) -> None:
        self._live = live
        self._console = console

    def show(self, queue: WatchedQueue, now: float, *, is_connected: bool) -> None:
        """Show the queue as it is known now."""
        width, height = self._console.size
        picture = draw(queue, now, is_connected=is_connected, width=width, height=height)
        self._live.update(picture, refresh=True)


@contextmanager
def open_screen(console: Console) -> Generator[Screen]:
    """Take the terminal, and give it back as it was."""
    with keys_at_once(), Live(console=console, screen=True, auto_refresh=False) as live:
        yield Screen(live, console)


@contextmanager
def keys_at_once() -> Generator[None]:
    """Let the terminal pass on each key as it is typed, without showing it."""
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


async def wait_for_end_key() -> None:
    """Wait until somebody types q; for ever where nobody can."""
    if not sys.stdin.isatty():
        await trio.sleep_forever()
    terminal = sys.stdin.fileno()
    while True:
        await trio.lowlevel.wait_readable(terminal)
        typed = os.read(terminal, 64)
        if not typed or set(typed) & set(END_KEYS):
            return


def draw(
    queue: WatchedQueue, now: float, *, is_connected: bool, width: int, height: int
) -> RenderableType:
    """The picture of a queue in so many columns and lines."""
    rows = max(height - LINES_AROUND_CHANGES, CHANGES_SHOWN_MIN)
    return Group(
        draw_brokers(queue, now, is_connected=is_connected),
        "",
        draw_counts(queue.stats or Stats(), width),
        "",
        draw_rates(queue, now, width),
        "",
        draw_changes(queue, now, rows=rows, width=width),
        "",
        Text("q or Ctrl-C ends it", style="dim"),
    )


def draw_brokers(queue: WatchedQueue, now: float, *, is_connected: bool) -> Table:
    """Who leads, whether we hear of it, and its last write."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(no_wrap=True, overflow="ellipsis")
    leader = leader_text(queue.leader) if queue.leader else "not known yet"
    commit = "none seen yet"
    if queue.commit:
        commit = f"{commit_text(queue.commit)}, {now - queue.commit_at:,.0f} s ago"
    stats = queue.stats or Stats()
    table.add_row("leader", Text(printable(leader)))
    table.add_row("connection", draw_connection(queue, is_connected=is_connected))
    table.add_row("last write", Text(printable(commit)))
    table.add_row("paused", Text(paused_text(stats)))
    return table


def draw_connection(queue: WatchedQueue, *, is_connected: bool) -> Text:
    """Whether news come, and whether any were missed."""
    if queue.trouble or not is_connected:
        why = f": {printable(queue.trouble)}" if queue.trouble else ""
        return Text(f"lost, looking for the leader{why}", style="bold red")
    if queue.gaps:
        return Text(f"live; changes were missed, times: {queue.gaps:,}", style="yellow")
    return Text("live", style="green")


def draw_counts(stats: Stats, width: int) -> Table:
    """How many jobs there are."""
    titles = ("waiting", "scheduled", "in progress", "dead", "completed, kept", "completed ever")
    counts = (
        stats.unclaimed,
        stats.scheduled,
        stats.in_progress,
        stats.dead,
        stats.completed,
        stats.completed_total,
    )
    return make_table(titles, [[f"{count:,}" for count in counts]], width=width)


def draw_rates(queue: WatchedQueue, now: float, width: int) -> Table:
    """How much happens."""
    rates = queue.rates(now)
    numbers = [f"{rate:,.1f}" for rate in (rates.submitted, rates.completed, rates.failed)]
    titles = ("submitted/s", "completed/s", "failed/s")
    return make_table(titles, [numbers], width=width)


def draw_changes(queue: WatchedQueue, now: float, *, rows: int, width: int) -> Table:
    """The newest changes of jobs, the newest first."""
    # The last column is the one that is cut: a narrow terminal shows ids and statuses whole.
    titles = ("newest changes", "status", "attempt", "age", "type, worker")
    newest = list(queue.changes.values())[:rows]
    shown = [
        (
            change.id,
            change.status,
            str(change.attempts),
            f"{now - at:,.0f} s",
            ", ".join(filter(None, (change.type, change.worker_id))),
        )
        for at, change in newest
    ]
    return make_table(titles, shown, width=width)

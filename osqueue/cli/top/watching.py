"""Follows the events of a queue until a signal or a key ends it, whatever its brokers do."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

from osqueue.cli.asking import ask
from osqueue.cli.endings import ExitStatus, ending_of
from osqueue.cli.top.lines import json_line, plain_lines
from osqueue.cli.top.watched_queue import Lost, WatchedQueue
from osqueue.client import Client, Event, Gap
from osqueue.core.errors import QueueError

__all__ = ["watch"]

EVENTS = ("stats", "jobs", "commit", "leader")
REDRAW_S = 0.25
"""Between two pictures."""

Take = Callable[[Event | Lost], None]


def watch(*, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Show what happens in the queue, until a signal or a key ends it, or nobody reads any more.

    Raises:
        QueueError: no broker can be reached at first, or it refuses.
    """
    show = show_lines if as_json or not is_terminal() else show_screen
    try:
        ask(partial(show, as_json=as_json), url=url, timeout_s=timeout_s)
    except* BrokenPipeError:
        # What is still to be flushed has no reader either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_terminal() -> bool:
    """Whether pictures can be shown."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


async def show_lines(client: Client, *, as_json: bool) -> None:
    """Print a line for each event, or JSON."""

    def take(event: Event | Lost) -> None:
        for line in [json_line(event)] if as_json else plain_lines(event):
            print(line, flush=True)

    async with ending_on_signal():
        await follow(client, take)


async def show_screen(client: Client, *, as_json: bool) -> None:
    """Show a picture, drawn anew several times a second."""
    assert not as_json
    from osqueue.cli.tables import make_console
    from osqueue.cli.top.screen import Screen, open_screen, wait_for_end_key

    queue = WatchedQueue()

    def take(event: Event | Lost) -> None:
        queue.take(event, trio.current_time())

    async def redraw(screen: Screen) -> None:
        while True:
            screen.show(queue, trio.current_time(), is_connected=client.is_connected)
            await trio.sleep(REDRAW_S)

    async def end_on_key(scope: trio.CancelScope) -> None:
        await wait_for_end_key()
        scope.cancel()

    async with ending_on_signal() as nursery:
        with open_screen(make_console()) as screen:
            nursery.start_soon(end_on_key, nursery.cancel_scope)
            nursery.start_soon(redraw, screen)
            await follow(client, take)


@asynccontextmanager
async def ending_on_signal() -> AsyncGenerator[trio.Nursery]:
    """A nursery that a signal cancels: that is how a watch ends, and no failure."""

    async def wait_for_signal() -> None:
        async for _ in signals:
            nursery.cancel_scope.cancel()

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_for_signal)
            yield nursery


async def follow(client: Client, take: Take) -> None:
    """Hand on the events, until cancelled; a queue that cannot be reached is waited for.

    Raises:
        QueueError: no broker can be reached at first, or it refuses.
    """
    has_begun = False
    while True:
        try:
            async with client.subscribe(EVENTS) as events:
                if has_begun:
                    take(Gap("resubscribed"))
                has_begun = True
                async for event in events:
                    take(event)
        except QueueError as error:
            if not has_begun or ending_of(error).status is not ExitStatus.UNREACHABLE:
                raise
            take(Lost(error.message))

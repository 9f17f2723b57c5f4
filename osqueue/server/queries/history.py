"""What the leader has seen lately, for a call and for subscribers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import trio

from osqueue.broker.history import BUCKET_MS, Attempt
from osqueue.core.errors import QueueError
from osqueue.core.outcomes import PastTerm
from osqueue.protocol.figures import BucketsView, CommitView, HistoryResult, TakeoverView
from osqueue.protocol.messages import WireEvent

if TYPE_CHECKING:
    from osqueue.broker.broker import Broker
    from osqueue.server.dispatch import Dispatcher

__all__ = [
    "HISTORY_SECONDS",
    "HISTORY_SECONDS_MAX",
    "render_commit",
    "render_history",
    "stream_history",
]

HISTORY_SECONDS = 300
HISTORY_SECONDS_MAX = 600


def render_history(
    broker: Broker, first_second: int, attempts: Sequence[Attempt], terms: Sequence[PastTerm]
) -> HistoryResult:
    """The full seconds from the given one on, since the broker was started."""
    now_ms, statistics = broker.now_ms(), broker.statistics
    end = now_ms // BUCKET_MS
    first = min(max(first_second, statistics.totals.since // BUCKET_MS), end)
    buckets = statistics.history.buckets(first, end)
    return HistoryResult(
        now=now_ms,
        bucket_ms=BUCKET_MS,
        begin=first * BUCKET_MS,
        buckets=BucketsView(**msgspec.structs.asdict(buckets)),
        commits=[render_commit(attempt) for attempt in attempts],
        takeovers=[TakeoverView(term.epoch, term.broker_name, term.at) for term in terms],
    )


def render_commit(attempt: Attempt) -> CommitView:
    """A write in the words of the protocol."""
    return CommitView(
        commit_id=attempt.commit_id,
        at=attempt.at,
        mutations=attempt.mutations,
        bytes=attempt.bytes,
        milliseconds=attempt.milliseconds,
        outcome=attempt.outcome,
    )


async def stream_history(
    dispatcher: Dispatcher, send: Callable[[WireEvent], Awaitable[None]]
) -> None:
    """Send what has happened, at once, then what is new each second, until cancelled.

    While this broker does not lead, or nothing happens, nothing is sent.

    Cancellation: what was not sent is dropped.
    """
    broker = dispatcher.broker
    history = broker.statistics.history
    next_second = broker.now_ms() // BUCKET_MS - HISTORY_SECONDS
    attempts_told = epoch_told = 0
    while True:
        is_news = history.newest_second >= next_second or broker.epoch > epoch_told
        if is_news and broker.is_trusted_leader:
            with suppress(QueueError):
                terms = await dispatcher.read_terms()
                new_count = min(history.attempts_count - attempts_told, len(history.attempts))
                attempts = list(islice(reversed(history.attempts), new_count))[::-1]
                new_terms = [term for term in terms if term.epoch > epoch_told]
                result = render_history(broker, next_second, attempts, new_terms)
                attempts_told, epoch_told = history.attempts_count, broker.epoch
                next_second = result.now // BUCKET_MS
                await send(WireEvent("history", result))
        await trio.sleep((BUCKET_MS - broker.now_ms() % BUCKET_MS) / 1_000)

"""What a subscriber is sent: the broker's feed in the words of the protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING

import trio

from osqueue.broker.change_feed import EVENT_NAMES, FeedEvents
from osqueue.core.errors import InvalidRequest, QueueError
from osqueue.protocol.messages import WireEvent
from osqueue.protocol.results import CommitEvent, JobChangeView, LeaderEvent
from osqueue.server.bounds import SHOWN_CHARS_MAX
from osqueue.server.queries.history import stream_history

if TYPE_CHECKING:
    from osqueue.server.dispatch import Dispatcher

__all__ = ["check_event_names", "stream_events"]


def check_event_names(names: Collection[str]) -> frozenset[str]:
    """Check what a subscriber wants, and give it back without repetitions.

    Raises:
        InvalidRequest: there is no such event.
    """
    for name in names:
        if name not in EVENT_NAMES:
            known = ", ".join(EVENT_NAMES)
            raise InvalidRequest(f"events names {name[:SHOWN_CHARS_MAX]!r}; there are {known}")
    return frozenset(names)


async def stream_events(
    dispatcher: Dispatcher, names: frozenset[str], send: Callable[[WireEvent], Awaitable[None]]
) -> None:
    """Send events until cancelled, who leads and the counts at once.

    Cancellation: what was not sent is dropped.
    """
    broker = dispatcher.broker
    async with trio.open_nursery() as nursery:
        if "history" in names:
            nursery.start_soon(stream_history, dispatcher, send)
        with broker.feed.subscribe(names) as subscription:
            subscription.put_leader(broker.leader)
            while True:
                delivery = await subscription.next_events()
                for event in _wire_events(delivery):
                    await send(event)
                if delivery.has_new_stats and (event := await _stats_event(dispatcher)) is not None:
                    await send(event)


def _wire_events(delivery: FeedEvents) -> list[WireEvent]:
    events: list[WireEvent] = []
    if delivery.leader is not None:
        leader = LeaderEvent(delivery.leader.epoch, delivery.leader.broker_address)
        events.append(WireEvent("leader", leader))
    for commit in delivery.commits:
        view = CommitEvent(
            commit.commit_id,
            commit.mutations,
            commit.document_bytes,
            commit.duration_ms,
            commit.at,
        )
        events.append(WireEvent("commit", view))
    if delivery.jobs:
        changes = [
            JobChangeView(
                change.id,
                change.status,
                change.type,
                change.attempts,
                change.at,
                change.worker_id,
                change.started_at,
                change.error_type,
            )
            for change in delivery.jobs
        ]
        events.append(WireEvent("jobs", changes, delivery.jobs_missed))
    return events


async def _stats_event(dispatcher: Dispatcher) -> WireEvent | None:
    try:
        return WireEvent("stats", await dispatcher.read_stats_result())
    except QueueError:
        # Whoever does not lead has no counts; the leader event says where to ask.
        return None

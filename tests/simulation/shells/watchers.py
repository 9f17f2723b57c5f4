"""Who watches the queue: subscribers of a client, readers of a broker's feed, a peer that stalls.

A subscriber keeps a mirror: what it last saw of each job. When all is quiet, the mirror shows what
is stored, or a gap has said that it may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import trio
import trio_websocket

from osqueue.broker import change_feed
from osqueue.broker.broker import Broker
from osqueue.broker.change_feed import FeedEvents
from osqueue.client import (
    Client,
    CommitEvent,
    Event,
    Gap,
    JobsEvent,
    LeaderEvent,
    StatsEvent,
    Subscription,
)
from osqueue.client.events import EventName
from osqueue.core.errors import QueueError
from tests.simulation.checkers.views import Violation
from tests.simulation.shells.asking import cancel_at

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["read_feed", "stall", "watch"]

QUIET_S = 3.0
"""After which everything that was to be told has been."""
SLOW_S = (0.2, 2.0)


async def watch(world: World) -> None:
    """One subscription after another; the last one until everything has ended."""
    while not world.is_over:
        async with world.client() as client:
            life_s = world.random.uniform(1.0, 10.0)
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_end_watch, world, life_s, scope)
                    try:
                        await _Mirror(world).follow(client)
                    except QueueError as error:
                        world.reached(f"subscription ended by {type(error).__name__}")
                        scope.cancel()
        await world.rest()


async def _end_watch(world: World, life_s: float, scope: trio.CancelScope) -> None:
    with trio.move_on_after(life_s):
        await world.calm.wait()
    if world.is_calm:
        await world.over.wait()
    scope.cancel()


class _Mirror:
    """What one subscriber knows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._jobs: dict[str, str] = {}
        self._since = 0
        """How many writes had set out when the reader looked for the last time. What it reads then
        waits for the one under way, whose changes nobody may have recorded for it."""
        self._pace_s = world.random.choice(SLOW_S) if world.strikes("reader slow") else 0.0

    async def follow(self, client: Client) -> None:
        names: list[EventName] = ["stats", "jobs", "commit", "leader"]
        with trio.move_on_at(cancel_at(self._world)) as entry:
            async with client.subscribe(names):
                pass
        if entry.cancelled_caught:
            self._world.reached("cancelled: subscribe")
        async with client.subscribe(names) as events:
            self._look()
            self._world.mirrors.append(self)
            try:
                while True:
                    await self._hear(events)
            finally:
                self._world.mirrors.remove(self)

    async def _hear(self, events: Subscription) -> None:
        event: Event | None = None
        with trio.move_on_at(cancel_at(self._world)):
            event = await anext(events)
        if event is None:
            self._world.reached("cancelled: next event")
            return
        self._take(event)
        if self._pace_s and not self._world.is_calm:
            await trio.sleep(self._pace_s)

    def _take(self, event: object) -> None:
        world = self._world
        world.reached(f"event {type(event).__name__}")
        match event:
            case Gap():
                world.reached(f"gap: {event.reason}")
                self._look()
            case JobsEvent():
                ids = [job.id for job in event.jobs]
                if len(set(ids)) != len(ids):
                    raise Violation("feeds coalesce", f"twice in one event: {sorted(ids)}")
                for job in event.jobs:
                    world.ledger.job_seen(job.id, job.status, job.attempts, where="jobs event")
                    self._jobs[job.id] = job.status
            case CommitEvent():
                world.ledger.commit_seen(event.commit_id, where="commit event")
            case StatsEvent():
                world.check_stats(event.stats, where="stats event")
            case LeaderEvent():
                assert event.epoch, "a leader has a term"
            case _:
                raise AssertionError(event)

    def _look(self) -> None:
        self._jobs.clear()
        self._since = self._world.ledger.sent_count

    def check(self) -> None:
        """All is quiet: what was seen last is what is there."""
        for job_id, status in self._jobs.items():
            now = self._world.ledger.status_now(job_id)
            # Of a job that is not kept, the feed says how it went.
            if status != now and not (now == "gone" and status == "completed"):
                raise Violation("feeds tell all", f"{job_id} was last seen {status}, is {now}")
        for job_id, changed in self._world.ledger.last_changes.items():
            if changed > self._since and job_id not in self._jobs:
                raise Violation("feeds tell all", f"nothing was told of {job_id}")


async def read_feed(world: World) -> None:
    """Read the feeds of the brokers that run, each for a while."""
    while world.is_busy:
        await world.rest()
        server = world.some_server()
        if server is not None:
            with trio.move_on_after(world.random.uniform(0.5, 5.0)):
                await _read_one(world, server.broker)


async def _read_one(world: World, broker: Broker) -> None:
    pace_s = world.random.choice(SLOW_S) if world.strikes("reader slow") else 0.0
    last_s = float("-inf")
    with broker.feed.subscribe(change_feed.EVENT_NAMES) as subscription:
        while True:
            delivery: FeedEvents | None = None
            with trio.move_on_at(cancel_at(world)):
                delivery = await subscription.next_events()
            if delivery is None:
                world.reached("cancelled: feed")
                continue
            now_s = trio.current_time()
            if now_s - last_s < change_feed.PACE_S - 1e-6:
                raise Violation("feeds are paced", f"{now_s - last_s} s between two deliveries")
            last_s = now_s
            ids = [job.id for job in delivery.jobs]
            is_bounded = (
                len(ids) <= change_feed.JOBS_KEPT_MAX
                and len(delivery.commits) <= change_feed.COMMITS_KEPT_MAX
            )
            if not is_bounded or len(set(ids)) != len(ids):
                raise Violation("feeds coalesce", f"a delivery of {ids}")
            if delivery.jobs_missed:
                world.reached("feed: jobs missed")
            for job in delivery.jobs:
                world.ledger.job_seen(job.id, job.status, job.attempts, where="feed")
            for commit in delivery.commits:
                world.ledger.commit_seen(commit.commit_id, where="feed")
            await trio.sleep(pace_s)


async def stall(world: World) -> None:
    """A peer that subscribes, submits, and then does not read: it must harm nobody."""
    while world.is_busy:
        await world.rest()
        host, _, port = world.random.choice(world.addresses).rpartition(":")
        with trio.move_on_after(world.random.uniform(1.0, 8.0)):
            try:
                await _stall_once(world, host, int(port))
            except (OSError, trio.BrokenResourceError, trio_websocket.HandshakeError):
                world.reached("stalling peer: not let in")
            except trio_websocket.ConnectionClosed:
                world.reached("stalling peer: cut off")


async def _stall_once(world: World, host: str, port: int) -> None:
    stream = await trio.open_tcp_stream(host, port)
    try:
        async with trio.open_nursery() as nursery:
            websocket = await trio_websocket.wrap_client_stream(
                nursery, stream, f"{host}:{port}", "/v1/ws", message_queue_size=1
            )
            call = {"id": 1, "method": "subscribe", "params": {"events": ["jobs", "commit"]}}
            await websocket.send_message(msgspec.json.encode(call).decode())
            listing = [{"id": n, "method": "listJobs", "params": {}} for n in range(30)]
            while True:
                await websocket.send_message(msgspec.json.encode(listing).decode())
                world.reached("stalling peer: asked for more")
                await trio.sleep(0.5)
    except* (
        trio_websocket.ConnectionClosed,
        trio_websocket.HandshakeError,
        trio.BrokenResourceError,
    ):
        world.reached("stalling peer: cut off")
    finally:
        await trio.aclose_forcefully(stream)

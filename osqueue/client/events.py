"""Events of a queue: what they are, and the subscriptions that receive them.

A broker tells each connection once what it wants to hear. So the subscriptions of one client share
what they want, `Subscriptions.run` tells it to every new connection, and every event goes to all
who asked for its kind. A reader that is slower than the queue loses detail, never memory: of
counts and leaders it gets the newest, of each job the last change, and a `Gap` where even that was
too much.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Literal, Self, TypeVar, cast, get_args

import msgspec
import trio
from msgspec.msgpack import Decoder

from osqueue.client.operations.figures import History, Stats
from osqueue.client.requests import encode_params
from osqueue.client.transports.bell import Bell
from osqueue.core.errors import QueueError
from osqueue.protocol.params import SubscribeParams

__all__ = [
    "CommitEvent",
    "Event",
    "EventName",
    "Gap",
    "HistoryEvent",
    "JobChange",
    "JobsEvent",
    "LeaderEvent",
    "StatsEvent",
    "Subscription",
    "Subscriptions",
    "check_names",
]

EventName = Literal["stats", "jobs", "commit", "leader", "history"]

JOBS_KEPT_MAX = 10_000
"""Jobs whose changes wait for one reader."""
COMMITS_KEPT_MAX = 1_000
"""Commits that wait for one reader."""
HISTORIES_KEPT_MAX = 600
"""Seconds of figures that wait for one reader: all that a leader remembers."""


class StatsEvent(msgspec.Struct, frozen=True):
    """The counts have changed: at most four times a second."""

    stats: Stats


class JobChange(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What has become of one job."""

    id: str
    status: str
    """A job's status; `completed` also where nothing of it was kept, `gone` if it was removed."""
    type: str = ""
    attempts: int = 0
    worker_id: str = ""
    """Whose doing it was; empty: no worker's."""
    at: int = 0
    """When it happened, ms since the epoch."""
    started_at: int = 0
    """When the attempt was claimed that runs, or has just ended; 0: there is none."""
    error_type: str = ""
    """Of the error that the attempt has ended with."""


class JobsEvent(msgspec.Struct, frozen=True):
    """Jobs have changed: of each its last change, in the order of these."""

    jobs: list[JobChange]


class CommitEvent(msgspec.Struct, frozen=True, rename="camel"):
    """One write of the queue has landed."""

    commit_id: str
    mutations: int = 0
    bytes: int = 0
    milliseconds: int = 0
    at: int = 0
    """When it was settled, ms since the epoch."""


class LeaderEvent(msgspec.Struct, frozen=True, rename="camel"):
    """Another term began."""

    epoch: int
    broker_address: str = ""


class HistoryEvent(msgspec.Struct, frozen=True):
    """What a second has brought: figures, writes, takeovers.

    The first one tells the last five minutes, also after a reconnect: then what is known comes
    again, and the later one holds.
    """

    history: History


class Gap(msgspec.Struct, frozen=True):
    """Events were missed here: look again at what matters, the next events go on from there."""

    reason: Literal["resubscribed", "fell behind"]


Kept = TypeVar("Kept", CommitEvent, HistoryEvent)
Event = StatsEvent | JobsEvent | CommitEvent | LeaderEvent | HistoryEvent | Gap

STATS = Decoder(Stats)
JOBS = Decoder(list[JobChange])
COMMIT = Decoder(CommitEvent)
LEADER = Decoder(LeaderEvent)
HISTORY = Decoder(History)


class Subscription:
    """The events that one reader asked for, as an async context manager and iterator.

    Entering waits until a broker has agreed; leaving ends the subscription.

    Raises:
        QueueError: on entering or iterating, when the broker refuses it or none is reached.
        trio.ClosedResourceError: on iterating, when the client is closed or the subscription left.
    """

    def __init__(self, subscriptions: Subscriptions, names: frozenset[EventName]) -> None:
        self.names = names
        self._subscriptions = subscriptions
        self._is_agreed = trio.Event()
        self._error: Exception | None = None
        self._has_more = Bell()
        self._gap: Gap | None = None
        self._newest: dict[EventName, StatsEvent | LeaderEvent] = {}
        self._jobs: dict[str, JobChange] = {}
        self._commits: deque[CommitEvent] = deque()
        self._histories: deque[HistoryEvent] = deque()
        self._due: dict[EventName, None] = {}
        """The kinds that have something, the one that is next first."""

    async def __aenter__(self) -> Self:
        self._subscriptions.add(self)
        try:
            await self._is_agreed.wait()
            if self._error is not None:
                raise self._error
        except BaseException:
            self._subscriptions.remove(self)
            raise
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._subscriptions.remove(self)
        self.fail(trio.ClosedResourceError("the subscription was left"))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event.

        Cancellation: no event is lost.
        """
        await trio.lowlevel.checkpoint()
        while True:
            event = self._take()
            if event is not None:
                return event
            if self._error is not None:
                raise self._error
            await self._has_more.wait()

    def agreed(self) -> None:
        """The leader will send these events."""
        self._is_agreed.set()

    def resubscribed(self) -> None:
        """The broker was told anew: what it had not sent by then is lost."""
        self._drop_jobs()
        self._commits.clear()
        self._histories.clear()
        self._due.pop("commit", None)
        self._due.pop("history", None)
        # A reader who waits to enter has heard nothing yet, and looks after that.
        self._gap = Gap("resubscribed") if self._is_agreed.is_set() else None
        self._has_more.ring()

    def fail(self, error: Exception) -> None:
        """There will be no more events."""
        if self._error is None:
            self._error = error
        self._is_agreed.set()
        self._has_more.ring()

    def put(self, name: EventName, found: Event) -> None:
        """Keep an event until the reader takes it."""
        match found:
            case JobsEvent(jobs):
                self._put_jobs(jobs)
            case CommitEvent():
                self._put_last(self._commits, found, COMMITS_KEPT_MAX)
            case HistoryEvent():
                self._put_last(self._histories, found, HISTORIES_KEPT_MAX)
            case StatsEvent() | LeaderEvent():
                self._newest[name] = found
            case Gap():
                raise AssertionError("a gap is no event of a broker")
        self._due[name] = None
        self._has_more.ring()

    def _put_last(self, kept: deque[Kept], found: Kept, most: int) -> None:
        kept.append(found)
        if len(kept) > most:
            kept.popleft()
            self.fall_behind()

    def _put_jobs(self, changes: list[JobChange]) -> None:
        for change in changes:
            self._jobs.pop(change.id, None)
            self._jobs[change.id] = change
        if len(self._jobs) > JOBS_KEPT_MAX:
            for job_id in list(self._jobs)[:-JOBS_KEPT_MAX]:
                del self._jobs[job_id]
            self.fall_behind()

    def fall_behind(self) -> None:
        """More has happened than can be told."""
        if self._gap is None:
            self._gap = Gap("fell behind")

    def missed(self) -> None:
        """The broker has dropped changes of jobs."""
        self.fall_behind()
        self._drop_jobs()

    def _drop_jobs(self) -> None:
        # Changes were lost that were newer than these: after the gap, a reader that has looked
        # again would take what is old for what is new, and nothing would ever correct it.
        self._jobs.clear()
        self._due.pop("jobs", None)

    def _take(self) -> Event | None:
        if self._gap is not None:
            gap, self._gap = self._gap, None
            return gap
        for name in self._due:
            del self._due[name]
            if name == "jobs":
                jobs, self._jobs = self._jobs, {}
                return JobsEvent(list(jobs.values()))
            if name == "commit":
                return self._take_first(name, self._commits)
            if name == "history":
                return self._take_first(name, self._histories)
            return self._newest.pop(name)
        return None

    def _take_first(self, name: EventName, kept: deque[Kept]) -> Kept:
        first = kept.popleft()
        if kept:
            self._due[name] = None
        return first


class Subscriptions:
    """All subscriptions of one client, and what its connection was told of them."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._connection = 0
        self._changed = Bell()

    def add(self, subscription: Subscription) -> None:
        """Begin to hear what it wants."""
        self._subscriptions.append(subscription)
        self._changed.ring()

    def remove(self, subscription: Subscription) -> None:
        """Hear no more of it; one that is not there is none the less gone."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._changed.ring()

    def connected(self) -> None:
        """A new connection begins, which knows nothing of what is wanted."""
        self._connection += 1
        self._changed.ring()

    def fail(self, error: Exception) -> None:
        """End them all."""
        ended, self._subscriptions = self._subscriptions, []
        for subscription in ended:
            subscription.fail(error)

    def take(self, name: str, data: msgspec.Raw, *, missed: int = 0) -> None:
        """Hand out an event as it came; kinds that nobody wants, or knows, are dropped.

        Args:
            name: its kind.
            data: what it says, in MessagePack.
            missed: jobs whose changes the broker had to drop before.

        Raises:
            msgspec.DecodeError: it is not what the name says.
        """
        readers = [one for one in self._subscriptions if name in one.names]
        if not readers:
            return
        known = cast("EventName", name)
        event = _decode(known, data)
        for reader in readers:
            if missed:
                reader.missed()
            reader.put(known, event)

    async def run(
        self,
        subscribe: Callable[[bytes], Awaitable[object]],
        ask_leader: Callable[[], Awaitable[object]],
    ) -> None:
        """Tell every connection what is wanted, until cancelled.

        Args:
            subscribe: calls `subscribe` with these params, and returns when it was answered.
            ask_leader: reads something that only the leader answers: a broker that does not lead
                takes subscriptions too, and has hardly anything to tell.
        """
        told: tuple[int, frozenset[EventName]] = (0, frozenset())
        while True:
            wanted = frozenset[EventName]().union(*(one.names for one in self._subscriptions))
            connection, names = told
            if not wanted and connection != self._connection:
                # Nothing was told to this connection, and there is nothing to tell.
                connection, names = told = (self._connection, frozenset())
            # More than is wanted is told already: saying less would cost the others a gap.
            if connection == self._connection and wanted <= names and bool(wanted) == bool(names):
                self._agree(names)
                await self._changed.wait()
                continue
            try:
                await subscribe(encode_params(SubscribeParams(events=sorted(wanted))))
                told = (self._connection, wanted)
                self._note_break()
                await ask_leader()
            except (QueueError, trio.ClosedResourceError) as error:
                told = (self._connection, frozenset())
                self.fail(error)

    def _agree(self, names: frozenset[EventName]) -> None:
        for subscription in self._subscriptions:
            if subscription.names <= names:
                subscription.agreed()

    def _note_break(self) -> None:
        """The broker dropped what it had not sent of the subscription before."""
        for subscription in self._subscriptions:
            subscription.resubscribed()


def check_names(names: Iterable[EventName]) -> frozenset[EventName]:
    """The names of events, each of them one that there is, and at least one.

    Raises:
        ValueError: one is none, or there is none.
    """
    known = get_args(EventName)
    # A string is a sequence of names, too, none of which exists.
    wanted = frozenset([names] if isinstance(names, str) else names)
    if not wanted or not wanted.issubset(known):
        raise ValueError(f"events are some of {', '.join(known)}, not {sorted(wanted)}")
    return cast("frozenset[EventName]", wanted)


def _decode(name: EventName, data: msgspec.Raw) -> Event:
    match name:
        case "stats":
            return StatsEvent(STATS.decode(data))
        case "jobs":
            return JobsEvent(JOBS.decode(data))
        case "commit":
            return COMMIT.decode(data)
        case "leader":
            return LEADER.decode(data)
        case "history":
            return HistoryEvent(HISTORY.decode(data))

"""Connections between clients and brokers, and what becomes of messages on them.

As with TCP, messages of one connection arrive in order or not at all. When a connection breaks,
each side learns of it in its own time; messages under way are lost, or still arrive long after
their sender has sent them again elsewhere (late originals). Probes of a leader travel here, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from osqueue.core.mutations import ReadStats
from osqueue.core.outcomes import Outcome, QueueStats
from tests.simulation.records import CallRecord

if TYPE_CHECKING:
    from tests.simulation.cast.brokers import BrokerProcess
    from tests.simulation.cast.clients import SimulatedClient
    from tests.simulation.cast.processes import Process
    from tests.simulation.world import World

__all__ = ["SILENCE_MS", "Answer", "Connection", "Frame", "FrameCall", "Network"]

SILENCE_MS = 10_200
"""How long a client waits for a sign of life."""
PROBE_MS = 1_000


class FrameCall(NamedTuple):
    """One call of a frame."""

    call_id: int
    record: CallRecord
    sequence: int | None


@dataclass
class Frame:
    """What a client sends at once."""

    client_id: str
    floor: int
    calls: list[FrameCall]
    is_plain: bool = False
    """Nothing in it is numbered: who sends such frames must not have them doubled."""
    is_answered: bool = False
    """A part of it, at least."""


class Answer(NamedTuple):
    """The reply to one call."""

    call: FrameCall
    outcome: Outcome


@dataclass(eq=False)
class Connection:
    """One connection of a client to a broker. Without a client nobody reads the replies."""

    world: World
    client: SimulatedClient | None
    broker: BrokerProcess
    tickets: dict[object, None] = field(default_factory=dict[object, None])
    """At the broker, not settled."""
    client_is_open: bool = True
    broker_is_open: bool = True
    is_broken: bool = False
    is_retiring: bool = False
    """The broker has said that it does not lead."""
    _to_broker: deque[Frame] = field(default_factory=deque[Frame])
    _to_client: deque[tuple[Frame, list[Answer]]] = field(
        default_factory=deque[tuple[Frame, list[Answer]]]
    )
    _unanswered: list[Frame] = field(default_factory=list[Frame])
    _broker_after: int = 0
    _client_after: int = 0

    def send(self, frame: Frame) -> None:
        """The client sends a frame."""
        self.world.observer.frame_sent(frame)
        self._unanswered = [old for old in self._unanswered if not old.is_answered]
        self._unanswered.append(frame)
        if self.is_broken:
            return
        self._to_broker.append(frame)
        world = self.world
        self._broker_after = max(self._broker_after, world.now + world.network.latency())
        world.at(self._broker_after, self.broker, self._reach_broker)
        if world.strikes("connection drops"):
            self.drop()

    def reply(self, frame: Frame, answers: list[Answer]) -> None:
        """The broker answers."""
        if self.client is None or self.is_broken:
            return
        world = self.world
        self._to_client.append((frame, answers))
        self._client_after = max(self._client_after, world.now + world.network.latency())
        world.at(self._client_after, self.client.process, self._reach_client)
        if world.strikes("connection drops"):
            self.drop()

    def drop(self, *, is_silent: bool = True) -> None:
        """It breaks. Each side learns of it in its own time."""
        if self.is_broken:
            return
        self.is_broken = True
        world = self.world
        choices = [5, 300, SILENCE_MS] if is_silent else [1, 20]
        self._send_late_originals()
        self._to_client.clear()
        if world.random.random() < 0.5:
            self._to_broker.clear()
        if self.client is not None:
            world.after(world.random.choice(choices), self.client.process, self._end_client)
        world.after(world.random.choice(choices), self.broker, self.end_broker)

    def fall_silent(self) -> None:
        """The client has waited for too long, if the broker still stands still."""
        if self.broker.is_paused:
            self.drop()

    def close(self) -> None:
        """The client ends it; the broker learns of it soon."""
        if self.client_is_open:
            self.client_is_open = False
            self.is_broken = True
            self.world.after(self.world.network.latency(), self.broker, self.end_broker)

    def _send_late_originals(self) -> None:
        world = self.world
        for frame in self._unanswered:
            if frame.is_answered or frame.is_plain:
                continue
            if world.strikes("late original"):
                delay_ms = world.random.choice([50, 800, 4_000, 15_000])
                tries = world.random.choice([0, 100])
                world.after(delay_ms, None, world.network.deliver_late, self.broker, frame, tries)

    def _reach_broker(self) -> None:
        if self._to_broker and self.broker_is_open:
            self.broker.receive(self, self._to_broker.popleft())

    def _reach_client(self) -> None:
        if self._to_client and self.client_is_open:
            frame, answers = self._to_client.popleft()
            frame.is_answered = True
            assert self.client is not None
            self.client.receive(self, answers)

    def _end_client(self) -> None:
        if self.client_is_open:
            self.client_is_open = False
            assert self.client is not None
            self.client.connection_ended(self)

    def end_broker(self) -> None:
        """The broker learns that it has ended."""
        if self.broker_is_open:
            self.broker_is_open = False
            self.broker.connection_ended(self)


class Network:
    """Who listens where."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.listeners: dict[str, BrokerProcess] = {}
        self.silent_addresses: set[str] = set()
        """Whose machine is down: nothing there even refuses."""
        self._refusing_until: dict[str, int] = {}
        """Addresses that refuse whoever listens there: a proxy is down, a rule rejects."""

    def refuse(self, address: str, duration_ms: int) -> None:
        """New connections to an address are refused for a while; those there are go on."""
        self._refusing_until[address] = self.world.now + duration_ms

    def mend(self) -> None:
        """Nobody is refused whom somebody listens to."""
        self._refusing_until.clear()

    def _is_refused(self, address: str) -> bool:
        if self.world.now < self._refusing_until.get(address, 0):
            return True
        is_dead = address not in self.listeners and address not in self.silent_addresses
        # A proxy in front of it accepts, and has nobody to pass anything on to.
        return is_dead and not self.world.plan.is_proxied

    def latency(self) -> int:
        """Of one message."""
        world = self.world
        if world.strikes("message slow"):
            return world.random.choice([100, 600, 2_500])
        return world.random.randint(1, 12)

    def dial(
        self,
        client: SimulatedClient,
        address: str,
        connected: Callable[[Connection], None],
        failed: Callable[[str], None],
    ) -> None:
        """Connect a client to whoever listens at an address."""
        world = self.world
        broker = self.listeners.get(address)
        if self._is_refused(address):
            world.after(2, client.process, failed, "refused")
        elif broker is None or broker.is_paused or world.strikes("dialling fails"):
            world.after(2_000, client.process, failed, "no answer in time")
        else:
            connection = Connection(world, client, broker)
            broker.connections[connection] = None
            world.after(self.latency(), client.process, connected, connection)

    def deliver_late(self, first: BrokerProcess, frame: Frame, tries: int = 0) -> None:
        """A message sent long ago arrives at last, at whoever listens there now."""
        broker = self.listeners.get(first.site.address)
        if self.world.is_calm:
            return
        if broker is not None and not broker.is_acting and tries:
            # Rather at a bad moment: while a write is in flight.
            self.world.after(7, None, self.deliver_late, first, frame, tries - 1)
        elif broker is not None and not frame.is_answered:
            self.world.coverage.faults["late original arrives"] += 1
            connection = Connection(self.world, None, broker)
            self.world.after(0, broker, broker.receive, connection, frame)
            # The end of the old connection follows what it carried.
            end_ms = self.world.random.choice([1, 30, 60, 300])
            self.world.after(end_ms, broker, broker.connection_ended, connection)

    def probe(self, prober: Process, address: str, done: Callable[[str, str], None]) -> None:
        """Ask the broker at an address for its name; `done` is told what came of it, and the
        name."""
        world = self.world
        broker = self.listeners.get(address)
        if self._is_refused(address):
            world.after(self.latency(), prober, done, "refused", "")
            return
        world.after(PROBE_MS, prober, done, "silent", "")
        if broker is not None and not world.strikes("dialling fails"):

            def answer(outcome: Outcome) -> None:
                name = outcome.commit_id if isinstance(outcome, QueueStats) else ""
                world.after(self.latency(), prober, done, "answered", name.rpartition("-")[2])

            record = CallRecord(ReadStats(), "probe", world.now)
            record.on_told = answer
            world.after(self.latency(), broker, broker.receive_probe, record)

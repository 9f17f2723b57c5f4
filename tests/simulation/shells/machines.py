"""Machines that run brokers: the real process of a broker, on a network in memory.

What `osqueue.cli` composes with sockets and signals is composed here without them; everything else
is the same code.
"""

from __future__ import annotations

import random as random_module
from typing import TYPE_CHECKING, Any

import trio

from osqueue.broker.broker import Broker
from osqueue.cli.broker.probing import probe_leader
from osqueue.cli.broker.process import BrokerProcess
from osqueue.cli.endings import CommandError
from osqueue.clocks import TrioClock
from osqueue.core.election.leader_process import ProcessTraces
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from tests.simulation.checkers.views import Violation
from tests.simulation.shells.asking import waiting_places

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["Machine"]

RESTART_S = (0.0, 0.1, 1.0, 4.0)
CUT_OFF_S = 5.0
"""What a stop may take beyond its drain: closing frames, answers under way."""


class _Server(Server):
    """A server that listens in memory."""

    def __init__(self, world: World, broker: Broker) -> None:
        super().__init__(broker, world.plan.settings, random=world.random)
        self._world = world

    @property
    def address(self) -> str:
        return self.broker.advertised_address

    def open_listeners(self) -> list[trio.abc.Listener[trio.SocketStream]]:
        listener: Any = self._world.network.listen(self.address)
        return [listener]


class _Process(BrokerProcess):
    """A process that is told to stop by a call."""

    def __init__(self, server: Server, world: World) -> None:
        super().__init__(server, world.plan.settings)
        self.server = server
        self.told_to_stop = trio.Event()

    @property
    def nursery(self) -> trio.Nursery | None:
        return getattr(self, "_nursery", None)

    async def _heed_signals(self, *, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await self.told_to_stop.wait()
        self._is_stopping = True
        self._nursery.start_soon(self._stop)


class Machine:
    """One address, and one process after another there."""

    def __init__(self, world: World, number: int) -> None:
        self.address = f"10.0.0.{number}:8080"
        self._world = world
        self._number = number
        self._process: _Process | None = None
        self._life = trio.CancelScope()
        self._processes_count = 0
        self._ended = trio.Event()
        self.is_retired = False

    @property
    def server(self) -> Server | None:
        """Of the process that runs now."""
        return None if self._process is None else self._process.server

    @property
    def broker(self) -> Broker | None:
        """Of the process that runs now."""
        return None if self._process is None else self._process.server.broker

    async def run(self) -> None:
        """Start a process, and another one whenever it has ended, until retired."""
        world = self._world
        while not self.is_retired:
            self._process = self._make_process()
            self._ended = trio.Event()
            is_cut = False
            with trio.CancelScope() as self._life:
                try:
                    await self._process.run()
                except CommandError:
                    is_cut = True
            how = "crashed" if self._life.cancelled_caught else "ended"
            world.note(f"{self.address} {how}{', the lead not released' if is_cut else ''}")
            self._check_end(self._process.server)
            self._process = None
            self._ended.set()
            if not self.is_retired:
                await trio.sleep(0 if world.is_calm else world.random.choice(RESTART_S))

    def crash(self) -> None:
        """The process ends in the middle of whatever it does."""
        if self._process is not None and self._process.nursery is not None:
            for place in waiting_places(self._process.nursery):
                self._world.reached(f"crash while in {place}")
        self._world.network.cut(self.address)
        self._life.cancel()

    async def drain(self) -> None:
        """Stop politely; returns when the process has ended."""
        process = self._process
        if process is None or process.told_to_stop.is_set():
            return
        process.told_to_stop.set()
        bound_s = self._world.plan.settings.drain_timeout_ms / 1_000 + CUT_OFF_S
        with trio.move_on_after(bound_s) as limit:
            await self._ended.wait()
        if limit.cancelled_caught:
            raise Violation("stops in time", f"{self.address} still runs after {bound_s} s")

    async def retire(self) -> None:
        """Stop politely, for good."""
        self.is_retired = True
        await self.drain()

    @property
    def _pid(self) -> int:
        """The number of the newest process: there are two, so that they are soon used again."""
        return 100 + self._processes_count % 2

    def _trace(self, pid: int) -> ProcessTraces:
        """What this machine's system tells of a process number."""
        if pid != self._pid or self._process is None:
            return ProcessTraces(exists=False)
        fields = ["S", *"0" * 18, str(self._processes_count), "0"]
        return ProcessTraces(exists=True, stat=f"{pid} (osqueue) {' '.join(fields)}")

    def _make_process(self) -> _Process:
        world = self._world
        self._processes_count += 1
        broker = Broker(
            world.store,
            world.plan.settings,
            BrokerIdentity(
                name=f"{self._number:08x}{self._processes_count:08x}",
                address=self.address,
                host=(
                    f"machine-{self._number} {self._number:08x}-0000-4000-8000-000000000000"
                    f" net:[1] 0.0.0.0 8080 pid:[1] {self._pid} {self._processes_count}"
                ),
            ),
            clock=TrioClock(),
            random=random_module.Random(world.random.getrandbits(64)),
            probe_leader=probe_leader,
            trace_process=self._trace,
        )
        return _Process(_Server(world, broker), world)

    def _check_end(self, server: Server) -> None:
        """A process that has ended holds nothing: tasks end with their nurseries, so must these."""
        left = {
            "connections": server.connection_count,
            "websockets": server.front_door.websockets.connection_count,
            "open sockets": len(self._world.network.open_connections(self.address)),
        }
        if any(left.values()):
            raise Violation("nothing is left behind", f"{self.address}: {left}")

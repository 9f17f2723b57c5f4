"""One world: real brokers, servers, clients and workers on a store and a network in memory.

All of it runs under Trio, on a clock that jumps, with a scheduler that the seed decides. In the
first act faults strike. Then they stop: everything must settle, every job must end, feeds must
have told all, and nothing may be left behind.
"""

from __future__ import annotations

import random as random_module
import zlib
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog
import trio

from osqueue.broker import change_feed
from osqueue.broker.broker import Broker
from osqueue.client import Client
from osqueue.clocks import TrioClock
from osqueue.server.serving import Server
from tests.simulation.checkers.views import Violation
from tests.simulation.plan import Coverage
from tests.simulation.shells.determinism import run_seeded
from tests.simulation.shells.insiders import call_inside
from tests.simulation.shells.ledger import Ledger
from tests.simulation.shells.machines import Machine
from tests.simulation.shells.network import Network
from tests.simulation.shells.plan import Plan
from tests.simulation.shells.producers import produce, resume_all
from tests.simulation.shells.store import FaultyStore
from tests.simulation.shells.watchers import QUIET_S, read_feed, stall, watch
from tests.simulation.shells.workers import claim_by_hand, work

__all__ = ["World"]

BEHAVIOURS = {
    "quick": 5,
    "slow": 3,
    "fails": 2,
    "long": 1,
    "snoozes": 1,
    "dies": 0.5,
    "is followed": 1,
}
FEED_JOBS_KEPT = 3
"""So few that slow readers miss some."""


class World:
    """Everything of one seed; `play` it once."""

    def __init__(self, plan: Plan, *, coverage: Coverage | None = None) -> None:
        self.plan = plan
        self.coverage = coverage or Coverage()
        self.log: list[str] | None = None
        self.trace = 0
        self.random = random_module.Random(f"world {plan.seed}")
        self.ledger = Ledger(self)
        self.network = Network(self)
        self.store = FaultyStore(self)
        self.addresses = [f"10.0.0.{n}:8080" for n in range(1, plan.brokers + 1)]
        self.machines = [Machine(self, n) for n in range(1, plan.brokers + 1)]
        self.mirrors: list[Any] = []
        self.is_busy = True
        """Producers go on."""
        self._job_ids: list[str] = []
        self._numbers = 0
        self._reported: list[str] = []

    # What everybody asks of it.

    @property
    def now_ms(self) -> int:
        return round(trio.current_time() * 1_000)

    @property
    def broker_urls(self) -> list[str]:
        return [f"http://{address}" for address in self.addresses]

    @property
    def is_calm(self) -> bool:
        """No fault strikes any more."""
        return self.calm.is_set()

    @property
    def is_over(self) -> bool:
        """Everybody goes home."""
        return self.over.is_set()

    def strikes(self, fault: str) -> bool:
        """Whether a fault happens here and now."""
        rate = self.plan.faults.get(fault, 0.0)
        if not rate or self.is_calm or self.random.random() >= rate:
            return False
        self.coverage.faults[fault] += 1
        return True

    def reached(self, what: str) -> None:
        """Something happened that a run should have seen."""
        self.coverage.transitions[what] += 1

    def note(self, what: str) -> None:
        """Part of the trace, and of the log where one is kept."""
        line = f"{self.now_ms:>7} {what}"
        self.trace = zlib.crc32(line.encode(), self.trace)
        self.coverage.events += 1
        if self.log is not None:
            self.log.append(line)

    def network_latency_s(self) -> float:
        if self.strikes("message slow"):
            return self.random.uniform(0.05, 1.0)
        return self.random.uniform(0.0002, 0.005)

    async def rest(self) -> None:
        """Between two calls."""
        await trio.sleep(self.random.expovariate(1 / self.plan.rest_s))

    def draw_behaviour(self) -> str:
        """What the handler of a new job will do."""
        return self.random.choices(list(BEHAVIOURS), list(BEHAVIOURS.values()))[0]

    def new_job_id(self, name: str) -> str:
        self._numbers += 1
        self._job_ids.append(f"{name}-{self._numbers}")
        return self._job_ids[-1]

    def new_worker_id(self, name: str) -> str:
        self._numbers += 1
        return f"{name}-{self._numbers}"

    def some_job_id(self) -> str:
        """One that was submitted, or will be, or nobody's."""
        return self.random.choice(self._job_ids[-30:]) if self._job_ids else "nobody"

    def some_unfinished_id(self) -> str:
        """A job that has not ended, if there is one."""
        unfinished = self.ledger.unfinished
        return self.random.choice(unfinished) if unfinished else self.some_job_id()

    def some_server(self) -> Server | None:
        """One that runs."""
        servers = [machine.server for machine in self.machines if machine.server is not None]
        return self.random.choice(servers) if servers else None

    @asynccontextmanager
    async def client(self, *, timeout_s: float | None = None) -> AsyncIterator[Client]:
        """A client, which may crash; one that has left holds nothing."""
        client = Client(
            self.broker_urls,
            timeout_s=timeout_s or self.plan.client_timeout_s,
            random=random_module.Random(self.random.getrandbits(64)),
            clock=TrioClock(),
        )
        crash_at = float("inf")
        if self.strikes("client crashes"):
            crash_at = trio.current_time() + self.random.uniform(0.0, 5.0)
        with trio.move_on_at(crash_at) as life:
            async with client:
                yield client
        if life.cancelled_caught:
            self.note("a client crashed")
        session = client._open_session
        if session.calls.open_count or session.traffic.subscriptions._subscriptions:
            raise Violation("nothing is left behind", "a client that was left has open calls")

    def check_stats(self, stats: Any, *, where: str) -> None:
        """Counts agree with the commit that they name."""
        version = self.ledger.commit_seen(stats.commit_id, where=where)
        statuses = [job.status for job in version.jobs.values()]
        for status in ("scheduled", "unclaimed", "in_progress", "completed", "dead"):
            if getattr(stats, status) != statuses.count(status):
                raise Violation("committed only", f"{where} counts {stats}, not {statuses}")

    # The play.

    def play(self) -> None:
        """Play it to the end.

        Raises:
            Violation: something happened that must never happen.
        """
        self.coverage.seeds += 1
        try:
            with (
                structlog.testing.capture_logs(),
                small_feeds(self.plan.feed_pace_s),
                self._in_memory(),
            ):
                run_seeded(self.plan.seed, self._main)
        except BaseExceptionGroup as group:
            raise first_leaf(group) from group

    @contextmanager
    def _in_memory(self) -> Generator[None]:
        """Connections are made within this world."""
        dial = trio.open_tcp_stream
        trio.open_tcp_stream = self.network.dial  # type: ignore[assignment]
        try:
            yield
        finally:
            trio.open_tcp_stream = dial

    async def _main(self) -> None:
        tasks_before = trio.lowlevel.current_statistics().tasks_living
        self.calm, self.over = trio.Event(), trio.Event()
        async with trio.open_nursery() as self.background, trio.open_nursery() as machines:
            for machine in self.machines:
                machines.start_soon(machine.run)
            async with trio.open_nursery() as cast:
                async with trio.open_nursery() as busy:
                    self._start_cast(cast, busy)
                    busy.start_soon(self._strike_moments)
                    await trio.sleep(self.plan.faults_s)
                    self._calm_down()
                await self._settle()
                self.over.set()
            await self._wait_until_idle()
            for machine in self.machines:
                await machine.retire()
        self.ledger.check_give_backs()
        self._check_release()
        tasks_after = trio.lowlevel.current_statistics().tasks_living
        if tasks_after != tasks_before:
            raise Violation("nothing is left behind", f"{tasks_after - tasks_before} tasks live on")
        self.coverage.simulated_ms += self.now_ms
        self.note(f"ended; {self.random.random()}")

    def _start_cast(self, cast: trio.Nursery, busy: trio.Nursery) -> None:
        plan = self.plan
        for number in range(plan.workers):
            cast.start_soon(work, self, number)
        for number in range(plan.producers):
            busy.start_soon(produce, self, number)
        for number in range(plan.claimers):
            busy.start_soon(claim_by_hand, self, number)
        for number in range(plan.insiders):
            busy.start_soon(call_inside, self, number)
        if plan.watchers:
            busy.start_soon(read_feed, self)
            busy.start_soon(stall, self)
        for _ in range(plan.watchers):
            cast.start_soon(watch, self)

    async def _strike_moments(self) -> None:
        """Faults of a moment, each at its rate."""
        names = [
            name
            for name in (
                "broker crashes",
                "broker drained",
                "connection breaks",
                "connection falls silent",
                "store out",
            )
            if name in self.plan.faults
        ]
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(self._strike_moment, name)

    async def _strike_moment(self, name: str) -> None:
        while not self.is_calm:
            with trio.move_on_after(self.random.expovariate(self.plan.faults[name] / 60)):
                await self.calm.wait()
            if self.is_calm:
                return
            self.coverage.faults[name] += 1
            machine = self.random.choice(self.machines)
            self.note(f"{name}: {machine.address}")
            match name:
                case "broker crashes":
                    await self._wait_for_a_write()
                    machine.crash()
                case "broker drained":
                    await machine.drain()
                case "store out":
                    self.store.out_until = trio.current_time() + self.random.uniform(0.2, 6.0)
                case _:
                    self._trouble_connection(name, machine.address)

    async def _wait_for_a_write(self) -> None:
        """Half of the crashes happen while something is being written."""
        if self.random.random() < 0.5:
            with trio.move_on_after(1.0):
                await self.store.has_put.wait()
                await trio.sleep(self.random.uniform(0.0, 0.06))

    def _trouble_connection(self, name: str, address: str) -> None:
        connections = self.network.open_connections(address)
        if not connections:
            return
        connection = self.random.choice(connections)
        if name == "connection breaks":
            connection.cut()
        else:
            connection.fall_silent(trio.current_time() + self.random.uniform(0.5, 20.0))

    def _calm_down(self) -> None:
        self.note("calm")
        self.calm.set()
        self.is_busy = False
        self.store.out_until = 0.0
        self.network.mend()

    async def _settle(self) -> None:
        """Everything ends by itself, and everybody is told."""
        with trio.move_on_after(self.plan.calm_s) as limit:
            await resume_all(self)
            while self.ledger.unfinished:  # noqa: ASYNC110 - outsiders have no event to wait for
                await trio.sleep(0.5)
            await trio.sleep(QUIET_S)
        if limit.cancelled_caught:
            raise Violation("everything settles", f"unfinished: {self.ledger.unfinished}")
        for mirror in self.mirrors:
            mirror.check()
            self.reached("mirror checked")
        missing = [
            job_id
            for job_id in self.ledger.acknowledged
            if self.ledger.status_now(job_id) not in ("gone", "completed", "dead")
        ]
        if missing:
            raise Violation("no job is lost", f"never ended: {missing}")

    async def _wait_until_idle(self) -> None:
        """Everybody has left: the brokers hold nothing of them any more."""
        await trio.sleep(QUIET_S)
        for machine in self.machines:
            if machine.server is not None:
                left = what_is_left(machine.server)
                if any(left.values()):
                    raise Violation("nothing is left behind", f"{machine.address}: {left}")

    def _check_release(self) -> None:
        if self.ledger.versions[-1].document.broker is not None:
            raise Violation("a drain releases", self.ledger.versions[-1].commit_id)


def what_is_left(server: Server) -> dict[str, int]:
    """What a broker and its server hold of callers; nothing, when all have left."""
    broker: Broker = server.broker
    left = {
        "websockets": server.front_door.websockets.connection_count,
        "waits": len(server.front_door.dispatcher._waits),
        "subscriptions": len(broker.feed._subscriptions),
        "watched jobs": len(broker.feed._ends),
    }
    if broker._term is not None:
        left["waiting claims"] = len(broker._term._gathering.waiting_claims)
        left["recorded changes"] = int(broker._term.state.table.changes is not None)
    return left


@contextmanager
def small_feeds(pace_s: float) -> Generator[None]:
    """Feeds that keep few jobs, so that readers reach the bound, the sooner the slower the pace."""
    kept, pace_before_s = change_feed.JOBS_KEPT_MAX, change_feed.PACE_S
    change_feed.JOBS_KEPT_MAX, change_feed.PACE_S = FEED_JOBS_KEPT, pace_s
    try:
        yield
    finally:
        change_feed.JOBS_KEPT_MAX, change_feed.PACE_S = kept, pace_before_s


def first_leaf(error: BaseException) -> BaseException:
    """The first error of a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

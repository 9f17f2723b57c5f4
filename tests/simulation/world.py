"""The Trio-free world: one root seed, one heap of events, and everybody who takes part in a queue.

The machines of the core are driven as the shells of `osqueue/broker` drive them, and the real rules
of the client (`osqueue/client/calls.py`, `route.py`) decide what is repeated; the store and the
network are made up here, and so are all clocks. Nothing sleeps: an hour costs as much as what
happens in it.

A world runs in two acts. While faults strike, everything may fail. Then they stop: everything must
settle, and the checkers (which only observe) look at the whole history.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any
from zlib import crc32

from tests.simulation.cast.actors import Operator, Producer, WorkerProcess
from tests.simulation.cast.brokers import BrokerProcess, Site
from tests.simulation.cast.processes import Machine, Process
from tests.simulation.checkers.observer import Observer
from tests.simulation.faulty_store import FaultyStore
from tests.simulation.hand import edit_job, reformat, remove_job
from tests.simulation.network import Network
from tests.simulation.plan import Coverage, Plan, make_plan

__all__ = ["World", "make_plan"]

_BROKER_NAMES = "ABC"


class World:
    """One seed at play."""

    def __init__(self, plan: Plan, *, coverage: Coverage | None = None) -> None:
        self.plan = plan
        self.random = random_module.Random(plan.seed)
        self.now = 0
        self.step = 0
        """Counts what has happened: finer than the time."""
        self.trace = 0
        self.is_calm = False
        """Faults have stopped."""
        self.is_closing = False
        """Workers take no more jobs."""
        self.log: list[str] | None = None
        self.coverage = coverage or Coverage()
        self._heap: list[tuple[int, int, Process | None, Callable[..., None], tuple[Any, ...]]] = []
        self._tie = 0
        self.observer = Observer(self)
        self.store = FaultyStore(self)
        self.network = Network(self)
        self.sites = [
            Site(self, f"10.0.0.{index + 1}:8080", Machine(self.random), name)
            for index, name in enumerate(_BROKER_NAMES[: plan.brokers])
        ]
        self.producers: list[Producer] = []
        self.workers: list[WorkerProcess] = []
        self.operator: Operator | None = None

    # Time.

    def at(
        self, time: int, process: Process | None, action: Callable[..., None], *arguments: Any
    ) -> None:
        """Do something then, unless the process has ended by then; later where it is paused."""
        self._tie += 1
        heappush(self._heap, (max(time, self.now), self._tie, process, action, arguments))

    def after(
        self, delay_ms: float, process: Process | None, action: Callable[..., None], *arguments: Any
    ) -> None:
        """Do something after a while; see `at`."""
        self.at(self.now + int(delay_ms), process, action, *arguments)

    def strikes(self, fault: str) -> bool:
        """Whether a fault of this kind strikes now."""
        if self.is_calm:
            return False
        share = self.plan.faults.get(fault)
        if share is None or self.random.random() >= share:
            return False
        self.count_fault(fault)
        return True

    def count_fault(self, fault: str) -> None:
        """A fault has struck."""
        self.coverage.faults[fault] += 1
        self.note(f"fault: {fault}")

    def note(self, text: str) -> None:
        """Write a line into the log of a replay."""
        if self.log is not None:
            self.log.append(f"{self.now:>7} {text}")

    # The play.

    def play(self) -> None:
        """Play to the end, with everything watched.

        Raises:
            Violation: a checker has found something.
        """
        with self.observer.watching():
            self.run()

    def run(self) -> None:
        """Play to the end.

        Raises:
            Violation: a checker has found something.
        """
        self.start()
        self.run_until(self.plan.faults_ms)
        self.calm_down()
        deadline = self.now + self.plan.calm_ms
        settled_ms = 0
        # What was sent before the faults stopped may still arrive.
        while self.now < deadline and settled_ms < self.plan.timeout_ms:
            self.run_until(self.now + 1_000)
            settled_ms = settled_ms + 1_000 if self.observer.is_settled() else 0
        self.is_closing = True
        observer = self.observer
        while self.now < deadline and not (observer.is_silent() and observer.is_settled()):
            self.run_until(self.now + 1_000)
        self.coverage.seeds += 1
        self.coverage.simulated_ms += self.now
        self.observer.check_at_end()

    def start(self) -> None:
        """Everybody begins."""
        random, plan = self.random, self.plan
        for site in self.sites:
            self.after(random.randrange(300), None, site.start)
        self.producers = [Producer(self, f"producer{n}") for n in range(plan.producers)]
        self.workers = [WorkerProcess(self, f"worker{n}") for n in range(plan.workers)]
        self.operator = Operator(self, "operator")
        for name, a_minute in sorted(plan.faults.items()):
            if name in _MOMENTS:
                self._plan_moment(name, a_minute)

    def run_until(self, time: int) -> None:
        """Let everything happen that is due by then."""
        heap, first = self._heap, self.step
        trace = self.trace
        while heap and heap[0][0] <= time:
            self.now, tie, process, action, arguments = heappop(heap)
            if process is not None:
                if process.is_gone:
                    continue
                if process.is_paused:
                    process.deferred.append((action, arguments))
                    continue
            self.step += 1
            trace = crc32(b"%d %d" % (self.now, tie), trace)
            action(*arguments)
        self.now = max(self.now, time)
        self.trace = trace
        self.coverage.events += self.step - first

    def calm_down(self) -> None:
        """No more faults; what is broken is mended."""
        self.note("--- calm ---")
        self.is_calm = True
        self.store.mend()
        self.network.mend()
        for site in self.sites:
            site.mend()
        for actor in (*self.producers, *self.workers):
            actor.mend()
        assert self.operator is not None
        self.operator.mend()

    def fingerprint(self) -> tuple[int, int, int, float]:
        """What two runs of one seed must agree on: trace, clock, events, and the next draw."""
        return self.trace, self.now, self._tie, self.random.random()

    # Faults of a moment.

    def _plan_moment(self, fault: str, a_minute: float) -> None:
        self.after(self.random.expovariate(a_minute / 60_000), None, self._strike, fault, a_minute)

    def _strike(self, fault: str, a_minute: float) -> None:
        if self.is_calm:
            return
        _MOMENTS[fault](self)
        self._plan_moment(fault, a_minute)

    def _some_broker(self) -> BrokerProcess | None:
        running = [
            site.process
            for site in self.sites
            if site.process is not None and not site.process.is_paused
        ]
        # Mostly the leader: what happens to it matters.
        leading = [process for process in running if process.term is not None]
        if leading and self.random.random() < 0.7:
            return self.random.choice(leading)
        return self.random.choice(running) if running else None

    def _crash_broker(self) -> None:
        process = self._some_broker()
        if process is not None:
            self.count_fault("broker crashes")
            process.crash(is_silent=self.random.random() < 0.4)

    def _pause_broker(self) -> None:
        process = self._some_broker()
        if process is not None:
            self.count_fault("broker paused")
            process.pause(self.random.randint(20, self.plan.timeout_ms))

    def _suspend_broker(self) -> None:
        process = self._some_broker()
        if process is not None:
            self.count_fault("broker suspended for long")
            process.pause(int(self.plan.timeout_ms * self.random.uniform(1.0, 4.0)))

    def _drain_broker(self) -> None:
        process = self._some_broker()
        if process is not None:
            self.count_fault("broker drained")
            process.drain()

    def _crash_worker(self) -> None:
        self.count_fault("worker crashes")
        self.random.choice(self.workers).restart()

    def _pause_worker(self) -> None:
        self.count_fault("worker paused")
        self.random.choice(self.workers).pause(
            self.random.randint(100, int(self.plan.lease_ms * 1.5))
        )

    def _break_store(self) -> None:
        self.count_fault("store out for all")
        self.store.go_out(None, self._outage_ms())

    def _cut_off(self) -> None:
        self.count_fault("store out for one")
        self.store.go_out(self.random.choice(self.sites), self._outage_ms())

    def _outage_ms(self) -> int:
        return int(self.plan.timeout_ms * self.random.choice([0.1, 0.5, 1.2, 2.5]))

    def _jump_clock(self) -> None:
        self.count_fault("wall clock jumps")
        machine = self.random.choice(self.sites).machine
        machine.jump(self.random)
        self._set_right_soon(machine)

    def _leap_clock(self) -> None:
        process = self._some_broker()
        if process is not None:
            self.count_fault("wall clock leaps")
            process.machine.leap(self.random)
            self._set_right_soon(process.machine)

    def _set_right_soon(self, machine: Machine) -> None:
        """A store that tells the time lets nobody be elected by a wrong one: not for long, then."""
        if self.plan.has_store_clock or self.random.random() < 0.5:
            self.after(self.random.randint(500, 15_000), None, machine.set_right)

    def _edit_document(self) -> None:
        if self.store.edit(reformat):
            self.count_fault("document edited")

    def _edit_job(self) -> None:
        if self.store.edit(edit_job):
            self.count_fault("job edited by hand")

    def _remove_job(self) -> None:
        if self.store.edit(remove_job):
            self.count_fault("job removed by hand")

    def _restore_copy(self) -> None:
        if self.store.restore():
            self.count_fault("older copy restored")

    def _refuse_at_port(self) -> None:
        process = self._some_broker()
        if process is not None:
            self.count_fault("live port refuses")
            self.network.refuse(process.site.address, self._outage_ms())


_MOMENTS: dict[str, Callable[[World], None]] = {
    "broker crashes": World._crash_broker,
    "broker paused": World._pause_broker,
    "broker suspended for long": World._suspend_broker,
    "broker drained": World._drain_broker,
    "worker crashes": World._crash_worker,
    "worker paused": World._pause_worker,
    "store out for all": World._break_store,
    "store out for one": World._cut_off,
    "wall clock jumps": World._jump_clock,
    "wall clock leaps": World._leap_clock,
    "document edited": World._edit_document,
    "job edited by hand": World._edit_job,
    "job removed by hand": World._remove_job,
    "older copy restored": World._restore_copy,
    "live port refuses": World._refuse_at_port,
}

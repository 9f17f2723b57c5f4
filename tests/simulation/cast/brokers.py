"""A broker without Trio: the machines of the core, driven as `osqueue/broker` drives them.

It asks for the next effect, performs it against the simulated store, and reports what happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from osqueue.core.clocks.queue_time import QueueTime
from osqueue.core.document import HEAD_BYTES_MAX
from osqueue.core.election.leader_process import ProcessTraces
from osqueue.core.errors import NotLeader, QueueError, Unavailable
from osqueue.core.group_commit import Effect, GroupCommit
from osqueue.core.ids import make_broker_name
from osqueue.core.leadership import BrokerIdentity, Elected, ElectionEffect, Leadership
from osqueue.core.mutations import ClaimJobs, HeartbeatJobs, Mutation, RepeatKey, Request
from osqueue.core.outcomes import JobsClaimed
from osqueue.core.writes.effects import (
    LoadDocument,
    ProbeLeader,
    Settle,
    StepDown,
    WaitUntil,
    WriteDocument,
)
from osqueue.core.writes.terms import CommitIds
from osqueue.core.writes.tickets import Ticket
from osqueue.core.writes.write_pace import WritePace
from osqueue.core.writes.write_spacing import WriteSpacing
from storage_adapters.throttled import Throttle
from tests.simulation.cast.processes import EPOCH_MS, Machine, Process
from tests.simulation.network import SILENCE_MS, Answer, Connection, Frame, FrameCall
from tests.simulation.records import CallRecord

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["BrokerProcess", "SimulatedTicket", "Site"]


_PIDS = 3


class SimulatedTicket(Ticket):
    """A ticket that knows where its answers go."""

    __slots__ = ("arrived_ms", "arrived_step", "calls", "connection", "frame")

    def __init__(
        self,
        requests: Sequence[Request],
        calls: list[FrameCall],
        world: World,
        *,
        frame: Frame | None = None,
        connection: Connection | None = None,
    ) -> None:
        super().__init__(requests)
        self.calls = calls
        self.arrived_ms = world.now
        """Real time."""
        self.arrived_step = world.step
        self.frame = frame
        self.connection = connection
        """None: a probe."""


class Site:
    """A machine with an address, on which one broker process at a time runs."""

    def __init__(self, world: World, address: str, machine: Machine, name: str) -> None:
        self.world = world
        self.address = address
        self.machine = machine
        self.name = name
        self.boots = 0
        self.starts = 0
        """Counts the processes since the boot: their numbers, until they are used anew."""
        self.process: BrokerProcess | None = None

    def __repr__(self) -> str:
        return f"site {self.name}"

    @property
    def pid(self) -> int:
        """The number of the newest process: there are few, so that they are soon used again."""
        return 100 + self.starts % _PIDS

    @property
    def host(self) -> str:
        """The machine, where its broker is bound, and the newest process of it."""
        # A clone has the name and the boot id of the machine that it was made from.
        machine = self.world.sites[0] if self.is_clone else self
        boot_id = f"{machine.boots:08x}-0000-4000-8000-{ord(machine.name):012x}"
        place = f"{machine.name} {boot_id} net:[{ord(self.name)}] 0.0.0.0 8080"
        return f"{place} pid:[1] {self.pid} {self.starts}"

    @property
    def is_clone(self) -> bool:
        """Whether this machine is a copy of the first one."""
        return self.world.plan.has_clones and self.name != "A"

    def trace(self, pid: int) -> ProcessTraces:
        """What this machine's system tells of a process number."""
        process = self.process
        if process is None or pid != self.pid:
            return ProcessTraces(exists=self.world.strikes("process unreadable"))
        if self.world.strikes("process unreadable"):
            return ProcessTraces(exists=True)
        fields = ["S", *"0" * 18, str(self.starts), "0"]
        return ProcessTraces(exists=True, stat=f"{pid} (osqueue (b) x) {' '.join(fields)}")

    def start(self) -> None:
        """A new process, under a new name, at the same address."""
        if self.process is None:
            if not self.world.plan.has_store_clock:
                # Nothing else tells a new process the time: whoever starts it has looked at it.
                self.machine.leap_ms = 0
            self.world.network.silent_addresses.discard(self.address)
            self.starts += 1
            self.process = BrokerProcess(self.world, self)
            self.process.pump()

    def ended(self, process: BrokerProcess, *, is_silent: bool) -> None:
        """The process is gone; somebody starts another one soon."""
        assert self.process is process
        self.process = None
        if is_silent:
            # The machine is down: when it comes back it has booted anew.
            self.boots += 1
            self.starts = 0
            self.world.network.silent_addresses.add(self.address)
        random = self.world.random
        delay_ms = random.choice([30, 1_000, 4_000, 12_000])
        self.world.after(delay_ms, None, self.start)

    def mend(self) -> None:
        """Run, and with the right time."""
        self.machine.set_right()
        if self.process is None:
            self.start()
        elif self.process.is_clock_followed:
            self.process.go_on()
        else:
            # As the log advises, where no clock of a store confirms that the clock is right now.
            self.process.crash(is_silent=False)


class BrokerProcess(Process):
    """One process of a broker, from its start to its end."""

    def __init__(self, world: World, site: Site) -> None:
        super().__init__(world, site.machine)
        plan = world.plan
        self.site = site
        self.name = make_broker_name(self.random.getrandbits(64))
        self.label = f"{site.name}:{self.name[:4]}"
        self.is_draining = False
        self.term: GroupCommit | None = None
        self.connections: dict[Connection, None] = {}
        self._act: object | None = None
        self._wake: object | None = None
        self._is_pumping = False
        self._spins = 0
        self._pace = WritePace(
            heartbeat_interval_ms=plan.heartbeat_ms, broker_timeout_ms=plan.timeout_ms
        )
        self._throttle = Throttle(writes_per_minute=plan.writes_per_minute)
        self._spacing = WriteSpacing(
            interval_ms=plan.interval_ms, gap_ms=plan.gap_ms, budget=self._throttle
        )
        self._time = QueueTime()
        self._store_ahead_ms: int | None = None
        """The store's clock less the steady one, as its last answer told."""
        self._commit_ids = CommitIds(self.name)
        self._leadership = Leadership(
            BrokerIdentity(name=self.name, address=site.address, host=site.host),
            rules=plan.rules,
            pace=self._pace,
            commit_ids=self._commit_ids,
            random=self.random,
        )
        world.network.listeners[site.address] = self
        world.note(f"{self} starts")

    def __repr__(self) -> str:
        return f"broker {self.label}"

    def now_ms(self) -> int:
        """The queue's time, as `QueueClock` tells it."""
        wall_ms, steady_ms = super().now_ms(), self.steady_ms()
        now_ms = self._time.now_ms(wall_ms, steady_ms)
        if now_ms == wall_ms:
            return now_ms
        offset_ms = self._store_offset_ms()
        if self._time.confirm(wall_ms, steady_ms, store_offset_ms=offset_ms):
            self.world.coverage.transitions["wall clock confirmed"] += 1
            return wall_ms
        self.world.coverage.transitions["wall clock not followed"] += 1
        return now_ms

    @property
    def is_clock_followed(self) -> bool:
        """Whether the queue goes by the wall clock, which may have jumped."""
        return self.now_ms() == super().now_ms()

    def _store_offset_ms(self) -> int | None:
        ahead_ms = self._store_ahead_ms
        return None if ahead_ms is None else ahead_ms + self.steady_ms() - super().now_ms()

    def _note_store_clock(self) -> None:
        """The store has answered, with its `Date`."""
        if self.world.plan.has_store_clock:
            store_ms = EPOCH_MS + self.world.now + self.random.randint(-500, 500)
            self._store_ahead_ms = store_ms - self.steady_ms()

    @property
    def is_acting(self) -> bool:
        """Whether a call to the store, or a probe, is under way."""
        return self._act is not None

    # What happens to it.

    def crash(self, *, is_silent: bool) -> None:
        """Gone at once; `is_silent`: with its machine, so that its peers are not told."""
        self.world.note(f"{self} crashes{' with its machine' if is_silent else ''}")
        self._end(is_silent=is_silent)

    def pause(self, duration_ms: int) -> None:
        """Stand still; clients that wait for too long give their connections up."""
        super().pause(duration_ms)
        if duration_ms > SILENCE_MS:
            for connection in self.connections:
                self.world.after(SILENCE_MS, None, connection.fall_silent)

    def drain(self) -> None:
        """Stop in good order, as `Broker.drain` does."""
        self.world.note(f"{self} drains")
        self.is_draining = True
        if self.term is not None:
            if self.random.random() < 0.5:
                self._end_long_polls(self.term)
            self.term.drain()
            self.pump()
        else:
            self._end(is_silent=False)

    def _end_long_polls(self, term: GroupCommit) -> None:
        """As the dispatcher does: whoever waits is answered with nothing, and waits no more."""
        for connection in list(self.connections):
            for ticket in list(connection.tickets):
                assert isinstance(ticket, SimulatedTicket)
                [first, *_] = ticket.requests
                if not isinstance(first, ClaimJobs) or not first.wait_until_ms:
                    continue
                self.world.coverage.transitions["long poll ended by a drain"] += 1
                del connection.tickets[ticket]
                self.world.observer.abandoned(self, ticket)
                term.abandon(ticket)
                assert ticket.frame is not None
                connection.reply(ticket.frame, [Answer(ticket.calls[0], JobsClaimed([]))])

    def _end(self, *, is_silent: bool) -> None:
        if self.is_gone:
            return
        self.is_gone = True
        del self.world.network.listeners[self.site.address]
        for connection in list(self.connections):
            connection.broker_is_open = False
            connection.drop(is_silent=is_silent)
        self.site.ended(self, is_silent=is_silent)

    def connection_ended(self, connection: Connection) -> None:
        """Nobody reads the replies any more."""
        self.connections.pop(connection, None)
        for ticket in list(connection.tickets):
            assert isinstance(ticket, SimulatedTicket)
            if self.term is not None:
                self.world.observer.abandoned(self, ticket)
                self.term.abandon(ticket)

    # Requests.

    def receive(self, connection: Connection, frame: Frame) -> None:
        """A frame has arrived: one ticket for all calls but those that wait, as in dispatch."""
        prompt: list[FrameCall] = []
        requests: list[Request] = []
        waiting: list[tuple[FrameCall, Request]] = []
        for call in frame.calls:
            request = self._request(call, frame)
            if isinstance(request, ClaimJobs) and request.wait_until_ms:
                waiting.append((call, request))
            else:
                prompt.append(call)
                requests.append(request)
        world = self.world
        if prompt:
            ticket = SimulatedTicket(requests, prompt, world, frame=frame, connection=connection)
            self._submit(ticket)
        for call, request in waiting:
            ticket = SimulatedTicket([request], [call], world, frame=frame, connection=connection)
            self._submit(ticket)
        self.pump()

    def receive_probe(self, record: CallRecord) -> None:
        """A standby asks who is here: only a leader answers."""
        self._submit(SimulatedTicket([record.request], [FrameCall(0, record, None)], self.world))
        self.pump()

    def _request(self, call: FrameCall, frame: Frame) -> Request:
        request = call.record.request
        if isinstance(request, HeartbeatJobs):
            return msgspec.structs.replace(request, arrived_ms=self.steady_ms())
        if isinstance(request, ClaimJobs):
            wait_ms = call.record.wait_ms
            until_ms = self.steady_ms() + wait_ms if wait_ms else 0
            return msgspec.structs.replace(request, wait_until_ms=until_ms)
        if call.sequence is not None and isinstance(request, Mutation):
            repeat = RepeatKey(frame.client_id, call.sequence, frame.floor)
            return msgspec.structs.replace(request, repeat=repeat)
        return request

    def _submit(self, ticket: SimulatedTicket) -> None:
        """As `Broker.submit`."""
        refusal = self._refusal()
        if refusal is not None:
            ticket.outcomes = [refusal] * len(ticket.requests)
            self._send(ticket)
            return
        assert self.term is not None
        self.world.observer.arrived(self, ticket)
        if ticket.connection is not None:
            ticket.connection.tickets[ticket] = None
        self.term.enqueue(ticket)

    def _refusal(self) -> QueueError | None:
        if self.term is not None:
            return self.term.ending
        if self.is_draining:
            return Unavailable("this broker is stopping: nothing was applied")
        refusal = self._leadership.not_leader()
        assert refusal.broker_address != self.site.address, "it names itself"
        return refusal

    def _send(self, ticket: SimulatedTicket) -> None:
        if ticket.is_abandoned:
            return  # Its caller is gone.
        answers: list[Answer] = []
        for call, outcome in zip(ticket.calls, ticket.outcomes, strict=True):
            assert outcome is not None, "a settled ticket has every outcome"
            answers.append(Answer(call, outcome))
        self.world.observer.replied(self, ticket, answers)
        connection = ticket.connection
        if connection is None:
            on_told = ticket.calls[0].record.on_told
            assert on_told is not None
            on_told(answers[0].outcome)
            return
        connection.tickets.pop(ticket, None)
        if connection.broker_is_open:
            assert ticket.frame is not None
            connection.reply(ticket.frame, answers)

    # The loop of the shells.

    def pump(self) -> None:
        """Ask and act until there is something to wait for."""
        if self._is_pumping or self._act is not None:
            return
        self._is_pumping = True
        while not self.is_gone and self._act is None and self._step():
            pass
        self._is_pumping = False

    def _step(self) -> bool:
        """One effect. Returns whether to go on at once."""
        machine = self.term or self._leadership
        if self.term is None:
            self._leadership.clock_compared(self._store_offset_ms())
        effect = machine.next_effect(self.now_ms(), self.steady_ms())
        world = self.world
        world.coverage.transitions[type(effect).__name__] += 1
        if world.strikes("crash at a step"):
            # Before the act, or right after it: it is under way then, and its answer is not heard.
            if world.random.random() < 0.5:
                self._perform(effect)
            self.crash(is_silent=world.random.random() < 0.4)
            return False
        return self._perform(effect)

    def _perform(self, effect: Effect | ElectionEffect) -> bool:
        world = self.world
        self._spins = self._spins + 1 if isinstance(effect, WaitUntil) else 0
        match effect:
            case Settle():
                for ticket in effect.tickets:
                    assert isinstance(ticket, SimulatedTicket)
                    connection = ticket.connection
                    if connection is not None and world.strikes("client lost before its answer"):
                        # All is settled, and nothing of it is told.
                        connection.drop()
                        connection.end_broker()
                    self._send(ticket)
                return True
            case WriteDocument():
                self._write(effect)
            case LoadDocument():
                self._load(effect)
            case ProbeLeader():
                self._act = act = object()

                def probed(kind: str, name: str) -> None:
                    self._probed(act, effect.pid, kind, name)

                if effect.address is None:
                    world.after(0, self, probed, "not asked", "")
                else:
                    world.network.probe(self, effect.address, probed)
            case WaitUntil():
                self._wait(effect.steady_ms)
            case Elected():
                self._lead(effect)
                return True
            case StepDown():
                self._step_down(effect)
                return True
        return False

    def _write(self, effect: WriteDocument) -> None:
        self._act = act = object()
        self._throttle.write_begins(self.now_ms(), self.steady_ms())

        def done(kind: str, version: str | None = None) -> None:
            if self._act is act:
                self._act = None
                self._note_store_clock()
                self._written(kind, version)
                self.pump()

        def timed_out() -> None:
            if self._act is act:
                self._act = None
                machine = self.term or self._leadership
                machine.write_outcome_unknown(timed_out_ms=effect.timeout_ms)
                self.world.coverage.transitions["write timed out"] += 1
                self.pump()

        self.world.store.put(self, effect.chunks, effect.base_version, site=self.site, done=done)
        self.world.after(effect.timeout_ms, self, timed_out)

    def _written(self, kind: str, version: str | None) -> None:
        machine = self.term or self._leadership
        self.world.coverage.transitions[f"write {kind}"] += 1
        if kind == "succeeded":
            assert version is not None
            machine.write_succeeded(version, self.steady_ms())
        elif kind == "not applied":
            machine.write_not_applied(self.steady_ms())
        elif kind == "conflicted":
            machine.write_conflicted()
        else:
            machine.write_outcome_unknown()

    def _load(self, effect: LoadDocument) -> None:
        self._act = act = object()

        def done(kind: str, body: bytes = b"", version: str = "") -> None:
            if self._act is not act:
                return
            self._act = None
            machine = self.term or self._leadership
            self.world.coverage.transitions[f"read {kind}"] += 1
            if kind != "failed":
                self._note_store_clock()
            if kind == "loaded":
                self.world.observer.found(self, body)
                machine.document_loaded(body, version, self.steady_ms())
            elif kind == "unchanged":
                machine.document_unchanged(self.steady_ms())
            elif kind == "missing":
                machine.document_missing(self.steady_ms())
            else:
                machine.load_failed(self.steady_ms())
            self.pump()

        self.world.store.read(
            self,
            site=self.site,
            if_changed_from=effect.if_changed_from,
            head_bytes=HEAD_BYTES_MAX if effect.head_only else None,
            done=done,
        )
        self.world.after(self.world.plan.timeout_ms // 2, self, done, "failed")

    def _probed(self, act: object, pid: int | None, kind: str, name: str) -> None:
        if self._act is not act:
            return
        self._act = None
        if pid is not None:
            self._leadership.process_traced(self.site.trace(pid))
        if kind == "answered" and not name:
            kind = "answered by no leader"
        self.world.coverage.transitions[f"probe {kind}"] += 1
        if kind == "refused":
            self._leadership.leader_refused(self.steady_ms())
        elif kind == "answered":
            self._leadership.leader_answered(name)
        else:
            self._leadership.leader_silent()
        self.pump()

    def _wait(self, steady_ms: int | None) -> None:
        self._wake = wake = object()
        if steady_ms is None:
            return
        at = self.machine.time_of(steady_ms)
        self.world.observer.waits(self, at, spins=self._spins)

        def awake() -> None:
            if self._wake is wake:
                self.pump()

        self.world.at(max(at, self.world.now + 1), self, awake)

    def _lead(self, effect: Elected) -> None:
        self.world.note(f"{self} leads epoch {effect.term.header.epoch}: {effect.reason}")
        self.world.observer.elected(self, effect)
        self.term = GroupCommit(
            effect.term,
            rules=self.world.plan.rules,
            pace=self._pace,
            commit_ids=self._commit_ids,
            random=self.random,
            steady_ms=self.steady_ms(),
            spacing=self._spacing,
        )
        if self.is_draining:
            self.term.drain()

    def _step_down(self, effect: StepDown) -> None:
        self.world.note(f"{self} steps down: {effect.reason}")
        assert effect.error is None or isinstance(effect.error, NotLeader | Unavailable)
        self.world.coverage.transitions[f"step down: {effect.reason}"] += 1
        term, self.term = self.term, None
        assert term is not None
        self._leadership.term_ended(term.ended(), self.steady_ms())
        if self.is_draining:
            self._end(is_silent=False)

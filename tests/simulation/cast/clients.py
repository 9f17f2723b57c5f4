"""A client without Trio: the real rules of `osqueue/client`, on simulated connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from osqueue.client.calls import Call, Calls
from osqueue.client.route import BrokerUrl, Route
from osqueue.core.errors import NotLeader, OutcomeUnknown, QueueError
from osqueue.core.ids import make_client_id
from osqueue.core.mutations import ClaimJobs, CloseClient, HeartbeatJobs, Mutation, Request
from osqueue.core.outcomes import Outcome
from tests.simulation.cast.processes import Process
from tests.simulation.network import Answer, Connection, Frame, FrameCall
from tests.simulation.records import CallRecord

__all__ = ["SimulatedClient"]

_FRAME_BYTES_MAX = 8_388_608
_RETIRE_MS = 200
_TICK_MS = 250


class SimulatedClient:
    """One client object of a process."""

    def __init__(
        self, process: Process, name: str, *, timeout_ms: int, is_plain: bool = False
    ) -> None:
        """`is_plain`: like curl, it numbers nothing, and repeats nothing that may be applied."""
        world = process.world
        self.is_plain = is_plain
        self.world = world
        self.process = process
        self.name = name
        self.client_id = make_client_id(process.random.getrandbits(96))
        self.calls = Calls(self._settled, timeout_ms=timeout_ms, random=process.random)
        self._timeout_ms = timeout_ms
        urls = [BrokerUrl.parse(f"http://{site.address}") for site in world.sites]
        process.random.shuffle(urls)
        self._route = Route(urls, process.random)
        self._records: dict[int, tuple[Call, CallRecord]] = {}
        self._connection: Connection | None = None
        self._not_leader: NotLeader | None = None
        self._is_dialling = False
        self._is_flush_due = False
        self._is_alarm_set = False
        self._is_closed = False

    def now_ms(self) -> int:
        """The clock that decides about its calls: it runs while the machine is suspended."""
        return self.world.now

    def call(
        self,
        request: Request,
        on_told: Callable[[Outcome], None] | None = None,
        *,
        wait_ms: int = 0,
        is_numbered: bool | None = None,
    ) -> CallRecord:
        """Ask the queue; `on_told` is given what settles the call."""
        if is_numbered is None:
            unnumbered = ClaimJobs | HeartbeatJobs | CloseClient
            is_mutation = isinstance(request, Mutation) and not isinstance(request, unnumbered)
            is_numbered = is_mutation and not self.is_plain
        record = CallRecord(request, self.name, self.world.now)
        record.wait_ms = wait_ms
        record.is_numbered = is_numbered
        record.on_told = on_told
        self.world.observer.issued(record)
        call = self.calls.add(
            type(request).__name__,
            b"",
            now_ms=self.now_ms(),
            is_sequenced=is_numbered,
            wait_ms=wait_ms,
        )
        self._records[call.call_id] = (call, record)
        self._set_timer(call)
        self._ring()
        return record

    def abandon(
        self, record: CallRecord, on_orphaned: Callable[[Outcome], None] | None = None
    ) -> None:
        """The caller stops waiting; `on_orphaned` is given an ok that comes all the same."""
        for call, known in list(self._records.values()):
            if known is record and call.state != "settled":
                self.world.observer.given_up(record)
                call.on_orphaned = lambda outcome: self._orphaned(record, outcome, on_orphaned)
                self.calls.abandon(call)

    def _orphaned(
        self,
        record: CallRecord,
        outcome: Any,
        on_orphaned: Callable[[Outcome], None] | None,
    ) -> None:
        self.world.observer.told(record, outcome)
        if on_orphaned is not None:
            on_orphaned(outcome)

    @property
    def open_count(self) -> int:
        """Calls that are not settled."""
        return self.calls.open_count

    def say_goodbye(self) -> None:
        """As the session does: an entry can go where nothing of it may still be under way."""
        calls = self.calls
        if calls.has_mutated and not calls.has_open_mutations and not calls.has_loose_ends:
            self.call(CloseClient(client_id=self.client_id))

    def close(self) -> None:
        """Gone: with its process, or for good."""
        self._is_closed = True
        for _, record in self._records.values():
            self.world.observer.given_up(record)
        self._records.clear()
        if self._connection is not None:
            self._connection.close()

    # Sending.

    def _ring(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self.world.after(0, self.process, self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        if self._is_closed:
            return
        connection = self._connection
        if connection is None:
            if self.calls.has_queued:
                self._dial()
            return
        while self._not_leader is None:
            calls = self.calls.take_frame(
                now_ms=self.now_ms(),
                bytes_wanted=262_144,
                bytes_max=_FRAME_BYTES_MAX,
                requests_max=self.world.plan.frame_requests,
                with_waiting=True,
            )
            if not calls:
                return
            frame_calls: list[FrameCall] = []
            for call in calls:
                record = self._records[call.call_id][1]
                if record.possible_ms is None:
                    record.possible_ms = self.world.now
                frame_calls.append(FrameCall(call.call_id, record, call.sequence))
            connection.send(
                Frame(self.client_id, self.calls.floor, frame_calls, is_plain=self.is_plain)
            )

    def _dial(self) -> None:
        if self._is_dialling:
            return
        self._is_dialling = True
        self.world.after(self._route.wait_ms(self.now_ms()), self.process, self._dial_now)

    def _dial_now(self) -> None:
        broker = self._route.broker
        assert broker is not None
        self.world.network.dial(self, broker.address, self._connected, self._dial_failed)

    def _connected(self, connection: Connection) -> None:
        self._is_dialling = False
        if self._is_closed:
            connection.close()
            return
        if not connection.client_is_open:
            self._dial_failed("the connection ended")
            return
        self._connection = connection
        self._not_leader = None
        self._flush()

    def _dial_failed(self, reason: str) -> None:
        self._is_dialling = False
        self.calls.note_trouble(reason)
        self._route.failed(self.now_ms())
        self._flush()

    # Receiving.

    def receive(self, connection: Connection, answers: list[Answer]) -> None:
        """Replies have arrived."""
        if connection is not self._connection:
            return
        not_leader: NotLeader | None = None
        for (call_id, _, _), outcome in answers:
            if isinstance(outcome, QueueError):
                self._answered_error(call_id, outcome)
                if isinstance(outcome, NotLeader):
                    not_leader = outcome
            else:
                # The rules look at no result: the outcome itself takes the place of its encoding.
                self.calls.answered_ok(call_id, outcome)  # type: ignore[arg-type]
        if not_leader is None:
            self._route.served()
        elif self._not_leader is None:
            self._not_leader = not_leader
            self.world.after(_RETIRE_MS, self.process, self._retire, connection)
        if self._not_leader is not None and not self.calls.has_mutations_in_flight:
            self._retire(connection)
        self._keep_going()

    def _answered_error(self, call_id: int, error: QueueError) -> None:
        call, record = self._records.get(call_id, (None, None))
        if call is None or record is None or call.state != "in flight":
            return
        if not call.is_unanswered and not isinstance(error, OutcomeUnknown):
            # Every attempt so far was refused: nothing may be applied until the next one.
            record.possible_ms = None
        if self.is_plain and isinstance(error, OutcomeUnknown):
            self.abandon(record)
        self.calls.answered_error(call_id, error, now_ms=self.now_ms())

    def connection_ended(self, connection: Connection) -> None:
        """It broke, or the broker has closed it."""
        if connection is not self._connection:
            return
        self._leave(connection)
        self._route.failed(self.now_ms())
        self._keep_going()

    def _retire(self, connection: Connection) -> None:
        if connection is not self._connection or self._not_leader is None:
            return
        error = self._not_leader
        connection.close()
        self._leave(connection)
        self._route.refused(self.now_ms(), epoch=error.epoch, address=error.broker_address)
        self._keep_going()

    def _leave(self, connection: Connection) -> None:
        self._connection = None
        self._not_leader = None
        if self.is_plain:
            for call, record in list(self._records.values()):
                if call.state == "in flight":
                    self.abandon(record)
        self.calls.attempts_lost(reason="the connection ended")

    def _keep_going(self) -> None:
        if self.calls.has_queued:
            self._ring()
        due_ms = self.calls.next_delayed_ms()
        if due_ms is not None and not self._is_alarm_set:
            self._is_alarm_set = True
            self.world.at(int(due_ms) + 1, self.process, self._wake_delayed)

    def _wake_delayed(self) -> None:
        self._is_alarm_set = False
        if not self._is_closed and self.calls.wake_delayed(self.now_ms()):
            self._keep_going()

    def _set_timer(self, call: Call) -> None:
        left_ms = int(call.deadline_ms) - self.now_ms()
        due_ms = self.awake_ms() + left_ms
        self.world.after(left_ms, self.process, self._expire, call, due_ms)

    def awake_ms(self) -> int:
        """Trio's clock, which stands still while the machine is suspended."""
        return self.world.now - self.process.paused_ms

    def _expire(self, call: Call, due_ms: int) -> None:
        if call.state == "settled" or self._is_closed:
            return
        rest_ms = due_ms - self.awake_ms()
        if rest_ms > 0:
            # A wait goes on for its rest after a suspension; the session looks every tick.
            self.world.after(min(rest_ms, _TICK_MS), self.process, self._expire, call, due_ms)
        self.calls.expire(self.now_ms())

    def _settled(self, call: Call) -> None:
        if call.call_id not in self._records:
            return
        _, record = self._records.pop(call.call_id)
        outcome = call.error if call.error is not None else call.result
        assert outcome is not None
        self.world.observer.told(record, outcome)  # type: ignore[arg-type]
        if record.on_told is not None:
            record.on_told(outcome)  # type: ignore[arg-type]

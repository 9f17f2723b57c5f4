"""Which calls are open, what goes into the next frame, what an answer means: all the decisions.

Rules of this file: no Trio, no clock, no sockets; times come in as ms of the steady clock. The
session asks what to send, a transport reports what happened, `on_settled` says whose wait is over.

Repeats. A mutation gets its sequence when it is first put into a frame and keeps it for all
attempts. The floor is the lowest sequence that is still waited for; every frame carries it, so the
broker may forget what lies below, and refuses it. Therefore a sequence stays waited for until it is
answered, or until it is certain that it will never be sent again. After an attempt that went
unanswered (or was answered OutcomeUnknown) a copy may still be applied at any moment: then only ok
settles the mutation, and a refusal becomes OutcomeUnknown for the caller. NotLeader and Unavailable
applied nothing and are repeated; so are reads, heartbeats and claims, which carry no sequence: a
claim is recognised by its claim id, and a long poll must not pin the floor.

Time. The broker forgets a client that it has not heard for fifteen minutes. So no mutation is sent
later than five minutes after its call, of a clock that runs while the machine is suspended: what is
over is settled by whoever takes it to send it, however late a timer is. The client's id lives on:
the floor lies above all that was given up by then, and keeps late copies of it out.
"""

from __future__ import annotations

import heapq
import random as random_module
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw

from osqueue.core.errors import (
    InvalidRequest,
    NotLeader,
    OutcomeUnknown,
    QueueError,
    Unavailable,
)
from osqueue.core.limits import APPLIED_SEQUENCES_MAX

__all__ = ["REQUEST_BYTES_EXTRA", "Call", "Calls"]

REQUEST_BYTES_EXTRA = 96
"""More than a request's own fields take around its params."""
_BACKOFF_MS_MIN = 50
_BACKOFF_MS_MAX = 2_000


class Call(msgspec.Struct, gc=False, eq=False):
    """One request, and who waits for its answer.

    Not known to the garbage collector: a settled call refers to nobody, and with thousands of them
    on their way its rounds would cost a third of a client's time.
    """

    call_id: int
    method: str
    params: bytes
    """Encoded in MessagePack."""
    deadline_ms: float
    is_sequenced: bool = False
    wait_ms: int = 0
    """A long poll, which must not hold up others: how long the broker may wait."""
    sequence: int | None = None
    state: Literal["queued", "in flight", "delayed", "settled"] = "queued"
    attempts: int = 0
    is_on_wire: bool = True
    """While in flight: its bytes may have reached a broker. Not so while a connection is made."""
    is_unanswered: bool = False
    """An attempt went unanswered, or was answered OutcomeUnknown."""
    is_abandoned: bool = False
    """Its caller was cancelled."""
    trouble: str = ""
    """Why the last attempt settled nothing; empty: there was none."""
    result: Raw | None = None
    error: QueueError | None = None
    waiter: Any = None
    """Of the session: the task to wake."""
    on_orphaned: Callable[[Raw], None] | None = None
    is_giving_back: bool = False
    """It hands back jobs that came to a cancelled claim."""
    """Called with an ok that comes after the caller was cancelled."""


class Calls:
    """The open calls of one client.

    Args:
        on_settled: called once for each call that has a result or an error.
        timeout_ms: how long a call is repeated.
        random: for the jitter of repeats.
    """

    def __init__(
        self, on_settled: Callable[[Call], None], *, timeout_ms: int, random: random_module.Random
    ) -> None:
        self._on_settled = on_settled
        self._timeout_ms = timeout_ms
        self._random = random
        self._open: dict[int, Call] = {}
        self._plain: deque[Call] = deque()
        self._sequenced: deque[Call] = deque()
        self._waiting: deque[Call] = deque()
        self._delayed: list[tuple[float, int]] = []
        self._waited_for: set[int] = set()
        self._next_sequence = 1
        self._floor = 1
        self._last_id = 0
        self.on_orphan_ended: Callable[[], None] = _nothing
        """Called when a call of a cancelled caller is open no longer."""
        self.has_loose_ends = False
        """An attempt of a mutation went unanswered: a copy may still be on its way."""

    @property
    def floor(self) -> int:
        """The lowest sequence that is still waited for; where none is, the next one."""
        floor = self._floor
        waited_for = self._waited_for
        while floor < self._next_sequence and floor not in waited_for:
            floor += 1
        self._floor = floor
        return floor

    @property
    def open_count(self) -> int:
        """Calls that are not settled, those of cancelled callers included."""
        return len(self._open)

    @property
    def has_queued(self) -> bool:
        """Whether something may be there to send."""
        return bool(self._plain or self._sequenced or self._waiting)

    @property
    def has_mutations_in_flight(self) -> bool:
        """Whether the answer to a mutation is under way."""
        return any(call.is_sequenced and call.state == "in flight" for call in self._open.values())

    @property
    def has_mutated(self) -> bool:
        """Whether any sequence was used."""
        return self._next_sequence > 1

    @property
    def has_open_mutations(self) -> bool:
        """Whether a mutation is still waited for."""
        return bool(self._waited_for or self._sequenced)

    @property
    def has_orphaned_claims(self) -> bool:
        """Whether jobs may still come that nobody waits for, or are being handed back."""
        return any(
            (call.is_abandoned and call.on_orphaned is not None) or call.is_giving_back
            for call in self._open.values()
        )

    def add(
        self,
        method: str,
        params: bytes,
        *,
        now_ms: float,
        is_sequenced: bool,
        wait_ms: int = 0,
        timeout_ms: int | None = None,
    ) -> Call:
        """Open a call; it goes into a coming frame."""
        self._last_id += 1
        budget_ms = self._timeout_ms if timeout_ms is None else timeout_ms
        call = Call(self._last_id, method, params, now_ms + budget_ms + wait_ms)
        self._open[call.call_id] = call
        if is_sequenced:
            call.is_sequenced = True
            self._sequenced.append(call)
        elif wait_ms > 0:
            call.wait_ms = wait_ms
            self._waiting.append(call)
        else:
            self._plain.append(call)
        return call

    def take_frame(
        self,
        *,
        now_ms: float,
        bytes_wanted: int,
        bytes_max: int,
        requests_max: int,
        with_waiting: bool,
    ) -> list[Call]:
        """What to send next, marked as in flight; empty: nothing for now.

        Args:
            now_ms: of the steady clock. Calls whose time is over are given up, not taken.
            bytes_wanted: stop once the frame has so many bytes.
            bytes_max: what the broker takes; a single call beyond it is refused here.
            requests_max: calls in one frame.
            with_waiting: long polls too.
        """
        frame: list[Call] = []
        queues = [self._plain, self._sequenced]
        if with_waiting:
            queues.insert(0, self._waiting)
        size = 0
        for queue in queues:
            while queue and size < bytes_wanted and len(frame) < requests_max:
                call = queue[0]
                if call.state != "queued":
                    queue.popleft()
                    continue
                if call.deadline_ms <= now_ms:
                    queue.popleft()
                    self._give_up(call)
                    continue
                call_bytes = len(call.params) + REQUEST_BYTES_EXTRA
                if call_bytes > bytes_max and not call.is_unanswered:
                    queue.popleft()
                    self._refuse_large(call, call_bytes, bytes_max)
                    continue
                if size and size + call_bytes > bytes_max:
                    return frame
                if call.is_sequenced and call.sequence is None and not self._number(call):
                    break
                queue.popleft()
                call.state = "in flight"
                call.attempts += 1
                size += call_bytes
                frame.append(call)
        return frame

    def take_waiting(self, *, now_ms: float) -> Call | None:
        """The next long poll, for a transport that sends each by itself; see `take_frame`."""
        while self._waiting:
            call = self._waiting.popleft()
            if call.state == "queued" and call.deadline_ms <= now_ms:
                self._give_up(call)
            elif call.state == "queued":
                call.state = "in flight"
                call.attempts += 1
                return call
        return None

    def _number(self, call: Call) -> bool:
        """Give the next sequence, where the window of the broker has room for it."""
        sequence = self._next_sequence
        if sequence >= self._floor + APPLIED_SEQUENCES_MAX and (
            sequence >= self.floor + APPLIED_SEQUENCES_MAX
        ):
            return False
        call.sequence = sequence
        self._waited_for.add(sequence)
        self._next_sequence = sequence + 1
        return True

    def _refuse_large(self, call: Call, call_bytes: int, bytes_max: int) -> None:
        self._settle_with_error(
            call,
            InvalidRequest(
                f"the request is too large: about {call_bytes} bytes, the broker takes {bytes_max}"
            ),
        )

    def answered_ok(self, call_id: int | None, result: Raw) -> None:
        """The broker answered ok: that settles a call whatever happened before."""
        call = self._open.get(call_id) if call_id is not None else None
        if call is not None and call.state == "in flight":
            call.result = result
            self._settle(call)

    def answered_error(self, call_id: int | None, error: QueueError, *, now_ms: float) -> None:
        """The broker answered with an error: repeat, or settle."""
        call = self._open.get(call_id) if call_id is not None else None
        if call is None or call.state != "in flight":
            return
        call.trouble = f"{type(error).__name__}: {error.message}"
        if isinstance(error, OutcomeUnknown):
            self._note_unanswered(call)
            self._delay(call, now_ms=now_ms, at_most_ms=_BACKOFF_MS_MAX)
        elif isinstance(error, NotLeader):
            self._requeue(call)
        elif isinstance(error, Unavailable):
            self._delay(call, now_ms=now_ms, at_most_ms=error.retry_after_ms)
        elif call.is_unanswered and call.is_sequenced:
            self._settle_with_error(call, _refused_after_unanswered(error))
        else:
            self._settle_with_error(call, error)

    def hold(self, calls: Iterable[Call]) -> None:
        """These calls, just taken, are in flight but not on the wire: `release` sends them."""
        for call in calls:
            call.is_on_wire = False

    def release(self, calls: Sequence[Call], *, now_ms: float) -> bool:
        """The first byte of these calls is about to be sent.

        Returns:
            False where it must not be: the wait for one of them is over, and its caller was told
            that nothing was sent. Then none of them is on the wire.
        """
        for call in calls:
            if call.state != "settled" and call.deadline_ms <= now_ms:
                self._give_up(call)
        if any(call.state == "settled" for call in calls):
            return False
        for call in calls:
            call.is_on_wire = True
        return True

    def attempts_lost(self, calls: Iterable[Call] | None = None, *, reason: str) -> None:
        """No answer will come to these attempts (None: to all in flight): send them again."""
        lost = list(self._open.values() if calls is None else calls)
        for call in reversed(lost):
            if call.state == "in flight":
                self._note_unanswered(call)
                call.trouble = reason
                self._requeue(call)

    def attempts_not_made(self, calls: Iterable[Call], *, reason: str) -> None:
        """These attempts surely reached nobody: send them again, as if for the first time."""
        for call in reversed(list(calls)):
            if call.state == "in flight":
                call.trouble = reason
                self._requeue(call)

    def abandon(self, call: Call) -> None:
        """The caller was cancelled: nobody waits any more.

        One on the wire stays open until it is answered, so that the floor does not pass a mutation
        which is being applied; one that would have to be sent (again) never is.
        """
        call.is_abandoned = True
        if call.state in ("queued", "delayed") or not call.is_on_wire:
            self._forget(call)

    def expire(self, now_ms: float) -> None:
        """Give up the calls whose time is over."""
        expired = [call for call in self._open.values() if call.deadline_ms <= now_ms]
        for call in expired:
            self._give_up(call)

    def _give_up(self, call: Call) -> None:
        if call.state == "in flight":
            self._note_unanswered(call)
            if call.is_on_wire:
                before = f"; before that, {call.trouble}" if call.trouble else ""
                call.trouble = f"no answer in time{before}"
        self._settle_with_error(call, _gave_up(call))

    def wake_delayed(self, now_ms: float) -> bool:
        """Queue the calls whose backoff is over; whether there were any."""
        is_any = False
        while self._delayed and self._delayed[0][0] <= now_ms:
            call = self._open.get(heapq.heappop(self._delayed)[1])
            if call is not None and call.state == "delayed":
                self._requeue(call)
                is_any = True
        return is_any

    def next_delayed_ms(self) -> float | None:
        """When the next backoff is over, of the steady clock; None: there is none."""
        return self._delayed[0][0] if self._delayed else None

    def refuse_queued(self, error: QueueError) -> None:
        """The broker refuses this client: that answers whatever waits to be sent."""
        for call in [call for call in self._open.values() if call.state == "queued"]:
            refused = call.is_unanswered and call.is_sequenced
            self._settle_with_error(call, _refused_after_unanswered(error) if refused else error)

    def note_trouble(self, reason: str) -> None:
        """No broker can be reached: what the calls that wait to be sent would say on giving up."""
        for call in self._open.values():
            if call.state == "queued":
                call.trouble = reason

    def close(self, reason: str) -> None:
        """The client ends: everything open is settled."""
        for call in list(self._open.values()):
            call.trouble = reason
            if call.state == "in flight":
                self._note_unanswered(call)
            self._settle_with_error(call, _gave_up(call))

    def _note_unanswered(self, call: Call) -> None:
        if not call.is_on_wire:
            return
        call.is_unanswered = True
        if call.is_sequenced:
            self.has_loose_ends = True

    def _requeue(self, call: Call) -> None:
        if call.is_abandoned:
            self._drop(call)
            return
        call.state = "queued"
        call.is_on_wire = True
        if call.is_sequenced:
            self._sequenced.appendleft(call)
        elif call.wait_ms:
            self._waiting.appendleft(call)
        else:
            self._plain.appendleft(call)

    def _delay(self, call: Call, *, now_ms: float, at_most_ms: int) -> None:
        if call.is_abandoned:
            self._drop(call)
            return
        longest_ms = min(_BACKOFF_MS_MIN * 2 ** min(call.attempts - 1, 10), _BACKOFF_MS_MAX)
        wait_ms = min(longest_ms, max(at_most_ms, _BACKOFF_MS_MIN))
        call.state = "delayed"
        call.is_on_wire = True
        due_ms = now_ms + wait_ms * (0.5 + self._random.random() / 2)
        heapq.heappush(self._delayed, (due_ms, call.call_id))

    def _settle_with_error(self, call: Call, error: QueueError) -> None:
        call.error = error
        self._settle(call)

    def _settle(self, call: Call) -> None:
        on_orphaned = call.on_orphaned
        self._forget(call)
        if not call.is_abandoned:
            self._on_settled(call)
            return
        if call.result is not None and on_orphaned is not None:
            on_orphaned(call.result)
        self.on_orphan_ended()

    def _drop(self, call: Call) -> None:
        """Nobody waits for it, and it would have to be sent again."""
        self._forget(call)
        self.on_orphan_ended()

    def _forget(self, call: Call) -> None:
        assert call.state != "settled"
        call.state = "settled"
        call.on_orphaned = None
        del self._open[call.call_id]
        if call.sequence is not None:
            self._waited_for.discard(call.sequence)


def _nothing() -> None:
    pass


def _refused_after_unanswered(error: QueueError) -> OutcomeUnknown:
    return OutcomeUnknown(
        "an earlier attempt went unanswered and may have been applied; its repeat was refused: "
        f"{type(error).__name__}: {error.message}"
    )


def _gave_up(call: Call) -> QueueError:
    trouble = call.trouble or "no broker was reached"
    if call.attempts:
        count = "1 attempt" if call.attempts == 1 else f"{call.attempts} attempts"
        tries = f"gave up after {count}, the last one: {trouble}"
    else:
        tries = f"gave up before a first attempt: {trouble}"
    if call.is_sequenced and call.is_unanswered:
        return OutcomeUnknown(f"{tries}; an attempt went unanswered and may have been applied")
    return Unavailable(tries)

"""One client at work: who waits for which call, when calls are given up, and the end of it all."""

from __future__ import annotations

import math
import random as random_module
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import trio

from osqueue.client.calls import Call, Calls
from osqueue.client.discovery import Discovery
from osqueue.client.route import BrokerUrl, Route
from osqueue.client.transports.bell import Bell
from osqueue.client.transports.traffic import Traffic, Transport
from osqueue.clocks import Clock
from osqueue.core.errors import QueueError
from osqueue.core.ids import make_client_id
from osqueue.core.limits import CLIENT_REPEAT_MS_MAX

__all__ = ["Session"]

TICK_S = 0.25
"""How late a call may be given up."""
GOODBYE_S = 1.0
"""For all that is said on closing."""

_encode = msgspec.msgpack.Encoder().encode
_EMPTY = _encode({})


class Session:
    """The calls of one client, and the transport that carries them.

    Args:
        brokers: whom to ask, in order.
        discovery: where to look for the leader when no broker is configured.
        transport: makes the kind of connection.
        timeout_ms: how long a call is repeated.
        clock: whose steady time says when that is over.
        random: for the client's id and for jitter.
    """

    def __init__(
        self,
        brokers: Sequence[BrokerUrl],
        *,
        discovery: Discovery | None,
        transport: Callable[[Traffic], Transport],
        timeout_ms: int,
        clock: Clock,
        random: random_module.Random,
    ) -> None:
        assert 0 < timeout_ms <= CLIENT_REPEAT_MS_MAX
        self._settled = Bell()
        self.calls = Calls(self._note_settled, timeout_ms=timeout_ms, random=random)
        self.traffic = Traffic(
            self.calls,
            Route(brokers, random),
            discovery,
            client_id=make_client_id(random.getrandbits(96)),
            clock=clock,
        )
        self._steady_ms = clock.steady_ms
        self._discovery = discovery
        self._transport = transport(self.traffic)
        self.has_events = self._transport.has_events
        self.waits = trio.Semaphore(max(self._transport.long_polls_max // 2, 1))
        """For calls that wait for a job's end: they leave room for claims."""
        self._is_closed = False
        self._is_leaving = False
        self._on_cancel = self._abandon

    @property
    def is_closed(self) -> bool:
        """Whether no more calls are taken; answers may still arrive."""
        return self._is_closed

    async def run(self) -> None:
        """Serve the calls, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._transport.run)
                nursery.start_soon(self._keep_time)
                nursery.start_soon(
                    self.traffic.subscriptions.run, self._subscribe, self._ask_leader
                )
        finally:
            if self._discovery is not None:
                with trio.CancelScope(shield=True):
                    await self._discovery.aclose()

    async def call(
        self,
        method: str,
        params: bytes,
        *,
        is_sequenced: bool,
        wait_ms: int = 0,
        on_orphaned: Callable[[msgspec.Raw], None] | None = None,
    ) -> msgspec.Raw:
        """Call a method, and wait for what settles it.

        Args:
            method: its name on the wire.
            params: encoded in MessagePack.
            is_sequenced: it is a mutation whose repeats must be recognised by their sequence.
            wait_ms: how long the broker may wait before it answers.
            on_orphaned: given the result of a call whose caller was cancelled.

        Raises:
            trio.ClosedResourceError: the client is closed.
            QueueError: the answer, or why there is none.

        Cancellation: the call is not sent if it was not yet; otherwise it may still be applied.
        """
        call = self.send(method, params, is_sequenced=is_sequenced, wait_ms=wait_ms)
        call.on_orphaned = on_orphaned
        call.waiter = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(partial(self._on_cancel, call))
        if call.result is None:
            assert call.error is not None
            raise call.error
        return call.result

    def send(self, method: str, params: bytes, *, is_sequenced: bool, wait_ms: int = 0) -> Call:
        """Call a method without waiting for its answer.

        Raises:
            trio.ClosedResourceError: the client is closed.
        """
        if self._is_closed:
            raise trio.ClosedResourceError("the client is closed")
        call = self.calls.add(
            method, params, now_ms=self._steady_ms(), is_sequenced=is_sequenced, wait_ms=wait_ms
        )
        self.traffic.outbox.ring()
        self.traffic.clock.ring()
        return call

    def _note_settled(self, call: Call) -> None:
        if call.waiter is not None:
            trio.lowlevel.reschedule(call.waiter)
            call.waiter = None
        if self._is_leaving:
            self._settled.ring()

    def _abandon(self, call: Call, _: object) -> trio.lowlevel.Abort:
        call.waiter = None
        self.calls.abandon(call)
        return trio.lowlevel.Abort.SUCCEEDED

    async def close(self) -> None:
        """Take no more calls, and end the connection politely, within a second."""
        with trio.move_on_after(GOODBYE_S, shield=True):
            await self._say_goodbye()
        self.stop()

    def stop(self) -> None:
        """Take no more calls; whoever still waits is told that the client was closed."""
        self._is_closed = True
        self.traffic.subscriptions.fail(trio.ClosedResourceError("the client is closed"))
        self.calls.close("the client was closed")

    async def _say_goodbye(self) -> None:
        calls = self.calls
        if not self.traffic.is_connected:
            return
        # Jobs that still come to claims which nobody waits for are handed back first.
        self._is_leaving = True
        calls.on_orphan_ended = self._settled.ring
        while calls.has_orphaned_claims:
            await self._settled.wait()
        if calls.has_mutated and not calls.has_open_mutations and not calls.has_loose_ends:
            try:
                await self.call("closeClient", _EMPTY, is_sequenced=False)
            except QueueError:
                return  # The broker forgets the client by itself, later.
        self._is_closed = True
        await self._transport.close()

    async def _subscribe(self, params: bytes) -> None:
        await self.call("subscribe", params, is_sequenced=False)

    async def _ask_leader(self) -> None:
        await self.call("getStats", _EMPTY, is_sequenced=False)

    async def _keep_time(self) -> None:
        calls, clock = self.calls, self.traffic.clock
        while True:
            next_delayed_ms = calls.next_delayed_ms()
            if next_delayed_ms is not None:
                await trio.sleep(min(max(next_delayed_ms - self._steady_ms(), 0) / 1_000, TICK_S))
            else:
                with trio.move_on_after(TICK_S if calls.open_count else math.inf):
                    await clock.wait()
            now_ms = self._steady_ms()
            calls.expire(now_ms)
            if calls.wake_delayed(now_ms):
                self.traffic.outbox.ring()

"""What the transports share: the traffic of one client, on its way to whoever leads."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import trio

from osqueue.client.calls import Calls
from osqueue.client.discovery import Discovery
from osqueue.client.events import Subscriptions
from osqueue.client.route import BrokerUrl, Route
from osqueue.client.transports.bell import Bell
from osqueue.client.transports.frames import Reply, error_of, result_of
from osqueue.clocks import Clock
from osqueue.core.errors import NotLeader, QueueError

__all__ = ["Traffic", "Transport", "describe_trouble"]

WAKE_SLICE = 160
"""Callers woken in one go: while they call again, the broker works on the ones before."""
RETIRE_S = 0.2
"""How long a connection to a broker that does not lead is kept for answers under way."""

_log = logging.getLogger("osqueue.client")


def describe_trouble(error: BaseException) -> str:
    """What went wrong with a connection, from the first error behind this one that says it."""
    cause: BaseException | None = error
    while cause is not None:
        text = str(cause)
        if text:
            return f"{type(cause).__name__}: {text}"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


class Transport(Protocol):
    """Carries frames to the broker and answers back, over one kind of connection."""

    long_polls_max: int
    """Calls that may wait at the broker at the same time; more would wait for each other here."""
    has_events: bool
    """Whether a broker can send events over it."""

    async def run(self) -> None:
        """Serve the traffic until cancelled, or until `close` is done."""
        ...

    async def close(self) -> None:
        """End the connection as its peer expects it; bounded in time by the caller."""
        ...


class Traffic:
    """One client's open calls, and the way to the leader."""

    def __init__(
        self,
        calls: Calls,
        route: Route,
        discovery: Discovery | None,
        *,
        client_id: str,
        clock: Clock,
    ) -> None:
        self.calls = calls
        self.route = route
        self.steady_ms = clock.steady_ms
        """Decides about every call and every try: it runs while the machine is suspended."""
        self.client_id = client_id
        self.outbox = Bell()
        """Rung when there is something to send."""
        self.clock = Bell()
        """Rung when there is a time to keep."""
        self.subscriptions = Subscriptions()
        self.is_connected = False
        """A broker took the connection; it may still say that it does not lead."""
        self._discovery = discovery

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """How brokers prove who they are: by the certificates that this machine trusts.

        SSL_CERT_FILE and SSL_CERT_DIR name others.
        """
        return ssl.create_default_context()

    async def next_broker(self) -> BrokerUrl:
        """Wait until it is time for another try, and say where."""
        while True:
            await trio.sleep(self.route.wait_ms(self.steady_ms()) / 1_000)
            if self._discovery is not None and self.route.broker is None:
                await self._look_into_store(self._discovery)
            broker = self.route.broker
            if broker is not None:
                return broker

    async def _look_into_store(self, discovery: Discovery) -> None:
        try:
            found = await discovery.find()
        except QueueError as error:
            self.route.failed(self.steady_ms())
            self.calls.refuse_queued(error)
            return
        if isinstance(found, str):
            self.route.failed(self.steady_ms())
            self.calls.note_trouble(found)
        else:
            self.route.found(epoch=found[0], address=found[1])

    async def deliver(self, replies: Sequence[Reply]) -> NotLeader | None:
        """Settle what the replies answer, hand out the events; returns the NotLeader among them.

        Raises:
            msgspec.DecodeError: an event is not what it says.
        """
        calls = self.calls
        not_leader: NotLeader | None = None
        for start in range(0, len(replies), WAKE_SLICE):
            if start:
                # A turn for those who were woken to call again, and one for the writer whom they
                # rang: their frame leaves before the next ones take their time.
                await trio.lowlevel.checkpoint()
                await trio.lowlevel.checkpoint()
            for reply in replies[start : start + WAKE_SLICE]:
                if reply.ok:
                    calls.answered_ok(reply.id, result_of(reply))
                elif reply.event:
                    self.subscriptions.take(reply.event, reply.data, missed=reply.missed)
                else:
                    error = error_of(reply)
                    self._answered_error(reply.id, error)
                    if isinstance(error, NotLeader):
                        not_leader = error
        if not_leader is None:
            self.route.served()
        if calls.has_queued:
            self.outbox.ring()
        if calls.next_delayed_ms() is not None:
            self.clock.ring()
        return not_leader

    def _answered_error(self, call_id: int | None, error: QueueError) -> None:
        if call_id is None:
            _log.error("the broker could not read a frame: %s", error.message)
        else:
            self.calls.answered_error(call_id, error, now_ms=self.steady_ms())

    def refused(self, error: NotLeader) -> None:
        """The broker does not lead: the next try goes elsewhere."""
        _log.debug("not the leader; epoch %d leads %r", error.epoch, error.broker_address)
        self.route.refused(self.steady_ms(), epoch=error.epoch, address=error.broker_address)

    def failed(self, broker: BrokerUrl, reason: str) -> None:
        """The broker could not be reached, or the connection to it ended."""
        _log.debug("no connection to %s: %s", broker.address, reason)
        self.is_connected = False
        self.calls.note_trouble(f"{broker.address}: {reason}")
        self.route.failed(self.steady_ms())

"""The WebSocket front end as raw ASGI: one connection, many calls in flight.

Three kinds of tasks serve a connection. The reader is always there, until after the close: an
application that stops receiving blocks in its own `send`. Each ticket has a task, so that a long
poll holds up nobody. One writer sends, frame by frame.

Memory is bounded by not reading on: while too much is in flight, or while replies wait for a
client that does not read, the reader pauses, and TCP tells the client. Replies are encoded when
there is room for them; when none is made for `write_deadline_ms`, the connection ends (1013).
"""

from __future__ import annotations

from collections import deque

import trio
from msgspec import Raw

from osqueue.core.errors import Forbidden, QueueError, QueueFull, Unavailable
from osqueue.core.mutations import ClaimJobs
from osqueue.protocol.codec import (
    Encoding,
    decode_frame,
    encode_event,
    encode_message,
    encode_replies,
    null_id,
)
from osqueue.protocol.error_codes import error_to_wire
from osqueue.protocol.messages import WireEvent
from osqueue.server.dispatch import Call, Caller, Dispatcher, Reply, Ticket, refuse
from osqueue.server.events import stream_events
from osqueue.server.http.asgi import Receive, Scope, Send, read_head
from osqueue.server.http.guarded_websocket import CLOSE_TOO_BIG, CLOSE_TOO_SLOW
from osqueue.server.http.intake import HOLDING, Holding
from osqueue.server.http.origins import OriginGuard
from osqueue.server.http.statuses import HttpRefusal, status_of

__all__ = ["CLOSE_RESTARTING", "WebSocketFrontEnd"]

CLOSE_RESTARTING = 1012
TICKETS_MAX = 256
"""Frames of one connection at the broker at the same time."""
WAITING_CLAIMS_MAX = 1_000
"""Long polls of one connection at the same time."""
REASON_BYTES_MAX = 120
"""RFC 6455, section 5.5: a close frame has room for 123 bytes."""
CLOSE_WAIT_MS = 2_000
"""How long a client may take to answer a close."""


class WebSocketFrontEnd:
    """Accepts connections, and can close them all."""

    def __init__(self, dispatcher: Dispatcher, origins: OriginGuard) -> None:
        self.dispatcher = dispatcher
        self.origins = origins
        self._connections: set[Connection] = set()

    @property
    def connection_count(self) -> int:
        """Connections that are open."""
        return len(self._connections)

    def close_all(self, reason: str) -> None:
        """Close every connection with 1012, each as soon as its calls in flight are answered."""
        for connection in self._connections:
            connection.begin_close(CLOSE_RESTARTING, reason)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until it is closed.

        Cancellation: calls in flight are abandoned, as the dispatcher says.
        """
        await receive()
        try:
            head = read_head(scope)
            self.origins.check_host(head)
            self.origins.check_origin(head)
            if self.dispatcher.is_draining:
                raise Unavailable("The broker is stopping")
        except (Forbidden, Unavailable) as error:
            await reject(send, HttpRefusal(status_of(error), error))
            return
        await send({"type": "websocket.accept"})
        connection = Connection(self.dispatcher, receive, send, scope[HOLDING])
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)


async def reject(send: Send, refusal: HttpRefusal) -> None:
    """Answer a handshake with an error instead of a connection."""
    body = encode_message(error_to_wire(refusal.error), Encoding.JSON)
    headers = [
        (b"content-type", Encoding.JSON.value.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send(
        {"type": "websocket.http.response.start", "status": refusal.status, "headers": headers}
    )
    await send({"type": "websocket.http.response.body", "body": body})


class Connection:
    """One WebSocket connection."""

    def __init__(
        self, dispatcher: Dispatcher, receive: Receive, send: Send, holding: Holding
    ) -> None:
        self.dispatcher = dispatcher
        self.limits = dispatcher.limits
        self._holding = holding
        self.caller = Caller(is_websocket=True)
        self._receive = receive
        self._send = send
        self._close: tuple[int, str] | None = None
        self._is_abrupt = False
        self._outbound: deque[tuple[Encoding, bytes]] = deque()
        self._outbound_bytes = 0
        self._frames_sent = 0
        self._inbound_bytes = 0
        self._tickets = 0
        self._waiting_claims = 0
        self._changed = trio.Event()
        self._streamed_events: frozenset[str] = self.caller.events
        self._event_encoding = Encoding.JSON
        self._event_scope = trio.CancelScope()
        self._has_subscribed = trio.Event()

    def begin_close(self, code: int, reason: str) -> None:
        """Read no further requests, answer those in flight, and close; the first reason counts."""
        if self._close is None:
            self._close = (code, reason)
            self._notify()

    def close_now(self, code: int, reason: str) -> None:
        """Close without answering what is in flight."""
        self._close = (code, reason)
        self._is_abrupt = True
        self._outbound.clear()
        self._outbound_bytes = 0
        self._notify()

    async def run(self) -> None:
        """Serve until the client leaves or the connection is closed."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            nursery.start_soon(self._stream_events)
            await self._read(nursery)
            # The client is gone: nobody is left to answer.
            nursery.cancel_scope.cancel()

    def _notify(self) -> None:
        """Wake whoever waits for room, for work, or for the end."""
        self._changed.set()
        self._changed = trio.Event()

    async def _read(self, nursery: trio.Nursery) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            text: str | None = message.get("text")
            encoding = Encoding.MSGPACK if text is None else Encoding.JSON
            body: bytes = (message.get("bytes") or b"") if text is None else text.encode()
            if self._close is None:
                self._take_frame(nursery, body, encoding)
            # What is still needed of it is held by its tickets.
            self._holding.release(len(body))
            await self._wait_for_capacity()

    def _take_frame(self, nursery: trio.Nursery, body: bytes, encoding: Encoding) -> None:
        if len(body) > self.limits.frame_bytes_max:
            self.close_now(CLOSE_TOO_BIG, "frame_bytes_max is exceeded")
            return
        is_array = False
        try:
            frame = decode_frame(body, encoding, self.limits)
            is_array = frame.is_array
            tickets = self.dispatcher.read(frame, self.caller)
        except QueueError as error:
            tickets = [answered_ticket(null_id(encoding), error, encoding)]
        for ticket in tickets:
            if ticket.is_waiting and self._waiting_claims >= WAITING_CLAIMS_MAX:
                error = QueueFull(f"waitMs: {WAITING_CLAIMS_MAX} claims of this connection wait")
                ticket = answered_ticket(ticket.calls[0].id, error, encoding)
            frame_bytes = len(body)
            if ticket.is_waiting:
                # Long polls do not count as in flight: they would pause the reader for a minute.
                self._waiting_claims += 1
                frame_bytes = waiting_bytes(ticket)
            else:
                self._tickets += 1
                self._inbound_bytes += frame_bytes
            self._holding.hold(frame_bytes)
            nursery.start_soon(self._serve, ticket, is_array, frame_bytes)

    async def _wait_for_capacity(self) -> None:
        """Pause the reader while too much of this connection is in flight."""
        while self._close is None and (
            self._tickets >= TICKETS_MAX
            or self._inbound_bytes > self.limits.frame_bytes_max
            or self._outbound_bytes > self.limits.frame_bytes_max
        ):
            if self._outbound_bytes > self.limits.frame_bytes_max:
                # With a deadline: a writer whose client has left can wait for this very reader.
                await self._has_room()
            else:
                await self._changed.wait()

    async def _serve(self, ticket: Ticket, is_array: bool, frame_bytes: int) -> None:
        """Carry one ticket to the broker, and its replies to the writer."""
        try:
            replies = await self.dispatcher.answer(ticket)
            if await self._has_room():
                self._queue_replies(replies, is_array, ticket.encoding)
                if self.caller.events is not self._streamed_events:
                    self._begin_events(ticket.encoding)
        finally:
            self._holding.release(frame_bytes)
            if ticket.is_waiting:
                self._waiting_claims -= 1
            else:
                self._tickets -= 1
                self._inbound_bytes -= frame_bytes
            self._notify()

    async def _has_room(self) -> bool:
        """Wait until the client has read what was sent before; False: it will not be answered."""
        while self._outbound_bytes > self.limits.frame_bytes_max:
            frames_sent = self._frames_sent
            with trio.move_on_after(self.dispatcher.settings.write_deadline_ms / 1_000) as deadline:
                while self._frames_sent == frames_sent and not self._is_abrupt:
                    await self._changed.wait()
            if deadline.cancelled_caught:
                self.close_now(CLOSE_TOO_SLOW, "replies were not read within write_deadline_ms")
        return not self._is_abrupt

    def _queue_replies(self, replies: list[Reply], is_array: bool, encoding: Encoding) -> None:
        bytes_max = self.limits.frame_bytes_max
        for body in encode_replies(
            replies, is_array=is_array, encoding=encoding, bytes_max=bytes_max
        ):
            self._outbound.append((encoding, body))
            self._outbound_bytes += len(body)

    def _begin_events(self, encoding: Encoding) -> None:
        """The reply to `subscribe` is on its way: events may follow, in its encoding."""
        self._streamed_events = self.caller.events
        self._event_encoding = encoding
        self._event_scope.cancel()
        self._has_subscribed.set()

    async def _stream_events(self) -> None:
        """Send what was subscribed to last; a new subscription replaces the one before."""
        while True:
            await self._has_subscribed.wait()
            self._has_subscribed = trio.Event()
            with trio.CancelScope() as self._event_scope:
                await stream_events(self.dispatcher, self._streamed_events, self._send_event)

    async def _send_event(self, event: WireEvent) -> None:
        if self._close is None and await self._has_room():
            body = encode_event(event, self._event_encoding)
            self._outbound.append((self._event_encoding, body))
            self._outbound_bytes += len(body)
            self._notify()

    async def _write(self, scope: trio.CancelScope) -> None:
        """Send frames in order; at the end the close, when all in flight is answered."""
        while not self._is_abrupt:
            if self._outbound:
                encoding, body = self._outbound.popleft()
                await self._send_frame(encoding, body)
                self._outbound_bytes = max(0, self._outbound_bytes - len(body))
                self._frames_sent += 1
                self._notify()
            elif self._close is not None and not self._tickets and not self._waiting_claims:
                break
            else:
                await self._changed.wait()
        assert self._close is not None, "only a close ends the writer"
        code, reason = self._close
        await self._send({"type": "websocket.close", "code": code, "reason": short(reason)})
        # The reader ends the connection when the client answers; one that does not is left behind.
        await trio.sleep(CLOSE_WAIT_MS / 1_000)
        scope.cancel()

    async def _send_frame(self, encoding: Encoding, body: bytes) -> None:
        if encoding is Encoding.JSON:
            await self._send({"type": "websocket.send", "text": body.decode()})
        else:
            await self._send({"type": "websocket.send", "bytes": body})
        # When the client has left, Hypercorn's send returns at once and lets nobody else run.
        await trio.lowlevel.checkpoint()


def answered_ticket(call_id: Raw, error: QueueError, encoding: Encoding) -> Ticket:
    """A ticket that needs no broker: a refusal, which takes the road of all replies."""
    return Ticket([Call(call_id, "", None, refuse(call_id, error))], encoding)


def waiting_bytes(ticket: Ticket) -> int:
    """About what a call that waits keeps of its frame."""
    request = ticket.calls[0].request
    return sum(map(len, request.types or ())) if isinstance(request, ClaimJobs) else 0


def short(reason: str) -> str:
    """What fits into a close frame, cut between characters."""
    return reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")

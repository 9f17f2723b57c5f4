"""Hypercorn's HTTP/1.1 and WebSocket, with the ways closed by which one connection harms others.

Hypercorn 0.18 lets any error raised while it parses leave the connection's task, which ends the
process; its writes cannot be cancelled, so that a client which stops reading holds up a shutdown
for ever; a WebSocket message over the limit goes on growing, and one that never ends is kept for
ever; compressed messages are inflated without a bound; and HTTP/2, with faults of its own, is
spoken to whoever asks. The subclasses here and in `http/guarded_websocket.py` know that code
closely: tests/server/test_hypercorn_guard_hostile_inputs.py sends what was fatal, for each new
version.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.logging import Logger
from hypercorn.protocol.events import Request
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.trio import task_group as hypercorn_tasks
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ASGIReceiveEvent, ASGISendEvent, ConnectionState
from hypercorn.typing import Scope as HypercornScope

from osqueue.server.http.guarded_websocket import CLOSE_TOO_SLOW, GuardedWebSocket
from osqueue.server.http.intake import HOLDING, Holding, Intake

__all__ = ["GuardedTCPServer", "StructuredLogger", "serve_connection"]

log = structlog.get_logger(__name__)

WRITE_SLICE_BYTES = 65_536
"""A client must take so much within each write deadline, or it is gone."""
QUEUED_BYTES_MAX = 65_536
"""An application that does not receive is put no more before than what goes beyond this."""


handle_app: Any = hypercorn_tasks._handle  # pyright: ignore
"""Runs an application to its end, and logs what it raises."""
DISCONNECTS = ("http.disconnect", "websocket.disconnect")
AppSend = Callable[[ASGISendEvent | None], Awaitable[None]]
HeadEvent = Any
"""h11's Request event; h11 is Hypercorn's dependency, not ours."""


class UnacceptableHead(Exception):
    """A request's head that Hypercorn would stumble over, or that nobody waits for any more."""


class StructuredLogger(Logger):
    """Hypercorn's log, as events of structlog."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.error_logger = None

    async def access(self, request: object, response: object, request_time: float) -> None:
        """Requests are counted, not logged: Hypercorn would copy the environment for each."""

    async def exception(self, message: str, *args: object, **kwargs: object) -> None:
        """A request's handler has failed; only that request, or WebSocket, ends with it."""
        log.exception(message % args if args else message)


async def serve_connection(
    app: ASGIWrapper,
    config: Config,
    context: WorkerContext,
    stream: trio.SocketStream,
    *,
    write_deadline_ms: int,
    intake: Intake,
) -> None:
    """Serve one connection to its end; what goes wrong in it ends nothing else.

    This is the one place that catches every Exception: whatever a peer's bytes make Hypercorn, h11
    or wsproto raise must not leave this task, since the nursery around it holds all connections.
    """
    holding = Holding(intake)
    try:
        await GuardedTCPServer(app, config, context, stream, write_deadline_ms, holding).run()
    except* Exception as errors:
        log.warning("connection_failed", exc_info=errors)
    finally:
        holding.close()


class GuardedTCPServer(TCPServer):
    """One connection without TLS, HTTP/1.1 only, whose writes have a deadline."""

    protocol: Any
    is_read_to_end = False

    def __init__(
        self,
        app: ASGIWrapper,
        config: Config,
        context: WorkerContext,
        stream: trio.SocketStream,
        write_deadline_ms: int,
        holding: Holding,
    ) -> None:
        super().__init__(app, config, context, {}, stream)  # type: ignore[arg-type]
        self.write_deadline_s = write_deadline_ms / 1_000
        self.holding = holding
        self._reading = trio.CancelScope()

    async def run(self) -> None:
        """Serve until either side closes."""
        socket = self.stream.socket
        try:
            # Of an IPv6 address only host and port.
            client, server = socket.getpeername()[:2], socket.getsockname()[:2]
            async with GuardedTaskGroup(self.holding) as task_group:
                self._task_group = task_group
                self.protocol = GuardedProtocol(
                    self.app,
                    self.config,
                    self.context,
                    task_group,
                    ConnectionState({}),
                    False,
                    client,
                    server,
                    self.protocol_send,
                    holding=self.holding,
                )
                await self.idle_task.restart(task_group, self._idle_timeout)  # pyright: ignore
                await self._read_data()
                # Hypercorn would leave its timer, and so the connection, for the whole timeout.
                self.is_read_to_end = True
                await self.idle_task.stop()
        except OSError:
            # The peer was gone before its address could be read.
            pass
        finally:
            await self._close()

    async def _read_data(self) -> None:
        """Hypercorn's loop, which also hears that a WebSocket message has stalled."""
        with self._reading:
            while True:
                data = None
                try:
                    with trio.move_on_at(self.protocol.message_stalls_at_s):
                        data = await self.stream.receive_some(MAX_RECV)
                except (trio.ClosedResourceError, trio.BrokenResourceError):
                    break
                if data is None:
                    await self.protocol.message_stalled()
                    continue
                await self.protocol.handle(RawData(bytes(data)))
                if not data:
                    break
        await self.protocol.handle(Closed())

    async def protocol_send(self, event: Event) -> None:
        """Send bytes within the deadline, or close the connection.

        Cancellation: closes the connection, because half a message may have been sent.
        """
        if not isinstance(event, RawData):
            if not (isinstance(event, Updated) and self.is_read_to_end):
                await super().protocol_send(event)
            return
        async with self.send_lock:
            try:
                await self._send_in_slices(event.data)
            # Busy by the `send_eof` of a close under way, which asks for no lock.
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
                self.protocol.is_cut = True
                await self.protocol.handle(Closed())
                # It may be waiting for the answer to be sent before it reads the next request.
                self._reading.cancel()

    async def _send_in_slices(self, data: bytes) -> None:
        view = memoryview(data)
        is_sent = False
        try:
            for start in range(0, len(view), WRITE_SLICE_BYTES):
                with trio.fail_after(self.write_deadline_s):
                    await self.stream.send_all(view[start : start + WRITE_SLICE_BYTES])
            is_sent = True
        except trio.TooSlowError:
            log.info("client_stopped_reading", deadline_s=self.write_deadline_s)
            raise trio.BrokenResourceError from None
        finally:
            if not is_sent:
                await trio.aclose_forcefully(self.stream)


class EventQueue:
    """What arrives for an application: bounded, but the end of the connection always has room.

    Hypercorn's own queue of ten blocks who puts while it is full: the connection's reader and even
    the application in its last `send`, for ever, once nobody receives any more.
    """

    def __init__(self, events_max: int) -> None:
        self.events_max = events_max
        self._bytes = 0
        self._events: deque[ASGIReceiveEvent] = deque()
        self._is_over = False
        self._changed = trio.Event()

    async def put(self, event: ASGIReceiveEvent) -> None:
        """Wait for room, and add an event; those for an application that has ended are dropped."""
        if event["type"] not in DISCONNECTS:
            while self._is_full and not self._is_over:
                await self._changed.wait()
        if not self._is_over:
            self._events.append(event)
            self._bytes += event_bytes(event)
            self._notify()

    async def receive(self) -> ASGIReceiveEvent:
        """The next event."""
        await trio.lowlevel.checkpoint()
        while not self._events:
            await self._changed.wait()
        event = self._events.popleft()
        self._bytes -= event_bytes(event)
        self._notify()
        return event

    def end(self) -> None:
        """Nobody receives any more."""
        self._is_over = True
        self._events.clear()
        self._notify()

    @property
    def _is_full(self) -> bool:
        return len(self._events) >= self.events_max or self._bytes >= QUEUED_BYTES_MAX

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def event_bytes(event: ASGIReceiveEvent) -> int:
    """What an event holds of what the peer has sent."""
    fields: dict[str, Any] = {**event}
    return len(fields.get("body") or fields.get("bytes") or fields.get("text") or b"")


class GuardedTaskGroup(TaskGroup):
    """Runs applications, and lets nobody wait for one that has ended."""

    def __init__(self, holding: Holding) -> None:
        super().__init__()
        self.holding = holding

    async def spawn_app(
        self, app: AppWrapper, config: Config, scope: HypercornScope, send: AppSend
    ) -> Callable[[ASGIReceiveEvent], Awaitable[None]]:
        """Start an application, and return what puts events before it."""
        cast("dict[str, Any]", scope)[HOLDING] = self.holding
        queue = EventQueue(config.max_app_queue_size)

        async def run_app(*arguments: Any) -> None:  # noqa: ANN401
            try:
                await app(*arguments)
            finally:
                queue.end()

        assert self._nursery is not None, "entered"
        self._nursery.start_soon(
            handle_app,
            run_app,
            config,
            scope,
            queue.receive,
            send,
            trio.to_thread.run_sync,
            trio.from_thread.run,
        )
        return queue.put


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 that is never upgraded to HTTP/2, and refuses heads that would break its parsers."""

    is_refused = False
    is_cut = False
    """Nothing can be sent any more: requests that wait behind the one being answered are dropped,
    which a client that never reads could otherwise queue up by the thousand."""

    def __init__(self, *arguments: Any, holding: Holding) -> None:  # noqa: ANN401
        super().__init__(*arguments)
        self.holding = holding

    @property
    def message_stalls_at_s(self) -> float:
        """When a WebSocket message on its way has stalled; a body has a reader who sees to it."""
        is_websocket = isinstance(self.stream, GuardedWebSocket)
        return self.holding.stalls_at_s if is_websocket else math.inf

    async def message_stalled(self) -> None:
        """A WebSocket message has not arrived in time."""
        assert isinstance(self.stream, GuardedWebSocket), "nothing else stalls here"
        intake = self.holding.intake
        await self.stream.refuse(
            CLOSE_TOO_SLOW,
            f"a message must arrive within {intake.deadline_s:g} s,"
            f" some of it every {intake.stall_s:g} s",
        )

    async def handle(self, event: Event) -> None:
        """Take bytes, or the end of the connection."""
        if self.is_refused:
            return
        try:
            await super().handle(event)
        except UnacceptableHead:
            self.is_refused = True
            if not self.is_cut:
                await self._send_error_response(400)
            await self.send(Closed())

    async def _maybe_recycle(self) -> None:
        """Get ready for the next request, or close.

        Runs within the application's last `send`, and tells it that the client is gone; Quart then
        cancels itself, which must not leave the connection half-way.
        """
        with trio.CancelScope(shield=True):
            await super()._maybe_recycle()

    async def _check_protocol(self, event: HeadEvent) -> None:
        """Refuse HTTP/2; an offer to upgrade to it is ignored, as RFC 9110 allows."""
        if self.is_cut or event.http_version not in (b"1.0", b"1.1") or not event.target.isascii():
            raise UnacceptableHead
        if is_websocket(event) and not all(value.isascii() for _, value in event.headers):
            raise UnacceptableHead

    async def _create_stream(self, request: HeadEvent) -> None:
        if not is_websocket(request):
            await super()._create_stream(request)
            return
        self.stream = GuardedWebSocket(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
            holding=self.holding,
        )
        assert not isinstance(self.connection, H11WSConnection), "an upgrade comes once"
        self.connection = H11WSConnection(self.connection)
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                # Without the offer of compression: inflated messages have no bound.
                headers=[
                    (name, value)
                    for name, value in request.headers
                    if name.lower() != b"sec-websocket-extensions"
                ],
                http_version=request.http_version.decode(),
                method="GET",
                raw_path=request.target,
                state=self.connection_state,
            )
        )


def is_websocket(request: HeadEvent) -> bool:
    """Whether a request asks to become a WebSocket, judged as Hypercorn judges it."""
    headers = {name.lower(): value.strip().lower() for name, value in request.headers}
    tokens = [token.strip() for token in headers.get(b"connection", b"").split(b",")]
    return (
        b"upgrade" in tokens
        and headers.get(b"upgrade") == b"websocket"
        and request.method.upper() == b"GET"
    )

"""One WebSocket, many calls: a writer gathers what was called while a frame was on its way.

A cancelled send would corrupt the connection silently, so nothing cancels one and goes on: whatever
takes too long ends the connection, whose stream is then closed forcefully. The reader always
drains: otherwise pings go unanswered.
"""

from __future__ import annotations

from typing import cast

import msgspec
import trio
from trio_websocket import (
    ConnectionClosed,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

from osqueue.client.route import BrokerUrl
from osqueue.client.transports.frames import decode_frame, encode_frame, error_of, result_of
from osqueue.client.transports.traffic import RETIRE_S, Traffic, describe_trouble
from osqueue.core.errors import (
    BrokerProtocolError,
    Forbidden,
    InvalidRequest,
    NotLeader,
    QueueError,
    Unauthorized,
)
from osqueue.core.limits import Limits
from osqueue.protocol.messages import PROTOCOL_VERSION
from osqueue.protocol.params import HelloParams
from osqueue.protocol.results import HelloResult

__all__ = ["WebSocketTransport"]

CONNECT_S = 2.0
"""For the connection, and once more for the greeting."""
SILENCE_S = 5.0
"""After so long without a byte the broker is asked for a pong; as long again, and it is gone."""
FRAME_BYTES_WANTED = 262_144
"""Larger frames cost more per byte; the next calls go into the next frame."""
FRAME_REQUESTS_MAX = 1_000
RECEIVE_BYTES = 65_536
MESSAGE_BYTES_MAX = 67_108_864
MESSAGE_QUEUE_SIZE = 64

_HELLO_ID = 0
_DISCONNECTED = (ConnectionClosed, HandshakeError, OSError, trio.BrokenResourceError)


class WebSocketTransport:
    """Keeps one WebSocket to the leader, for as long as it runs."""

    long_polls_max = 500
    has_events = True

    def __init__(self, traffic: Traffic, *, silence_s: float = SILENCE_S) -> None:
        self._traffic = traffic
        self._silence_s = silence_s
        self._connection: _Connection | None = None
        self._is_closing = False

    async def run(self) -> None:
        """Connect, serve, and connect again, until cancelled or closed."""
        while not self._is_closing:
            broker = await self._traffic.next_broker()
            connection = _Connection(self._traffic, broker, self._silence_s)
            self._connection = connection
            try:
                await connection.serve()
            finally:
                self._connection = None
                self._traffic.is_connected = False
                self._traffic.calls.attempts_lost(reason=f"{broker.address}: {connection.ended}")
            if connection.refusal is not None:
                self._traffic.calls.refuse_queued(connection.refusal)
            if connection.not_leader is not None:
                self._traffic.refused(connection.not_leader)
            elif not self._is_closing:
                self._traffic.failed(broker, connection.ended)

    async def close(self) -> None:
        """Say goodbye to the broker; no further connection is made."""
        self._is_closing = True
        if self._connection is not None:
            await self._connection.close()


class _Connection:
    """One WebSocket, from connecting to its end, whatever ends it."""

    def __init__(self, traffic: Traffic, broker: BrokerUrl, silence_s: float) -> None:
        self.ended = "closed"
        """Why."""
        self.not_leader: NotLeader | None = None
        """The broker's answer, if it does not lead."""
        self.refusal: QueueError | None = None
        """The broker's answer, if it will not talk to this client at all."""
        self._traffic = traffic
        self._broker = broker
        self._silence_s = silence_s
        self._limits = Limits()
        self._scope = trio.CancelScope()
        self._is_closing = False
        self._websocket: WebSocketConnection | None = None

    async def serve(self) -> None:
        """Returns when the connection has ended; raises nothing but Cancelled."""
        with self._scope:
            try:
                with trio.fail_after(CONNECT_S):
                    stream = await self._open_stream()
            except (OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
                self.ended = _reason(error)
                return
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._watch, stream, nursery)
                    await self._talk(stream, nursery)
                    nursery.cancel_scope.cancel()
            except* HandshakeError as rejections:
                self.ended = f"it took no WebSocket: {rejections.exceptions[0]!r}"
            finally:
                await trio.aclose_forcefully(stream)

    async def _open_stream(self) -> _WatchedStream:
        host, port = self._broker.host, self._broker.port
        if not self._broker.is_tls:
            return _WatchedStream(await trio.open_tcp_stream(host, port))
        stream = await trio.open_ssl_over_tcp_stream(
            host, port, ssl_context=self._traffic.tls, https_compatible=True
        )
        try:
            await stream.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return _WatchedStream(stream)

    async def close(self) -> None:
        """Close the WebSocket politely; the end of its stream then ends the rest."""
        self._is_closing = True
        if self._websocket is not None:
            await self._websocket.aclose()

    def _end(self, reason: str) -> None:
        self.ended = reason
        self._scope.cancel()

    async def _talk(self, stream: _WatchedStream, nursery: trio.Nursery) -> None:
        try:
            with trio.fail_after(CONNECT_S):
                websocket = await wrap_client_stream(
                    nursery,
                    cast("trio.SocketStream", stream),
                    self._broker.address,
                    self._broker.websocket_path,
                    receive_buffer_size=RECEIVE_BYTES,
                    message_queue_size=MESSAGE_QUEUE_SIZE,
                    max_message_size=MESSAGE_BYTES_MAX,
                )
                await self._greet(websocket)
            self._websocket = websocket
            self._traffic.is_connected = True
            self._traffic.subscriptions.connected()
            nursery.start_soon(self._write, websocket)
            await self._read(websocket, nursery)
        except trio.TooSlowError:
            self._end("it did not answer the greeting in time")
        except NotLeader as error:
            self.not_leader = error
            self._end("it does not lead")
        except (Unauthorized, Forbidden, InvalidRequest, BrokerProtocolError) as error:
            self.refusal = error
            self._end(f"it refused the greeting: {error.message}")
        except QueueError as error:
            self._end(f"it refused the greeting: {error.message}")
        except msgspec.DecodeError as error:
            self._end(f"it does not speak this protocol: {error}")
        except _DISCONNECTED as error:
            if self._is_closing:
                await stream.ended.wait()
            self._end(_reason(error))

    async def _greet(self, websocket: WebSocketConnection) -> None:
        params = msgspec.msgpack.encode(
            HelloParams(client_id=self._traffic.client_id, protocol=PROTOCOL_VERSION)
        )
        hello = {"id": _HELLO_ID, "method": "hello", "params": msgspec.Raw(params)}
        await websocket.send_message(msgspec.msgpack.encode(hello))
        for reply in decode_frame(_binary(await websocket.get_message())):
            if not reply.ok:
                raise error_of(reply)
            result = msgspec.msgpack.decode(result_of(reply), type=HelloResult)
            self._limits = Limits(
                frame_bytes_max=result.limits.get("frameBytesMax", Limits().frame_bytes_max),
                frame_requests_max=result.limits.get("frameRequestsMax", FRAME_REQUESTS_MAX),
            )

    async def _write(self, websocket: WebSocketConnection) -> None:
        calls, outbox = self._traffic.calls, self._traffic.outbox
        bytes_max = self._limits.frame_bytes_max
        requests_max = min(self._limits.frame_requests_max, FRAME_REQUESTS_MAX)
        try:
            while self.not_leader is None:
                frame = calls.take_frame(
                    now_ms=self._traffic.steady_ms(),
                    bytes_wanted=min(FRAME_BYTES_WANTED, bytes_max),
                    bytes_max=bytes_max,
                    requests_max=requests_max,
                    with_waiting=True,
                )
                if frame:
                    await websocket.send_message(encode_frame(frame, floor=calls.floor))
                else:
                    await outbox.wait()
        except _DISCONNECTED as error:
            self._end(_reason(error))

    async def _read(self, websocket: WebSocketConnection, nursery: trio.Nursery) -> None:
        while True:
            replies = decode_frame(_binary(await websocket.get_message()))
            not_leader = await self._traffic.deliver(replies)
            if not_leader is not None and self.not_leader is None:
                self.not_leader = not_leader
                nursery.start_soon(self._retire)
            if self.not_leader is not None and not self._traffic.calls.has_mutations_in_flight:
                self._end("it does not lead")

    async def _retire(self) -> None:
        """Leave the broker, but let answers arrive that are on their way."""
        await trio.sleep(RETIRE_S)
        self._end("it does not lead")

    async def _watch(self, stream: _WatchedStream, nursery: trio.Nursery) -> None:
        """End a connection whose peer has gone, or has gone silent."""
        while not stream.is_ended:
            heard_at = stream.heard_at
            with trio.move_on_after(self._silence_s):
                await stream.ended.wait()
            if self._websocket is not None and stream.heard_at == heard_at:
                # The ping is never cancelled by itself: half of it may have been sent.
                nursery.start_soon(self._ping, self._websocket)
                with trio.move_on_after(self._silence_s):
                    await stream.ended.wait()
                # A pong may be waiting to be read, if this whole program was busy or stopped.
                await trio.sleep(RETIRE_S)
                if stream.heard_at == heard_at:
                    self._end(f"silent for {2 * self._silence_s:g} s")
        if self._websocket is None:
            self._end("the connection was closed before the greeting")

    async def _ping(self, websocket: WebSocketConnection) -> None:
        try:
            await websocket.ping()
        except _DISCONNECTED as error:
            self._end(_reason(error))


class _WatchedStream(trio.abc.HalfCloseableStream):
    """A stream that tells when its peer was last heard of, and that it has ended."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.heard_at = trio.current_time()
        self.ended = trio.Event()

    @property
    def is_ended(self) -> bool:
        return self.ended.is_set()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        raise NotImplementedError("WebSockets are closed by a frame")

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self._stream.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended.set()
            raise
        self.heard_at = trio.current_time()
        if not data:
            self.ended.set()
        return data

    async def aclose(self) -> None:
        self.ended.set()
        await self._stream.aclose()


def _binary(message: str | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.encode()


def _reason(error: BaseException) -> str:
    if isinstance(error, ConnectionClosed):
        reason = error.reason
        if reason is None:
            return "the connection was closed"
        code: object = getattr(reason.code, "value", reason.code)
        return f"the connection was closed: {code} {reason.reason or ''}".rstrip()
    if isinstance(error, trio.TooSlowError):
        return "no connection in time"
    return str(error) or describe_trouble(error)

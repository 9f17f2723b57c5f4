"""A proxy between a store and its bucket that spoils writes: plain sockets, requests unchanged.

What is signed stays valid, because the Host header goes through as it came.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import Enum

import trio

__all__ = ["Fault", "FaultProxy", "ask_bucket", "receive_message"]

_LATE_S = 0.05
"""From when the client has hung up: it looks at once."""
_WRITES = (b"PUT ", b"POST ")


class Fault(Enum):
    """What happens to a write that is spoiled."""

    FAIL_BEFORE = "503, and nothing was stored"
    RESET_BEFORE = "the connection is reset, and nothing was stored"
    STORE_THEN_503 = "stored, and answered by 503"
    STORE_THEN_500 = "stored, and answered by 500"
    STORE_THEN_RESET = "stored, and the connection is reset"
    STORE_THEN_CUT = "stored, and the answer is cut in its middle"
    STORE_LATE = "not answered, and stored after the client has given up and looked"
    STORE_TWICE = "sent to the bucket twice, answered by the first answer"


class FaultProxy:
    """Forwards to the bucket at 127.0.0.1:`port`, and spoils some of the writes.

    After each spoiled one so many as are drawn go through, up to a bound: the number of spoiled
    writes does not depend on luck alone.
    """

    def __init__(self, port: int, fault: Fault, *, random: random.Random) -> None:
        self.url = ""
        self.spoiled_count = 0
        self._port = port
        self._fault = fault
        self._random = random
        # Each one that is late costs the client a timeout.
        self._spared_max = 150 if fault is Fault.STORE_LATE else 18
        self._spared_left = self._random.randint(0, 18)

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[FaultProxy]:
        """Listen while inside."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            listeners = await nursery.start(trio.serve_tcp, self._serve_connection, 0)
            self.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            yield self
            nursery.cancel_scope.cancel()

    async def _serve_connection(self, client: trio.SocketStream) -> None:
        try:
            async with client, await trio.open_tcp_stream("127.0.0.1", self._port) as bucket:
                while request := await receive_message(client):
                    if not await self._serve_request(request, client, bucket):
                        return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # The client has given up this connection, as clients do after a timeout.
            return

    async def _serve_request(
        self, request: bytes, client: trio.SocketStream, bucket: trio.SocketStream
    ) -> bool:
        """Whether the connection goes on."""
        if not request.startswith(_WRITES) or self._spared_left:
            self._spared_left -= request.startswith(_WRITES)
            await client.send_all(await ask_bucket(bucket, request))
            return True
        self._spared_left = self._random.randint(0, self._spared_max)
        self.spoiled_count += 1
        match self._fault:
            case Fault.FAIL_BEFORE:
                await client.send_all(_error(503))
            case Fault.RESET_BEFORE:
                _reset(client)
                return False
            case Fault.STORE_THEN_503 | Fault.STORE_THEN_500:
                await ask_bucket(bucket, request)
                await client.send_all(_error(503 if self._fault is Fault.STORE_THEN_503 else 500))
            case Fault.STORE_THEN_RESET:
                await ask_bucket(bucket, request)
                _reset(client)
                return False
            case Fault.STORE_THEN_CUT:
                answer = await ask_bucket(bucket, request)
                await client.send_all(answer[: answer.index(b"\r\n\r\n") // 2])
                return False
            case Fault.STORE_LATE:
                await client.receive_some()
                self._nursery.start_soon(self._store_late, request)
                return False
            case Fault.STORE_TWICE:
                answer = await ask_bucket(bucket, request)
                await ask_bucket(bucket, request)
                await client.send_all(answer)
        return True

    async def _store_late(self, request: bytes) -> None:
        await trio.sleep(_LATE_S)
        async with await trio.open_tcp_stream("127.0.0.1", self._port) as bucket:
            await ask_bucket(bucket, request)


def _error(status: int) -> bytes:
    return f"HTTP/1.1 {status} Spoiled\r\ncontent-length: 0\r\n\r\n".encode()


def _reset(stream: trio.SocketStream) -> None:
    # Closing without lingering sends a reset in place of a polite end.
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


async def ask_bucket(bucket: trio.SocketStream, request: bytes) -> bytes:
    """Send a request and receive its answer."""
    await bucket.send_all(request)
    return await receive_message(bucket)


async def receive_message(stream: trio.SocketStream) -> bytes:
    """One request or answer whole; empty where the peer has ended the connection.

    Both sides say their lengths, or send pieces that do, and neither sends ahead.
    """
    received = bytearray()
    while (end := received.find(b"\r\n\r\n")) < 0:
        more = await stream.receive_some()
        if not more:
            return b""
        received += more
    end += 4
    length = 0
    for line in bytes(received[:end]).lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
        elif line.startswith(b"transfer-encoding:"):
            return await _receive_pieces(stream, received, end)
    if received.startswith((b"HTTP/1.1 304", b"HTTP/1.1 204")):
        length = 0
    await _receive_until(stream, received, end + length)
    return bytes(received)


async def _receive_pieces(stream: trio.SocketStream, received: bytearray, at: int) -> bytes:
    """The rest of a message in pieces, each after its length in hexadecimal; the last one is 0."""
    while True:
        while (line_end := received.find(b"\r\n", at)) < 0:
            await _receive_until(stream, received, len(received) + 1)
        length = int(received[at:line_end], 16)
        at = line_end + 2 + length + 2
        await _receive_until(stream, received, at)
        if not length:
            return bytes(received)


async def _receive_until(stream: trio.SocketStream, received: bytearray, size: int) -> None:
    while len(received) < size:
        more = await stream.receive_some()
        if not more:
            raise trio.BrokenResourceError("the peer has ended within a message")
        received += more

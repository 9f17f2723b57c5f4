"""A server on a real socket that answers each request with the next line of its script."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import NamedTuple

import trio

__all__ = ["HANG_UP", "SILENCE", "ReceivedRequest", "ScriptedBucket", "answer"]

HANG_UP = b""
"""In a script: the connection ends without an answer."""
SILENCE = None
"""In a script: no answer, and the connection stays."""


class ReceivedRequest(NamedTuple):
    """What came over the wire."""

    line: str
    """Method, path and query."""
    headers: dict[str, str]
    body: bytes


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """One answer as it goes over the wire; underscores in names stand for hyphens."""
    lines = [f"HTTP/1.1 {status} Told"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if not {"content_length", "transfer_encoding", "connection"} & headers.keys():
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class ScriptedBucket:
    """Serves any number of connections; their requests share one script."""

    def __init__(self) -> None:
        self.script: deque[bytes | None] = deque()
        self.requests: list[ReceivedRequest] = []
        self.connections_count = 0
        self.url = ""
        self._arrivals = trio.lowlevel.ParkingLot()

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[ScriptedBucket]:
        """Listen while inside."""
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, self._serve_connection, 0)
            self.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            yield self
            nursery.cancel_scope.cancel()

    async def wait_for_requests(self, count: int) -> None:
        """Wait until so many have come."""
        while len(self.requests) < count:
            await self._arrivals.park()

    async def _serve_connection(self, stream: trio.SocketStream) -> None:
        self.connections_count += 1
        received = bytearray()
        try:
            async with stream:
                while await self._serve_request(stream, received):
                    pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # The client has left, as some tests want it to.
            return

    async def _serve_request(self, stream: trio.SocketStream, received: bytearray) -> bool:
        while b"\r\n\r\n" not in received:
            more = await stream.receive_some()
            if not more:
                return False
            received += more
        head, _, rest = bytes(received).partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        headers = {
            name.lower(): value for name, value in (field.split(": ", 1) for field in fields)
        }
        length = int(headers.get("content-length", 0))
        body = bytearray(rest)
        while len(body) < length:
            body += await stream.receive_some()
        del received[:]
        received += body[length:]
        self.requests.append(ReceivedRequest(line, headers, bytes(body[:length])))
        self._arrivals.unpark_all()
        reply = self.script.popleft()
        if reply is SILENCE:
            await trio.sleep_forever()
        await stream.send_all(reply)
        return _is_whole(reply)


def _is_whole(reply: bytes) -> bool:
    """Whether the connection can go on after it."""
    head, _, body = reply.partition(b"\r\n\r\n")
    return f"content-length: {len(body)}".encode() in head.split(b"\r\n")

"""A broker behind a server for the tests of the server, and raw clients that send exact bytes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import msgspec
import trio

from osqueue.broker.broker import Broker
from osqueue.broker.throttle import StoreThrottle
from osqueue.clocks import SystemClock
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from osqueue.settings import Settings, advertised_address
from storage_adapters.memory import MemoryStore

__all__ = ["Answer", "Served", "WebSocketClient", "make_frame", "read_to_end", "serve"]

TIMEOUT_S = 10
"""No test waits so long; one that would is a hang."""


@dataclass
class Answer:
    """An HTTP answer, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Served:
    """A broker that leads and is served."""

    broker: Broker
    server: Server
    settings: Settings
    store: MemoryStore

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.server.port)

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request as raw bytes on a connection of its own."""
        content = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        lines = [f"{method} {path} HTTP/1.1"]
        all_headers = {"Host": self.server.address, "Connection": "close"}
        if content or method == "POST":
            all_headers |= {
                "Content-Type": "application/json",
                "Content-Length": str(len(content)),
            }
        all_headers |= headers or {}
        lines += [f"{name}: {value}" for name, value in all_headers.items()]
        return await self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content)

    async def send(self, data: bytes) -> Answer:
        """Send raw bytes, and read the one answer until the server closes."""
        return parse_answer(await self.send_raw(data))

    async def send_raw(self, data: bytes) -> bytes:
        with trio.fail_after(TIMEOUT_S):
            stream = await self.connect()
            async with stream:
                await stream.send_all(data)
                return await read_to_end(stream)

    async def open_websocket(self, **headers: str) -> WebSocketClient:
        with trio.fail_after(TIMEOUT_S):
            client = WebSocketClient(await self.connect())
            await client.handshake(self.server.address, headers)
            return client

    async def is_honestly_served(self) -> bool:
        """Whether an honest client gets what it asks for, over HTTP and over a WebSocket."""
        submitted = await self.request("POST", "/v1/jobs", {"payload": {"n": 1}, "type": "honest"})
        claimed = await self.request(
            "POST", "/v1/jobs/claim", {"workerId": "honest", "types": ["honest"]}
        )
        job_id = claimed.json().get("jobId")
        client = await self.open_websocket()
        reply = await client.call("completeJob", {"workerId": "honest", "jobId": job_id})
        await client.aclose()
        return submitted.json().get("jobId") == job_id and reply["ok"]


async def serve(
    nursery: trio.Nursery,
    settings: Settings,
    seeded: random.Random,
    *,
    throttle: StoreThrottle | None = None,
    store: MemoryStore | None = None,
) -> Served:
    """Start a broker and its server in a nursery; returns when it leads and serves."""
    store = MemoryStore() if store is None else store
    address = advertised_address(settings, host_name="127.0.0.1", port=settings.broker_port or 1)
    broker = Broker(
        store,
        settings,
        BrokerIdentity(name=f"{seeded.getrandbits(64):016x}", address=address, host="test"),
        clock=SystemClock(),
        random=seeded,
        throttle=throttle,
    )
    server = Server(broker, settings, random=seeded)
    server.bind()
    await nursery.start(broker.run)
    await nursery.start(lambda task_status: server.run(task_status=task_status))
    return Served(broker, server, settings, store)


async def read_to_end(stream: trio.abc.ReceiveStream) -> bytes:
    received = bytearray()
    try:
        async for chunk in stream:
            received += chunk
    except trio.BrokenResourceError:
        pass
    return bytes(received)


def parse_answer(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").split("\r\n")
    assert status_line.startswith("HTTP/1.1 "), data[:200]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = dechunk(body)
    return Answer(int(status_line.split(" ")[1]), headers, body)


def dechunk(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        whole += rest[:length]
        body = rest[length + 2 :]
    return whole


class WebSocketClient:
    """Speaks WebSocket byte by byte (RFC 6455), so that a test can also speak it wrongly."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.buffer = bytearray()
        self.status = 0
        self.headers: dict[str, str] = {}
        self._next_id = 0

    async def handshake(self, host: str, headers: dict[str, str]) -> None:
        all_headers = {
            "Host": host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [
            "GET /v1/ws HTTP/1.1",
            *(f"{name}: {value}" for name, value in all_headers.items()),
        ]
        await self.stream.send_all("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += await self.stream.receive_some() or b"\r\n\r\n"
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        answer = parse_answer(head + b"\r\n\r\n")
        self.status, self.headers = answer.status, answer.headers
        self.buffer = bytearray(rest)

    async def send_frame(self, opcode: int, payload: bytes, *, is_final: bool = True) -> None:
        await self.stream.send_all(make_frame(opcode, payload, is_final=is_final))

    async def send_json(self, message: Any) -> None:
        await self.send_frame(0x1, msgspec.json.encode(message))

    async def send_msgpack(self, message: Any) -> None:
        await self.send_frame(0x2, msgspec.msgpack.encode(message))

    async def receive_frame(self) -> tuple[int, bytes]:
        """The next frame as (opcode, payload); (-1, b"") when the server has closed."""
        while (frame := self._take_frame()) is None:
            try:
                data = await self.stream.receive_some()
            except trio.BrokenResourceError:
                data = b""
            if not data:
                return -1, b""
            self.buffer += data
        return frame

    def _take_frame(self) -> tuple[int, bytes] | None:
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length >= 126:
            width = 2 if length == 126 else 8
            start += width
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return None
        frame = buffer[0] & 0x0F, bytes(buffer[start : start + length])
        del buffer[: start + length]
        return frame

    async def receive(self) -> Any:
        """The next message, decoded by its kind."""
        with trio.fail_after(TIMEOUT_S):
            opcode, payload = await self.receive_frame()
        assert opcode in (0x1, 0x2), (opcode, payload)
        return (msgspec.json if opcode == 0x1 else msgspec.msgpack).decode(payload)

    async def receive_close(self) -> tuple[int, str]:
        """Read until the server closes: its code and reason; (-1, "") without a close frame."""
        with trio.fail_after(TIMEOUT_S):
            while True:
                opcode, payload = await self.receive_frame()
                if opcode == 0x8:
                    return int.from_bytes(payload[:2], "big"), payload[2:].decode()
                if opcode == -1:
                    return -1, ""

    async def call(self, method: str, params: Any = None, **fields: Any) -> Any:
        """One request and its reply, in JSON."""
        self._next_id += 1
        await self.send_json({"id": self._next_id, "method": method, "params": params, **fields})
        reply = await self.receive()
        assert reply["id"] == self._next_id
        return reply

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self.stream)


def make_frame(
    opcode: int, payload: bytes, *, is_final: bool = True, is_masked: bool = True
) -> bytes:
    """One frame as a client sends it; the mask is zero, so that the payload stays readable."""
    head = bytearray([(0x80 if is_final else 0) | opcode])
    mask_bit = 0x80 if is_masked else 0
    if len(payload) < 126:
        head.append(mask_bit | len(payload))
    elif len(payload) < 65_536:
        head += bytes([mask_bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([mask_bit | 127]) + len(payload).to_bytes(8, "big")
    return bytes(head) + (bytes(4) if is_masked else b"") + payload

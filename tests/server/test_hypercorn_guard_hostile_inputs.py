"""Every input that ends, freezes or bloats a plain Hypercorn, on a real socket: one row each.

An honest client is served before each, while the hostile connection is open, and after it. None
of it is worth a line in the log, which whoever likes could fill otherwise.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import product

import msgspec
import pytest
import structlog
import trio

from osqueue.core.limits import Limits
from osqueue.settings import Settings
from tests.server.harness import Served, WebSocketClient, make_frame, read_to_end

Attack = Callable[[Served], Awaitable[None]]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
UPGRADE = (
    b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
FRAME_BYTES_MAX = 131_072
RECEIVED_BYTES_MAX = 4 * FRAME_BYTES_MAX
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes a close a reset."""


@pytest.fixture
def settings() -> Settings:
    """Small limits and deadlines, so that they are reached quickly."""
    limits = Limits(payload_bytes_max=16_384, frame_bytes_max=FRAME_BYTES_MAX)
    return Settings(
        broker_port=0,
        storage_backend="memory",
        write_deadline_ms=200,
        received_bytes_max=RECEIVED_BYTES_MAX,
        limits=limits,
    )


def h2_frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
    )


H2_SETTINGS = PREFACE + h2_frame(4, 0)
# HPACK: indexed fields of the static table, and literals without indexing.
H2_POST_CLAIM = b"\x83\x86\x04\x0e/v1/jobs/claim\x01\x09localhost"
H2_CONNECT = b"\x02\x07CONNECT\x01\x09localhost"
H2_PATH_NOT_ASCII = b"\x82\x86\x04\x02/\xff\x01\x09localhost"

RAW_INPUTS: dict[str, bytes] = {
    "websocket_connection_header_not_ascii": UPGRADE.replace(b": Upgrade", b": Upgrade, \xff")
    + b"\r\n",
    "websocket_extensions_header_not_ascii": UPGRADE + b"Sec-WebSocket-Extensions: \xff\r\n\r\n",
    "h2c_upgrade_with_bad_settings": b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n"
    b"Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: !\r\n\r\n",
    "h2_data_after_the_answer": H2_SETTINGS
    + h2_frame(1, 1, H2_POST_CLAIM, 4)
    + h2_frame(0, 1, bytes(16_000)) * 20,
    "h2_connect_without_path": H2_SETTINGS + h2_frame(1, 1, H2_CONNECT, 5),
    "h2_path_not_ascii": H2_SETTINGS + h2_frame(1, 1, H2_PATH_NOT_ASCII, 5),
    "h2_1200_priority_frames": H2_SETTINGS
    + b"".join(h2_frame(2, 2 * n + 1, bytes(4) + b"\x10") for n in range(1_200)),
    "h2_reset_flood": H2_SETTINGS
    + b"".join(
        h2_frame(1, 2 * n + 1, H2_POST_CLAIM, 5) + h2_frame(3, 2 * n + 1, bytes(4))
        for n in range(500)
    ),
    "bytes_behind_an_upgrade": UPGRADE + b"\r\n" + make_frame(1, b"{}") + b"\xff" * 100,
    "bytes_behind_an_upgrade_from_another_origin": UPGRADE
    + b"Origin: http://elsewhere\r\n\r\n"
    + make_frame(1, b"{}"),
    "bytes_behind_an_upgrade_at_another_path": UPGRADE.replace(b"/v1/ws", b"/ws")
    + b"\r\n"
    + make_frame(1, b"{}"),
    "websocket_data_before_the_upgrade_ends": UPGRADE + b"Content-Length: 5\r\n\r\nhello" * 2,
    "garbage": bytes(range(256)) * 300,
    "head_without_end": b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000,
    "request_after_connection_close": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    b"Connection: close\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3,
    "two_content_lengths": b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
    b"Content-Length: 3\r\n\r\n{}",
    "negative_content_length": b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Length: -1\r\n\r\n",
    "bad_chunk": b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n"
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "host_not_ascii": b"GET /healthz HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n",
    "path_not_utf8": b"GET /v1/jobs/%ff%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "body_of_a_deep_nest": b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000"
    b"\r\n\r\n" + b"[" * 100_000,
}
WEBSOCKET_INPUTS: dict[str, bytes] = {
    "data_after_the_close": make_frame(8, b"\x03\xe8") + make_frame(1, b"{}") * 20,
    "websocket_bad_opcode": make_frame(3, b"?"),
    "websocket_bad_utf8": make_frame(1, b"\xff\xfe"),
    "websocket_unmasked": make_frame(1, b"{}", is_masked=False),
    "websocket_fragmented_ping": make_frame(9, b"x", is_final=False),
    "websocket_length_of_2_to_the_63": b"\x82\xff\x7f" + b"\xff" * 7,
}
"""Sent once the WebSocket has been accepted."""


async def send_and_wait(served: Served, stream: trio.SocketStream, data: bytes) -> None:
    async with stream:
        try:
            await stream.send_all(data)
        except trio.BrokenResourceError:
            return
        assert await served.is_honestly_served()


async def flood_of_resets(served: Served) -> None:
    for data in (b"", b"GET / HTTP/1.1\r\n", UPGRADE + b"\r\n", RAW_INPUTS["bad_chunk"]):
        for _ in range(10):
            stream = await served.connect()
            await stream.send_all(data)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            await stream.aclose()
    assert await served.is_honestly_served()


HANDSHAKES = (UPGRADE + b"\r\n", UPGRADE + b"Origin: http://elsewhere\r\n\r\n")
STATS = make_frame(1, b'{"id":1,"method":"getStats"}')
HALF_WAYS = (b"", STATS[:5], STATS * 50, make_frame(3, b"?"), make_frame(8, b"\x03\xe8"))
"""What a WebSocket sends before it is cut: nothing, half a frame, calls, an error, its close."""


async def websockets_cut_half_way(served: Served) -> None:
    """At every step of the server between the handshake and the first answers, and many at once."""

    async def cut(head: bytes, data: bytes, steps_count: int, *, is_reset: bool) -> None:
        stream = await served.connect()
        try:
            await stream.send_all(head)
            for _ in range(steps_count):
                await trio.lowlevel.checkpoint()
            await stream.send_all(data)
        except trio.BrokenResourceError:
            pass
        if is_reset:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        await stream.aclose()

    for head, data in product(HANDSHAKES, HALF_WAYS):
        async with trio.open_nursery() as nursery:
            for steps_count, is_reset in product(range(30), (False, True)):
                nursery.start_soon(partial(cut, head, data, steps_count, is_reset=is_reset))
        for steps_count in range(30):
            await cut(head, data, steps_count, is_reset=False)


async def big_reply_never_read(served: Served) -> None:
    await fill(served)
    stream = await connect_with_small_buffer(served)
    await stream.send_all(b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert await served.is_honestly_served()
    await wait_until_alone(served)
    assert len(await read_to_end(stream)) < 400_000
    await stream.aclose()


async def websocket_replies_never_read(served: Served) -> None:
    await fill(served)
    client = WebSocketClient(await connect_with_small_buffer(served))
    await client.handshake("localhost", {})
    for _ in range(20):
        await client.send_json({"id": 1, "method": "listJobs", "params": {"limit": 5}})
    assert await served.is_honestly_served()
    await wait_until_alone(served)
    await client.aclose()


async def body_over_the_limit(served: Served) -> None:
    size = FRAME_BYTES_MAX * 3
    stream = await served.connect()
    await stream.send_all(
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size
    )
    await stream.send_all(bytes(size))
    answer = bytearray(await stream.receive_some())
    assert answer.startswith(b"HTTP/1.1 413 "), answer
    await stream.aclose()


async def endless_body_over_the_limit(served: Served) -> None:
    stream = await served.connect()
    await stream.send_all(
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    await send_until_refused(stream, chunk)


async def bodies_that_never_end(served: Served) -> None:
    streams = [await served.connect() for _ in range(40)]
    await fill_with_halves(
        served,
        streams,
        b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        % FRAME_BYTES_MAX,
    )


async def messages_that_never_end(served: Served) -> None:
    streams = [(await served.open_websocket()).stream for _ in range(40)]
    await fill_with_halves(served, streams, make_frame(2, bytes(FRAME_BYTES_MAX))[:14])


async def fill_with_halves(served: Served, streams: list[trio.SocketStream], head: bytes) -> None:
    """Forty large bodies begin and do not end, which a large honest one must survive."""
    for stream in streams:
        await stream.send_all(head)
        await stream.send_all(bytes(FRAME_BYTES_MAX * 9 // 10))
    assert await served.is_honestly_served()
    job = {"payload": "x" * 16_000, "type": "large"}
    with trio.fail_after(5):
        answer = await served.request("POST", "/v1/jobs/batch", {"jobs": [job] * 7})
        assert answer.status == 200, answer.body
    assert served.server.intake.bytes_held <= RECEIVED_BYTES_MAX
    for stream in streams:
        await stream.aclose()
    await wait_until_alone(served)
    assert served.server.intake.bytes_held == 0


async def message_over_the_limit(served: Served) -> None:
    client = await served.open_websocket()
    await client.send_frame(2, bytes(FRAME_BYTES_MAX + 1))
    reason = "a message exceeds 131072 bytes (frame_bytes_max)"
    assert await client.receive_close() == (1009, reason)
    await client.aclose()


async def endless_message(served: Served) -> None:
    client = await served.open_websocket()
    await client.send_frame(2, bytes(60_000), is_final=False)
    await send_until_refused(client.stream, make_frame(0, bytes(60_000), is_final=False))


async def compressed_message(served: Served) -> None:
    client = await served.open_websocket(**{"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert "sec-websocket-extensions" not in client.headers
    await client.stream.send_all(b"\xc1\x80\x00\x00\x00\x00")
    assert await client.receive_close() in ((1002, "Unexpected RSV1"), (-1, ""))
    await client.aclose()


async def close_with_many_messages_queued(served: Served) -> None:
    client = await served.open_websocket()
    message = make_frame(1, msgspec.json.encode({"id": 1, "method": "getStats"}))
    await client.stream.send_all(message * 500 + make_frame(8, b"\x03\xe8") + message * 500)
    await client.receive_close()
    await client.aclose()


async def leaves_with_replies_under_way(served: Served) -> None:
    client = await served.open_websocket()
    message = make_frame(1, msgspec.json.encode({"id": 1, "method": "getStats"}))
    await client.stream.send_all(message * 2_000)
    await client.aclose()


async def leaves_with_requests_in_line(served: Served) -> None:
    """While one of them is being answered, nobody reads the next, nor the end behind them all."""

    async def leave(steps_count: int) -> None:
        stream = await served.connect()
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30)
        for _ in range(steps_count):
            await trio.lowlevel.checkpoint()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        for steps_count in range(60):
            nursery.start_soon(leave, steps_count)


async def leaves_during_a_long_poll(served: Served) -> None:
    stream = await served.connect()
    body = b'{"workerId":"w","types":["never"],"waitMs":60000}'
    await stream.send_all(
        b"POST /v1/jobs/claim HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
    )
    assert await served.is_honestly_served()
    await stream.aclose()


async def send_until_refused(stream: trio.SocketStream, data: bytes) -> None:
    with trio.fail_after(10), pytest.raises(trio.BrokenResourceError):
        await send_for_ever(stream, data)
    await stream.aclose()


async def send_for_ever(stream: trio.SocketStream, data: bytes) -> None:
    while True:
        await stream.send_all(data)


async def fill(served: Served) -> None:
    """Submit so much that the document does not fit into the buffers of one connection."""
    jobs = [{"payload": "x" * 16_000, "type": "filler"}] * 7
    for _ in range(9):
        answer = await served.request("POST", "/v1/jobs/batch", {"jobs": jobs})
        assert answer.status == 200, answer.body


async def connect_with_small_buffer(served: Served) -> trio.SocketStream:
    raw = trio.socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    await raw.connect(("127.0.0.1", served.server.port))
    return trio.SocketStream(raw)


async def wait_until_alone(served: Served) -> None:
    """Until the server has given up every connection; a hang fails the test."""
    with trio.fail_after(10):
        while served.server.connection_count:  # noqa: ASYNC110 (nobody signals it, rightly)
            await trio.sleep(0.01)


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        flood_of_resets,
        websockets_cut_half_way,
        big_reply_never_read,
        websocket_replies_never_read,
        bodies_that_never_end,
        messages_that_never_end,
        body_over_the_limit,
        endless_body_over_the_limit,
        message_over_the_limit,
        endless_message,
        compressed_message,
        close_with_many_messages_queued,
        leaves_with_replies_under_way,
        leaves_with_requests_in_line,
        leaves_during_a_long_poll,
    )
}


@pytest.mark.parametrize("name", [*RAW_INPUTS, *WEBSOCKET_INPUTS, *ATTACKS])
async def test_hostile_input_harms_nobody_else(served: Served, name: str) -> None:
    assert await served.is_honestly_served()
    with structlog.testing.capture_logs() as lines:
        if name in RAW_INPUTS:
            await send_and_wait(served, await served.connect(), RAW_INPUTS[name])
        elif name in WEBSOCKET_INPUTS:
            client = await served.open_websocket()
            await send_and_wait(served, client.stream, WEBSOCKET_INPUTS[name])
        else:
            await ATTACKS[name](served)
        assert await served.is_honestly_served()
        await wait_until_alone(served)
    assert [line for line in lines if line["log_level"] not in ("debug", "info")] == []


async def test_stop_ends_although_clients_are_stuck(served: Served, nursery: trio.Nursery) -> None:
    await fill(served)
    stuck = [await connect_with_small_buffer(served) for _ in range(3)]
    for stream in stuck:
        await stream.send_all(b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n")
    idle = await served.open_websocket()
    with trio.fail_after(5):
        served.server.begin_drain("test")
        await served.broker.drain()
        served.server.stop()
        assert (await idle.receive_close())[0] == 1012
        await wait_until_alone(served)
    await idle.aclose()
    for stream in stuck:
        await stream.aclose()
    with pytest.raises(OSError, match=r"file descriptor|refused"):
        await served.connect()

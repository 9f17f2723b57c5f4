"""WebSocket messages: bounded in size, time and memory, with a reason when the bound is passed."""

from __future__ import annotations

import msgspec
import pytest
import trio

from osqueue.core.limits import Limits
from osqueue.settings import Settings
from tests.server.harness import Served, make_frame, read_to_end

FRAME_BYTES_MAX = 131_072


@pytest.fixture
def settings() -> Settings:
    """Memory for two large messages, beside what each connection has free."""
    limits = Limits(payload_bytes_max=16_384, frame_bytes_max=FRAME_BYTES_MAX)
    return Settings(
        broker_port=0, storage_backend="memory", received_bytes_max=FRAME_BYTES_MAX, limits=limits
    )


async def test_message_that_stalls_is_closed_with_the_reason(served: Served) -> None:
    served.server.intake.stall_s = 0.05
    client = await served.open_websocket()
    await client.send_frame(1, b"{", is_final=False)
    code, reason = await client.receive_close()
    assert (code, reason) == (1013, "a message must arrive within 60 s, some of it every 0.05 s")
    await client.aclose()


async def test_idle_connection_does_not_stall(served: Served) -> None:
    served.server.intake.stall_s = 0.05
    client = await served.open_websocket()
    assert (await client.call("getStats"))["ok"]
    await trio.testing.wait_all_tasks_blocked(0.2)
    assert (await client.call("getStats"))["ok"]
    await client.aclose()


async def test_text_counts_as_utf8(served: Served) -> None:
    client = await served.open_websocket()
    await client.send_frame(1, ("\u20ac" * (FRAME_BYTES_MAX // 3 + 1)).encode())
    code, reason = await client.receive_close()
    assert (code, reason) == (1009, "a message exceeds 131072 bytes (frame_bytes_max)")
    await client.aclose()


async def test_fragments_are_put_together_around_a_ping(served: Served) -> None:
    client = await served.open_websocket()
    whole = msgspec.json.encode({"id": 1, "method": "getStats"})
    await client.send_frame(1, whole[:5], is_final=False)
    await client.send_frame(9, b"ping")
    await client.send_frame(0, whole[5:])
    with trio.fail_after(5):
        assert await client.receive_frame() == (0xA, b"ping")
    assert (await client.receive())["ok"]
    await client.aclose()


async def test_message_without_memory_is_closed_with_1013(served: Served) -> None:
    clients = [await served.open_websocket() for _ in range(3)]
    for client in clients:
        await client.send_frame(2, bytes(FRAME_BYTES_MAX), is_final=False)
        await trio.testing.wait_all_tasks_blocked(0.1)
    code, reason = await clients[0].receive_close()
    assert code == 1013
    assert "received_bytes_max" in reason
    for client in clients:
        await client.aclose()


async def test_answered_calls_hold_nothing(served: Served) -> None:
    client = await served.open_websocket()
    call = {"id": 1, "method": "submitJob", "params": {"payload": "x" * 16_000}}
    waiting = {"id": 2, "method": "claimJobs"}
    waiting["params"] = {"workerId": "w", "types": ["none"], "limit": 1, "waitMs": 200}
    await client.stream.send_all(make_frame(1, msgspec.json.encode([call] * 7 + [waiting])))
    replies = [reply for _ in range(2) for reply in await client.receive()]
    assert [reply["ok"] for reply in replies] == [True] * 8
    assert served.server.intake.bytes_held == 0
    await client.aclose()


async def test_bytes_before_the_connection_is_accepted_are_400(served: Served) -> None:
    stream = await served.connect()
    await stream.send_all(
        b"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        + make_frame(1, b"{}")
    )
    with trio.fail_after(5):
        answer = await read_to_end(stream)
    assert answer.startswith(b"HTTP/1.1 400 ")
    await stream.aclose()

"""The guard around one connection, with applications that fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.trio.worker_context import WorkerContext

from osqueue.server.http.asgi import Receive, Scope, Send
from osqueue.server.http.intake import Intake
from osqueue.server.hypercorn_guard import serve_connection
from osqueue.server.serving import hypercorn_config
from osqueue.settings import Settings
from tests.server.harness import read_to_end

App = Callable[[Scope, Receive, Send], Awaitable[None]]
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def group(scope: Scope, receive: Receive, send: Send) -> None:
    raise ExceptionGroup("several", [ValueError("one"), ExceptionGroup("inner", [KeyError("two")])])


async def plain(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a bug")


async def wrong_message(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.body", "body": b""})


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    await trio.lowlevel.checkpoint()


@pytest.fixture
def serve(nursery: trio.Nursery) -> Callable[[App], Awaitable[trio.SocketStream]]:
    """Serves one connection by an application, and gives the client's end."""
    settings = Settings(write_deadline_ms=200)

    async def serve(app: App) -> trio.SocketStream:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        client = await trio.open_tcp_stream(*listener.socket.getsockname())
        server = await listener.accept()
        await listener.aclose()

        async def run() -> None:
            wrapped: Any = ASGIWrapper(app)  # type: ignore[arg-type]
            await serve_connection(
                wrapped,
                hypercorn_config(settings),
                WorkerContext(None),
                server,
                write_deadline_ms=200,
                intake=Intake(1_000_000),
            )

        nursery.start_soon(run)
        return client

    return serve


@pytest.mark.parametrize("app", [group, plain, wrong_message, silent])
async def test_failing_application_is_500_and_logged(
    serve: Callable[[App], Awaitable[trio.SocketStream]], app: App
) -> None:
    with structlog.testing.capture_logs() as logs, trio.fail_after(5):
        client = await serve(app)
        await client.send_all(GET)
        answer = await read_to_end(client)
        await client.aclose()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert [entry["log_level"] for entry in logs] == ([] if app is silent else ["error"])


async def test_application_that_fails_in_a_websocket_is_logged(
    serve: Callable[[App], Awaitable[trio.SocketStream]],
) -> None:
    async def fails_later(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        raise RuntimeError("a bug")

    with structlog.testing.capture_logs() as logs, trio.fail_after(5):
        client = await serve(fails_later)
        await client.send_all(UPGRADE)
        answer = await read_to_end(client)
        await client.aclose()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"\x88\x02\x03\xf3"), "closed with 1011"
    assert [entry["log_level"] for entry in logs] == ["error"]


async def test_parser_error_ends_its_connection_only(
    serve: Callable[[App], Awaitable[trio.SocketStream]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stumble(*_: object) -> None:
        raise UnicodeDecodeError("ascii", b"\xff", 0, 1, "as Hypercorn does")

    monkeypatch.setattr("osqueue.server.hypercorn_guard.GuardedProtocol.handle", stumble)
    with structlog.testing.capture_logs() as logs, trio.fail_after(5):
        client = await serve(silent)
        await client.send_all(GET)
        assert await read_to_end(client) == b""
        await client.aclose()
    assert [entry["event"] for entry in logs] == ["connection_failed"]


async def test_cancelled_write_closes_the_connection(
    serve: Callable[[App], Awaitable[trio.SocketStream]],
) -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with trio.move_on_after(0.05):
            while True:
                await send(
                    {"type": "http.response.body", "body": bytes(1_000_000), "more_body": True}
                )

    with trio.fail_after(5):
        client = await serve(endless)
        await client.send_all(GET)
        await trio.testing.wait_all_tasks_blocked(0.3)
        answer = await read_to_end(client)
        await client.aclose()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert not answer.endswith(b"0\r\n\r\n"), "half a reply must not look whole"


async def test_requests_of_a_client_that_stopped_reading_are_dropped(
    serve: Callable[[App], Awaitable[trio.SocketStream]],
) -> None:
    requests_count = 0
    ended = trio.Event()

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal requests_count
        requests_count += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(10_000_000)})
        ended.set()

    with trio.fail_after(5):
        client = await serve(large)
        await client.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
        await ended.wait()
        await trio.testing.wait_all_tasks_blocked(0.3)
        await client.aclose()
    assert requests_count == 1

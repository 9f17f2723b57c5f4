"""The front door: pages by Quart, the queue by raw ASGI, other WebSockets by nobody."""

from __future__ import annotations

import trio

from tests.server.harness import Served, WebSocketClient


async def test_pages_are_html_and_safe(served: Served) -> None:
    for path, headers in (("/", {}), ("/state", {"Accept": "text/html"})):
        answer = await served.request("GET", path, headers=headers)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert b"<h1>osqueue</h1>" in answer.body


async def test_unknown_page_is_404(served: Served) -> None:
    assert (await served.request("GET", "/nothing")).status == 404
    assert (await served.request("POST", "/", {})).status == 405


async def test_page_of_a_stopping_broker_says_why(served: Served) -> None:
    served.server.begin_drain("test")
    answer = await served.request("GET", "/")
    assert answer.status == 503
    assert b"The broker is stopping: test (retry later)" in answer.body


async def test_websocket_elsewhere_is_404(served: Served) -> None:
    with trio.fail_after(5):
        stream = await served.connect()
        client = WebSocketClient(stream)
        await stream.send_all(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        answer = await stream.receive_some()
        assert answer.startswith(b"HTTP/1.1 404")
        await client.aclose()

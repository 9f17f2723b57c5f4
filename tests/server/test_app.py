"""The front door: pages by Quart, the queue by raw ASGI, other WebSockets by nobody."""

from __future__ import annotations

import msgspec
import trio

from osqueue.server.app import make_pages
from osqueue.server.webui import WebFile, WebPage
from tests.server.harness import Served, WebSocketClient

SCRIPT = WebFile(b"alert()", "text/javascript", {"Vary": "Accept-Encoding"}, b"smaller")
HTML = {"Accept": "text/html,application/xhtml+xml"}
PAGE = WebPage(
    WebFile(b"<title>osqueue</title>", "text/html", {"X-One": "two"}, etag="e1"),
    {"index-1a2b.js": SCRIPT},
)


async def test_every_address_of_the_page_is_the_index(served: Served) -> None:
    for path in ("/", "/jobs", "/jobs/0199-c3", "/dead", "/producer", "/worker", "/state"):
        answer = await served.request("GET", path, headers={"Accept": "text/html"})
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert b"<title>osqueue</title>" in answer.body


async def test_state_is_json_for_programs(served: Served) -> None:
    answer = await served.request("GET", "/state")
    assert answer.headers["content-type"] == "application/json"


async def test_index_is_sent_once_while_it_stays_the_same() -> None:
    client = make_pages(PAGE).test_client()
    first = await client.get("/")
    assert (first.status_code, first.headers["ETag"], first.headers["X-One"]) == (
        200,
        '"e1"',
        "two",
    )
    again = await client.get("/jobs", headers={"If-None-Match": '"e1"'})
    assert (again.status_code, await again.get_data()) == (304, b"")
    other = await client.get("/", headers={"If-None-Match": '"e0"'})
    assert other.status_code == 200


async def test_asset_is_compressed_where_the_browser_takes_it() -> None:
    client = make_pages(PAGE).test_client()
    address = "/assets/index-1a2b.js"
    small = await client.get(address, headers={"Accept-Encoding": "br, gzip"})
    assert (await small.get_data(), small.headers["Content-Encoding"]) == (b"smaller", "gzip")
    for accepted in ("br", "gzip;q=0"):
        plain = await client.get(address, headers={"Accept-Encoding": accepted})
        assert await plain.get_data() == SCRIPT.body
        assert "Content-Encoding" not in plain.headers


async def test_asset_that_was_not_built_is_404() -> None:
    client = make_pages(PAGE).test_client()
    for address in ("/assets/index-0000.js", "/assets/../app.py", "/assets/%2e%2e%2fapp.py"):
        assert (await client.get(address)).status_code == 404


async def test_unknown_page_is_the_page_to_people_and_404(served: Served) -> None:
    for path in ("/nothing", "/jobs/a/b", "/dead/letters/", "/v2/"):
        answer = await served.request("GET", path, headers=HTML)
        assert (answer.status, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "etag" not in answer.headers, "the next 404 would be a 304, which is none"
        assert b"<title>osqueue</title>" in answer.body


async def test_slash_at_the_end_of_a_page_leads_to_the_page(served: Served) -> None:
    for path, location in (
        ("/dead/", "/dead"),
        ("/jobs/?status=dead&type=a%2Fb", "/jobs?status=dead&type=a%2Fb"),
        ("/jobs/0199-c3/", "/jobs/0199-c3"),
        ("/jobs/a%0D%0Ab/", "/jobs/a%0D%0Ab"),
    ):
        answer = await served.request("GET", path, headers=HTML)
        assert (answer.status, answer.headers["location"]) == (308, location)


async def test_what_a_browser_asks_wrongly_is_refused_as_html(served: Served) -> None:
    for method, path, status in (("POST", "/", 405), ("GET", "/assets/none.js", 404)):
        answer = await served.request(method, path, {}, headers=HTML)
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (
            status,
            "text/html",
        )
        assert b"<title>osqueue</title>" not in answer.body


async def test_unknown_page_is_the_error_object_to_programs(served: Served) -> None:
    missing = await served.request("GET", "/v2/jobs?x=1")
    assert (missing.status, missing.headers["content-type"]) == (404, "application/json")
    assert missing.json() == {
        "_tag": "InvalidRequest",
        "message": "There is no path '/v2/jobs'",
        "advice": "fix the request",
    }
    refused = await served.request("POST", "/", {})
    assert refused.status == 405
    assert refused.json()["message"] == "POST is not allowed here; GET, HEAD, OPTIONS is"
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    packed = await served.request("GET", "/nothing", headers={"Accept": "application/msgpack"})
    assert msgspec.msgpack.decode(packed.body)["_tag"] == "InvalidRequest"


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

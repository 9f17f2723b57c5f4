"""The application behind the sockets: raw ASGI for the queue, Quart for the pages.

The hot paths bypass Quart, whose routing costs as much as all the rest of a small request.
Everything that is for people (HTML) goes through it.
"""

from __future__ import annotations

import random as random_module
from typing import TYPE_CHECKING, Protocol, cast

from quart import Response, abort, request
from quart_trio import QuartTrio

from osqueue.core.errors import InvalidRequest
from osqueue.protocol.codec import encode_message
from osqueue.protocol.error_codes import error_to_wire
from osqueue.server.dispatch import Dispatcher
from osqueue.server.http.asgi import (
    App,
    Receive,
    Scope,
    Send,
    accepted_encoding,
    read_head,
)
from osqueue.server.http.bodies import BodyLimits
from osqueue.server.http.origins import OriginGuard
from osqueue.server.http.rest import RestFrontEnd
from osqueue.server.http.statuses import HttpRefusal
from osqueue.server.websocket import WebSocketFrontEnd, reject
from osqueue.server.webui import PAGE_PATHS, WebFile, WebPage, load_page
from osqueue.settings import Settings

if TYPE_CHECKING:
    from osqueue.broker.broker import Broker

__all__ = ["FrontDoor", "make_pages"]

WEBSOCKET_PATH = "/v1/ws"
PAGE_BODY_BYTES_MAX = 65_536
SHOWN_CHARS_MAX = 200
ERRORS = {
    404: "There is no path {path}",
    405: "{method} is not allowed here; {allowed} is",
    413: f"The body exceeds {PAGE_BODY_BYTES_MAX} bytes",
}
"""What pages refuse, in the words that the queue's own paths have for it."""


class FrontDoor:
    """Sends each connection to the front end that it is for."""

    def __init__(self, broker: Broker, settings: Settings, random: random_module.Random) -> None:
        self.dispatcher = Dispatcher(broker, settings, random)
        origins = OriginGuard(settings, broker.advertised_address)
        pages = cast("App", make_pages(load_page(settings.peer_urls)))
        self.rest = RestFrontEnd(
            self.dispatcher, origins, pages, BodyLimits(settings.limits.frame_bytes_max)
        )
        self.websockets = WebSocketFrontEnd(self.dispatcher, origins)

    def begin_drain(self, reason: str) -> None:
        """Refuse new requests, let waiting claims return, and close the WebSockets."""
        self.dispatcher.begin_drain(reason)
        self.websockets.close_all(reason)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request or one WebSocket."""
        if scope["type"] == "http":
            await self.rest(scope, receive, send)
        elif scope["path"] == WEBSOCKET_PATH:
            await self.websockets(scope, receive, send)
        else:
            error = InvalidRequest(f"The WebSocket is at {WEBSOCKET_PATH}")
            await receive()
            await reject(send, HttpRefusal(404, error))


def make_pages(page: WebPage) -> QuartTrio:
    """The page for people; one index serves all its addresses, and says which do not exist."""
    pages = QuartTrio(__name__, static_folder=None)
    pages.config["MAX_CONTENT_LENGTH"] = PAGE_BODY_BYTES_MAX

    async def index(job_id: str = "") -> Response:
        return answer(page.index)

    async def asset(name: str) -> Response:
        file = page.assets.get(name)
        return abort(404) if file is None else answer(file)

    async def refuse(error: Refusal) -> Response:
        if error.code == 404 and is_for_people():
            return redirect_to_page() or answer(page.index, 404)
        return refusal(error)

    for status in ERRORS:
        pages.register_error_handler(status, refuse)
    for path in PAGE_PATHS:
        pages.add_url_rule(path, endpoint=f"index of {path}", view_func=index)
    pages.add_url_rule("/assets/<name>", view_func=asset)
    return pages


class Refusal(Protocol):
    """What is read of the HTTPException of Werkzeug, which Quart raises."""

    code: int

    def get_body(self) -> str:
        """The HTML of it."""
        ...


def is_for_people() -> bool:
    """Whether a browser's address bar asks, not what a page loads."""
    head = read_head(cast("Scope", request.scope))
    return head.accepts("text/html") and not head.path.startswith("/assets/")


def redirect_to_page() -> Response | None:
    """To the same address without the slash at its end; None: that is no page, either."""
    path = request.path.rstrip("/")
    is_job = path.startswith("/jobs/") and path.count("/") == 2
    if path == request.path or not (path in PAGE_PATHS or is_job):
        return None
    # As it was sent: what is decoded twice leads elsewhere.
    sent = request.scope["raw_path"].decode("latin-1").rstrip("/")
    query = request.query_string.decode("latin-1")
    return Response(b"", 308, {"Location": f"{sent}?{query}" if query else sent})


def refusal(error: Refusal) -> Response:
    """Refuse what is no page: as HTML to who asks for that, otherwise as the queue does."""
    head = read_head(cast("Scope", request.scope))
    allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
    headers = {"Allow": allowed} if allowed else {}
    if head.accepts("text/html"):
        return Response(error.get_body(), error.code, headers, content_type="text/html")
    reason = ERRORS[error.code].format(
        path=repr(head.path[:SHOWN_CHARS_MAX]), method=head.method[:20], allowed=allowed
    )
    encoding = accepted_encoding(head)
    body = encode_message(error_to_wire(InvalidRequest(reason)), encoding)
    return Response(body, error.code, headers, content_type=encoding.value)


def answer(file: WebFile, status: int = 200) -> Response:
    """A file to a browser: only once where it has it, compressed where it takes that."""
    headers = dict(file.headers)
    if file.etag and status == 200:
        headers["ETag"] = f'"{file.etag}"'
        if request.if_none_match.contains_weak(file.etag):
            return Response(b"", 304, headers)
    body = file.body
    if file.compressed is not None and request.accept_encodings["gzip"] > 0:
        headers["Content-Encoding"] = "gzip"
        body = file.compressed
    return Response(body, status, headers, content_type=file.media_type)

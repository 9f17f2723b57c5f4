"""The application behind the sockets: raw ASGI for the queue, Quart for the pages.

The hot paths bypass Quart, whose routing costs as much as all the rest of a small request.
Everything that is for people (HTML) goes through it.
"""

from __future__ import annotations

import random as random_module
from typing import TYPE_CHECKING, cast

from quart import Response
from quart_trio import QuartTrio

from osqueue.core.errors import InvalidRequest, QueueError
from osqueue.server.dispatch import Dispatcher
from osqueue.server.http.asgi import App, Receive, Scope, Send
from osqueue.server.http.bodies import BodyLimits
from osqueue.server.http.origins import OriginGuard
from osqueue.server.http.rest import RestFrontEnd
from osqueue.server.http.statuses import HttpRefusal, status_of
from osqueue.server.websocket import WebSocketFrontEnd, reject
from osqueue.server.webui import render_page
from osqueue.settings import Settings

if TYPE_CHECKING:
    from osqueue.broker.broker import Broker

__all__ = ["FrontDoor", "make_pages"]

WEBSOCKET_PATH = "/v1/ws"
PAGE_BODY_BYTES_MAX = 65_536
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class FrontDoor:
    """Sends each connection to the front end that it is for."""

    def __init__(self, broker: Broker, settings: Settings, random: random_module.Random) -> None:
        self.dispatcher = Dispatcher(broker, settings, random)
        origins = OriginGuard(settings, broker.advertised_address)
        pages = cast("App", make_pages(self.dispatcher))
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


def make_pages(dispatcher: Dispatcher) -> QuartTrio:
    """The pages for people."""
    pages = QuartTrio(__name__, static_folder=None)
    pages.config["MAX_CONTENT_LENGTH"] = PAGE_BODY_BYTES_MAX

    async def index() -> Response:
        status, error = 200, None
        stats = None
        try:
            stats = await dispatcher.read_stats()
        except QueueError as refusal:
            status, error = status_of(refusal), refusal
        page = render_page(dispatcher.broker, stats, error)
        return Response(page, status, PAGE_HEADERS, content_type="text/html; charset=utf-8")

    pages.add_url_rule("/", view_func=index)
    pages.add_url_rule("/state", endpoint="state", view_func=index)
    return pages

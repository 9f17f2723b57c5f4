"""The few words of ASGI that the raw front ends use, and reading a request's head.

Source: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from osqueue.protocol.codec import Encoding

__all__ = ["App", "Head", "Message", "Receive", "Scope", "Send", "accepted_encoding", "read_head"]

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MSGPACK_TYPES = ("application/msgpack", "application/vnd.msgpack", "application/x-msgpack")
JSON_TYPES = ("application/json", "text/json")


class Head(msgspec.Struct, frozen=True):
    """A request without its body."""

    method: str
    path: str
    """Decoded; without the query."""
    query: bytes
    headers: dict[str, str]
    """Names in lower case; of a repeated header the last."""

    def media_type(self) -> str:
        """The media type of the body in lower case, without parameters; empty: none given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def charset(self) -> str:
        """The charset that the body is said to have, in lower case; empty: none given."""
        for parameter in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                return value.strip().strip('"').lower()
        return ""

    def accepts(self, media_type: str) -> bool:
        """Whether the media type is named in `Accept`."""
        return media_type in self.headers.get("accept", "").lower()


def read_head(scope: Scope) -> Head:
    """Read what ASGI says of an HTTP request or a WebSocket handshake."""
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    return Head(scope.get("method", "GET"), scope["path"], scope["query_string"], headers)


def body_encoding(head: Head) -> Encoding | None:
    """The encoding that the request says its body has; None: one that nobody here reads."""
    media_type = head.media_type()
    if media_type in MSGPACK_TYPES:
        return Encoding.MSGPACK
    return Encoding.JSON if media_type in JSON_TYPES or not media_type else None


def accepted_encoding(head: Head) -> Encoding:
    """The encoding of the answer: what `Accept` names, otherwise that of the request's body."""
    if any(map(head.accepts, MSGPACK_TYPES)):
        return Encoding.MSGPACK
    if any(map(head.accepts, JSON_TYPES)) or head.media_type() not in MSGPACK_TYPES:
        return Encoding.JSON
    return Encoding.MSGPACK

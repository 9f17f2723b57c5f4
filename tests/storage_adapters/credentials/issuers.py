"""A small HTTP server that stands for an issuer of credentials, and what its tests share."""

import ssl
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import h11
import trio

from storage_adapters.credentials.exchange import Answer, Exchange, NoAnswer

__all__ = ["NOW_MS", "Asked", "IssuerServer", "RecordingExchange", "Said", "assert_hides"]

NOW_MS = 1_700_000_000_000
"""2023-11-14T22:13:20Z: the time in tests that need no other."""


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Said:
    """What the server answers."""

    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])


class IssuerServer:
    """Answers at a port of 127.0.0.1 as `answer` says, and remembers what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Said | None] = lambda _: Said(status=500)
        """Makes the answer to a request; None: never."""

    @property
    def host(self) -> str:
        """Host and port."""
        return self.url.partition("//")[2]

    def says(self, *answers: Said | None) -> None:
        """Give these answers in order, the last one for ever."""
        left = list(answers)
        self.answer = lambda _: left.pop(0) if len(left) > 1 else left[0]

    @classmethod
    async def start(
        cls, nursery: trio.Nursery, tls: ssl.SSLContext | None = None
    ) -> "IssuerServer":
        """Listen at a free port until the nursery is cancelled."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        server = cls(f"http{'s' if tls else ''}://127.0.0.1:{port}")

        async def serve(stream: trio.SocketStream) -> None:
            await server.converse(trio.SSLStream(stream, tls, server_side=True) if tls else stream)

        nursery.start_soon(trio.serve_listeners, serve, listeners)
        return server

    async def converse(self, stream: trio.abc.Stream) -> None:
        """Answer one request of a connection."""
        connection = h11.Connection(h11.SERVER)
        async with stream:
            try:
                said = self.answer(await self._request(connection, stream))
                if said is None:
                    await trio.sleep_forever()
                    return
                body = said.body.encode() if isinstance(said.body, str) else said.body
                headers = {"content-length": str(len(body)), "connection": "close"} | said.headers
                head = h11.Response(status_code=said.status, headers=list(headers.items()))
                for event in (head, h11.Data(body), h11.EndOfMessage()):
                    await stream.send_all(connection.send(event) or b"")
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                # A client that has had enough.
                pass

    async def _request(self, connection: h11.Connection, stream: trio.abc.Stream) -> Asked:
        head: h11.Request | None = None
        body = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive_some())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise trio.BrokenResourceError
        assert head is not None
        headers = {name.decode(): value.decode() for name, value in head.headers}
        asked = Asked(head.method.decode(), head.target.decode(), headers, body)
        self.asked.append(asked)
        return asked


class RecordingExchange(Exchange):
    """Remembers what it was to ask, and reaches nobody: for addresses outside this machine."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.headers: dict[str, str] = {}

    async def ask(self, method: str, url: str, **others: Any) -> Answer:
        """Raise NoAnswer."""
        self.urls.append(url)
        self.headers = others["headers"]
        raise NoAnswer("not asked")


def assert_hides(error: BaseException, *secrets: str) -> None:
    """Check that nothing that a log could show of an error holds a secret."""
    shown = "".join([str(error), repr(error), *traceback.format_exception(error)])
    for secret in secrets:
        assert secret not in shown

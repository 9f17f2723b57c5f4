"""A broker on a real WebSocket that answers as a test tells it, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import trio
from trio_websocket import (
    ConnectionClosed,
    WebSocketConnection,
    WebSocketRequest,
    WebSocketServer,
    serve_websocket,
)

from osqueue.core.errors import QueueError
from osqueue.protocol.error_codes import error_to_wire

__all__ = ["HELLO", "Answer", "Asked", "Drop", "ScriptedBroker", "Silence", "submitted"]

Asked = dict[str, Any]
"""One request as it came."""


class Drop:
    """Cut the connection instead of answering."""


class Silence:
    """Never answer."""


Answer = dict[str, Any] | QueueError | type[Drop] | type[Silence]

HELLO = {"brokerName": "scripted", "epoch": 1, "brokerAddress": "", "limits": {}, "scopes": []}


def submitted(asked: Asked) -> Answer:
    """The answer to a submit, and good enough for most others."""
    return {"jobId": asked.get("params", {}).get("jobId", "")}


class ScriptedBroker:
    """Answers each request by `answer`, or by the next of `answers` as long as there are some."""

    def __init__(self, *, port: int = 0, limits: dict[str, int] | None = None) -> None:
        self.answers: list[Answer] = []
        self.answer: Callable[[Asked], Answer] = submitted
        self.hello: Answer = {**HELLO, "limits": limits or {}}
        self.asked: list[Asked] = []
        """Without the greetings."""
        self.greetings: list[Asked] = []
        self.frames: list[int] = []
        """How many requests each frame held."""
        self.has_asked = trio.Event()
        self.port = port
        self._websocket: WebSocketConnection | None = None
        self._scope = trio.CancelScope()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with self._scope:
            async with trio.open_nursery() as nursery:
                server: WebSocketServer = await nursery.start(
                    lambda task_status: serve_websocket(
                        self._serve,
                        "127.0.0.1",
                        self.port,
                        None,
                        max_message_size=2**26,
                        task_status=task_status,
                    )
                )
                assert isinstance(server.port, int)
                self.port = server.port
                task_status.started()

    def kill(self) -> None:
        """As by SIGKILL: the connections are cut and nobody listens any more."""
        self._scope.cancel()

    async def send(self, asked: Asked, answer: Answer) -> None:
        """Answer late, what was met with silence, on the newest connection."""
        assert self._websocket is not None
        await self._websocket.send_message(msgspec.msgpack.encode([reply_to(asked, answer)]))

    async def _serve(self, request: WebSocketRequest) -> None:
        websocket = self._websocket = await request.accept()
        try:
            while True:
                frame = msgspec.msgpack.decode(await websocket.get_message())
                frame = frame if isinstance(frame, list) else [frame]
                self.frames.append(len(frame))
                replies = [reply for asked in frame if (reply := self._reply(asked)) is not None]
                if Drop in replies:
                    await trio.aclose_forcefully(websocket._stream)
                    return
                if replies:
                    await websocket.send_message(msgspec.msgpack.encode(replies))
        except ConnectionClosed:
            pass

    def _reply(self, asked: Asked) -> Any:
        if asked["method"] == "hello":
            self.greetings.append(asked)
            answer = self.hello
        else:
            self.asked.append(asked)
            answer = self.answers.pop(0) if self.answers else self.answer(asked)
            self.has_asked.set()
        if answer is Drop:
            return Drop
        if answer is Silence:
            return None
        return reply_to(asked, answer)


def reply_to(asked: Asked, answer: Answer) -> dict[str, Any]:
    if isinstance(answer, QueueError):
        return {"id": asked["id"], "ok": False, "error": error_to_wire(answer)}
    return {"id": asked["id"], "ok": True, "result": answer}

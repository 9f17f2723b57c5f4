"""Hypercorn's WebSocket, with every message bounded before it is kept.

Hypercorn 0.18 goes on collecting a message that is over the limit, says no reason when it closes,
keeps a message that never ends for ever, and refuses bytes that come before the connection is
accepted while the application goes on to accept it.
"""

from __future__ import annotations

from typing import Any

import trio
from hypercorn.protocol import ws_stream
from hypercorn.protocol.events import Data, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.ws_stream import WSStream

from osqueue.core.errors import Unavailable
from osqueue.server.http.intake import Holding

wsproto: Any = ws_stream
"""What Hypercorn imports of wsproto, which is its dependency, not ours."""

__all__ = ["CLOSE_TOO_BIG", "CLOSE_TOO_SLOW", "GuardedWebSocket"]

CLOSE_TOO_BIG = 1009
CLOSE_TOO_SLOW = 1013
CLOSE_REASON_CHARS_MAX = 120
"""RFC 6455, section 5.5: a close frame has room for 123 bytes."""
DISCARDED_MESSAGES_MAX = 4
"""What follows a message over the limit is read and dropped, up to so many times the limit."""
DISCARD_MS = 1_000
"""And for so long, so that the client reads the close before its connection is reset."""


class GuardedWebSocket(WSStream):
    """A WebSocket that ends with the first message that is too large, or finds no memory."""

    app_put: Any
    buffer: Any
    connection: Any

    def __init__(self, *arguments: Any, holding: Holding) -> None:  # noqa: ANN401
        super().__init__(*arguments)
        self.holding = holding
        self.discarded_bytes = -1
        """Dropped since a message was refused; -1: none was."""

    async def handle(self, event: StreamEvent) -> None:
        """Take bytes, or the end of the connection."""
        if isinstance(event, Data) and not self.closed and not self.handshake.accepted:
            await self._refuse_early_bytes()
            return
        if self.discarded_bytes < 0 or not isinstance(event, Data):
            await super().handle(event)
            return
        self.discarded_bytes += len(event.data)
        if self.discarded_bytes > self.config.websocket_max_message_size * DISCARDED_MESSAGES_MAX:
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _refuse_early_bytes(self) -> None:
        """End the connection of a client that did not wait to be accepted (RFC 6455, section 4.1).

        What the application sends from here on is dropped: were it to accept after the refusal,
        h11 would raise, and whoever likes could fill the log with tracebacks.
        """
        self.closed = True
        assert self.app_put is not None, "only a good handshake waits to be accepted"
        await self.app_put(
            {"type": "websocket.disconnect", "code": wsproto.CloseReason.ABNORMAL_CLOSURE.value}
        )
        # An application that has begun to reject the handshake has answered it already.
        if not hasattr(self, "response"):
            await self._send_error_response(400)
        await self.send(StreamClosed(stream_id=self.stream_id))

    async def refuse(self, code: int, reason: str) -> None:
        """Close because of the message that is on its way; nothing more of it is kept."""
        self._drop()
        await self._close(code, reason)

    def _drop(self) -> None:
        self.holding.give_up()
        self.buffer.clear()
        self.discarded_bytes = 0

    async def _close(self, code: int, reason: str) -> None:
        await self._send_wsproto_event(
            wsproto.CloseConnection(code, reason[:CLOSE_REASON_CHARS_MAX])
        )
        self.task_group.spawn(self._end_soon)  # pyright: ignore

    async def _end_soon(self) -> None:
        await trio.sleep(DISCARD_MS / 1_000)
        await self.send(StreamClosed(stream_id=self.stream_id))

    def _interrupted(self, reason: Unavailable) -> None:
        """Another connection needs the room."""
        self._drop()
        self.task_group.spawn(self._close, CLOSE_TOO_SLOW, reason.message)  # pyright: ignore

    async def _handle_events(self) -> None:
        """Hypercorn's, except that parts of messages are bounded before they are kept."""
        for event in self.connection.events():
            if self.discarded_bytes >= 0:
                return
            if isinstance(event, wsproto.Message):
                await self._take_part(event)
            elif isinstance(event, wsproto.Ping):
                await self._send_wsproto_event(event.response())
            elif isinstance(event, wsproto.CloseConnection):
                if self.connection.state == wsproto.ConnectionState.REMOTE_CLOSING:
                    await self._send_wsproto_event(event.response())
                await self.send(StreamClosed(stream_id=self.stream_id))

    async def _take_part(self, part: Any) -> None:  # noqa: ANN401
        size, size_max = part_bytes(part), self.config.websocket_max_message_size
        if self.holding.received_bytes + size > size_max:
            await self.refuse(
                CLOSE_TOO_BIG, f"a message exceeds {size_max} bytes (frame_bytes_max)"
            )
            return
        if self.buffer.value is None:
            self.holding.begin(self._interrupted)
        try:
            await self.holding.add(size)
        except Unavailable as error:
            await self.refuse(CLOSE_TOO_SLOW, error.message)
            return
        self.buffer.extend(part)
        if part.message_finished:
            self.holding.end()
            message = self.buffer.to_message()
            self.buffer.clear()
            assert self.app_put is not None, "accepted"
            await self.app_put(message)


def part_bytes(part: Any) -> int:  # noqa: ANN401
    """What a part of a message counts: as UTF-8, where it is text."""
    data: bytes | bytearray | str = part.data
    return (
        len(data) if isinstance(data, bytes | bytearray) or data.isascii() else len(data.encode())
    )

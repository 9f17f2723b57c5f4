"""Calls to a broker in the same process: real frames, no socket, no thread. For tests of handlers.

It knows no broker: it is given a function that answers frames (`osqueue.testing` has one).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from osqueue.client.transports.frames import decode_frame, encode_frame
from osqueue.client.transports.traffic import Traffic
from osqueue.core.limits import Limits

__all__ = ["AnswerFrame", "InProcessTransport"]

AnswerFrame = Callable[[str, bytes, Callable[[bytes], Awaitable[None]]], Awaitable[None]]
"""Answers a frame of the client of that id, by calling the function with each frame of replies."""

FRAME_BYTES_WANTED = 262_144
FRAME_REQUESTS_MAX = 1_000
NOT_LEADER_S = 0.05
"""The pause after a broker has said that it does not lead: there is no other one to ask."""


class InProcessTransport:
    """Hands frames to a function, each as soon as there is something to say.

    Args:
        traffic: of the client.
        answer: the broker.
    """

    long_polls_max = 500
    has_events = False

    def __init__(self, traffic: Traffic, answer: AnswerFrame) -> None:
        self._traffic = traffic
        self._answer = answer
        self._is_refused = False
        traffic.is_connected = True

    async def run(self) -> None:
        """Serve the traffic, until cancelled."""
        calls = self._traffic.calls
        reply = self._deliver
        answer = partial(self._answer, self._traffic.client_id)
        async with trio.open_nursery() as nursery:
            while True:
                if self._is_refused:
                    self._is_refused = False
                    await trio.sleep(NOT_LEADER_S)
                frame = calls.take_frame(
                    now_ms=self._traffic.steady_ms(),
                    bytes_wanted=FRAME_BYTES_WANTED,
                    bytes_max=Limits().frame_bytes_max,
                    requests_max=FRAME_REQUESTS_MAX,
                    with_waiting=True,
                )
                if frame:
                    nursery.start_soon(answer, encode_frame(frame, floor=calls.floor), reply)
                else:
                    await self._traffic.outbox.wait()

    async def close(self) -> None:
        """Nobody waits for a goodbye."""

    async def _deliver(self, body: bytes) -> None:
        if await self._traffic.deliver(decode_frame(body)) is not None:
            self._is_refused = True

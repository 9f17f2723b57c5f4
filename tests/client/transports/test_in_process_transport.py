"""Frames to a function in the same process, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from osqueue.client import Client
from osqueue.client.transports.in_process_transport import InProcessTransport
from osqueue.core.errors import InvalidRequest, NotLeader, QueueError, Unavailable
from osqueue.protocol.error_codes import error_to_wire

__all__: list[str] = []

Clock = trio.testing.MockClock
STATS = {"total": 7}


class Function:
    """Answers every call by the next of its answers, long polls after their time."""

    def __init__(self, *answers: dict[str, Any] | QueueError) -> None:
        self.answers = list(answers)
        self.frames: list[list[str]] = []
        self.client_ids: set[str] = set()
        self.has_been_cancelled = False

    async def answer(
        self, client_id: str, body: bytes, reply: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self.client_ids.add(client_id)
        frame = msgspec.msgpack.decode(body)
        self.frames.append([asked["method"] for asked in frame])
        try:
            for asked in frame:
                await trio.sleep(asked["params"].get("waitMs", 0) / 1_000)
                await reply(msgspec.msgpack.encode(self._reply(asked)))
        except trio.Cancelled:
            self.has_been_cancelled = True
            raise

    def _reply(self, asked: dict[str, Any]) -> dict[str, Any]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, QueueError):
            return {"id": asked["id"], "ok": False, "error": error_to_wire(answer)}
        return {"id": asked["id"], "ok": True, "result": answer}


def make_client(function: Function, *, timeout_s: float = 300) -> Client:
    return Client(
        "http://nowhere",
        transport=lambda traffic: InProcessTransport(traffic, function.answer),
        timeout_s=timeout_s,
    )


async def test_calls_travel_in_frames_and_come_back(autojump_clock: Clock) -> None:
    function = Function(STATS)
    async with make_client(function) as client:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(client.stats)
        assert (await client.stats()).total == 7
        assert client.is_connected
        assert await client.health()
    assert function.frames == [["getStats"] * 3, ["getStats"]]
    assert len(function.client_ids) == 1


async def test_a_long_poll_holds_up_nobody(autojump_clock: Clock) -> None:
    function = Function({})
    async with make_client(function) as client, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: client.claim("w", wait_ms=5_000))
        await trio.sleep(1)
        await client.stats()
        assert trio.current_time() == 1


async def test_leaving_the_client_cancels_what_waits(autojump_clock: Clock) -> None:
    function = Function({})
    async with make_client(function) as client:
        with trio.move_on_after(1):
            await client.claim("w", wait_ms=5_000)
        assert not function.has_been_cancelled
    assert function.has_been_cancelled


async def test_a_broker_that_does_not_lead_is_asked_again_after_a_pause(
    autojump_clock: Clock,
) -> None:
    function = Function(NotLeader("no"))
    async with make_client(function, timeout_s=1) as client:
        with pytest.raises(Unavailable):
            await client.stats()
    assert 10 < len(function.frames) < 40


async def test_refusals_are_raised(autojump_clock: Clock) -> None:
    function = Function(InvalidRequest("no"), STATS)
    async with make_client(function) as client:
        with pytest.raises(InvalidRequest):
            await client.stats()
        with pytest.raises(InvalidRequest, match="WebSocket"):
            client.subscribe(["stats"])

"""Bodies: bounded in size and time, and read on when they are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from osqueue.server.http.asgi import Head
from osqueue.server.http.bodies import (
    BodyLimits,
    ClientGone,
    discard_body,
    read_body,
    wait_until_gone,
)
from osqueue.server.http.statuses import HttpRefusal

Receive = Callable[[], Awaitable[dict[str, Any]]]
LIMITS = BodyLimits(bytes_max=100, deadline_ms=1_000)


class Sender:
    """Gives chunks one by one, then the end, or nothing more."""

    def __init__(self, *chunks: bytes, ends: bool = True, leaves: bool = False) -> None:
        self.chunks = list(chunks)
        self.ends = ends
        self.leaves = leaves

    async def __call__(self) -> dict[str, Any]:
        await trio.lowlevel.checkpoint()
        if self.chunks:
            return {"type": "http.request", "body": self.chunks.pop(0), "more_body": True}
        if self.leaves:
            return {"type": "http.disconnect"}
        if self.ends:
            self.leaves = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await trio.sleep_forever()
        raise AssertionError


def head(length: str = "") -> Head:
    return Head("POST", "/", b"", {"content-length": length} if length else {})


async def test_body_is_read_to_its_end() -> None:
    assert await read_body(head(), Sender(b"a" * 50, b"b" * 50), LIMITS) == b"a" * 50 + b"b" * 50


@pytest.mark.parametrize("sender", [Sender(b"a" * 60, b"b" * 60), Sender()])
async def test_body_over_the_limit_is_413(sender: Sender) -> None:
    with pytest.raises(HttpRefusal, match=r"exceeds 100 bytes \(frame_bytes_max\)") as refusal:
        await read_body(head("101" if not sender.chunks else ""), sender, LIMITS)
    assert refusal.value.status == 413


async def test_slow_body_is_408(autojump_clock: MockClock) -> None:
    with pytest.raises(HttpRefusal, match="took longer than 1000 ms") as refusal:
        await read_body(head(), Sender(b"a", ends=False), LIMITS)
    assert refusal.value.status == 408
    assert trio.current_time() == pytest.approx(1)


async def test_client_that_leaves_is_told_apart() -> None:
    with pytest.raises(ClientGone):
        await read_body(head(), Sender(b"a", leaves=True), LIMITS)


async def test_refused_body_is_read_on_within_bounds(autojump_clock: MockClock) -> None:
    ended = Sender(b"a" * 60)
    await discard_body(ended, LIMITS)
    assert not ended.chunks
    endless = Sender(*[b"a" * 60] * 100)
    await discard_body(endless, LIMITS)
    assert len(endless.chunks) == 93
    await discard_body(Sender(leaves=True), LIMITS)
    await discard_body(Sender(ends=False), LIMITS)
    assert trio.current_time() == pytest.approx(5)


async def test_leaving_is_heard_behind_what_came_before() -> None:
    await wait_until_gone(Sender(b"late", leaves=True))

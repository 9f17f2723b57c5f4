"""Bodies: bounded in size and time, and read on when they are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from osqueue.core.errors import Unavailable
from osqueue.server.http.asgi import Head
from osqueue.server.http.bodies import (
    BodyLimits,
    ClientGone,
    discard_body,
    read_body,
    wait_until_gone,
)
from osqueue.server.http.intake import FREE_BYTES, Holding, Intake
from osqueue.server.http.statuses import HttpRefusal

Receive = Callable[[], Awaitable[dict[str, Any]]]
LIMITS = BodyLimits(bytes_max=100)


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


@pytest.fixture
def holding() -> Holding:
    return Holding(Intake(1_000, deadline_ms=1_000, stall_ms=400))


def head(length: str = "") -> Head:
    return Head("POST", "/", b"", {"content-length": length} if length else {})


async def test_body_is_read_to_its_end_and_held(holding: Holding) -> None:
    sender = Sender(b"a" * 50, b"b" * 50)
    assert await read_body(head(), sender, LIMITS, holding) == b"a" * 50 + b"b" * 50
    assert holding.bytes_held == 100
    assert not holding.intake.receiving


@pytest.mark.parametrize("sender", [Sender(b"a" * 60, b"b" * 60), Sender()])
async def test_body_over_the_limit_is_413(sender: Sender, holding: Holding) -> None:
    with pytest.raises(HttpRefusal, match=r"exceeds 100 bytes \(frame_bytes_max\)") as refusal:
        await read_body(head("101" if not sender.chunks else ""), sender, LIMITS, holding)
    assert refusal.value.status == 413
    assert holding.bytes_held == 0


async def test_body_that_stalls_is_408(autojump_clock: MockClock, holding: Holding) -> None:
    sender = Sender(b"a", ends=False)
    with pytest.raises(HttpRefusal, match=r"within 1 s, and some of it every 0.4 s") as refusal:
        await read_body(head(), sender, LIMITS, holding)
    assert refusal.value.status == 408
    assert trio.current_time() == pytest.approx(0.4)
    assert holding.bytes_held == 0


async def test_body_that_drips_for_too_long_is_408(
    autojump_clock: MockClock, holding: Holding
) -> None:
    async def drip() -> dict[str, Any]:
        await trio.sleep(0.3)
        return {"type": "http.request", "body": b"a", "more_body": True}

    with pytest.raises(HttpRefusal) as refusal:
        await read_body(head(), drip, LIMITS, holding)
    assert refusal.value.status == 408
    assert trio.current_time() == pytest.approx(1)


async def test_body_without_memory_is_503(autojump_clock: MockClock) -> None:
    holding = Holding(Intake(0, deadline_ms=1_000, stall_ms=1_000))
    limits = BodyLimits(bytes_max=1_000_000)
    with pytest.raises(HttpRefusal, match="received_bytes_max") as refusal:
        await read_body(head(), Sender(bytes(FREE_BYTES + 1)), limits, holding)
    assert (refusal.value.status, type(refusal.value.error)) == (503, Unavailable)
    assert holding.bytes_held == 0


async def test_slow_body_that_makes_room_is_503(
    autojump_clock: MockClock, holding: Holding, nursery: trio.Nursery
) -> None:
    refusals: list[HttpRefusal] = []

    async def read() -> None:
        with pytest.raises(HttpRefusal) as refusal:
            await read_body(head(), Sender(b"a", ends=False), LIMITS, holding)
        refusals.append(refusal.value)

    nursery.start_soon(read)
    await trio.testing.wait_all_tasks_blocked()
    holding.interrupt(Unavailable("others need it"))
    await trio.testing.wait_all_tasks_blocked()
    assert [(refusal.status, refusal.error.message) for refusal in refusals] == [
        (503, "others need it")
    ]


async def test_client_that_leaves_is_told_apart(holding: Holding) -> None:
    with pytest.raises(ClientGone):
        await read_body(head(), Sender(b"a", leaves=True), LIMITS, holding)


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

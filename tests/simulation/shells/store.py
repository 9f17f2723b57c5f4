"""The object store of a world: one object, all its versions, and what can happen to a call.

It keeps the contract of `storage_adapters/contract.py`: what it says was refused never lands, and
a read that starts after a write has ended sees it. A write travels by itself: whoever sent it may
be cancelled, and it lands all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import trio

from storage_adapters.contract import (
    UNCHANGED,
    Absent,
    Condition,
    NotApplied,
    StoredObject,
    StoreError,
    StoreUnavailable,
    Unchanged,
    Version,
    WriteOutcomeUnknown,
    missing_object,
    refusal_of_condition,
)

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["FaultyStore"]

WRITE_FAULTS = (
    "write refused before",
    "write applied, reply lost",
    "write lands late",
    "write never lands",
    "write hangs",
    "write sent twice below",
    "write slow",
)
LATENCY_S = (0.002, 0.04)


class _Answer:
    """What a write's sender waits for."""

    def __init__(self) -> None:
        self.arrived = trio.Event()
        self.version: Version | None = None
        self.error: StoreError | None = None


class FaultyStore:
    """An `ObjectStore`."""

    description = "store of a simulated world"
    clock_offset_ms: int | None = None
    """It tells no time: what a broker makes of one is decided in `core/leadership.py`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.body: bytes | None = None
        self.version: Version | None = None
        self.out_until = 0.0
        self.has_put = trio.Event()
        """Set when the next write sets out."""
        self._puts = 0

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        world = self._world
        body = b"".join(chunks)
        world.ledger.sent(body)
        self.has_put.set()
        self.has_put = trio.Event()
        fault = next((name for name in WRITE_FAULTS if world.strikes(name)), "")
        if trio.current_time() < self.out_until:
            fault = world.random.choice(["write refused before", "write never lands"])
        answer = _Answer()
        timeout_s = world.plan.settings.broker_heartbeat_timeout_ms / 1_000
        delay_s = self._latency_s()
        match fault:
            case "write refused before":
                answer.error = NotApplied("409, try again")
                self._later(delay_s, answer.arrived.set)
            case "write never lands" | "write applied, reply lost" | "write lands late":
                if fault == "write applied, reply lost":
                    self._later(delay_s, self._land, body, condition, None)
                if fault == "write lands late":
                    late_s = timeout_s * world.random.choice([0.1, 0.5, 1.5])
                    self._later(late_s, self._land, body, condition, None)
                answer.error = WriteOutcomeUnknown("connection reset")
                if world.random.random() < 0.6:
                    self._later(delay_s, answer.arrived.set)
            case "write hangs":
                if world.random.random() < 0.5:
                    self._later(delay_s, self._land, body, condition, None)
            case "write sent twice below":
                self._later(delay_s, self._land, body, condition, None)
                self._later(2 * delay_s, self._land, body, condition, answer)
            case "write slow":
                slow_s = timeout_s * world.random.choice([0.2, 0.5, 0.9])
                self._later(slow_s, self._land, body, condition, answer)
            case _:
                self._later(delay_s, self._land, body, condition, answer)
        await answer.arrived.wait()
        await trio.sleep(self._latency_s())
        if answer.error is not None:
            raise answer.error
        assert answer.version is not None
        return answer.version

    def _later(self, delay_s: float, act: Callable[..., None], *arguments: object) -> None:
        """It happens whatever becomes of the caller."""

        async def carry() -> None:
            await trio.sleep(delay_s)
            act(*arguments)

        self._world.background.start_soon(carry)

    def _land(self, body: bytes, condition: Condition, answer: _Answer | None) -> None:
        refusal = refusal_of_condition("queue.json", condition, found=self.version)
        if refusal is None:
            self._puts += 1
            self.body, self.version = body, Version(str(self._puts))
            self._world.ledger.landed(body, is_first=isinstance(condition, Absent))
        if answer is not None:
            answer.error, answer.version = refusal, self.version
            answer.arrived.set()

    async def read(
        self,
        key: str,
        *,
        if_changed_from: Version | None = None,
        head_bytes: int | None = None,
    ) -> StoredObject | Unchanged:
        world = self._world
        await trio.sleep(self._latency_s())
        if trio.current_time() < self.out_until or world.strikes("read fails"):
            raise StoreUnavailable("503")
        if world.strikes("read hangs"):
            await trio.sleep_forever()
        if world.strikes("read slow"):
            timeout_s = world.plan.settings.broker_heartbeat_timeout_ms / 1_000
            await trio.sleep(timeout_s * world.random.uniform(0.1, 0.6))
        body, version = self.body, self.version
        await trio.sleep(self._latency_s())
        if body is None or version is None:
            raise missing_object(key)
        if version == if_changed_from:
            return UNCHANGED
        return StoredObject(body[:head_bytes], version)

    async def delete(self, key: str) -> None:
        raise AssertionError("a broker deletes nothing")

    async def list(self, prefix: str) -> list[str]:
        raise AssertionError("a broker lists nothing")

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

    def _latency_s(self) -> float:
        return self._world.random.uniform(*LATENCY_S)

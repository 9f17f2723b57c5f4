"""What many callers of one client may cost: writes to the store, as a count."""

from __future__ import annotations

import random

import pytest
import trio

from osqueue.broker.broker import Broker
from osqueue.client import Client
from osqueue.clocks import SystemClock
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from osqueue.settings import Settings
from storage_adapters.memory import MemoryStore

__all__: list[str] = []

CALLERS = 1_000
JOBS_EACH = 10
WRITES_MAX = 25


@pytest.mark.slow
async def test_ten_thousand_jobs_of_a_thousand_callers_are_few_writes(
    nursery: trio.Nursery, seeded_random: random.Random
) -> None:
    settings = Settings(broker_port=0, storage_backend="memory")
    identity = BrokerIdentity(name=f"{1:016x}", address="127.0.0.1:1", host="test")
    store = MemoryStore(latency_ms=40)
    broker = Broker(store, settings, identity, clock=SystemClock(), random=seeded_random)
    server = Server(broker, settings, random=seeded_random)
    server.bind()
    await nursery.start(broker.run)
    await nursery.start(lambda task_status: server.run(task_status=task_status))

    # A busy machine can only add writes, by delaying some callers: the least is what it takes.
    writes = [await count_writes(server.address) for _ in range(3)]
    assert min(writes) <= WRITES_MAX
    nursery.cancel_scope.cancel()


async def count_writes(address: str) -> int:
    """Submit from all callers, and say how many writes that took."""
    async with Client(f"http://{address}") as client:

        async def call() -> None:
            for number in range(JOBS_EACH):
                await client.submit({"number": number}, type="t")

        before = await client.stats()
        async with trio.open_nursery() as callers:
            for _ in range(CALLERS):
                callers.start_soon(call)
        after = await client.stats()
    assert after.total - before.total == CALLERS * JOBS_EACH
    return after.storage.writes - before.storage.writes

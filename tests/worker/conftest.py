"""A real broker on a memory store, a client of it, and workers that run in the test."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
import trio

from osqueue.client import Client
from osqueue.settings import Settings
from tests.server.harness import Served, serve

__all__: list[str] = []

LEASE_MS = 1_000


@pytest.fixture
async def served(nursery: trio.Nursery, seeded_random: random.Random) -> AsyncIterator[Served]:
    """A leading broker with short leases behind a listening server."""
    settings = Settings(
        broker_port=0,
        storage_backend="memory",
        lease_ms=LEASE_MS,
        broker_heartbeat_timeout_ms=500,
        broker_heartbeat_interval_ms=100,
        retry_base_ms=1,
    )
    with trio.fail_after(20):
        served = await serve(nursery, settings, seeded_random)
        yield served
    nursery.cancel_scope.cancel()


@pytest.fixture
def broker_url(served: Served) -> str:
    """Of the real broker."""
    return f"http://{served.server.address}"


@pytest.fixture
async def client(broker_url: str) -> AsyncIterator[Client]:
    """Of the same broker."""
    async with Client(broker_url) as client:
        yield client

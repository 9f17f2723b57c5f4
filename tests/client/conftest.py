"""A real broker on a memory store, and a proxy in front of it that can lose replies."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator
from typing import Literal

import pytest
import trio

from osqueue.client import Client
from osqueue.settings import Settings
from tests.client.brokers.flaky_proxy import FlakyProxy
from tests.client.brokers.scripted_broker import ScriptedBroker
from tests.server.harness import Served, serve

__all__: list[str] = []


@pytest.fixture
async def served(nursery: trio.Nursery, seeded_random: random.Random) -> AsyncIterator[Served]:
    """A leading broker behind a listening server."""
    settings = Settings(broker_port=0, storage_backend="memory")
    served = await serve(nursery, settings, seeded_random)
    yield served
    nursery.cancel_scope.cancel()


@pytest.fixture
def broker_url(served: Served) -> str:
    """Of the real broker."""
    return f"http://{served.server.address}"


@pytest.fixture
async def proxy(served: Served, nursery: trio.Nursery) -> FlakyProxy:
    """In front of the real broker."""
    proxy = FlakyProxy(served.server.port)
    await nursery.start(proxy.run)
    return proxy


@pytest.fixture
async def scripted(nursery: trio.Nursery) -> AsyncIterator[ScriptedBroker]:
    """A broker that answers as a test tells it."""
    scripted = ScriptedBroker()
    await nursery.start(scripted.run)
    yield scripted
    nursery.cancel_scope.cancel()


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(params=["websocket", "http"])
async def client(request: pytest.FixtureRequest, broker_url: str) -> AsyncIterator[Client]:
    transport: Literal["websocket", "http"] = request.param
    with trio.fail_after(20):
        async with Client(broker_url, transport=transport) as client:
            yield client

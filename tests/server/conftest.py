"""A real broker on a memory store, served on a real socket."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
import trio

from osqueue.settings import Settings
from tests.server.harness import Served, serve

__all__: list[str] = []


@pytest.fixture
def settings() -> Settings:
    """Of the served broker; a test overrides the fixture to change them."""
    return Settings(broker_port=0, storage_backend="memory")


@pytest.fixture
async def served(
    nursery: trio.Nursery, settings: Settings, seeded_random: random.Random
) -> AsyncIterator[Served]:
    """A leading broker behind a listening server."""
    served = await serve(nursery, settings, seeded_random)
    yield served
    nursery.cancel_scope.cancel()

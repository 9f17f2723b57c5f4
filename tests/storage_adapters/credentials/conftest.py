"""Fixtures for the tests of all issuers."""

import pytest
import trio

from storage_adapters.credentials.exchange import Exchange
from tests.storage_adapters.credentials.issuers import IssuerServer


@pytest.fixture
async def server(nursery: trio.Nursery) -> IssuerServer:
    return await IssuerServer.start(nursery)


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
async def closed_url() -> str:
    """An address where nobody listens."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    return f"http://127.0.0.1:{port}"

"""A broker as a process of its own, for benchmarks. Prints its port when it serves."""

from __future__ import annotations

import gc
import random as random_module
import sys

import structlog
import trio

from osqueue.broker.broker import Broker
from osqueue.broker.clocks import SystemClock
from osqueue.core.ids import make_broker_name
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from osqueue.settings import Settings
from storage_adapters.opening import open_store

__all__ = ["main"]


async def serve(store_url: str, port: int) -> None:
    """Lead the queue in the store, until the process is killed."""
    settings = Settings(broker_host="127.0.0.1", broker_port=port)
    random = random_module.Random()
    identity = BrokerIdentity(
        name=make_broker_name(random.getrandbits(64)), address=f"127.0.0.1:{port}", host="benchmark"
    )
    broker = Broker(
        open_store(store_url),
        settings,
        identity,
        clock=SystemClock(),
        random=random,
        on_loaded=gc.freeze,
    )
    server = Server(broker, settings, random=random)
    server.bind()
    async with trio.open_nursery() as nursery:
        await nursery.start(broker.run)
        await nursery.start(server.run)
        print(server.port, flush=True)


def main() -> None:
    """Serve the store that the first argument names, on the port of the second, or any."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    gc.set_threshold(50_000, 20, 100)
    port = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    trio.run(serve, sys.argv[1], port)

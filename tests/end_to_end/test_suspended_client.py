"""A client whose machine is suspended before its answer comes; a real broker forgets it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import trio

from osqueue.client import Client
from osqueue.core.errors import OutcomeUnknown
from tests.client.brokers.flaky_proxy import FlakyProxy
from tests.end_to_end.processes import BrokerProcess

HOUR_MS = 3_600_000


class SuspendedClock:
    """The clocks of a machine that the test suspends: Trio's stands still meanwhile."""

    def __init__(self) -> None:
        self.suspended_ms = 0

    def now_ms(self) -> int:
        return 1_700_000_000_000 + self.steady_ms()

    def steady_ms(self) -> int:
        return int(trio.current_time() * 1_000) + self.suspended_ms


def forget_clients(document_file: Path) -> list[str]:
    """Drop all clients, as a broker does after fifteen silent minutes; returns their ids."""
    document: dict[str, Any] = msgspec.json.decode(document_file.read_bytes())
    clients = list(document["clients"])
    document["clients"] = {}
    document_file.write_bytes(msgspec.json.encode(document))
    return clients


async def finish_the_job(url: str) -> None:
    """Claim the one job and complete it: then its id is not known any more."""
    async with Client(url) as worker:
        [job] = await worker.claim("worker", wait_ms=10_000)
        await worker.complete(job)


async def count_jobs(url: str) -> int:
    async with Client(url) as client:
        return (await client.stats()).total


async def submit_and_be_suspended(
    client: Client, clock: SuspendedClock, proxy: FlakyProxy, broker: BrokerProcess
) -> OutcomeUnknown:
    """A job is enqueued and done; its producer hears nothing of it, and sleeps for an hour."""
    errors: list[OutcomeUnknown] = []

    async def submit() -> None:
        with pytest.raises(OutcomeUnknown) as raised:
            await client.submit("once")
        errors.append(raised.value)

    async with trio.open_nursery() as nursery:
        async with broker.start() as process:
            await client.stats()
            # Repeats reach the broker, which knows them; no answer comes back.
            proxy.replies_to_lose = 1_000
            nursery.start_soon(submit)
            await proxy.has_lost.wait()
            await finish_the_job(broker.url)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        assert forget_clients(broker.directory / "store" / "queue.json")
        clock.suspended_ms += HOUR_MS
        proxy.replies_to_lose = 0
        async with broker.start():
            # Whatever it asks from now on is new to everybody.
            await client.submit("new", type="new")
            assert await count_jobs(broker.url) == 1
    [error] = errors
    return error


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_job_of_a_client_that_was_suspended_is_not_enqueued_twice(
    transport: Literal["websocket", "http"], tmp_path: Path
) -> None:
    broker = BrokerProcess(tmp_path, {})
    proxy, clock = FlakyProxy(broker.port), SuspendedClock()
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.run)
        async with Client(proxy.url, transport=transport, clock=clock) as client:
            error = await submit_and_be_suspended(client, clock, proxy, broker)
        nursery.cancel_scope.cancel()
    assert "may have been applied" in error.message
    assert error.advice == "look it up"

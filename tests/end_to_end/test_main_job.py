"""The main job on real input: kill what you like, and nothing is lost.

On files, the broker is started again on its port, for every source file of the standard library.
On buckets, a second broker that stood by takes over, for some hundred files.
"""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from osqueue.client import Client
from osqueue.core.document import HEAD_BYTES_MAX, read_header
from storage_adapters.contract import StoredObject
from tests.emulators.peers import GcsPeer, Peers, S3Peer
from tests.end_to_end.main_job import list_sources, play_main_job
from tests.end_to_end.processes import BrokerProcess

SETTINGS = {
    "LEASE_MS": "5000",
    "BROKER_HEARTBEAT_TIMEOUT_MS": "2000",
    "BROKER_HEARTBEAT_INTERVAL_MS": "500",
}
BUCKET_SETTINGS = {
    "LEASE_MS": "8000",
    "BROKER_HEARTBEAT_TIMEOUT_MS": "4000",
    "BROKER_HEARTBEAT_INTERVAL_MS": "1000",
}
BUCKET_FILES = 300


def completed_total(data: bytes) -> int:
    """The count that is durable, from line 1 of the document."""
    header = read_header(data)
    assert header is not None
    return header.completed_total


@pytest.mark.slow
async def test_main_job_worker_and_broker_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    sources = list_sources()
    # Debian's own Python comes with 668 of them, the others with about 1,800.
    assert len(sources) > 600
    broker = BrokerProcess(tmp_path, SETTINGS)
    async with AsyncExitStack() as stack:
        first_broker = await stack.enter_async_context(broker.start())

        async def kill_leader() -> int:
            first_broker.send_signal(signal.SIGKILL)
            await first_broker.wait()
            return completed_total((tmp_path / "store" / "queue.json").read_bytes())

        async def start_again() -> trio.Process:
            return await stack.enter_async_context(broker.start())

        await play_main_job(
            stack,
            tmp_path,
            sources,
            broker_url=broker.url,
            kill_leader=kill_leader,
            replace_leader=start_again,
            first_ok_s_max=2,
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ministack", "fake_gcs"])
async def test_main_job_in_a_bucket_is_taken_over_by_a_standby(
    name: str, peers: Peers, tmp_path: Path
) -> None:
    peer: S3Peer | GcsPeer = getattr(peers, name)
    prefix = "main-job/"
    settings = {**BUCKET_SETTINGS, **peer.environment, "S3_PREFIX": prefix, "GCS_PREFIX": prefix}
    brokers = [BrokerProcess(tmp_path / str(number), settings) for number in range(2)]
    store = peer.open(prefix=prefix)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.aclose)
        leader = await stack.enter_async_context(brokers[0].start())
        async with Client(brokers[0].url) as client:
            assert (await client.stats()).epoch == 1
        standby = await stack.enter_async_context(brokers[1].start())

        async def kill_leader() -> int:
            leader.send_signal(signal.SIGKILL)
            await leader.wait()
            found = await store.read("queue.json", head_bytes=HEAD_BYTES_MAX)
            assert isinstance(found, StoredObject)
            return completed_total(found.data)

        async def stand_by() -> trio.Process:
            assert leader.returncode == -signal.SIGKILL
            return standby

        await play_main_job(
            stack,
            tmp_path,
            list_sources()[:BUCKET_FILES],
            broker_url=",".join(broker.url for broker in brokers),
            kill_leader=kill_leader,
            replace_leader=stand_by,
            # Google takes one write a second of one object: the takeover, then what waits for it.
            first_ok_s_max=5,
            # A second a write: few rounds of claims, each of many jobs.
            concurrency=25,
        )

"""Two real brokers on a bucket whose answers get lost: nothing is lost, and nothing is doubled.

On S3 and on GCS; there without the pace of one write a second, which fake-gcs-server does not need.
"""

from __future__ import annotations

import random

import msgspec
import pytest
import trio

from osqueue.broker.broker import Broker, make_rules
from osqueue.clocks import SystemClock
from osqueue.core.document import load_document
from osqueue.core.errors import NotLeader, OutcomeUnknown, Unavailable
from osqueue.core.leadership import BrokerIdentity
from osqueue.core.outcomes import JobsSubmitted
from osqueue.settings import Settings
from storage_adapters.contract import ObjectStore, StoredObject
from tests.core.driven import submit_job
from tests.emulators.fault_proxy import Fault, FaultProxy
from tests.emulators.peers import GcsPeer, Peers, S3Peer

JOBS = 500
"""Counted mutations of each broker."""
LANES = 5
SETTINGS = Settings(
    storage_backend="memory",
    broker_heartbeat_interval_ms=500,
    broker_heartbeat_timeout_ms=2_000,
    lease_ms=5_000,
)
"""One attempt to write has half a second."""


def make_broker(store: ObjectStore, number: int) -> Broker:
    return Broker(
        store,
        SETTINGS,
        BrokerIdentity(
            name=f"{number:016x}", address=f"10.0.0.{number}:8080", host=f"host-{number}"
        ),
        clock=SystemClock(),
        random=random.Random(number),
    )


async def submit_until_ok(brokers: list[Broker], number: int) -> None:
    """Ask as a client does: the same sequence again, of whoever leads, until it is ok."""
    request = submit_job(number)
    repeat = msgspec.structs.replace(submit_job(number, sequence=1).repeat, client_id=f"c-{number}")
    request = msgspec.structs.replace(request, repeat=repeat)
    while True:
        for broker in brokers:
            [outcome] = await broker.submit([request])
            if isinstance(outcome, JobsSubmitted):
                # A second application would find the job of the first one.
                assert outcome == JobsSubmitted([f"job-{number}"])
                return
            assert isinstance(outcome, NotLeader | OutcomeUnknown | Unavailable), outcome
        await trio.sleep(0.02)


async def submit_all(brokers: list[Broker], numbers: range) -> None:
    async def run_lane(lane: range) -> None:
        for number in lane:
            await submit_until_ok(brokers, number)

    async with trio.open_nursery() as nursery:
        for lane in range(LANES):
            nursery.start_soon(run_lane, numbers[lane::LANES])


@pytest.mark.slow
@pytest.mark.parametrize("fault", Fault, ids=[fault.name.lower() for fault in Fault])
@pytest.mark.parametrize("name", ["ministack", "fake_gcs"])
async def test_brokers_under_a_fault_lose_and_double_nothing(
    name: str, fault: Fault, peers: Peers, seeded_random: random.Random
) -> None:
    prefix = f"faults/{fault.name.lower()}/"
    peer: S3Peer | GcsPeer = getattr(peers, name)
    proxy = FaultProxy(peer.program.port, fault, random=seeded_random)
    with trio.fail_after(60):
        async with proxy.serve():
            stores = [peer.open(proxy.url, prefix=prefix) for _ in range(2)]
            brokers = [make_broker(store, number) for number, store in enumerate(stores, start=1)]
            async with trio.open_nursery() as nursery:
                for broker in brokers:
                    await nursery.start(broker.run)
                await submit_all(brokers, range(JOBS))
                await brokers[0].drain()
                await submit_all(brokers[1:], range(JOBS, 2 * JOBS))
                await brokers[1].drain()
            for store in stores:
                await store.aclose()
    assert proxy.spoiled_count >= 2, "the fault was tried"
    store = peer.open(prefix=prefix)
    found = await store.read("queue.json")
    await store.aclose()
    assert isinstance(found, StoredObject)
    state = load_document(found.data, make_rules(SETTINGS), random.Random(1)).state
    stored = [job.id for job in state.table.blocks.after(-1)]
    assert sorted(stored) == sorted(f"job-{number}" for number in range(2 * JOBS))

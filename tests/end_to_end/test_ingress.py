"""Leader and standby behind an ingress that answers in the bucket's place for a while."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import trio

from osqueue.client import Client
from tests.emulators.ingress import Ingress
from tests.emulators.peers import Peers
from tests.end_to_end.processes import BrokerProcess

SETTINGS = {
    "BROKER_HEARTBEAT_INTERVAL_MS": "300",
    "BROKER_HEARTBEAT_TIMEOUT_MS": "1000",
    "LEASE_MS": "5000",
}
STATUSES = (404, 403, 412, 200)
ANSWERS = 3
"""Requests that each status answers: some of the leader's, some of the standby's."""


async def wait_for_leader(url: str) -> None:
    async with httpx.AsyncClient() as client:
        while True:
            try:
                if (await client.get(f"{url}/healthz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await trio.sleep(0.05)


@pytest.mark.slow
async def test_pages_of_an_ingress_end_no_broker_and_lose_no_job(
    peers: Peers, tmp_path: Path
) -> None:
    peer = peers.ministack
    ingress = Ingress(peer.program.port)
    with trio.fail_after(60):
        async with ingress.serve():
            settings = {**peer.environment, **SETTINGS, "S3_ENDPOINT_URL": ingress.url}
            settings["S3_PREFIX"] = "ingress/"
            leader = BrokerProcess(tmp_path / "leader", settings)
            standby = BrokerProcess(tmp_path / "standby", settings)
            async with leader.start() as first:
                await wait_for_leader(leader.url)
                async with (
                    standby.start() as second,
                    Client(f"{leader.url},{standby.url}") as client,
                ):
                    await wait_for_leader(standby.url)
                    submitted = [(await client.submit({"n": n})).job_id for n in range(3)]
                    for status in STATUSES:
                        ingress.status = status
                        await ingress.wait_for_answers(ANSWERS)
                    ingress.status = 0
                    submitted += [(await client.submit({"n": n})).job_id for n in range(3)]
                    assert first.poll() is None, (tmp_path / "leader/broker.log").read_text()
                    assert second.poll() is None, (tmp_path / "standby/broker.log").read_text()
                    for job_id in submitted:
                        assert (await client.get_job(job_id)).status == "unclaimed"

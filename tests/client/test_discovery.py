"""Finding the leader in a store of files."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio

from osqueue.broker.broker import Broker
from osqueue.broker.clocks import SystemClock
from osqueue.client import Client
from osqueue.client.discovery import Discovery, is_store_url
from osqueue.core.errors import Unavailable
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from osqueue.settings import Settings
from storage_adapters.contract import ABSENT
from storage_adapters.opening import open_store

__all__: list[str] = []

HEAD = b'{"format":%d,"broker":%b,"epoch":3,"commitId":"3-1-0123456789abcdef",\n"jobs":[]}'


@pytest.mark.parametrize(
    ("target", "is_store"),
    [("file:./x", True), ("s3://bucket", True), ("http://a", False), ("ws://a", False)],
)
def test_stores_and_brokers_are_told_apart(target: str, is_store: bool) -> None:
    assert is_store_url(target) is is_store


async def test_a_client_finds_the_leader_in_the_store(
    tmp_path: Path, nursery: trio.Nursery, seeded_random: random.Random, unused_port: int
) -> None:
    url = f"file:{tmp_path}"
    settings = Settings(broker_port=unused_port)
    broker = Broker(
        open_store(url),
        settings,
        BrokerIdentity(name=f"{1:016x}", address=f"127.0.0.1:{unused_port}", host="test"),
        clock=SystemClock(),
        random=seeded_random,
    )
    server = Server(broker, settings, random=seeded_random)
    with trio.fail_after(10):
        async with Client(url) as client, trio.open_nursery() as calls:
            calls.start_soon(client.submit)
            server.bind()
            await nursery.start(broker.run)
            await nursery.start(lambda task_status: server.run(task_status=task_status))
        assert (await Discovery(url).find()) == (1, server.address)
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "nothing is stored"),
        (b"{}", "cannot be read"),
        (HEAD % (1, b"null"), "no broker leads"),
        (HEAD % (99, b'"a:1"'), "format is 99"),
    ],
)
async def test_a_store_without_a_leader_says_why(
    tmp_path: Path, document: bytes | None, reason: str
) -> None:
    url = f"file:{tmp_path}"
    if document is not None:
        await open_store(url).put("queue.json", [document], condition=ABSENT)
    found = await Discovery(url).find()
    assert isinstance(found, str)
    assert reason in found
    async with Client(url, timeout_s=0.2) as client:
        with pytest.raises(Unavailable, match=reason):
            await client.stats()

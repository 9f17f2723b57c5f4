"""Proving a store before a broker trusts it: what the log says, and what keeps a broker away."""

from __future__ import annotations

import random

import pytest
import structlog
import trio

from osqueue.broker.broker import Broker
from osqueue.broker.clocks import SystemClock
from osqueue.cli.broker.process import BrokerProcess
from osqueue.cli.broker.proving import is_bucket, prove_store
from osqueue.cli.endings import ExitStatus, ending_of
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from osqueue.settings import Settings
from storage_adapters.contract import Absent, AccessDenied
from storage_adapters.memory import MemoryStore
from storage_adapters.proof import ConditionsBroken
from tests.storage_adapters.ignoring_store import IgnoringStore

BUCKET = Settings(storage_backend="s3", s3_bucket="jobs", broker_port=0)


def test_only_buckets_are_to_be_proven() -> None:
    assert is_bucket(BUCKET)
    assert is_bucket(Settings(storage_backend="gcs", gcs_bucket="jobs"))
    assert not is_bucket(Settings(storage_backend="memory"))
    assert not is_bucket(Settings())


async def test_proven_store_is_logged_with_what_was_noticed() -> None:
    class KeepingStore(MemoryStore):
        async def delete(self, key: str) -> None:
            raise AccessDenied("no s3:DeleteObject")

        async def list(self, prefix: str) -> list[str]:
            raise AccessDenied("no s3:ListBucket")

    with structlog.testing.capture_logs() as lines:
        await prove_store(MemoryStore(), BUCKET, now_ms=1)
        await prove_store(KeepingStore(), BUCKET, now_ms=1)
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("store proven", None),
        ("store proven", None),
        ("scratch key not removed", "no s3:DeleteObject"),
        ("scratch keys not listed", "no s3:ListBucket"),
    ]


def make_process(store: MemoryStore) -> tuple[BrokerProcess, Server]:
    broker = Broker(
        store,
        BUCKET,
        BrokerIdentity(name="00" * 8, address="127.0.0.1:1", host="test"),
        clock=SystemClock(),
        random=random.Random(1),
    )
    server = Server(broker, BUCKET, random=random.Random(1))
    server.bind()
    return BrokerProcess(server, BUCKET), server


async def test_broker_on_a_bucket_that_ignores_conditions_writes_nothing_and_ends() -> None:
    store = IgnoringStore(Absent)
    process, server = make_process(store)
    with trio.fail_after(10), pytest.raises(BaseExceptionGroup) as caught:
        await process.run()
    server.close()
    error = caught.value.exceptions[0]
    assert isinstance(error, ConditionsBroken)
    assert await store.list("") == []
    ending = ending_of(error)
    assert ending.status is ExitStatus.REFUSED
    assert "'create again'" in ending.message

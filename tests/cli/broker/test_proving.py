"""Proving a store before a broker trusts it: what the log says, and what keeps a broker away."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import msgspec
import pytest
import structlog
import trio

from osqueue.broker.broker import Broker
from osqueue.cli.broker.process import BrokerProcess
from osqueue.cli.broker.proving import host_in_the_clear, is_bucket, prove_store
from osqueue.cli.endings import ExitStatus, ending_of, first_leaf
from osqueue.clocks import SystemClock
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from osqueue.settings import Settings
from storage_adapters.contract import Absent, AccessDenied
from storage_adapters.memory import MemoryStore
from storage_adapters.proof import ConditionsBroken
from tests.cli.processes import QUICK, run_osqueue, started_broker
from tests.emulators.peers import Peers
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


@pytest.mark.parametrize(
    ("address", "is_clear"),
    [
        ("", False),
        ("https://s3.example.org", False),
        ("http://127.0.0.1:9000", False),
        ("http://[::1]:9000", False),
        ("http://10.1.2.3:9000", False),
        ("http://minio:9000", False),
        ("http://minio.queue.svc:9000", False),
        ("http://s3.example.org:9000", True),
        ("http://8.8.8.8:80", True),
    ],
)
async def test_plain_http_to_a_host_far_away_is_warned_of(address: str, is_clear: bool) -> None:
    on_s3 = Settings(storage_backend="s3", s3_bucket="jobs", s3_endpoint_url=address)
    emulator = address.removeprefix("http://")
    on_gcs = Settings(storage_backend="gcs", gcs_bucket="jobs", storage_emulator_host=emulator)
    assert bool(host_in_the_clear(on_s3)) is is_clear
    assert bool(host_in_the_clear(on_gcs)) is is_clear
    with structlog.testing.capture_logs() as lines:
        await prove_store(MemoryStore(), on_s3, now_ms=1)
    warned = [line["host"] for line in lines if "without encryption" in line["event"]]
    assert bool(warned) is is_clear


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
    error = first_leaf(caught.value)
    assert isinstance(error, ConditionsBroken)
    assert await store.list("") == []
    ending = ending_of(error)
    assert ending.status is ExitStatus.REFUSED
    assert "'create again'" in ending.message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "step"),
    [("rclone", "create again"), ("localbucket", "replace under the old version")],
)
def test_broker_refuses_a_server_that_ignores_conditions(
    name: str, step: str, peers: Peers, tmp_path: Path
) -> None:
    given = {**QUICK, **getattr(peers, name).environment, "S3_PREFIX": "refused/"}
    ended = run_osqueue([], tmp_path, given, module="osqueue.server")
    assert (ended.returncode, ended.stdout) == (1, "")
    last = msgspec.json.decode(ended.stderr.splitlines()[-1])
    assert f"in the step '{step}' it" in str(last)
    assert "docs/storage.md" in str(last)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ministack", "moto", "fake_gcs"])
def test_broker_serves_on_a_server_that_keeps_conditions(
    name: str, peers: Peers, tmp_path: Path
) -> None:
    prefixes = {"S3_PREFIX": "proven/", "GCS_PREFIX": "proven/"}
    slow_enough = {
        "BROKER_HEARTBEAT_INTERVAL_MS": "1000",
        "BROKER_HEARTBEAT_TIMEOUT_MS": "10000",
        "LEASE_MS": "20000",
    }
    given = {**getattr(peers, name).environment, **prefixes, **slow_enough}
    with started_broker(tmp_path, **given) as broker:
        assert broker.wait_event("store proven")["swept"] == 0
        broker.send(signal.SIGTERM)
        assert broker.wait_event("stopped")["released"] is True
        assert broker.wait_ended() == 0
        assert "ResourceWarning" not in broker.rest_of_log()

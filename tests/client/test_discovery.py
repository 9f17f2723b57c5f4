"""Finding the leader in a store of files."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal

import pytest
import trio

from osqueue.broker.broker import Broker
from osqueue.client import Client
from osqueue.client.discovery import Discovery, is_store_url
from osqueue.clocks import SystemClock
from osqueue.core.errors import Forbidden, InvalidRequest, QueueError, Unavailable
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from osqueue.settings import Settings
from storage_adapters.contract import ABSENT
from storage_adapters.opening import open_store
from tests.emulators.peers import BUCKET, Peers
from tests.storage_adapters.scripted_bucket import ScriptedBucket, answer

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


NO_KEYS = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
REFUSED_AT_ONCE = [
    ("/", {}, Forbidden, "these credentials may not read"),
    ("/", {"AWS_SECRET_ACCESS_KEY": "wrong"}, Forbidden, "the secret key does not belong"),
    ("/", NO_KEYS, Forbidden, "no credentials found; set AWS_"),
    ("-not-there/", {}, InvalidRequest, "correct the bucket or the endpoint"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("place", "given", "error", "reason"), REFUSED_AT_ONCE)
@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_what_no_repetition_mends_is_told_at_once(
    place: str,
    given: dict[str, str],
    error: type[QueueError],
    reason: str,
    transport: Literal["websocket", "http"],
    peers: Peers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = peers.ministack.environment
    if not given and place == "/":
        keys |= peers.ministack.make_user(f"may-nothing-by-{transport}")
    nobody = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    for name, value in (nobody | keys | given).items():
        monkeypatch.setenv(name, value)
    url = f"s3://{BUCKET}{place}?endpoint_url={peers.ministack.url}"
    with trio.fail_after(20):
        async with Client(url, transport=transport) as client:
            for _ in range(2):
                with pytest.raises(error, match=reason) as caught:
                    await client.submit()
                assert url in caught.value.message
                assert "BROKER_URL" in caught.value.message
                assert keys["AWS_SECRET_ACCESS_KEY"] not in caught.value.message


@pytest.mark.slow
async def test_a_bucket_of_google_that_is_not_there_is_told_at_once(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", peers.fake_gcs.url)
    with trio.fail_after(20):
        async with Client("gs://not-there/") as client:
            with pytest.raises(InvalidRequest, match="there is no such bucket; create it"):
                await client.stats()


async def test_refusals_of_a_store_that_has_answered_are_passing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    refusal = answer(403, b"<Error><Code>AccessDenied</Code></Error>")
    async with ScriptedBucket().serve() as bucket:
        not_listed = refusal
        missing = answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        bucket.script += [answer(503), refusal, missing, not_listed, refusal]
        discovery = Discovery(f"s3://jobs/?endpoint_url={bucket.url}&region=us-east-1")
        assert "cannot be read now" in str(await discovery.find())
        with pytest.raises(Forbidden):
            await discovery.find()
        assert "nothing is stored" in str(await discovery.find())
        assert "fix the permissions" in str(await discovery.find())
        await discovery.aclose()

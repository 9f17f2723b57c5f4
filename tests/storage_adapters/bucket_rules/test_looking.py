"""Looking at a bucket: what is asked, on servers that answer by script, and on real ones."""

from __future__ import annotations

import pytest

from storage_adapters.bucket_rules.facts import LifecycleRule, Unseen
from storage_adapters.bucket_rules.looking import look_at_bucket
from storage_adapters.contract import AccessDenied
from storage_adapters.credentials.source import FixedSource
from storage_adapters.exchanges import Dialect
from storage_adapters.gcs import GcsDialect
from storage_adapters.gcs_xml import GcsXmlDialect
from storage_adapters.http_store import HttpStore
from storage_adapters.memory import MemoryStore
from storage_adapters.opening import open_s3
from storage_adapters.s3 import S3Dialect
from storage_adapters.signing import ANONYMOUS, HmacKey
from tests.emulators.peers import Peers
from tests.storage_adapters.scripted_bucket import HANG_UP, ScriptedBucket, answer

RULES = {
    "versioning": "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    "lifecycle": "<LifecycleConfiguration><Rule><ID>old</ID><Filter><Prefix>team/</Prefix></Filter>"
    "<Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>"
    "</LifecycleConfiguration>",
    "object_lock": "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
    "<DefaultRetention><Mode>GOVERNANCE</Mode><Days>3</Days></DefaultRetention></Rule>"
    "</ObjectLockConfiguration>",
}


def on(dialect: Dialect) -> HttpStore:
    return HttpStore(dialect, FixedSource(ANONYMOUS))


async def test_s3_is_asked_three_questions() -> None:
    async with ScriptedBucket().serve() as bucket:
        bucket.script += [
            answer(200, RULES["versioning"].encode()),
            answer(403, b"<Error><Code>AccessDenied</Code></Error>"),
            HANG_UP,
        ]
        store = on(S3Dialect("jobs", "team/", endpoint_url=bucket.url))
        facts = await look_at_bucket(store, "queue.json")
        await store.aclose()
        assert [request.line.split()[1] for request in bucket.requests] == [
            "/jobs/?versioning=",
            "/jobs/?lifecycle=",
            "/jobs/?object-lock=",
        ]
    assert facts is not None
    assert facts.versioning == "on"
    told = "403 AccessDenied"
    assert facts.rules == Unseen("denied", "s3:GetLifecycleConfiguration", told)
    permission = "s3:GetBucketObjectLockConfiguration"
    assert facts.blocked_by == Unseen("unanswered", permission, "no answer")
    assert facts.soft_delete_s is None


async def test_gcs_is_asked_one_question_about_the_full_name_of_the_queue() -> None:
    policy = (
        b'{"kind":"storage#bucket","lifecycle":{"rule":[{"action":{"type":"Delete"},'
        b'"condition":{"age":1,"matchesPrefix":["team/"]}}]},'
        b'"softDeletePolicy":{"retentionDurationSeconds":"604800"}}'
    )
    async with ScriptedBucket().serve() as bucket:
        bucket.script.append(answer(200, policy))
        store = on(GcsDialect("jobs", "team/", endpoint_url=bucket.url))
        facts = await look_at_bucket(store, "queue.json")
        await store.aclose()
        [request] = bucket.requests
        assert request.line.split()[1].startswith("/storage/v1/b/jobs?fields=kind%2Cversioning%2C")
    assert facts is not None
    assert facts.soft_delete_s == 604_800
    assert facts.rules == (
        LifecycleRule("number 1", "removes", "1 day after it was last written", 1),
    )


async def test_credentials_that_are_refused_are_no_proof_that_all_is_off() -> None:
    class Refusing(FixedSource):
        async def current(self) -> HmacKey:
            raise AccessDenied("the role may not be assumed")

    store = HttpStore(S3Dialect("jobs"), Refusing(ANONYMOUS))
    facts = await look_at_bucket(store, "queue.json")
    await store.aclose()
    assert facts is not None
    assert list(facts.unseen) == ["versioning", "lifecycle rules", "retention"]
    assert {unseen.reason for unseen in facts.unseen.values()} == {"denied"}


async def test_hmac_keys_cannot_ask_and_other_stores_need_not() -> None:
    store = HttpStore(GcsXmlDialect("jobs"), FixedSource(HmacKey("id", "secret")))
    facts = await look_at_bucket(store, "queue.json")
    await store.aclose()
    assert facts is not None
    assert facts.soft_delete_s == Unseen(
        "unanswered", "storage.buckets.get", "with an HMAC key nobody can ask"
    )
    assert await look_at_bucket(MemoryStore(), "queue.json") is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ministack", "moto"])
async def test_s3_emulators_tell_their_rules(name: str, peers: Peers) -> None:
    peer = getattr(peers, name)
    # Keys of this bucket must not be locked for later tests: it has a bucket of its own.
    environment = peer.make_bucket(f"rules-{name}", **RULES)
    store = open_s3(
        environment["S3_BUCKET"],
        environment=environment,
        prefix="team/",
        endpoint_url=peer.url,
        region="eu-central-1",
    )
    facts = await look_at_bucket(store, "queue.json")
    assert facts is not None
    assert facts.unseen == {}
    assert facts.versioning == "on"
    assert facts.rules == (
        LifecycleRule("old", "removes", "30 days after it was last written", 30),
    )
    assert facts.blocked_by == "object lock with a default retention of 3 days (governance)"
    await store.aclose()


@pytest.mark.slow
async def test_user_of_ministack_who_may_not_look_is_told_so(peers: Peers) -> None:
    store = peers.ministack.open()
    facts = await look_at_bucket(store, "queue.json")
    await store.aclose()
    assert facts is not None
    assert {unseen.reason for unseen in facts.unseen.values()} == {"denied"}
    assert len(facts.unseen) == 3


@pytest.mark.slow
async def test_gcs_emulator_tells_its_rules(peers: Peers) -> None:
    store = peers.fake_gcs.open()
    facts = await look_at_bucket(store, "queue.json")
    await store.aclose()
    assert facts is not None
    assert (facts.versioning, facts.rules, facts.blocked_by) == ("off", (), "")

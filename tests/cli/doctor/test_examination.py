"""The examination: which findings follow from what a store does; the queue is only read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from osqueue.cli.doctor.examination import Examination, Plan
from osqueue.cli.doctor.report import Report
from osqueue.settings import Settings
from storage_adapters.contract import (
    ABSENT,
    Absent,
    AccessDenied,
    Condition,
    Match,
    ObjectStore,
    StoredObject,
    StoreUnavailable,
    Unchanged,
    Version,
    WriteOutcomeUnknown,
)
from storage_adapters.credentials.source import FixedSource
from storage_adapters.file.store import FileStore
from storage_adapters.http_store import HttpStore
from storage_adapters.memory import MemoryStore
from storage_adapters.s3 import S3Dialect
from storage_adapters.signing import ANONYMOUS, Credentials
from tests.storage_adapters.ignoring_store import IgnoringStore, RestlessStore
from tests.storage_adapters.scripted_bucket import ScriptedBucket, answer

KEY = "queue.json"
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
SETTINGS = Settings(storage_backend="memory")
PLAN = Plan(racers=3, rounds=3, samples=3, document_bytes=100)
HEADER = (
    b'{"format":1,"broker":"10.0.0.7:8080","brokerHeartbeat":1706000000000,"brokerTimeoutMs":10000,'
    b'"epoch":7,"commitId":"7-3-00000000000000ab","lineage":[],'
    b'"nextOrder":1,"leadershipMs":0,\n"clients":{},"jobs":[]}'
)


async def examine(store: ObjectStore, settings: Settings = SETTINGS, plan: Plan = PLAN) -> Report:
    examination = Examination(
        store, settings, plan, queue_key=KEY, scratch_name="test", now_ms=1_800_000_000_000
    )
    return await examination.run()


def found(report: Report) -> list[tuple[str, str]]:
    return [(finding.level, finding.check) for finding in report.findings]


async def test_good_store_has_every_part_and_no_finding() -> None:
    store = MemoryStore()
    report = await examine(store)
    assert report.is_fine
    assert found(report) == []
    assert report.queue is None
    for part in (report.proof, report.race, report.reads, report.writes, report.costs):
        assert part is not None
    assert report.unchanged_reads is not None
    assert report.clock_offset_ms is None
    assert await store.list("") == []


class CountingStore(MemoryStore):
    """Counts what is paid for."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_count = self.reads_count = 0

    async def put(self, *arguments: Any, **options: Any) -> Version:
        self.writes_count += 1
        return await super().put(*arguments, **options)

    async def read(self, *arguments: Any, **options: Any) -> StoredObject | Unchanged:
        self.reads_count += 1
        return await super().read(*arguments, **options)


async def test_examination_costs_what_the_manual_says() -> None:
    store = CountingStore()
    await examine(store, plan=Plan())
    # With a listing, and three questions about a bucket on S3: about 185 and 65.
    assert (store.writes_count, store.reads_count) == (184, 62)


async def test_queue_is_read_and_never_written() -> None:
    store = MemoryStore()
    version = await store.put(KEY, [HEADER], condition=ABSENT)
    report = await examine(store)
    assert report.queue is not None
    assert (report.queue.broker, report.queue.epoch) == ("10.0.0.7:8080", 7)
    stored = await store.read(KEY)
    assert isinstance(stored, StoredObject)
    assert (stored.data, stored.version) == (HEADER, version)
    assert await store.list("") == [KEY]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"hello", ("warning", "queue")),
        (HEADER.replace(b'"format":1', b'"format":99'), ("problem", "queue")),
    ],
)
async def test_queue_that_cannot_be_used_is_told(data: bytes, expected: tuple[str, str]) -> None:
    store = MemoryStore()
    await store.put(KEY, [data], condition=ABSENT)
    report = await examine(store)
    assert found(report) == [expected]
    assert report.race is not None


async def test_queue_that_was_removed_by_hand_is_a_problem_as_it_is_for_a_broker(
    tmp_path: Path,
) -> None:
    store = FileStore(tmp_path)
    version = await store.put(KEY, [HEADER], condition=ABSENT)
    await store.put(KEY, [HEADER], condition=Match(version))
    (tmp_path / KEY).unlink()
    report = await examine(store)
    assert found(report) == [("problem", "queue")]
    assert "removed by hand" in report.findings[0].message
    await store.aclose()


async def test_store_that_ignores_conditions_is_a_problem_and_not_examined_further() -> None:
    report = await examine(IgnoringStore(Absent))
    assert not report.is_fine
    [finding] = report.findings
    assert (finding.level, finding.check) == ("problem", "proof")
    assert "'create again'" in finding.message
    assert (report.proof, report.race, report.writes) == (None, None, None)
    assert report.costs is not None


class LossyRace(MemoryStore):
    """Keeps conditions on one writer at a time, and on the race's key only for one in a round."""

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        if not key.endswith("-race"):
            return await super().put(key, chunks, condition=condition, metadata=metadata)
        return Version("acknowledged")


async def test_lost_race_is_a_problem() -> None:
    report = await examine(LossyRace())
    assert ("problem", "race") in found(report)
    assert "compares and writes in two steps" in report.findings[0].message


class Limited(MemoryStore):
    """Some calls are not permitted."""

    def __init__(self, *denied: str, offset_ms: int | None = None) -> None:
        super().__init__()
        self.denied = denied
        self.clock_offset_ms = offset_ms

    async def read(self, *arguments: Any, **options: Any) -> StoredObject | Unchanged:
        self.check("GetObject")
        return await super().read(*arguments, **options)

    async def list(self, prefix: str) -> list[str]:
        self.check("ListBucket")
        return await super().list(prefix)

    async def delete(self, key: str) -> None:
        self.check("DeleteObject")
        await super().delete(key)

    def check(self, permission: str) -> None:
        if permission in self.denied:
            raise AccessDenied(f"s3:{permission} is missing")


async def test_missing_permissions_are_told_by_name() -> None:
    report = await examine(Limited("ListBucket", "DeleteObject"))
    assert report.is_fine
    assert found(report) == [("warning", "permissions")] * 2
    assert ["DeleteObject" in finding.message for finding in report.findings] == [True, False]
    report = await examine(Limited("GetObject"))
    assert found(report) == [("problem", "permissions")]
    assert "s3:GetObject" in report.findings[0].message


async def test_permission_that_the_proof_lacks_is_found_out() -> None:
    store = RestlessStore(dict.fromkeys(range(1, 9), AccessDenied("s3:PutObject is missing")))
    report = await examine(store)
    assert found(report) == [("problem", "permissions")]
    assert "to write objects is not permitted" in report.findings[0].message
    assert "s3:PutObject" in report.findings[0].advice


async def test_rules_of_the_bucket_are_looked_at_and_judged() -> None:
    bucket = ScriptedBucket()
    forbidden = answer(403, b"<Error><Code>AccessDenied</Code></Error>")
    versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    async with bucket.serve():
        missing = answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        bucket.script += [missing, answer(200, versioning), forbidden, forbidden]
        # The proof and the trial of each call are refused.
        bucket.script += [forbidden] * 6
        store = HttpStore(S3Dialect("jobs", endpoint_url=bucket.url), FixedSource(ANONYMOUS))
        settings = Settings(storage_backend="s3", s3_bucket="jobs")
        report = await examine(store, settings)
        await store.aclose()
    assert found(report) == [("problem", "proof"), ("warning", "bucket"), ("warning", "bucket")]
    assert "versioning is on" in report.findings[1].message
    assert "may not look at the bucket's lifecycle rules, retention" in report.findings[2].message
    assert report.bucket is not None
    assert [(aspect.name, aspect.is_known) for aspect in report.bucket] == [
        ("versioning", True),
        ("lifecycle rules", False),
        ("retention", False),
    ]


async def test_store_that_fails_by_itself_is_told_from_one_out_of_reach() -> None:
    settings = Settings(storage_backend="s3", s3_bucket="jobs")
    failing = b"<Error><Code>InternalError</Code></Error>"
    page = answer(500, b"<html>", content_type="text/html", date=DATE)
    advice: list[str] = []
    async with ScriptedBucket().serve() as bucket:
        bucket.script += [answer(500, failing, date=DATE), page]
        for _ in range(2):
            store = HttpStore(S3Dialect("jobs", endpoint_url=bucket.url), FixedSource(ANONYMOUS))
            report = await examine(store, settings)
            await store.aclose()
            advice += [finding.advice for finding in report.findings if finding.check == "queue"]
    assert advice == [
        "the store itself answers, and fails: look at its state, then try again",
        "check the store's address and the way to it, then try again",
    ]


async def test_missing_credentials_are_not_a_missing_permission() -> None:
    class Nobody(FixedSource):
        async def current(self) -> Credentials:
            raise AccessDenied("no credentials found; set AWS_ACCESS_KEY_ID")

    store = HttpStore(S3Dialect("jobs"), Nobody(ANONYMOUS))
    report = await examine(store, Settings(storage_backend="s3", s3_bucket="jobs"))
    await store.aclose()
    [finding] = report.findings
    assert finding.message == "no credentials found; set AWS_ACCESS_KEY_ID"
    assert finding.advice.startswith("nothing was asked of the store")


@pytest.mark.parametrize(
    ("offset_ms", "words"), [(7_000, "7.0 s behind"), (-7_000, "7.0 s ahead of"), (4_000, None)]
)
async def test_clock_that_is_off_is_a_problem(offset_ms: int, words: str | None) -> None:
    report = await examine(Limited(offset_ms=offset_ms))
    assert report.clock_offset_ms == offset_ms
    assert report.is_fine is (words is None)
    assert words is None or words in report.findings[0].message


async def test_unreachable_store_is_a_problem() -> None:
    class Unreachable(MemoryStore):
        async def read(self, *arguments: Any, **options: Any) -> StoredObject | Unchanged:
            raise StoreUnavailable("no route to host")

    report = await examine(Unreachable())
    assert [finding.message for finding in report.findings] == ["no route to host"]


async def test_slow_and_restless_store_is_warned_of(autojump_clock: MockClock) -> None:
    store = RestlessStore({1: WriteOutcomeUnknown("lost"), 16: WriteOutcomeUnknown("lost")})
    report = await examine(store, plan=PLAN)
    assert found(report) == [("warning", "proof"), ("warning", "latency")]
    slow = MemoryStore(latency_ms=3_000)
    report = await examine(slow)
    assert found(report) == [("warning", "latency")]
    assert report.findings[0].advice.startswith("set it to 12000 or more")


async def test_store_that_acknowledges_nothing_in_a_race_is_a_problem() -> None:
    store = RestlessStore(dict.fromkeys(range(5, 14), WriteOutcomeUnknown("busy")))
    report = await examine(store)
    assert ("problem", "race") in found(report)


async def test_permission_that_ends_midway_is_told_where_it_ended() -> None:
    report = await examine(RestlessStore({14: AccessDenied("expired")}))
    assert found(report) == [("problem", "latency")]

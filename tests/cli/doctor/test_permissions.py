"""Permissions: each call is tried by itself, and what is refused is told with what it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from osqueue.cli.doctor.permissions import (
    CallName,
    advice_for,
    judge_refusals,
    refused_calls,
)
from osqueue.settings import Settings
from storage_adapters.contract import (
    AccessDenied,
    Condition,
    Match,
    NotApplied,
    StoredObject,
    Unchanged,
    Version,
)
from storage_adapters.memory import MemoryStore

S3 = Settings(storage_backend="s3", s3_bucket="jobs", s3_prefix="team/")
GCS = Settings(storage_backend="gcs", gcs_bucket="jobs")
KEY = ".probe/1-test-permissions"
REFUSED = AccessDenied("403 AccessDenied: queue.json")


class Guarded(MemoryStore):
    """Refuses the calls that are named."""

    def __init__(self, *refused: str, failure: Exception = REFUSED) -> None:
        super().__init__()
        self.refused = refused
        self.failure = failure

    def check(self, call: str) -> None:
        if call in self.refused:
            raise self.failure

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        self.check("replace" if isinstance(condition, Match) else "write")
        return await super().put(key, chunks, condition=condition, metadata=metadata)

    async def read(
        self, key: str, *, if_changed_from: Version | None = None, head_bytes: int | None = None
    ) -> StoredObject | Unchanged:
        self.check("read")
        return await super().read(key)

    async def list(self, prefix: str) -> list[str]:
        self.check("list")
        return await super().list(prefix)

    async def delete(self, key: str) -> None:
        self.check("remove")
        await super().delete(key)


@pytest.mark.parametrize("call", ["write", "replace", "read", "list", "remove"])
async def test_refused_call_is_found_and_nothing_else(call: CallName) -> None:
    store = Guarded(call)
    assert await refused_calls(store, KEY) == {call: REFUSED}
    store.refused = ()
    assert await store.list("") == ([KEY] if call == "remove" else [])


async def test_failure_of_another_kind_is_no_refusal() -> None:
    store = Guarded("write", "list", failure=NotApplied("busy"))
    assert await refused_calls(store, KEY) == {}


def judged(
    *refused: CallName, check: str = "queue", settings: Settings = S3
) -> list[tuple[str, str, str]]:
    told = {call: AccessDenied(f"403 AccessDenied: {call}") for call in refused}
    findings = judge_refusals(told, settings, check=check, error=REFUSED)
    return [(finding.level, finding.check, finding.advice) for finding in findings]


def test_all_refused_are_the_wrong_credentials() -> None:
    [(level, check, advice)] = judged("write", "list", "remove")
    assert (level, check) == ("problem", "queue")
    assert "whose credentials these are" in advice


def test_same_words_for_all_calls_are_those_of_the_search_for_credentials() -> None:
    nobody = AccessDenied("no credentials found; set AWS_ACCESS_KEY_ID")
    refused: dict[CallName, AccessDenied] = {"write": nobody, "list": nobody, "remove": nobody}
    [finding] = judge_refusals(refused, S3, check="queue", error=nobody)
    assert finding.advice.startswith("nothing was asked of the store")


def test_listing_that_is_refused_hides_that_the_queue_is_missing() -> None:
    [(level, check, advice)] = judged("list")
    assert (level, check) == ("problem", "permissions")
    assert advice == (
        "allow s3:ListBucket on arn:aws:s3:::jobs: without it S3 says 403 where nothing is stored"
    )
    assert judged("list", "read")[0][0] == "warning"


def test_reading_is_told_where_nothing_could_be_written_to_try_it_on() -> None:
    assert [advice for _, _, advice in judged("write")] == [
        "allow s3:PutObject on arn:aws:s3:::jobs/team/*",
        "allow s3:GetObject on arn:aws:s3:::jobs/team/*",
    ]
    assert len(judged("write", check="proof")) == 1


def test_refusal_of_one_key_alone_is_told_as_it_came() -> None:
    [(level, check, advice)] = judged()
    assert (level, check) == ("problem", "queue")
    assert "a rule about its key" in advice


def test_gcs_has_its_own_names() -> None:
    assert advice_for("replace", GCS) == (
        "allow storage.objects.delete on gs://jobs, as roles/storage.objectUser does"
    )

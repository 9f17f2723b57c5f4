"""The answer about a bucket on Google Cloud Storage: what it means for one object."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from storage_adapters.bucket_rules.facts import BucketFacts, LifecycleRule, Unseen
from storage_adapters.bucket_rules.gcs_rules import PERMISSION, facts_of
from storage_adapters.exchanges import Answer

KEY = "team/queue.json"


def facts(**bucket: Any) -> BucketFacts:
    described = {"kind": "storage#bucket", **bucket}
    return facts_of(Answer(200, {}, msgspec.json.encode(described)), key=KEY)


def rules(*pairs: tuple[dict[str, Any], dict[str, Any]]) -> object:
    listed = [{"action": action, "condition": condition} for action, condition in pairs]
    return facts(storageClass="STANDARD", lifecycle={"rule": listed}).rules


DELETE: dict[str, Any] = {"type": "Delete"}


def test_bare_bucket_does_nothing() -> None:
    assert facts() == BucketFacts(versioning="off", rules=(), blocked_by="", soft_delete_s=0)


def test_bucket_as_google_makes_it_keeps_replaced_objects_for_a_week() -> None:
    made = facts(
        softDeletePolicy={"retentionDurationSeconds": "604800", "effectiveTime": "2026-01-01"},
        versioning={"enabled": True},
        iamConfiguration={"uniformBucketLevelAccess": {"enabled": True}},
    )
    assert (made.versioning, made.soft_delete_s) == ("on", 604_800)


def test_retention_and_holds_block() -> None:
    policy = {"retentionPeriod": "259200", "isLocked": True}
    assert facts(retentionPolicy=policy).blocked_by == "a retention policy of 3 days"
    hour = {"retentionPeriod": "3600"}
    assert facts(retentionPolicy=hour).blocked_by == "a retention policy of 3,600 s"
    assert facts(defaultEventBasedHold=True).blocked_by == "event-based holds on new objects"


def test_rules_that_touch_the_queue_are_told() -> None:
    archive = {"type": "SetStorageClass", "storageClass": "ARCHIVE"}
    assert rules(
        (DELETE, {"age": 30, "matchesPrefix": ["logs/", "team/"], "matchesSuffix": [".json"]}),
        (archive, {"age": 1, "isLive": True, "matchesStorageClass": ["STANDARD"]}),
        (DELETE, {"daysSinceNoncurrentTime": 1}),
        (DELETE, {"isLive": False, "numNewerVersions": 3}),
        (DELETE, {"createdBefore": "2027-01-01"}),
        (DELETE, {"noncurrentTimeBefore": "2027-01-01"}),
        (DELETE, {}),
    ) == (
        LifecycleRule("number 1", "removes", "30 days after it was last written", 30),
        LifecycleRule("number 2", "moves", "1 day after it was last written, to ARCHIVE", 1),
        LifecycleRule("number 3", "removes copies", "1 day after they were replaced", 1),
        LifecycleRule("number 4", "removes copies", "if 3 newer ones are there", None),
        LifecycleRule("number 5", "removes", "if last written before 2027-01-01", None),
        LifecycleRule("number 6", "removes copies", "if replaced before 2027-01-01", None),
        LifecycleRule("number 7", "removes", "at once", None),
    )


@pytest.mark.parametrize(
    "condition",
    [
        {"age": 1, "matchesPrefix": ["logs/"]},
        {"age": 1, "matchesSuffix": [".gz"]},
        {"age": 1, "matchesStorageClass": ["NEARLINE"]},
        {"daysSinceCustomTime": 1},
        {"customTimeBefore": "2027-01-01"},
    ],
)
def test_rule_that_does_not_touch_the_queue_is_left_out(condition: dict[str, Any]) -> None:
    assert rules((DELETE, condition)) == ()


def test_other_actions_are_left_out() -> None:
    uploads = {"type": "AbortIncompleteMultipartUpload"}
    archive = {"type": "SetStorageClass", "storageClass": "ARCHIVE"}
    assert rules((uploads, {"age": 1}), (archive, {"isLive": False})) == ()


def test_who_may_not_look_learns_the_permission_and_not_that_it_is_off() -> None:
    found = facts_of(Answer(403, {}, b"{}"), key=KEY)
    unseen = Unseen("denied", PERMISSION, "403")
    names = ["versioning", "lifecycle rules", "retention", "soft delete"]
    assert found.unseen == dict.fromkeys(names, unseen)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, {}, b"{}"),
        Answer(0, {}, b""),
        Answer(200, {}, b"<html>"),
        Answer(200, {}, b"{}"),
        Answer(200, {}, b'{"kind": "storage#objects"}'),
        Answer(200, {}, b'{"softDeletePolicy":{"retentionDurationSeconds":"long"}}'),
    ],
)
def test_answer_without_sense_is_unseen(answer: Answer) -> None:
    found = facts_of(answer, key=KEY)
    assert found.versioning == Unseen("unanswered", PERMISSION, str(answer.status or "no answer"))

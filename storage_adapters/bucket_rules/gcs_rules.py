"""A bucket's own rules on Google Cloud Storage: one question, and what its answer says.

Pure: `looking` asks, in the JSON API; who has HMAC keys alone cannot ask.

Source: the Cloud Storage documentation ("Buckets" of the JSON API, "Object Lifecycle Management",
"Bucket Lock", "Object holds", "Soft delete").
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from storage_adapters.bucket_rules.facts import BucketFacts, LifecycleRule, Unseen, days_text
from storage_adapters.exchanges import Answer

__all__ = ["FIELDS", "PERMISSION", "facts_of", "unseen_facts"]

PERMISSION = "storage.buckets.get"
FIELDS = (
    "kind,versioning,lifecycle,retentionPolicy,defaultEventBasedHold,softDeletePolicy,storageClass"
)

_DAY_S = 86_400


class _Switch(msgspec.Struct):
    enabled: bool = False


class _Action(msgspec.Struct, rename="camel"):
    type: str = ""
    storage_class: str = ""


class _Condition(msgspec.Struct, rename="camel", omit_defaults=True):
    """All that are given must hold."""

    age: int | None = None
    created_before: str | None = None
    is_live: bool | None = None
    days_since_noncurrent_time: int | None = None
    noncurrent_time_before: str | None = None
    num_newer_versions: int | None = None
    custom_time_before: str | None = None
    days_since_custom_time: int | None = None
    matches_prefix: list[str] = []
    matches_suffix: list[str] = []
    matches_storage_class: list[str] = []

    @property
    def is_of_copies(self) -> bool:
        """Whether only copies that were replaced can fulfil it."""
        needs_a_newer = self.noncurrent_time_before is not None or bool(self.num_newer_versions)
        return self.is_live is False or needs_a_newer or bool(self.days_since_noncurrent_time)

    def covers(self, key: str, storage_class: str) -> bool:
        """Whether it can come to hold for an object of a queue, which has no custom time."""
        return not (
            (self.matches_prefix and not key.startswith(tuple(self.matches_prefix)))
            or (self.matches_suffix and not key.endswith(tuple(self.matches_suffix)))
            or (self.matches_storage_class and storage_class not in self.matches_storage_class)
            or self.custom_time_before is not None
            or self.days_since_custom_time is not None
        )

    def when(self) -> str:
        """The conditions of time and number, for a person."""
        told: list[str] = []
        if self.age is not None:
            told.append(f"{days_text(self.age)} after it was last written")
        if self.created_before is not None:
            told.append(f"if last written before {self.created_before}")
        if self.days_since_noncurrent_time is not None:
            told.append(f"{days_text(self.days_since_noncurrent_time)} after they were replaced")
        if self.noncurrent_time_before is not None:
            told.append(f"if replaced before {self.noncurrent_time_before}")
        if self.num_newer_versions:
            told.append(f"if {self.num_newer_versions} newer ones are there")
        return " and ".join(told) or "at once"


class _Rule(msgspec.Struct):
    action: _Action = msgspec.field(default_factory=_Action)
    condition: _Condition = msgspec.field(default_factory=_Condition)


class _Lifecycle(msgspec.Struct):
    rule: list[_Rule] = []


class _Retention(msgspec.Struct, rename="camel"):
    retention_period: int = 0
    """Seconds, as digits in a string."""


class _SoftDelete(msgspec.Struct, rename="camel"):
    retention_duration_seconds: int = 0


class _Bucket(msgspec.Struct, rename="camel"):
    """What is read of the answer."""

    kind: str = ""
    versioning: _Switch = msgspec.field(default_factory=_Switch)
    lifecycle: _Lifecycle = msgspec.field(default_factory=_Lifecycle)
    retention_policy: _Retention = msgspec.field(default_factory=_Retention)
    default_event_based_hold: bool = False
    soft_delete_policy: _SoftDelete = msgspec.field(default_factory=_SoftDelete)
    storage_class: str = ""


def facts_of(answer: Answer, *, key: str) -> BucketFacts:
    """Judge the answer about the bucket: what it does to `key`, its full name in the bucket."""
    if answer.status in (401, 403):
        return unseen_facts(Unseen("denied", PERMISSION, str(answer.status)))
    told = str(answer.status or "no answer")
    unanswered = unseen_facts(Unseen("unanswered", PERMISSION, told))
    if answer.status != 200:
        return unanswered
    try:
        found = msgspec.json.decode(answer.body, type=_Bucket, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return unanswered
    if found.kind != "storage#bucket":
        # Any other JSON would read as if all rules were off.
        return unanswered
    return BucketFacts(
        versioning="on" if found.versioning.enabled else "off",
        rules=tuple(_rules_for(found, key)),
        blocked_by=_block_of(found),
        soft_delete_s=found.soft_delete_policy.retention_duration_seconds,
    )


def unseen_facts(unseen: Unseen) -> BucketFacts:
    """Nothing is known, for one reason."""
    return BucketFacts(versioning=unseen, rules=unseen, blocked_by=unseen, soft_delete_s=unseen)


def _block_of(bucket: _Bucket) -> str:
    retention_s = bucket.retention_policy.retention_period
    if retention_s:
        return f"a retention policy of {_period(retention_s)}"
    return "event-based holds on new objects" if bucket.default_event_based_hold else ""


def _rules_for(bucket: _Bucket, key: str) -> Iterator[LifecycleRule]:
    for number, rule in enumerate(bucket.lifecycle.rule, start=1):
        action, condition = rule.action, rule.condition
        if not condition.covers(key, bucket.storage_class):
            continue
        name, when = f"number {number}", condition.when()
        if condition.is_of_copies:
            if action.type == "Delete":
                days = condition.days_since_noncurrent_time
                yield LifecycleRule(name, "removes copies", when, days)
        elif action.type == "Delete":
            yield LifecycleRule(name, "removes", when, condition.age)
        elif action.type == "SetStorageClass":
            yield LifecycleRule(name, "moves", f"{when}, to {action.storage_class}", condition.age)


def _period(seconds: int) -> str:
    return days_text(seconds / _DAY_S) if seconds >= _DAY_S else f"{seconds:,} s"

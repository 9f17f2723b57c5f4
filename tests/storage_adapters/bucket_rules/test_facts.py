"""The facts: what is unseen is named, and days are told as a person would."""

from __future__ import annotations

from storage_adapters.bucket_rules.facts import BucketFacts, Unseen, days_text


def test_unseen_parts_are_named() -> None:
    unseen = Unseen("denied", "s3:GetBucketVersioning", "403 AccessDenied")
    facts = BucketFacts(versioning=unseen, rules=(), blocked_by=unseen, soft_delete_s=None)
    assert facts.unseen == {"versioning": unseen, "retention": unseen}


def test_days_are_counted_in_words() -> None:
    assert [days_text(days) for days in (1, 7, 0.5, 1_000)] == [
        "1 day",
        "7 days",
        "0.5 days",
        "1,000 days",
    ]

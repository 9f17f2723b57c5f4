"""What the rules of a bucket mean: levels, words and figures, by hand-made facts."""

from __future__ import annotations

from typing import Any

import pytest

from osqueue.cli.doctor.bucket import aspects_of, judge_bucket
from osqueue.cli.doctor.report import Finding
from osqueue.settings import Settings
from storage_adapters.bucket_rules.facts import BucketFacts, LifecycleRule, Unseen

S3 = Settings(storage_backend="s3", s3_bucket="jobs")
GCS = Settings(storage_backend="gcs", gcs_bucket="jobs")
UNKNOWN = Settings(storage_backend="s3", s3_bucket="jobs", s3_endpoint_url="http://127.0.0.1:9000")
DENIED = Unseen("denied", "s3:GetLifecycleConfiguration", "403 AccessDenied")
COPIES_GO = LifecycleRule("tidy", "removes copies", "1 day after they were replaced", 1)


def facts(**known: Any) -> BucketFacts:
    nothing: dict[str, Any] = {
        "versioning": "off",
        "rules": (),
        "blocked_by": "",
        "soft_delete_s": None,
    }
    return BucketFacts(**nothing | known)


def judged(settings: Settings = S3, **known: Any) -> list[Finding]:
    """With one write a second of 64 KiB."""
    found = judge_bucket(facts(**known), settings, writes_per_s=1, document_bytes=65_536)
    return list(found)


def test_bucket_that_does_nothing_has_no_finding() -> None:
    assert judged() == []
    assert judged(versioning="suspended") == []
    assert judged(GCS, soft_delete_s=0) == []


def test_versioning_without_a_rule_grows_for_ever() -> None:
    [finding] = judged(versioning="on")
    assert finding.level == "warning"
    assert "86,400 copies of 64 KiB, 5.3 GiB more each day, and no lifecycle" in finding.message
    assert "remove noncurrent copies after a day" in finding.advice


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (LifecycleRule("t", "removes copies", "30 days after they were replaced", 30), "30 days"),
        (LifecycleRule("t", "removes", "7 days after it was last written", 7), "no lifecycle rule"),
    ],
)
def test_copies_that_stay_long_are_warned_of(rule: LifecycleRule, words: str) -> None:
    finding = judged(versioning="on", rules=(rule,))[-1]
    assert finding.level == "warning"
    assert words in finding.message


def test_copies_that_go_after_a_day_are_not() -> None:
    assert judged(versioning="on", rules=(COPIES_GO,)) == []


def test_price_of_copies_is_told_where_it_is_known() -> None:
    rule = LifecycleRule("t", "removes copies", "30 days after they were replaced", 30)
    for settings, price in ((S3, ", $3.64 a month"), (UNKNOWN, "158.2 GiB")):
        [finding] = judged(settings, versioning="on", rules=(rule,))
        assert finding.message.endswith(price)


def test_versioning_with_rules_that_nobody_may_see_is_warned_of() -> None:
    messages = [finding.message for finding in judged(versioning="on", rules=DENIED)]
    assert messages[0].endswith("unless a lifecycle rule removes them")
    assert "may not look at the bucket's lifecycle rules: not known" in messages[1]


def test_rule_that_removes_the_queue_is_a_problem() -> None:
    rule = LifecycleRule("tidy", "removes", "7 days after it was last written", 7)
    [finding] = judged(rules=(rule,))
    assert finding.level == "problem"
    assert finding.message == (
        "the lifecycle rule 'tidy' removes it 7 days after it was last written: a queue whose"
        " brokers rest for so long is lost with all its jobs"
    )
    by_date = LifecycleRule("end", "removes", "from 2027-01-01 on", None)
    [finding] = judged(rules=(by_date,))
    assert "from 2027-01-01 on: the queue is lost" in finding.message


def test_rule_that_moves_the_queue_is_warned_of() -> None:
    rule = LifecycleRule("cold", "moves", "1 day after it was last written, to GLACIER", 1)
    [finding] = judged(rules=(rule,))
    assert finding.level == "warning"
    assert "to GLACIER: brokers may not be able to read it" in finding.message


def test_retention_is_a_problem() -> None:
    [finding] = judged(blocked_by="a retention policy of 3 days")
    assert finding.level == "problem"
    assert finding.message.startswith("the bucket has a retention policy of 3 days")


def test_soft_delete_is_warned_of_with_its_price() -> None:
    [finding] = judged(GCS, soft_delete_s=604_800)
    assert finding.level == "warning"
    assert finding.message == (
        "soft delete keeps each replaced document for 7 days: 604,800 copies of 64 KiB, 36.9 GiB,"
        " $0.74 a month"
    )


def test_what_may_not_be_seen_differs_from_what_got_no_answer() -> None:
    unanswered = Unseen("unanswered", "s3:GetBucketVersioning", "503")
    denied, other = judged(versioning=unanswered, rules=DENIED, blocked_by=DENIED)
    assert "may not look at the bucket's lifecycle rules, retention" in denied.message
    assert denied.advice == (
        "allow s3:GetLifecycleConfiguration to whoever runs the doctor; a broker needs none of it"
    )
    assert other.message == (
        "the bucket's versioning: not known, the store gives no usable answer (503)"
    )


def test_report_tells_what_is_off_from_what_is_not_known() -> None:
    def told(**known: Any) -> dict[str, str]:
        return {aspect.name: aspect.told for aspect in aspects_of(facts(**known))}

    assert told() == {"versioning": "off", "lifecycle rules": "none for it", "retention": "none"}
    assert told(rules=(COPIES_GO,))["lifecycle rules"] == (
        "rule 'tidy' removes copies 1 day after they were replaced"
    )
    assert told(rules=DENIED)["lifecycle rules"] == "not known: needs s3:GetLifecycleConfiguration"
    gone = Unseen("unanswered", "storage.buckets.get", "no answer")
    assert told(soft_delete_s=gone)["soft delete"] == "not known: no usable answer"
    assert told(soft_delete_s=0)["soft delete"] == "off"
    assert told(soft_delete_s=604_800)["soft delete"] == "7 days"
    assert told(blocked_by="event-based holds")["retention"] == "event-based holds"

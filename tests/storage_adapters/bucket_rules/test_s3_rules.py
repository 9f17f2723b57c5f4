"""Answers about a bucket on S3: recorded ones, and those of stores that know less."""

from __future__ import annotations

import pytest

from storage_adapters.bucket_rules.facts import LifecycleRule, Unseen
from storage_adapters.bucket_rules.s3_rules import lifecycle_of, object_lock_of, versioning_of
from storage_adapters.exchanges import Answer

KEY = "team/queue.json"
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def ok(document: str) -> Answer:
    return Answer(200, {}, document.encode())


def error(status: int, code: str) -> Answer:
    return Answer(status, {}, f"<Error><Code>{code}</Code></Error>".encode())


def rules(*parts: str) -> Answer:
    inner = "".join(f"<Rule><Status>Enabled</Status>{part}</Rule>" for part in parts)
    return ok(f"<LifecycleConfiguration {NAMESPACE}>{inner}</LifecycleConfiguration>")


@pytest.mark.parametrize(
    ("inner", "state"),
    [
        ("", "off"),
        ("<Status>Enabled</Status>", "on"),
        ("<Status>Suspended</Status>", "suspended"),
    ],
)
@pytest.mark.parametrize("root", ["VersioningConfiguration", "GetBucketVersioningResponse"])
def test_versioning_is_on_off_or_suspended(root: str, inner: str, state: str) -> None:
    assert versioning_of(ok(f"<{root} {NAMESPACE}>{inner}</{root}>")) == state


@pytest.mark.parametrize(
    "answer",
    [
        error(501, "NotImplemented"),
        error(405, "MethodNotAllowed"),
        error(400, "NotImplemented"),
        Answer(501, {}, b""),
    ],
)
def test_store_that_does_not_know_the_question_has_no_such_rules(answer: Answer) -> None:
    assert versioning_of(answer) == "off"
    assert lifecycle_of(answer, key=KEY) == ()
    assert object_lock_of(answer) == ""


def test_what_is_not_set_is_off() -> None:
    assert lifecycle_of(error(404, "NoSuchLifecycleConfiguration"), key=KEY) == ()
    assert object_lock_of(error(404, "ObjectLockConfigurationNotFoundError")) == ""


def test_who_may_not_look_learns_the_permission_and_not_that_it_is_off() -> None:
    denied = error(403, "AccessDenied")
    told = "403 AccessDenied"
    assert versioning_of(denied) == Unseen("denied", "s3:GetBucketVersioning", told)
    assert lifecycle_of(denied, key=KEY) == Unseen("denied", "s3:GetLifecycleConfiguration", told)
    permission = "s3:GetBucketObjectLockConfiguration"
    assert object_lock_of(denied) == Unseen("denied", permission, told)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, {}, b"busy"),
        Answer(200, {}, b"{}"),
        ok("<html><body>We are back soon.</body></html>"),
        ok(f"<ListBucketResult {NAMESPACE}><Name>jobs</Name></ListBucketResult>"),
        Answer(405, {"content-type": "text/html"}, b"<html>405</html>"),
    ],
)
def test_answer_of_another_kind_does_not_say_that_it_is_off(answer: Answer) -> None:
    for found in (versioning_of(answer), lifecycle_of(answer, key=KEY), object_lock_of(answer)):
        assert isinstance(found, Unseen)
        assert (found.reason, found.told) == ("unanswered", str(answer.status))


def test_each_effect_of_a_rule_is_told() -> None:
    answer = rules(
        "<ID>old</ID><Filter><Prefix>team/</Prefix></Filter><Expiration><Days>30</Days>"
        "</Expiration><Transition><Days>9</Days><StorageClass>GLACIER</StorageClass></Transition>"
        "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
        "<NewerNoncurrentVersions>5</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
        "<Filter/><Expiration><Date>2027-01-01T00:00:00.000Z</Date></Expiration>",
        "<Prefix>team/q</Prefix><Transition/>",
    )
    assert lifecycle_of(answer, key=KEY) == (
        LifecycleRule("old", "removes", "30 days after it was last written", 30),
        LifecycleRule("old", "moves", "9 days after it was last written, to GLACIER", 9),
        LifecycleRule("old", "removes copies", "1 day after they were replaced, but for 5", 1),
        LifecycleRule("number 2", "removes", "from 2027-01-01 on", None),
        LifecycleRule("number 3", "moves", "0 days after it was last written, to another class", 0),
    )


@pytest.mark.parametrize(
    "part",
    [
        "<Filter><Prefix>logs/</Prefix></Filter><Expiration><Days>1</Days></Expiration>",
        "<Filter><Tag><Key>a</Key></Tag></Filter><Expiration><Days>1</Days></Expiration>",
        "<Filter><And><Prefix>team/</Prefix><Tag><Key>a</Key></Tag></And></Filter>"
        "<Expiration><Days>1</Days></Expiration>",
        "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"
        "</Expiration>",
        "<Filter/><AbortIncompleteMultipartUpload/>",
    ],
)
def test_rule_that_does_not_touch_the_queue_is_left_out(part: str) -> None:
    assert lifecycle_of(rules(part), key=KEY) == ()


def test_rule_that_is_switched_off_is_left_out() -> None:
    answer = rules("<Filter/><Expiration><Days>1</Days></Expiration>")
    disabled = Answer(200, {}, answer.body.replace(b"Enabled", b"Disabled"))
    assert lifecycle_of(disabled, key=KEY) == ()


@pytest.mark.parametrize(
    ("period", "told"),
    [
        ("<Days>3</Days>", "3 days"),
        ("<Days>3</Days><Years>0</Years>", "3 days"),
        ("<Years>2</Years>", "2 years"),
    ],
)
def test_default_retention_blocks(period: str, told: str) -> None:
    answer = ok(
        f"<ObjectLockConfiguration {NAMESPACE}><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>"
        f"<DefaultRetention><Mode>COMPLIANCE</Mode>{period}</DefaultRetention></Rule>"
        "</ObjectLockConfiguration>"
    )
    expected = f"object lock with a default retention of {told} (compliance)"
    assert object_lock_of(answer) == expected


def test_object_lock_without_a_default_blocks_nothing() -> None:
    enabled = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    assert object_lock_of(ok(f"<ObjectLockConfiguration>{enabled}</ObjectLockConfiguration>")) == ""

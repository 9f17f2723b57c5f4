"""Tests what both dialects share: addresses, authorization, and what a status means for a write."""

import pytest

from storage_adapters.contract import (
    UNCHANGED,
    AccessDenied,
    NotApplied,
    ObjectMissing,
    StoredObject,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    Version,
    VersionConflict,
    WriteOutcomeUnknown,
)
from storage_adapters.exchanges import (
    Answer,
    BucketRequest,
    Problem,
    content_type_of,
    object_of,
    origin_of,
    read_failure,
    write_failure,
)
from storage_adapters.signing import ANONYMOUS, AwsKeys, BearerToken

SOME_PROBLEM = Problem("SomeCode", "Some words.")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, StoreMisconfigured),
        (307, StoreMisconfigured),
        (400, StoreUnavailable),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, ObjectMissing),
        (405, StoreMisconfigured),
        (408, StoreUnavailable),
        (412, StoreUnavailable),
        (429, StoreUnavailable),
        (500, StoreUnavailable),
        (501, StoreMisconfigured),
        (503, StoreUnavailable),
        (199, StoreUnavailable),
        (204, StoreUnavailable),
    ],
)
def test_read_failure_by_status(status: int, expected: type[StoreError]) -> None:
    error = read_failure(Answer(status, {}, b""), SOME_PROBLEM, "queue.json")
    assert type(error) is expected
    assert str(error).endswith(": queue.json")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (199, WriteOutcomeUnknown),
        (202, WriteOutcomeUnknown),
        (301, StoreMisconfigured),
        (307, StoreMisconfigured),
        (400, NotApplied),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, StoreMisconfigured),
        (405, StoreMisconfigured),
        (408, WriteOutcomeUnknown),
        (409, NotApplied),
        (411, NotApplied),
        (412, VersionConflict),
        (413, NotApplied),
        (429, WriteOutcomeUnknown),
        (500, WriteOutcomeUnknown),
        (501, StoreMisconfigured),
        (502, WriteOutcomeUnknown),
        (503, WriteOutcomeUnknown),
        (504, WriteOutcomeUnknown),
        (599, WriteOutcomeUnknown),
    ],
)
def test_write_failure_by_status(status: int, expected: type[StoreError]) -> None:
    error = write_failure(Answer(status, {}, b""), SOME_PROBLEM, "queue.json", needs="If-Match")
    assert type(error) is expected
    assert str(error).endswith(f"{status} SomeCode: Some words.: queue.json")


def test_write_failure_for_lack_of_a_feature_names_it() -> None:
    error = write_failure(Answer(501, {}, b""), Problem("", ""), "queue.json", needs="If-Match")
    assert "lacks If-Match" in str(error)
    assert str(error).endswith(": 501: queue.json")


def test_redirect_names_where_to() -> None:
    answer = Answer(301, {"location": "https://elsewhere.example.org/"}, b"")
    assert "https://elsewhere.example.org/" in str(read_failure(answer, SOME_PROBLEM, "a"))


def test_long_words_of_a_provider_are_cut() -> None:
    error = read_failure(Answer(500, {}, b""), Problem("Code", "long " * 1_000), "a")
    assert len(str(error)) < 700


def test_object_of_answer_without_version_is_not_the_stores_own() -> None:
    with pytest.raises(StoreUnavailable, match="without a version"):
        object_of(Answer(200, {}, b"hello"), "a", version="", known=None, head_bytes=None)


def test_object_of_answer_with_the_known_version_is_unchanged() -> None:
    answer, known = Answer(200, {}, b"hello"), Version("1")
    assert object_of(answer, "a", version="1", known=known, head_bytes=None) == UNCHANGED
    found = object_of(answer, "a", version="2", known=known, head_bytes=3)
    assert found == StoredObject(b"hel", Version("2"))


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000", ""),
        ("https://S3.Example.org:443/", "https://s3.example.org", ""),
        ("http://s3.example.org:80/store/", "http://s3.example.org", "/store"),
        ("https://[::1]:9000/a/b", "https://[::1]:9000", "/a/b"),
        ("https://bücher.example", "https://xn--bcher-kva.example", ""),
    ],
)
def test_origin_of_address(url: str, origin: str, path: str) -> None:
    assert origin_of(url, name="X") == (origin, path)


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:9000", "ftp://host", "http://", "http://host:port", "http://user@host"),
        *("http://host?a=b", "http://host#a", "http://ho st"),
    ],
)
def test_origin_of_what_is_no_address_says_what_to_correct(url: str) -> None:
    with pytest.raises(StoreMisconfigured, match="ENDPOINT must be"):
        origin_of(url, name="ENDPOINT")


def test_content_type_tells_json_from_the_rest() -> None:
    assert content_type_of("a/queue.json") == "application/json"
    assert content_type_of("a/queue") == "application/octet-stream"


def test_request_authorized_signs_what_the_store_must_see() -> None:
    request = BucketRequest(
        "PUT", "https://host:9000", "/a?b=c", {"if-match": '"1"', "range": "bytes=0-1"}
    )
    keys = AwsKeys("id", "secret", "token")
    added = request.authorized(keys, region="eu-central-1", now_ms=0).headers
    assert (
        "SignedHeaders=host;if-match;x-amz-content-sha256;x-amz-date;x-amz-security-token"
        in (added["authorization"])
    )
    assert added["x-amz-date"] == "19700101T000000Z"
    assert "/eu-central-1/s3/" in added["authorization"]
    assert added["range"] == "bytes=0-1"


def test_request_authorized_with_token_or_as_nobody() -> None:
    request = BucketRequest("GET", "https://host", "/a")
    token = request.authorized(BearerToken("t"), region="", now_ms=0)
    assert token.headers == {"authorization": "Bearer t"}
    assert request.authorized(ANONYMOUS, region="", now_ms=0) == request


@pytest.mark.parametrize(
    ("origin", "is_sent"),
    [
        ("https://storage.googleapis.com", True),
        ("http://127.0.0.1:4443", True),
        ("http://localhost:4443", True),
        ("http://[::1]", True),
        ("http://10.0.0.7:4443", False),
        ("http://localhost.example.org", False),
        ("http://127.example.org", False),
    ],
)
def test_token_does_not_leave_this_machine_in_the_clear(origin: str, is_sent: bool) -> None:
    request = BucketRequest("GET", origin, "/b")
    if is_sent:
        sent = request.authorized(BearerToken("secret"), region="", now_ms=0)
        assert sent.headers["authorization"] == "Bearer secret"
    else:
        with pytest.raises(StoreMisconfigured, match="with https: http://") as caught:
            request.authorized(BearerToken("secret"), region="", now_ms=0)
        assert "secret" not in str(caught.value)
    # Signatures are good for one request: those may go.
    assert request.authorized(AwsKeys("id", "secret"), region="a", now_ms=0).headers

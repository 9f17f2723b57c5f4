"""Tests what both dialects share: addresses, authorization, and what a status means for a write."""

import pytest

from storage_adapters.contract import (
    UNCHANGED,
    AccessDenied,
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
        (404, StoreUnavailable),
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
        (400, WriteOutcomeUnknown),
        (401, AccessDenied),
        (403, AccessDenied),
        (404, WriteOutcomeUnknown),
        (405, StoreMisconfigured),
        (408, WriteOutcomeUnknown),
        (409, WriteOutcomeUnknown),
        (411, WriteOutcomeUnknown),
        (412, VersionConflict),
        (413, WriteOutcomeUnknown),
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
    problem = Problem("NotImplemented", "")
    error = write_failure(Answer(501, {}, b""), problem, "queue.json", needs="If-Match")
    assert "lacks If-Match" in str(error)
    assert str(error).endswith(": 501 NotImplemented: queue.json")


@pytest.mark.parametrize("status", [200, 301, 302, 304, *range(400, 418), 429, *range(500, 505)])
def test_answer_without_the_stores_words_says_nothing_of_the_object(status: int) -> None:
    headers = {"content-type": "text/html; charset=utf-8", "server": "an ingress"}
    answer = Answer(status, headers, b"<html>Told by somebody else.</html>")
    read = read_failure(answer, Problem("", ""), "queue.json")
    assert type(read) is StoreUnavailable
    assert f"answer {status} (text/html by an ingress) is not the store's own" in str(read)
    written = write_failure(answer, Problem("", ""), "queue.json", needs="If-Match")
    assert type(written) is WriteOutcomeUnknown


def test_412_without_a_word_is_a_conflict_because_that_means_to_look() -> None:
    error = write_failure(Answer(412, {}, b""), Problem("", ""), "queue.json", needs="If-Match")
    assert type(error) is VersionConflict


def test_redirect_names_where_to() -> None:
    answer = Answer(301, {"location": "https://elsewhere.example.org/"}, b"")
    assert "https://elsewhere.example.org/" in str(read_failure(answer, SOME_PROBLEM, "a"))


def test_long_words_of_a_provider_are_cut() -> None:
    error = read_failure(Answer(500, {}, b""), Problem("Code", "long " * 1_000), "a")
    assert len(str(error)) < 700


def test_object_of_answer_without_version_is_not_the_stores_own() -> None:
    with pytest.raises(StoreUnavailable, match="not the store's own"):
        object_of(Answer(200, {}, b"hello"), "a", version="", known=None, head_bytes=None)


def test_object_of_a_page_with_a_version_is_not_the_stores_own() -> None:
    page = Answer(200, {"content-type": "text/html"}, b"<html>We are back soon.</html>")
    with pytest.raises(StoreUnavailable, match="not the store's own"):
        object_of(page, "a", version="65a1-264", known=None, head_bytes=None)


@pytest.mark.parametrize(
    ("place", "body", "head_bytes", "is_head"),
    [
        ("bytes 0-3/10", b"four", 4, True),
        ("bytes 0-3/*", b"four", 4, True),
        # A store that sends more than was asked for; what is too much is not kept.
        ("bytes 0-9/10", b"four", 4, True),
        ("bytes 0-3/4", b"four", 100, True),
        ("bytes 0-3/10", b"fou", 4, False),
        ("bytes 0-2/10", b"fou", 4, False),
        ("bytes 1-4/10", b"four", 4, False),
        ("bytes 0-3/10", b"four", None, False),
        ("", b"four", 4, False),
    ],
)
def test_object_of_a_part_is_the_part_that_was_asked_for(
    place: str, body: bytes, head_bytes: int | None, is_head: bool
) -> None:
    answer = Answer(206, {"content-range": place}, body)
    if is_head:
        found = object_of(answer, "a", version="1", known=None, head_bytes=head_bytes)
        assert found == StoredObject(b"four", Version("1"))
    else:
        with pytest.raises(StoreUnavailable, match="another part of the object"):
            object_of(answer, "a", version="1", known=None, head_bytes=head_bytes)


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

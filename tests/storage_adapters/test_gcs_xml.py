"""Tests the XML dialect of GCS by tables, and against a server that checks every signature."""

import hashlib

import pytest

from storage_adapters.contract import (
    ABSENT,
    UNCHANGED,
    AccessDenied,
    Condition,
    Match,
    ObjectMissing,
    StoredObject,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    Version,
    VersionConflict,
    WriteOutcomeUnknown,
)
from storage_adapters.credentials.source import FixedSource
from storage_adapters.exchanges import Answer, KeysPage
from storage_adapters.gcs_xml import GcsXmlDialect
from storage_adapters.http_store import HttpStore
from storage_adapters.signing import UNSIGNED_PAYLOAD, HmacKey
from tests.emulators.peers import BUCKET, Peers

GOOGLE = GcsXmlDialect("bucket", "team/")
LOCAL = GcsXmlDialect("bucket", endpoint_url="http://127.0.0.1:9000/proxy")
MD5 = hashlib.md5(b"{}", usedforsecurity=False).digest()
VERSION = Version('17:"abc"')
FOUND = {"x-goog-generation": "17", "etag": '"abc"'}


def error_answer(status: int, code: str) -> Answer:
    return Answer(status, {}, f"<Error><Code>{code}</Code></Error>".encode())


def test_wrong_settings_are_refused_as_in_the_other_dialect() -> None:
    with pytest.raises(StoreMisconfigured, match="bucket's name"):
        GcsXmlDialect("A")
    with pytest.raises(StoreMisconfigured, match="endpoint of a GCS store"):
        GcsXmlDialect("bucket", endpoint_url="127.0.0.1:9000")
    assert GOOGLE.description == "GCS store at gs://bucket/team/"


def test_read_asks_for_a_head_under_a_condition() -> None:
    request = GOOGLE.read("é (1)/queue.json", if_changed_from=VERSION, head_bytes=4_096)
    assert (request.method, request.origin) == ("GET", "https://storage.googleapis.com")
    assert request.raw_path == "/bucket/team/%C3%A9%20%281%29/queue.json"
    assert request.headers == {"if-none-match": '"abc"', "range": "bytes=0-4095"}
    # Without an ETag there is nothing to compare by: the whole comes again.
    bare = GOOGLE.read("a", if_changed_from=Version("17:"), head_bytes=None)
    assert bare.headers == {}
    assert LOCAL.read("a", if_changed_from=None, head_bytes=None).raw_path == "/proxy/bucket/a"


@pytest.mark.parametrize(
    ("condition", "generation"), [(ABSENT, "0"), (Match(VERSION), "17")], ids=["create", "replace"]
)
def test_put_is_conditional_on_the_generation(condition: Condition, generation: str) -> None:
    request = GOOGLE.put(
        "queue.json", [b"{", b"}"], digest=MD5, condition=condition, metadata={"epoch": "7"}
    )
    assert (request.method, request.raw_path) == ("PUT", "/bucket/team/queue.json")
    assert request.headers == {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-goog-if-generation-match": generation,
        "x-goog-meta-epoch": "7",
        "content-md5": "mZFLkyvTelC5g8XnyQrpOw==",
    }
    assert list(request.chunks) == [b"{", b"}"]
    assert request.payload_sha256 == UNSIGNED_PAYLOAD


def test_put_over_http_signs_the_hash_of_the_body() -> None:
    assert (GOOGLE.digest_name, LOCAL.digest_name) == ("md5", "sha256")
    digest = hashlib.sha256(b"{}").digest()
    request = LOCAL.put("a", [b"{}"], digest=digest, condition=ABSENT, metadata={})
    assert request.payload_sha256 == digest.hex()
    assert "content-md5" not in request.headers


def test_condition_is_signed() -> None:
    request = GOOGLE.put("a", [], digest=MD5, condition=ABSENT, metadata={"epoch": "7"})
    signed = request.authorized(HmacKey("GOOG1E", "s"), region="", now_ms=0)
    names = (
        "content-type;host;x-goog-content-sha256;x-goog-date;x-goog-if-generation-match;"
        "x-goog-meta-epoch"
    )
    assert f"SignedHeaders={names}," in signed.headers["authorization"]


def test_metadata_that_no_header_carries_is_refused() -> None:
    with pytest.raises(StoreMisconfigured, match="metadata"):
        GOOGLE.put("a", [], digest=MD5, condition=ABSENT, metadata={"name": "a\nb"})


def test_found_gives_generation_and_etag_as_the_version() -> None:
    whole = GOOGLE.found(Answer(200, FOUND, b"stored"), "a", known=None, head_bytes=None)
    assert whole == StoredObject(b"stored", VERSION)
    part = Answer(206, {**FOUND, "content-range": "bytes 0-2/6"}, b"sto")
    head = GOOGLE.found(part, "a", known=None, head_bytes=3)
    assert head == StoredObject(b"sto", VERSION)
    for answer in (Answer(304, FOUND, b""), Answer(200, FOUND, b"stored")):
        assert GOOGLE.found(answer, "a", known=VERSION, head_bytes=None) is UNCHANGED


PAGE = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>"


@pytest.mark.parametrize(
    "status", [200, 204, 206, 301, 304, 400, 401, 403, 404, 405, 409, 412, 501]
)
def test_page_of_an_ingress_says_nothing_of_the_object(status: int) -> None:
    page = Answer(status, {"content-type": "text/html", "etag": '"65a1-264"'}, PAGE)
    with pytest.raises(StoreUnavailable) as unavailable:
        GOOGLE.found(page, "queue.json", known=VERSION, head_bytes=None)
    assert type(unavailable.value) is StoreUnavailable
    with pytest.raises(WriteOutcomeUnknown):
        GOOGLE.written(page, "queue.json", condition=Match(VERSION))
    with pytest.raises(WriteOutcomeUnknown):
        GOOGLE.deleted(page, "queue.json")
    with pytest.raises(StoreUnavailable):
        GOOGLE.listed(page, "")
    assert GOOGLE.doubt(page, "queue.json") is None
    assert not GOOGLE.refuses_credentials(page)
    assert not GOOGLE.is_own(page)
    assert GOOGLE.is_own(Answer(200, FOUND, b""))
    assert GOOGLE.is_own(error_answer(404, "NoSuchKey"))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200, {"etag": '"abc"'}, b""), StoreUnavailable),
        (error_answer(304, ""), StoreUnavailable),
        (error_answer(404, "NoSuchKey"), ObjectMissing),
        (error_answer(404, "NoSuchBucket"), StoreMisconfigured),
        (error_answer(403, "AccessDenied"), AccessDenied),
        (error_answer(401, "AuthenticationRequired"), AccessDenied),
        (error_answer(429, "SlowDown"), StoreUnavailable),
        (error_answer(503, "ServiceUnavailable"), StoreUnavailable),
        (Answer(502, {}, b"\xff<html"), StoreUnavailable),
    ],
)
def test_found_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected) as caught:
        GOOGLE.found(answer, "a", known=None, head_bytes=None)
    assert type(caught.value) is expected


def test_written_gives_generation_and_etag_as_the_version() -> None:
    assert GOOGLE.written(Answer(200, FOUND, b""), "a", condition=ABSENT) == VERSION


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200, {}, b""), WriteOutcomeUnknown),
        (error_answer(412, "PreconditionFailed"), VersionConflict),
        (error_answer(409, "Conflict"), WriteOutcomeUnknown),
        (error_answer(404, "NoSuchBucket"), StoreMisconfigured),
        (error_answer(403, "SignatureDoesNotMatch"), AccessDenied),
        (error_answer(400, "BadDigest"), WriteOutcomeUnknown),
        (error_answer(429, "SlowDown"), WriteOutcomeUnknown),
        (error_answer(503, "ServiceUnavailable"), WriteOutcomeUnknown),
        (error_answer(501, "NotImplemented"), StoreMisconfigured),
        (Answer(502, {}, b"\xff<html"), WriteOutcomeUnknown),
    ],
)
def test_written_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected) as caught:
        GOOGLE.written(answer, "a", condition=Match(VERSION))
    assert type(caught.value) is expected


def test_deleted_of_a_missing_object_is_no_error() -> None:
    request = GOOGLE.delete("a/b")
    assert (request.method, request.raw_path) == ("DELETE", "/bucket/team/a/b")
    for answer in (Answer(204, {}, b""), error_answer(404, "NoSuchKey")):
        GOOGLE.deleted(answer, "a")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(404, "NoSuchBucket"), StoreMisconfigured),
        (error_answer(403, "AccessDenied"), AccessDenied),
        (error_answer(503, "ServiceUnavailable"), WriteOutcomeUnknown),
    ],
)
def test_deleted_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected):
        GOOGLE.deleted(answer, "a")


def test_list_reads_pages() -> None:
    request = GOOGLE.list("a b", page="t=")
    assert request.raw_path == (
        "/bucket/?list-type=2&encoding-type=url&prefix=team%2Fa%20b&continuation-token=t%3D"
    )
    body = (
        "<ListBucketResult xmlns='http://doc.s3.amazonaws.com/2006-03-01'>"
        "<IsTruncated>true</IsTruncated><NextContinuationToken>u</NextContinuationToken>"
        "<Contents><Key>team/a+b</Key></Contents></ListBucketResult>"
    )
    assert GOOGLE.listed(Answer(200, {}, body.encode()), "") == KeysPage(["a+b"], "u")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(404, "NoSuchBucket"), StoreMisconfigured),
        (error_answer(403, "AccessDenied"), AccessDenied),
        (error_answer(503, "ServiceUnavailable"), StoreUnavailable),
        (Answer(200, {}, b"<html"), StoreUnavailable),
    ],
)
def test_listed_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected):
        GOOGLE.listed(answer, "a")


def test_skew_is_told_from_other_refusals() -> None:
    skewed = error_answer(403, "RequestTimeTooSkewed")
    assert GOOGLE.is_skewed(skewed)
    assert not GOOGLE.is_skewed(error_answer(403, "AccessDenied"))
    assert not GOOGLE.refuses_credentials(skewed)
    assert GOOGLE.refuses_credentials(error_answer(401, "AuthenticationRequired"))
    assert GOOGLE.corrected(skewed) is None


@pytest.mark.slow
async def test_wrong_secret_is_refused_by_the_server_that_checks(peers: Peers) -> None:
    peer = peers.xml_gcs
    dialect = GcsXmlDialect(BUCKET, "refused/", endpoint_url=peer.url)
    store = HttpStore(dialect, FixedSource(HmacKey(peer.key.access_id, "another")))
    with pytest.raises(AccessDenied, match="SignatureDoesNotMatch"):
        await store.put("a", [b"a"], condition=ABSENT)
    with pytest.raises(AccessDenied, match="SignatureDoesNotMatch"):
        await store.read("a")
    await store.aclose()


@pytest.mark.slow
async def test_clock_that_is_off_is_corrected_by_the_answer_of_the_server(peers: Peers) -> None:
    peer = peers.xml_gcs
    dialect = GcsXmlDialect(BUCKET, "skewed/", endpoint_url=peer.url)
    store = HttpStore(dialect, FixedSource(peer.key), now_ms=lambda: 1_700_000_000_000)
    version = await store.put("a b'()*", [b"a"], condition=ABSENT)
    assert await store.read("a b'()*") == StoredObject(b"a", version)
    await store.aclose()

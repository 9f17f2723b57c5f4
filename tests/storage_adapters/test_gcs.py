"""Tests the dialect of GCS by tables: what is asked, and what each known answer means."""

import hashlib

import msgspec
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
from storage_adapters.exchanges import Answer, Checksum, KeysPage
from storage_adapters.gcs import GcsDialect

GOOGLE = GcsDialect("bucket", "team/")
MD5 = hashlib.md5(b"hello").digest()
NO_BUCKET = "The specified bucket does not exist."


def error_answer(status: int, reason: str, message: str = "Words.") -> Answer:
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    return Answer(status, {}, msgspec.json.encode({"error": error}))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bucket": ""}, "bucket's name"),
        ({"bucket": "A"}, "bucket's name"),
        ({"bucket": "bucket", "endpoint_url": "127.0.0.1:9000"}, "endpoint of a GCS store"),
    ],
)
def test_dialect_with_wrong_settings_is_refused(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(StoreMisconfigured, match=words):
        GcsDialect(**arguments)


def test_description_names_bucket_and_place() -> None:
    assert GOOGLE.description == "GCS store at gs://bucket/team/"
    emulator = GcsDialect("bucket", endpoint_url="http://127.0.0.1:9000")
    assert emulator.description == "GCS store at gs://bucket/ on http://127.0.0.1:9000"


def test_read_asks_for_a_head_under_a_condition() -> None:
    request = GOOGLE.read("é (1)/queue.json", if_changed_from=Version("17"), head_bytes=4_096)
    assert request.method == "GET"
    assert request.origin == "https://storage.googleapis.com"
    name = "team%2F%C3%A9%20%281%29%2Fqueue.json"
    assert request.raw_path == (f"/storage/v1/b/bucket/o/{name}?alt=media&ifGenerationNotMatch=17")
    assert request.headers == {"range": "bytes=0-4095"}
    plain = GOOGLE.read("a", if_changed_from=None, head_bytes=None)
    assert plain.raw_path.endswith("?alt=media")


@pytest.mark.parametrize(("condition", "generation"), [(ABSENT, "0"), (Match(Version("17")), "17")])
def test_put_is_one_multipart_upload(condition: Condition, generation: str) -> None:
    digest = hashlib.md5(b"hello").digest()
    request = GOOGLE.put(
        "queue.json", [b"hel", b"lo"], digest=digest, condition=condition, metadata={"a": "é"}
    )
    assert request.method == "POST"
    assert request.raw_path == (
        "/upload/storage/v1/b/bucket/o?uploadType=multipart&name=team%2Fqueue.json"
        f"&ifGenerationMatch={generation}"
    )
    boundary = request.headers["content-type"].partition("boundary=")[2]
    head, *body, tail = request.chunks
    assert body == [b"hel", b"lo"]
    assert tail == f"\r\n--{boundary}--\r\n".encode()
    opening, described, rest = head.split(b"\r\n\r\n")
    assert opening.startswith(f"--{boundary}\r\n".encode())
    described, second_opening = described.split(f"\r\n--{boundary}\r\n".encode())
    assert second_opening == b"Content-Type: application/json"
    assert rest == b""
    assert msgspec.json.decode(described) == {
        "name": "team/queue.json",
        "contentType": "application/json",
        "cacheControl": "no-store",
        "md5Hash": "XUFAKrxLKna5cZ2REBfFkg==",
        "metadata": {"a": "é"},
    }


def test_found_gives_bytes_and_generation() -> None:
    whole = Answer(200, {"x-goog-generation": "17"}, b"hello")
    assert GOOGLE.found(whole, "a", known=None, head_bytes=None) == StoredObject(b"hello", "17")
    # fake-gcs-server ignores the condition, and sends the whole.
    assert GOOGLE.found(whole, "a", known=Version("17"), head_bytes=None) == UNCHANGED
    part = Answer(206, {"x-goog-generation": "17", "content-range": "bytes 0-1/5"}, b"he")
    assert GOOGLE.found(part, "a", known=None, head_bytes=2) == StoredObject(b"he", "17")


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({"x-guploader-uploadid": "A"}, True),
        ({"x-goog-generation": "17"}, True),
        ({"etag": '"CAE="'}, True),
        ({"x-goog-generation": "18", "x-guploader-uploadid": "A"}, False),
        ({}, False),
    ],
)
def test_unchanged_is_said_by_google_and_of_this_generation(
    headers: dict[str, str], is_own: bool
) -> None:
    answer = Answer(304, headers, b"")
    if is_own:
        assert GOOGLE.found(answer, "a", known=Version("17"), head_bytes=2) == UNCHANGED
    else:
        with pytest.raises(StoreUnavailable):
            GOOGLE.found(answer, "a", known=Version("17"), head_bytes=2)


# As Google answers where bytes are asked for: plain words under its own header.
WORDS = {"content-type": "text/html; charset=UTF-8", "x-guploader-uploadid": "ADPycdst7ZSZ"}
NOT_FOUND = Answer(404, {"content-type": "text/plain; charset=utf-8"}, b"Not Found\n")


@pytest.mark.parametrize(
    ("answer", "is_doubted"),
    [
        (Answer(404, WORDS, b"No such object: bucket/team/a"), False),
        (error_answer(404, "notFound"), False),
        (Answer(403, WORDS, b"Forbidden"), False),
        (Answer(404, WORDS, b"Not Found"), True),
        (Answer(404, {}, b"No such object: bucket/team/a"), True),
        (NOT_FOUND, True),
    ],
)
def test_missing_object_that_is_not_in_googles_words_is_asked_about_again(
    answer: Answer, is_doubted: bool
) -> None:
    question = GOOGLE.doubt(answer, "a")
    assert (question is not None) == is_doubted
    if question is not None:
        assert (question.method, question.raw_path) == ("GET", "/storage/v1/b/bucket/o/team%2Fa")
    # The description is no object, whatever its status: it has no generation in its headers.
    with pytest.raises(StoreUnavailable):
        GOOGLE.found(Answer(200, {}, b'{"generation": "17"}'), "a", known=None, head_bytes=None)


PAGE = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>"


@pytest.mark.parametrize(
    "status", [200, 204, 206, 301, 302, 304, 400, 401, 403, 404, 405, 409, 412, 416, 501]
)
def test_page_of_an_ingress_says_nothing_of_the_object(status: int) -> None:
    page = Answer(status, {"content-type": "text/html", "etag": '"65a1-264"'}, PAGE)
    if status != 304:
        with pytest.raises(StoreUnavailable) as unavailable:
            GOOGLE.found(page, "queue.json", known=Version("17"), head_bytes=None)
        assert type(unavailable.value) is StoreUnavailable
    for condition in (ABSENT, Match(Version("17"))):
        with pytest.raises(WriteOutcomeUnknown):
            GOOGLE.written(page, "queue.json", condition=condition)
    with pytest.raises(WriteOutcomeUnknown):
        GOOGLE.deleted(page, "queue.json")
    with pytest.raises(StoreUnavailable):
        GOOGLE.listed(page, "")
    assert not GOOGLE.refuses_credentials(page)
    assert not GOOGLE.is_own(page)
    assert GOOGLE.is_own(error_answer(status, "any") if status >= 400 else Answer(200, WORDS, b""))


@pytest.mark.parametrize(
    ("value", "md5"),
    [
        ("crc32c=rRXgig==,md5=XUFAKrxLKna5cZ2REBfFkg==", MD5),
        ("md5=XUFAKrxLKna5cZ2REBfFkg==", MD5),
        ("crc32c=rRXgig==, md5=XUFAKrxLKna5cZ2REBfFkg==", MD5),
        ("crc32c=rRXgig==", None),
        ("md5=short", None),
        ("", None),
    ],
)
def test_checksum_is_the_md5_of_the_header(value: str, md5: bytes | None) -> None:
    found = GOOGLE.checksum_of(Answer(200, {"x-goog-hash": value}, b"hello"))
    assert found == (None if md5 is None else Checksum(md5, is_promised=True))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(404, "notFound", "No such object: bucket/a"), ObjectMissing),
        (Answer(404, WORDS, b"No such object: bucket/team/a"), ObjectMissing),
        (Answer(401, WORDS, b"Invalid Credentials"), AccessDenied),
        (Answer(403, WORDS, b"Somebody does not have storage.objects.get access"), AccessDenied),
        (Answer(404, {}, b"Not Found"), StoreUnavailable),
        (error_answer(404, "notFound", NO_BUCKET), StoreMisconfigured),
        (error_answer(401, "authError"), AccessDenied),
        (error_answer(403, "forbidden"), AccessDenied),
        (error_answer(403, "rateLimitExceeded"), StoreUnavailable),
        (error_answer(429, "rateLimitExceeded"), StoreUnavailable),
        (error_answer(503, "backendError"), StoreUnavailable),
        (Answer(200, {}, b"<html>"), StoreUnavailable),
    ],
)
def test_found_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected) as caught:
        GOOGLE.found(answer, "queue.json", known=None, head_bytes=None)
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(412, "conditionNotMet"), VersionConflict),
        (error_answer(404, "notFound", NO_BUCKET), StoreMisconfigured),
        (error_answer(404, "notFound"), StoreMisconfigured),
        (error_answer(409, "conflict"), WriteOutcomeUnknown),
        (error_answer(400, "invalid"), WriteOutcomeUnknown),
        (error_answer(401, "authError"), AccessDenied),
        (error_answer(403, "forbidden"), AccessDenied),
        (error_answer(403, "userRateLimitExceeded"), WriteOutcomeUnknown),
        (error_answer(408, "requestTimeout"), WriteOutcomeUnknown),
        (error_answer(429, "rateLimitExceeded"), WriteOutcomeUnknown),
        (error_answer(503, "backendError"), WriteOutcomeUnknown),
        (error_answer(501, "notImplemented"), StoreMisconfigured),
        (Answer(200, {}, b"{}"), WriteOutcomeUnknown),
        (Answer(200, {}, b'{"generation": "soon"}'), WriteOutcomeUnknown),
        (Answer(200, {}, b"<html>"), WriteOutcomeUnknown),
        (Answer(500, {}, b'{"error": {"errors": []}}'), WriteOutcomeUnknown),
    ],
)
def test_written_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected) as caught:
        GOOGLE.written(answer, "queue.json", condition=ABSENT)
    assert type(caught.value) is expected


def test_written_gives_the_generation() -> None:
    answer = Answer(200, {}, b'{"kind": "storage#object", "generation": "17"}')
    assert GOOGLE.written(answer, "a", condition=ABSENT) == "17"


def test_deleted_of_a_missing_object_is_no_error() -> None:
    request = GOOGLE.delete("a/b")
    assert (request.method, request.raw_path) == ("DELETE", "/storage/v1/b/bucket/o/team%2Fa%2Fb")
    for answer in (Answer(204, {}, b""), error_answer(404, "notFound")):
        GOOGLE.deleted(answer, "a")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(404, "notFound", NO_BUCKET), StoreMisconfigured),
        (error_answer(403, "forbidden"), AccessDenied),
        (error_answer(503, "backendError"), WriteOutcomeUnknown),
    ],
)
def test_deleted_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected):
        GOOGLE.deleted(answer, "a")


def test_list_reads_pages() -> None:
    request = GOOGLE.list("a b", page="t=")
    assert request.raw_path == (
        "/storage/v1/b/bucket/o?prefix=team%2Fa%20b&fields=items%28name%29%2CnextPageToken"
        "&pageToken=t%3D"
    )
    body = b'{"items": [{"name": "team/b"}, {"name": "team/a"}], "nextPageToken": "u"}'
    assert GOOGLE.listed(Answer(200, {}, body), "") == KeysPage(["b", "a"], "u")
    assert GOOGLE.listed(Answer(200, {}, b"{}"), "") == KeysPage([], None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(404, "notFound"), StoreMisconfigured),
        (error_answer(403, "forbidden"), AccessDenied),
        (error_answer(503, "backendError"), StoreUnavailable),
        (Answer(200, {}, b"[]"), StoreUnavailable),
    ],
)
def test_listed_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected):
        GOOGLE.listed(answer, "a")


def test_nothing_but_a_new_token_is_learned_from_an_answer() -> None:
    assert GOOGLE.region == ""
    for status in (200, 301, 403):
        answer = error_answer(status, "forbidden")
        assert GOOGLE.corrected(answer) is None
        assert not GOOGLE.is_skewed(answer)
        assert not GOOGLE.refuses_credentials(answer)
    assert GOOGLE.refuses_credentials(error_answer(401, "authError"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "\xff"}, "generation": "\xff", "nextPageToken": "\xff"}',
        b'{"more": ' + b"[" * 100_000,
        b"[" * 100_000,
    ],
    ids=["no utf-8", "deep inside", "deep"],
)
def test_answer_that_somebody_else_wrote_is_no_answer_of_the_store(body: bytes) -> None:
    with pytest.raises(WriteOutcomeUnknown):
        GOOGLE.written(Answer(200, {}, body), "a", condition=ABSENT)
    with pytest.raises(WriteOutcomeUnknown):
        GOOGLE.written(Answer(502, {}, body), "a", condition=ABSENT)
    with pytest.raises(StoreUnavailable):
        GOOGLE.listed(Answer(200, {}, body), "")
    with pytest.raises(StoreUnavailable):
        GOOGLE.found(Answer(502, {}, body), "a", known=None, head_bytes=None)

"""Tests the dialect of S3 by tables: what is asked, and what each known answer means."""

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
from storage_adapters.exchanges import Answer, Checksum, KeysPage
from storage_adapters.s3 import S3Dialect, unquoted_etag
from storage_adapters.signing import EMPTY_SHA256, UNSIGNED_PAYLOAD

AWS = S3Dialect("bucket", "team/", region="eu-central-1")
OTHER = S3Dialect("bucket", endpoint_url="http://127.0.0.1:9000")
MATCH = Match(Version("abc"))


def error_answer(status: int, code: str, extra: str = "", **headers: str) -> Answer:
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>Words.</Message>{extra}</Error>"
    )
    return Answer(status, headers, body.encode())


@pytest.mark.parametrize(
    ("dialect", "url"),
    [
        (AWS, "https://bucket.s3.eu-central-1.amazonaws.com/team/"),
        (S3Dialect("a.b"), "https://s3.us-east-1.amazonaws.com/a.b/"),
        (S3Dialect("b-1", region="cn-north-1"), "https://b-1.s3.cn-north-1.amazonaws.com.cn/"),
        (S3Dialect("b-1", addressing_style="path"), "https://s3.us-east-1.amazonaws.com/b-1/"),
        (OTHER, "http://127.0.0.1:9000/bucket/"),
        (
            S3Dialect("b-1", endpoint_url="https://s.example/p/", addressing_style="virtual"),
            "https://b-1.s.example/p/",
        ),
    ],
)
def test_bucket_stands_in_host_or_path(dialect: S3Dialect, url: str) -> None:
    request = dialect.read("é (1)/queue.json", if_changed_from=None, head_bytes=None)
    assert request.origin + request.raw_path == f"{url}%C3%A9%20%281%29/queue.json"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bucket": ""}, "bucket's name"),
        ({"bucket": "a/b"}, "bucket's name"),
        ({"bucket": "b-1", "region": "EU west"}, "region"),
        ({"bucket": "b-1", "endpoint_url": "127.0.0.1:9000"}, "endpoint of an S3 store"),
    ],
)
def test_dialect_with_wrong_settings_is_refused(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(StoreMisconfigured, match=words):
        S3Dialect(**arguments)  # pyright: ignore[reportArgumentType]


def test_description_names_bucket_and_place() -> None:
    assert AWS.description == "S3 store at s3://bucket/team/"
    assert OTHER.description == "S3 store at s3://bucket/ on http://127.0.0.1:9000"


def test_read_asks_for_a_head_under_a_condition() -> None:
    request = AWS.read("queue.json", if_changed_from=Version("abc"), head_bytes=4_096)
    assert request.headers == {"if-none-match": '"abc"', "range": "bytes=0-4095"}
    assert request.method == "GET"


@pytest.mark.parametrize(
    ("condition", "quotes", "header"),
    [
        (ABSENT, True, ("if-none-match", "*")),
        (MATCH, True, ("if-match", '"abc"')),
        (MATCH, False, ("if-match", "abc")),
    ],
)
def test_put_carries_its_condition(
    condition: Condition, quotes: bool, header: tuple[str, str]
) -> None:
    dialect = S3Dialect("bucket", quotes_etags=quotes)
    request = dialect.put("a", [b"x"], digest=None, condition=condition, metadata={"one": "2 3"})
    assert dict([header]).items() <= request.headers.items()
    assert request.headers["x-amz-meta-one"] == "2 3"
    assert request.headers["cache-control"] == "no-store"
    assert len({"if-match", "if-none-match"} & request.headers.keys()) == 1
    assert request.chunks == [b"x"]


def test_put_over_http_is_hashed_and_over_https_is_not() -> None:
    assert AWS.digest_name is None
    request = AWS.put("a", [b"x"], digest=None, condition=ABSENT, metadata={})
    assert request.payload_sha256 == UNSIGNED_PAYLOAD
    assert OTHER.digest_name == "sha256"
    digest = hashlib.sha256(b"x").digest()
    request = OTHER.put("a", [b"x"], digest=digest, condition=ABSENT, metadata={})
    assert request.payload_sha256 == digest.hex()
    assert OTHER.delete("a").payload_sha256 == EMPTY_SHA256


@pytest.mark.parametrize(
    "metadata", [{"Name": "a"}, {"na me": "a"}, {"name": ""}, {"name": " a"}, {"name": "é\n"}]
)
def test_put_with_metadata_that_no_header_carries_is_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(StoreMisconfigured, match="metadata"):
        AWS.put("a", [], digest=None, condition=ABSENT, metadata=metadata)


@pytest.mark.parametrize(
    ("etag", "version"), [('"abc-2"', "abc-2"), ("abc", "abc"), ('W/"abc"', "abc"), ("", "")]
)
def test_version_is_the_etag_without_quotes(etag: str, version: str) -> None:
    assert unquoted_etag(etag) == version


def test_found_gives_bytes_and_version() -> None:
    whole = Answer(200, {"etag": '"abc"'}, b"hello")
    assert AWS.found(whole, "a", known=None, head_bytes=None) == StoredObject(b"hello", "abc")
    # A store that ignores ranges answers with the whole.
    assert AWS.found(whole, "a", known=None, head_bytes=2) == StoredObject(b"he", "abc")
    part = Answer(206, {"etag": '"abc"', "content-range": "bytes 0-1/5"}, b"he")
    assert AWS.found(part, "a", known=None, head_bytes=2) == StoredObject(b"he", "abc")


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({"etag": '"abc"'}, True),
        # Ceph before 19 names no version.
        ({"x-amz-request-id": "tx01"}, True),
        ({"etag": '"other"', "x-amz-request-id": "tx01"}, False),
        ({}, False),
    ],
)
def test_unchanged_is_what_names_the_version_or_comes_from_the_store(
    headers: dict[str, str], is_own: bool
) -> None:
    answer = Answer(304, headers, b"")
    if is_own:
        assert AWS.found(answer, "a", known=Version("abc"), head_bytes=2) == UNCHANGED
    else:
        with pytest.raises(StoreUnavailable, match="not the store's own"):
            AWS.found(answer, "a", known=Version("abc"), head_bytes=2)
    with pytest.raises(StoreUnavailable):
        AWS.found(answer, "a", known=None, head_bytes=2)


PAGE = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head></html>"
PAGE_HEADERS = {"content-type": "text/html", "server": "nginx", "etag": '"65a1b2c3-264"'}


@pytest.mark.parametrize(
    "status", [200, 201, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 405, 409, 412, 416, 501]
)
@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"])
def test_page_of_an_ingress_says_nothing_of_the_object(status: int, kind: str) -> None:
    page = Answer(status, {**PAGE_HEADERS, "content-type": kind}, PAGE)
    with pytest.raises(StoreUnavailable) as unavailable:
        AWS.found(page, "queue.json", known=Version("abc"), head_bytes=None)
    assert type(unavailable.value) is StoreUnavailable
    for condition in (ABSENT, MATCH):
        with pytest.raises(WriteOutcomeUnknown):
            AWS.written(page, "queue.json", condition=condition)
    with pytest.raises(WriteOutcomeUnknown):
        AWS.deleted(page, "queue.json")
    with pytest.raises(StoreUnavailable):
        AWS.listed(page, "")
    assert AWS.corrected(page) is None
    assert not AWS.refuses_credentials(page)
    assert not AWS.is_own(page)


@pytest.mark.parametrize("packing", ["gzip", "br"])
def test_object_that_was_packed_on_its_way_is_no_answer(packing: str) -> None:
    headers = {"etag": '"abc"', "content-encoding": packing}
    with pytest.raises(StoreUnavailable, match=f"packed .{packing}.*: a"):
        AWS.found(Answer(200, headers, b"\x1f\x8b"), "a", known=None, head_bytes=2)


@pytest.mark.parametrize("packing", ["identity", "aws-chunked", ""])
def test_object_that_was_not_packed_is_taken(packing: str) -> None:
    headers = {"etag": '"abc"', "content-encoding": packing}
    assert AWS.found(Answer(200, headers, b"{}"), "a", known=None, head_bytes=None)


@pytest.mark.parametrize(
    ("answer", "is_own"),
    [
        (Answer(200, {"etag": '"abc"'}, b""), True),
        (Answer(204, {"x-amz-request-id": "1"}, b""), True),
        (Answer(404, {"x-amzn-requestid": "1"}, b""), True),
        (error_answer(403, "AccessDenied"), True),
        (Answer(200, {}, b"hello"), False),
        (Answer(502, {"etag": '"abc"'}, b"Bad gateway"), False),
    ],
)
def test_own_answer_is_known_by_version_header_or_form(answer: Answer, is_own: bool) -> None:
    assert AWS.is_own(answer) == is_own


@pytest.mark.parametrize(
    ("headers", "md5"),
    [
        ({"etag": '"5d41402abc4b2a76b9719d911017c592"'}, "5d41402abc4b2a76b9719d911017c592"),
        ({"etag": '"5d41402abc4b2a76b9719d911017c592-2"'}, None),
        ({"etag": '"abc"'}, None),
        ({}, None),
    ],
)
def test_checksum_is_an_etag_that_can_be_an_md5(headers: dict[str, str], md5: str | None) -> None:
    for encryption, is_opaque in (
        ({}, False),
        ({"x-amz-server-side-encryption": "AES256"}, False),
        ({"x-amz-server-side-encryption": "aws:kms"}, True),
        ({"x-amz-server-side-encryption-customer-algorithm": "AES256"}, True),
    ):
        found = AWS.checksum_of(Answer(200, {**headers, **encryption}, b"hello"))
        expected = None if md5 is None or is_opaque else Checksum(bytes.fromhex(md5), False)
        assert found == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(404, "NoSuchKey"), ObjectMissing),
        (Answer(404, {}, b""), StoreUnavailable),
        (error_answer(404, "NoSuchUpload"), StoreUnavailable),
        (error_answer(404, "NoSuchBucket"), StoreMisconfigured),
        (error_answer(400, "InvalidBucketName"), StoreMisconfigured),
        (error_answer(400, "ExpiredToken"), AccessDenied),
        (error_answer(403, "InvalidAccessKeyId"), AccessDenied),
        (error_answer(403, "SignatureDoesNotMatch"), AccessDenied),
        (error_answer(307, "TemporaryRedirect"), StoreUnavailable),
        (error_answer(301, "PermanentRedirect"), StoreMisconfigured),
        (error_answer(503, "SlowDown"), StoreUnavailable),
        (Answer(200, {}, b"<html>"), StoreUnavailable),
        (Answer(301, {"location": "https://login.example.org/"}, b""), StoreUnavailable),
        (Answer(502, {}, b"<html>no xml"), StoreUnavailable),
    ],
)
def test_found_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected) as caught:
        AWS.found(answer, "queue.json", known=None, head_bytes=None)
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    ("answer", "condition", "expected"),
    [
        (error_answer(412, "PreconditionFailed"), ABSENT, VersionConflict),
        (error_answer(412, "PreconditionFailed"), MATCH, VersionConflict),
        (error_answer(404, "NoSuchKey"), MATCH, ObjectMissing),
        (error_answer(404, "NoSuchKey"), ABSENT, WriteOutcomeUnknown),
        (Answer(404, {}, b""), MATCH, WriteOutcomeUnknown),
        (Answer(404, {}, b""), ABSENT, WriteOutcomeUnknown),
        (error_answer(404, "NoSuchBucket"), MATCH, StoreMisconfigured),
        (error_answer(404, "NoSuchBucket"), ABSENT, StoreMisconfigured),
        (error_answer(409, "ConditionalRequestConflict"), ABSENT, WriteOutcomeUnknown),
        (error_answer(409, "ConditionalRequestConflict"), MATCH, WriteOutcomeUnknown),
        (error_answer(501, "NotImplemented", "<Header>If-Match</Header>"), MATCH, "If-Match on"),
        (error_answer(501, "NotImplemented"), ABSENT, r"If-None-Match: \* on PUT"),
        (error_answer(400, "RequestTimeout"), MATCH, WriteOutcomeUnknown),
        (error_answer(400, "BadDigest"), MATCH, WriteOutcomeUnknown),
        (error_answer(400, "IncompleteBody"), MATCH, WriteOutcomeUnknown),
        (error_answer(400, "ExpiredToken"), MATCH, AccessDenied),
        (error_answer(400, "InvalidArgument"), MATCH, WriteOutcomeUnknown),
        (error_answer(403, "AccessDenied"), MATCH, AccessDenied),
        (error_answer(403, "RequestTimeTooSkewed"), MATCH, AccessDenied),
        (error_answer(307, "TemporaryRedirect"), MATCH, WriteOutcomeUnknown),
        (error_answer(301, "PermanentRedirect"), MATCH, StoreMisconfigured),
        (error_answer(500, "InternalError"), MATCH, WriteOutcomeUnknown),
        (error_answer(503, "SlowDown"), MATCH, WriteOutcomeUnknown),
        (Answer(429, {}, b"Too fast"), MATCH, WriteOutcomeUnknown),
        (Answer(504, {}, b""), ABSENT, WriteOutcomeUnknown),
        (Answer(200, {}, b""), ABSENT, WriteOutcomeUnknown),
    ],
)
def test_written_judges_failures(
    answer: Answer, condition: Condition, expected: type[StoreError] | str
) -> None:
    error_class = StoreMisconfigured if isinstance(expected, str) else expected
    words = expected if isinstance(expected, str) else "queue.json|bucket"
    with pytest.raises(error_class, match=words) as caught:
        AWS.written(answer, "queue.json", condition=condition)
    assert type(caught.value) is error_class


def test_written_gives_the_version() -> None:
    assert AWS.written(Answer(200, {"etag": '"abc"'}, b""), "a", condition=ABSENT) == "abc"


def test_deleted_of_a_missing_object_is_no_error() -> None:
    for answer in (Answer(200, {}, b""), Answer(204, {}, b""), error_answer(404, "NoSuchKey")):
        AWS.deleted(answer, "a")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(404, "NoSuchBucket"), StoreMisconfigured),
        (error_answer(403, "AccessDenied"), AccessDenied),
        (error_answer(503, "SlowDown"), WriteOutcomeUnknown),
    ],
)
def test_deleted_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected):
        AWS.deleted(answer, "a")


LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}
<Contents><Key>team/a%2Bb+c</Key></Contents><Contents><Key>team/%C3%A9</Key></Contents>
</ListBucketResult>"""


def test_list_asks_for_pages() -> None:
    request = AWS.list("a b", page=None)
    assert request.raw_path == "/?list-type=2&encoding-type=url&prefix=team%2Fa%20b"
    assert AWS.list("", page="t=").raw_path.endswith("&continuation-token=t%3D")


def test_listed_reads_pages() -> None:
    more = "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
    body = LISTING.format(more + "<NextContinuationToken>t</NextContinuationToken>")
    page = AWS.listed(Answer(200, {}, body.encode()), "")
    assert page == KeysPage(["a+b c", "é"], "t")
    # A store that does not know the encoding says so by not repeating it.
    body = LISTING.format("<IsTruncated>false</IsTruncated>")
    page = AWS.listed(Answer(200, {}, body.encode()), "")
    assert page == KeysPage(["a%2Bb+c", "%C3%A9"], None)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error_answer(404, "NoSuchBucket"), StoreMisconfigured),
        (Answer(404, {}, b""), StoreUnavailable),
        (error_answer(403, "AccessDenied"), AccessDenied),
        (error_answer(503, "SlowDown"), StoreUnavailable),
        (Answer(200, {}, b"<html"), StoreUnavailable),
        (Answer(200, {}, b"<html></html>"), StoreUnavailable),
    ],
)
def test_listed_judges_failures(answer: Answer, expected: type[StoreError]) -> None:
    with pytest.raises(expected):
        AWS.listed(answer, "a")


@pytest.mark.parametrize(
    ("answer", "region"),
    [
        (Answer(301, {"x-amz-bucket-region": "eu-west-1"}, b""), "eu-west-1"),
        (Answer(307, {"x-amz-bucket-region": "eu-west-1"}, b""), "eu-west-1"),
        (error_answer(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"), None),
        (Answer(301, {"x-amz-bucket-region": "eu-central-1"}, b""), "unchanged"),
        (Answer(301, {}, b""), "unchanged"),
        (error_answer(400, "InvalidArgument"), "unchanged"),
        (Answer(301, {"x-amz-bucket-region": "evil.example/"}, b""), "unchanged"),
        (Answer(200, {"x-amz-bucket-region": "eu-west-1"}, b""), "unchanged"),
        (Answer(503, {"x-amz-bucket-region": "eu-west-1"}, b""), "unchanged"),
    ],
)
def test_corrected_learns_the_region_where_the_answer_names_another(
    answer: Answer, region: str | None
) -> None:
    corrected = AWS.corrected(answer)
    if region == "unchanged":
        assert corrected is None
        return
    assert corrected is not None
    assert corrected.region == "eu-west-1"
    request = corrected.read("a", if_changed_from=None, head_bytes=None)
    assert request.origin == "https://bucket.s3.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InvalidAccessKeyId", "does not know this access key"),
        ("ExpiredToken", "not valid any more; renew them"),
        ("SignatureDoesNotMatch", "the secret key does not belong to the access key"),
        ("RequestTimeTooSkewed", "this machine's clock is too far off"),
        ("AccessDenied", "fix the permissions"),
    ],
)
def test_each_refusal_says_what_to_fix(code: str, words: str) -> None:
    refused = error_answer(403, code)
    for judge in (
        lambda: AWS.found(refused, "queue.json", known=None, head_bytes=None),
        lambda: AWS.written(refused, "queue.json", condition=ABSENT),
        lambda: AWS.deleted(refused, "queue.json"),
        lambda: AWS.listed(refused, ""),
    ):
        with pytest.raises(AccessDenied, match=words):
            judge()


@pytest.mark.parametrize(
    "answer", [error_answer(503, "SlowDown"), error_answer(429, ""), Answer(429, {}, b"")]
)
def test_store_that_is_asked_too_often_says_how_to_ask_less(answer: Answer) -> None:
    with pytest.raises(WriteOutcomeUnknown, match="slow down by GROUP_COMMIT_INTERVAL_MS"):
        AWS.written(answer, "queue.json", condition=ABSENT)


def test_bucket_that_locks_by_default_is_named() -> None:
    told = "Content-MD5 OR x-amz-checksum- HTTP header is required with Object Lock parameters"
    body = f"<Error><Code>InvalidRequest</Code><Message>{told}</Message></Error>".encode()
    with pytest.raises(StoreMisconfigured, match="locks objects by default"):
        AWS.written(Answer(400, {}, body), "queue.json", condition=ABSENT)


def test_skew_and_expiry_are_told_from_other_refusals() -> None:
    skewed = error_answer(403, "RequestTimeTooSkewed")
    assert AWS.is_skewed(skewed)
    assert not AWS.refuses_credentials(skewed)
    for code in ("ExpiredToken", "InvalidAccessKeyId"):
        refused = error_answer(403, code)
        assert not AWS.is_skewed(refused)
        assert AWS.refuses_credentials(refused)
    assert not AWS.refuses_credentials(error_answer(403, "AccessDenied"))


@pytest.mark.parametrize(
    "body",
    [
        b"<?xml version='1.0' encoding='nonsense'?><Error/>",
        b"<?xml version='1.0' encoding='utf-32'?><Error/>",
        b"<a>" * 100_000,
        b"\xff\xfe\0",
    ],
    ids=["no encoding", "no encoding of XML", "deep", "binary"],
)
def test_answer_that_somebody_else_wrote_is_no_answer_of_the_store(body: bytes) -> None:
    with pytest.raises(WriteOutcomeUnknown):
        AWS.written(Answer(502, {}, body), "a", condition=ABSENT)
    with pytest.raises(StoreUnavailable):
        AWS.listed(Answer(200, {}, body), "")
    with pytest.raises(StoreUnavailable):
        AWS.found(Answer(502, {}, body), "a", known=None, head_bytes=None)
    assert AWS.corrected(Answer(400, {}, body)) is None

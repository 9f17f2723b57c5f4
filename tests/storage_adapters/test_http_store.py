"""Tests what only the store over HTTP decides: attempts, bodies, clock, broken connections."""

import hashlib
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from email.utils import formatdate
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trustme

from storage_adapters import http_store
from storage_adapters.bodies import PIECE_BYTES
from storage_adapters.contract import (
    ABSENT,
    UNCHANGED,
    AccessDenied,
    Match,
    NotApplied,
    ObjectMissing,
    StoredObject,
    StoreMisconfigured,
    StoreUnavailable,
    Version,
    WriteOutcomeUnknown,
)
from storage_adapters.credentials.source import FixedSource
from storage_adapters.gcs import GcsDialect
from storage_adapters.http_store import CONNECTIONS_MAX, HASHED_INLINE_BYTES, HttpStore
from storage_adapters.s3 import S3Dialect
from storage_adapters.signing import ANONYMOUS, AwsKeys, Credentials
from tests.storage_adapters.credentials.issuers import IssuerServer, Said
from tests.storage_adapters.scripted_bucket import HANG_UP, SILENCE, ScriptedBucket, answer

KEYS = AwsKeys("id", "secret")
NOW_MS = 1_700_000_000_500
DATE = formatdate(1_700_000_000, usegmt=True)
STORED = answer(200, etag='"2"', date=DATE)


class ForgetfulSource(FixedSource):
    """Notes what it is told to forget, and fails where a test wants it to."""

    def __init__(self) -> None:
        super().__init__(KEYS)
        self.forgotten: list[Credentials] = []
        self.error: Exception | None = None

    async def current(self) -> Credentials:
        if self.error is not None:
            raise self.error
        return await super().current()

    def forget(self, refused: Credentials) -> None:
        self.forgotten.append(refused)


@pytest.fixture
async def bucket() -> AsyncGenerator[ScriptedBucket]:
    async with ScriptedBucket().serve() as serving:
        yield serving


@pytest.fixture
def credentials() -> ForgetfulSource:
    return ForgetfulSource()


@pytest.fixture
async def store(bucket: ScriptedBucket, credentials: ForgetfulSource) -> AsyncGenerator[HttpStore]:
    dialect = S3Dialect("bucket", endpoint_url=bucket.url)
    opened = HttpStore(dialect, credentials, now_ms=lambda: NOW_MS, steady_ms=lambda: 0)
    yield opened
    await opened.aclose()


def refused(code: str, status: int = 403, **headers: str) -> bytes:
    return answer(status, f"<Error><Code>{code}</Code></Error>".encode(), **headers)


async def test_put_sends_the_chunks_with_their_length_and_hash(
    store: HttpStore, bucket: ScriptedBucket
) -> None:
    bucket.script.append(STORED)
    chunks = [b"x" * (PIECE_BYTES + 1), b"", b"y" * 10, b"z" * 10]
    assert await store.put("queue.json", chunks, condition=ABSENT) == "2"
    [request] = bucket.requests
    assert request.line == "PUT /bucket/queue.json HTTP/1.1"
    assert request.body == b"".join(chunks)
    assert "transfer-encoding" not in request.headers
    assert request.headers["host"] == bucket.url.removeprefix("http://")
    assert request.headers["accept-encoding"] == "identity"
    hashed = hashlib.sha256(request.body).hexdigest()
    assert request.headers["x-amz-content-sha256"] == hashed
    assert request.headers["x-amz-date"] == "20231114T221320Z"


async def test_empty_put_says_that_it_is_empty(store: HttpStore, bucket: ScriptedBucket) -> None:
    bucket.script.append(STORED)
    await store.put("queue.json", [], condition=ABSENT)
    assert bucket.requests[0].headers["content-length"] == "0"


@pytest.mark.parametrize(("size", "threads_count"), [(HASHED_INLINE_BYTES - 1, 0), (300_000, 1)])
async def test_large_bodies_are_hashed_in_a_thread(
    bucket: ScriptedBucket, size: int, threads_count: int
) -> None:
    calls: list[Callable[[], bytes]] = []

    async def run_in_thread(function: Callable[[], bytes]) -> bytes:
        calls.append(function)
        return await trio.to_thread.run_sync(function)

    dialect = S3Dialect("bucket", endpoint_url=bucket.url)
    store = HttpStore(dialect, FixedSource(KEYS), run_in_thread=run_in_thread)
    bucket.script.append(STORED)
    await store.put("queue.json", [b"x" * size], condition=ABSENT)
    assert len(calls) == threads_count
    await store.aclose()


async def test_connection_is_used_again(store: HttpStore, bucket: ScriptedBucket) -> None:
    bucket.script += [STORED, answer(304, x_amz_request_id="1"), STORED, answer(204)]
    version = await store.put("a", [b"x"], condition=ABSENT)
    assert await store.read("a", if_changed_from=version) == UNCHANGED
    await store.put("a", [b"x"], condition=Match(version))
    await store.delete("a")
    assert bucket.connections_count == 1


@pytest.mark.parametrize(
    "reply",
    [
        HANG_UP,
        b"HTTP/1.1 200 OK\r\netag: ",
        answer(200, b"hel", etag='"2"', content_length="5"),
        answer(503, b"hel", content_length="5"),
        answer(200, b"5\r\nhel", etag='"2"', transfer_encoding="chunked"),
        answer(200, b"hello", etag='"2"', connection="close"),
        b"nonsense\r\n\r\n",
    ],
)
async def test_broken_answer_leaves_a_write_unknown_and_a_read_undone(
    store: HttpStore, bucket: ScriptedBucket, reply: bytes
) -> None:
    bucket.script += [reply] * 3
    with pytest.raises(WriteOutcomeUnknown, match="queue"):
        await store.put("queue.json", [b"x"], condition=ABSENT)
    with pytest.raises(WriteOutcomeUnknown, match="queue"):
        await store.delete("queue.json")
    with pytest.raises(StoreUnavailable, match="queue"):
        await store.read("queue.json")
    assert len(bucket.requests) == 3, "one attempt each"


async def test_refused_connection_is_surely_no_write() -> None:
    with trio.socket.socket() as unheard:
        await unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        store = HttpStore(S3Dialect("bucket", endpoint_url=url), FixedSource(KEYS))
        with pytest.raises(NotApplied, match="cannot be reached"):
            await store.put("queue.json", [b"x"], condition=ABSENT)
        with pytest.raises(StoreUnavailable, match="queue"):
            await store.read("queue.json")
        with pytest.raises(StoreUnavailable, match="queue"):
            await store.list("queue")
        await store.aclose()


async def test_silence_is_waited_for_as_long_as_the_bytes_take(
    store: HttpStore, bucket: ScriptedBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_store, "_ANSWER_S", 0.05)
    bucket.script += [SILENCE, SILENCE, STORED]
    with pytest.raises(WriteOutcomeUnknown, match="ReadTimeout"):
        await store.put("a", [b"x"], condition=ABSENT)
    started_s = trio.current_time()
    with pytest.raises(WriteOutcomeUnknown, match="ReadTimeout"):
        await store.put("a", [b"x" * 200_000], condition=ABSENT)
    assert trio.current_time() - started_s >= 0.2
    await store.put("a", [b"x"], condition=ABSENT)


async def test_cancelled_put_frees_its_place(store: HttpStore, bucket: ScriptedBucket) -> None:
    for number in range(CONNECTIONS_MAX + 1):
        bucket.script.append(SILENCE)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_put, store, "a")
            await bucket.wait_for_requests(number + 1)
            nursery.cancel_scope.cancel()
    bucket.script.append(STORED)
    assert await store.put("a", [b"x"], condition=ABSENT) == "2"


async def test_requests_beyond_the_pool_wait_for_their_turn(
    store: HttpStore, bucket: ScriptedBucket
) -> None:
    bucket.script += [STORED] * 50
    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(_put, store, f"key-{number}")
    assert len(bucket.requests) == 50
    assert bucket.connections_count <= CONNECTIONS_MAX


async def _put(store: HttpStore, key: str) -> None:
    await store.put(key, [b"x"], condition=ABSENT)


async def test_pool_that_has_lost_its_connections_is_replaced(
    store: HttpStore, bucket: ScriptedBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = store._connections  # pyright: ignore[reportPrivateUsage]

    async def have_no_connection_left(*arguments: object, **options: object) -> httpx.Response:
        raise httpx.PoolTimeout("no connection")

    monkeypatch.setattr(full.client, "send", have_no_connection_left)
    with pytest.raises(NotApplied, match="PoolTimeout"):
        await store.put("a", [b"x"], condition=ABSENT)
    assert full.client.is_closed
    bucket.script.append(STORED)
    assert await store.put("a", [b"x"], condition=ABSENT) == "2"


async def test_region_is_learned_once_and_asked_again(
    store: HttpStore, bucket: ScriptedBucket
) -> None:
    elsewhere = refused("PermanentRedirect", 301, x_amz_bucket_region="eu-west-1")
    bucket.script += [elsewhere, STORED, STORED, elsewhere, elsewhere]
    await store.put("a", [b"one", b"two"], condition=ABSENT)
    await store.put("a", [b"x"], condition=Match(Version("2")))
    signed_for = [request.headers["authorization"] for request in bucket.requests]
    assert ["/us-east-1/" in one for one in signed_for] == [True, False, False]
    assert ["/eu-west-1/" in one for one in signed_for] == [False, True, True]
    assert [request.body for request in bucket.requests] == [b"onetwo", b"onetwo", b"x"]
    # It knows that region: nothing is learned, nothing asked again.
    with pytest.raises(StoreMisconfigured):
        await store.put("a", [b"x"], condition=ABSENT)
    assert len(bucket.requests) == 4


async def test_two_wrong_regions_in_a_row_are_not_followed(
    store: HttpStore, bucket: ScriptedBucket
) -> None:
    bucket.script += [
        refused("PermanentRedirect", 301, x_amz_bucket_region="eu-west-1"),
        refused("PermanentRedirect", 301, x_amz_bucket_region="eu-west-2"),
    ]
    with pytest.raises(StoreMisconfigured):
        await store.put("a", [b"x"], condition=ABSENT)
    assert len(bucket.requests) == 2


async def test_clock_that_is_off_is_learned_once(store: HttpStore, bucket: ScriptedBucket) -> None:
    later = formatdate(1_700_000_000 + 3_600, usegmt=True)
    skewed = refused("RequestTimeTooSkewed", date=later)
    bucket.script += [skewed, STORED, STORED, skewed, skewed]
    await store.put("a", [b"x"], condition=ABSENT)
    await store.put("a", [b"x"], condition=Match(Version("2")))
    times = [request.headers["x-amz-date"] for request in bucket.requests]
    assert times == ["20231114T221320Z", "20231114T231320Z", "20231114T231320Z"]
    # Signed for the store's own time, and refused: there is nothing left to learn.
    with pytest.raises(AccessDenied, match="RequestTimeTooSkewed"):
        await store.put("a", [b"x"], condition=ABSENT)
    assert len(bucket.requests) == 4


async def test_offset_of_the_clock_is_that_of_the_last_answer(
    store: HttpStore, bucket: ScriptedBucket
) -> None:
    assert store.clock_offset_ms is None
    bucket.script += [
        answer(204, x_amz_request_id="1"),
        answer(204, x_amz_request_id="1", date=DATE),
        answer(204, x_amz_request_id="1", date="some day"),
        answer(204, x_amz_request_id="1", date=f"Mon, 01 Jan {10**20} 00:00:00 GMT"),
        answer(204, x_amz_request_id="1", date=f"Mon, 01 Jan 2024 00:00:00 +{10**20}"),
        answer(204, x_amz_request_id="1", date=formatdate(1_700_000_007, usegmt=True)),
    ]
    seen: list[int | None] = []
    for _ in range(6):
        await store.delete("a")
        seen.append(store.clock_offset_ms)
    assert seen == [None, 0, 0, 0, 0, 7_000]
    # The clock of what answers in the store's place is nobody's business.
    bucket.script += [answer(404, b"<html>", date=DATE, content_type="text/html")]
    with pytest.raises(StoreUnavailable):
        await store.read("a")
    assert store.clock_offset_ms == 7_000


@pytest.mark.parametrize("is_large", [False, True])
async def test_read_of_what_was_damaged_on_its_way_is_no_answer(
    store: HttpStore, bucket: ScriptedBucket, is_large: bool
) -> None:
    body = b"x" * (HASHED_INLINE_BYTES if is_large else 10)
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    # An ETag is held to be an MD5 once one was: some stores name versions otherwise.
    bucket.script += [answer(200, b"other", etag=etag), answer(200, body, etag=etag)]
    assert (await store.read("a")).data == b"other"  # pyright: ignore
    assert (await store.read("a")).data == body  # pyright: ignore
    bucket.script += [answer(200, b"y" + body[1:], etag=etag)]
    with pytest.raises(StoreUnavailable, match=rf"damaged on its way.* {len(body)} bytes: a"):
        await store.read("a")
    # Opaque versions, and parts, cannot be held to anything.
    kms = {"x_amz_server_side_encryption": "aws:kms"}
    bucket.script += [answer(200, b"other", etag=etag, **kms), answer(200, b"other", etag='"v2"')]
    bucket.script += [answer(206, b"ot", etag=etag, content_range="bytes 0-1/5")]
    assert (await store.read("a")).data == b"other"  # pyright: ignore
    assert (await store.read("a")).data == b"other"  # pyright: ignore
    assert (await store.read("a", head_bytes=2)).data == b"ot"  # pyright: ignore


MAINTENANCE = answer(200, b'{"status": "maintenance"}', etag='W/"19-x"', x_powered_by="Express")


async def test_success_that_does_not_name_its_request_is_foreign_once_others_did(
    store: HttpStore, bucket: ScriptedBucket
) -> None:
    own = answer(200, b"{}", etag='"1"', x_amz_request_id="1")
    # Some stores name none.
    bucket.script += [MAINTENANCE, MAINTENANCE]
    assert await store.put("a", [b"x"], condition=ABSENT) == "19-x"
    assert (await store.read("a")).version == "19-x"  # pyright: ignore
    bucket.script += [own, MAINTENANCE, MAINTENANCE, own, MAINTENANCE]
    assert await store.put("a", [b"x"], condition=ABSENT) == "1"
    with pytest.raises(WriteOutcomeUnknown, match=r"may have landed: .*not the store's own"):
        await store.put("a", [b"x"], condition=ABSENT)
    assert (await store.read("a")).version == "19-x"  # pyright: ignore
    assert (await store.read("a")).version == "1"  # pyright: ignore
    with pytest.raises(StoreUnavailable, match="not the store's own"):
        await store.read("a")


class NoNames(trio.abc.HostnameResolver):
    """Knows no host, and says so as the system does: without its name."""

    async def getaddrinfo(self, *arguments: object, **options: object) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    async def getnameinfo(self, *arguments: object, **options: object) -> Any:
        raise AssertionError("nobody asks")


async def test_name_that_nobody_knows_is_named() -> None:
    trio.socket.set_custom_hostname_resolver(NoNames())
    store = HttpStore(S3Dialect("bucket", endpoint_url="http://no-such.example"), ForgetfulSource())
    with pytest.raises(StoreUnavailable, match=r"ConnectError: no-such\.example: .*not known"):
        await store.read("a")
    await store.aclose()


async def test_missing_object_is_confirmed_in_the_words_of_google(bucket: ScriptedBucket) -> None:
    dialect = GcsDialect("bucket", endpoint_url=bucket.url)
    store = HttpStore(dialect, FixedSource(ANONYMOUS))
    told = b'{"error": {"code": 404, "message": "Not Found"}}'
    page = answer(404, b"<html>Not Found", content_type="text/html")
    bucket.script += [answer(404, b"Not Found"), answer(404, told), page, page]
    with pytest.raises(ObjectMissing):
        await store.read("a")
    with pytest.raises(StoreUnavailable, match="not the store's own"):
        await store.read("a")
    lines = [request.line for request in bucket.requests]
    assert lines == 2 * [
        "GET /storage/v1/b/bucket/o/a?alt=media HTTP/1.1",
        "GET /storage/v1/b/bucket/o/a HTTP/1.1",
    ]
    await store.aclose()


async def test_offset_of_a_clock_that_was_set_since_the_last_answer(bucket: ScriptedBucket) -> None:
    clock = {"wall": NOW_MS, "steady": 5_000}
    dialect = S3Dialect("bucket", endpoint_url=bucket.url)
    store = HttpStore(
        dialect,
        ForgetfulSource(),
        now_ms=lambda: clock["wall"],
        steady_ms=lambda: clock["steady"],
    )
    bucket.script.append(answer(204, x_amz_request_id="1", date=DATE))
    await store.delete("a")
    clock["wall"] += 3_600_000
    assert store.clock_offset_ms == -3_600_000
    clock["wall"] -= 3_590_000
    clock["steady"] += 10_000
    assert store.clock_offset_ms == 0
    await store.aclose()


@pytest.mark.parametrize(("step_ms", "offset_ms"), [(15_000, -15_000), (15_001, None)])
async def test_answer_that_took_long_does_not_tell_the_time(
    bucket: ScriptedBucket, step_ms: int, offset_ms: int | None
) -> None:
    readings = chain([0], repeat(2 * step_ms))
    dialect = S3Dialect("bucket", endpoint_url=bucket.url)
    store = HttpStore(
        dialect,
        ForgetfulSource(),
        now_ms=lambda: NOW_MS + 2 * step_ms,
        steady_ms=lambda: next(readings),
    )
    bucket.script.append(answer(204, x_amz_request_id="1", date=DATE))
    await store.delete("a")
    assert store.clock_offset_ms == offset_ms
    await store.aclose()


async def test_read_of_the_head_of_an_empty_object(
    store: HttpStore, bucket: ScriptedBucket
) -> None:
    bucket.script += [refused("InvalidRange", 416), answer(200, etag='"1"')]
    assert await store.read("a", head_bytes=10) == StoredObject(b"", Version("1"))
    assert [request.headers.get("range") for request in bucket.requests] == ["bytes=0-9", None]


async def test_read_of_a_head_takes_no_more_of_a_store_that_sends_all(
    store: HttpStore, bucket: ScriptedBucket
) -> None:
    bucket.script.append(answer(200, b"x" * 1_000_000, etag='"1"'))
    assert await store.read("a", head_bytes=10) == StoredObject(b"x" * 10, Version("1"))


async def test_listing_is_read_page_by_page(store: HttpStore, bucket: ScriptedBucket) -> None:
    page = "<ListBucketResult><IsTruncated>{}</IsTruncated>{}</ListBucketResult>"
    contents = "<Contents><Key>b</Key></Contents><NextContinuationToken>t</NextContinuationToken>"
    bucket.script += [
        answer(200, page.format("true", contents).encode()),
        answer(200, page.format("false", "<Contents><Key>a</Key></Contents>").encode()),
    ]
    assert await store.list("") == ["a", "b"]


async def test_expired_credentials_are_forgotten(
    store: HttpStore, bucket: ScriptedBucket, credentials: ForgetfulSource
) -> None:
    bucket.script += [refused("AccessDenied"), refused("ExpiredToken", 400)]
    for forgotten in ([], [KEYS]):
        with pytest.raises(AccessDenied):
            await store.put("a", [b"x"], condition=ABSENT)
        assert credentials.forgotten == forgotten
    assert len(bucket.requests) == 2


async def test_without_credentials_nothing_is_sent(
    store: HttpStore, bucket: ScriptedBucket, credentials: ForgetfulSource
) -> None:
    credentials.error = NotApplied("the issuer does not answer")
    with pytest.raises(NotApplied, match="issuer"):
        await store.put("a", [b"x"], condition=ABSENT)
    with pytest.raises(StoreUnavailable, match="issuer"):
        await store.read("a")
    credentials.error = AccessDenied("nobody")
    with pytest.raises(AccessDenied, match="nobody"):
        await store.read("a")
    assert bucket.requests == []


async def test_close_waits_for_nobody_and_may_be_cancelled(store: HttpStore) -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.aclose()
    await store.aclose()


async def test_https_trusts_what_the_machine_trusts_and_names_what_it_does_not(
    nursery: trio.Nursery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server = await IssuerServer.start(nursery, tls)
    server.says(Said(b"stored", headers={"etag": '"2"'}))
    dialect = S3Dialect("bucket", endpoint_url=server.url)
    distrusting = HttpStore(dialect, FixedSource(KEYS))
    with pytest.raises(NotApplied, match=r"ConnectError: .*certificate verify failed"):
        await distrusting.put("a", [b"a"], condition=ABSENT)
    await distrusting.aclose()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    trusting = HttpStore(dialect, FixedSource(KEYS))
    assert await trusting.read("a") == StoredObject(b"stored", Version("2"))
    await trusting.aclose()

"""The store in a bucket: sends what a dialect builds, and hands it what came back.

The only module that sends objects over HTTP. It knows about connections, time and bytes, and
nothing about what a status means: that is the dialect's (`s3`, `gcs`).

One call is one attempt. A request is sent a second time only where the first answer says that it
was refused before it was looked at: the bucket is in another region, or the clock here is off; each
is learned once, and the answer to the second request counts. Redirects are never followed by
themselves: the signature holds for one host.

Failures of the connection are classified here. What surely never left (no connection, no place in
the pool) is NotApplied for a write; anything after that is WriteOutcomeUnknown.
"""

import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from functools import partial

import httpx
import trio

from storage_adapters.bodies import BodyStream, digest_of
from storage_adapters.contract import (
    Condition,
    NotApplied,
    StoredObject,
    StoreUnavailable,
    Unchanged,
    Version,
    WriteOutcomeUnknown,
    check_key,
)
from storage_adapters.credentials.exchange import reason_of
from storage_adapters.credentials.source import CredentialSource
from storage_adapters.exchanges import Answer, BucketRequest, Dialect, DigestName

__all__ = ["CONNECTIONS_MAX", "HASHED_INLINE_BYTES", "HttpStore", "RunInThread"]

RunInThread = Callable[[Callable[[], bytes]], Awaitable[bytes]]
"""Runs a function that blocks, and gives its result."""

CONNECTIONS_MAX = 8
"""Requests under way at a time. More would not be faster: a broker has one write in flight."""

HASHED_INLINE_BYTES = 131_072
"""Bodies below this are hashed at once, which takes less time than handing them to a thread."""

_CONNECT_S = 5.0
_ANSWER_S = 10.0
"""Silence after which an answer is not waited for any longer, for a small body."""
_BYTES_PER_S_MIN = 1_000_000
"""The slowest link that the time for a body allows for."""
# Below the idle timeout of the servers that have a short one (5 s), above a broker's heartbeat.
_IDLE_S = 4.0
_FAILURE_BYTES_MAX = 65_536
_RANGE_NOT_SATISFIABLE = 416
_HTTP_DATE_RESOLUTION_MS = 1_000
_ROUND_TRIP_MS_MAX = 30_000
"""An answer that took longer tells the time too roughly: it may be off by half of this."""
_STEADY_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

# Nothing was sent: the request did not get as far as a connection.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_clock_ms() -> int:
    return time.clock_gettime_ns(_STEADY_CLOCK) // 1_000_000


async def _run_in_thread(function: Callable[[], bytes]) -> bytes:
    return await trio.to_thread.run_sync(function, abandon_on_cancel=True)


class _Connections:
    """One pool, closed once it has been given up and its last request has ended."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._requests_count = 0
        self._is_given_up = False

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator[httpx.AsyncClient]:
        """The client, for one request."""
        self._requests_count += 1
        try:
            yield self.client
        finally:
            self._requests_count -= 1
            await self._close_if_done()

    async def give_up(self) -> None:
        """Close it as soon as nobody uses it."""
        self._is_given_up = True
        await self._close_if_done()

    async def _close_if_done(self) -> None:
        if self._is_given_up and not self._requests_count:
            with trio.CancelScope(shield=True):
                await self.client.aclose()


class HttpStore:
    """Objects in a bucket, reached over HTTP. Contacts nothing before its first call.

    Args:
        dialect: how the bucket is spoken to.
        credentials: asked before each request.
        now_ms: the wall clock, ms since the epoch: signatures carry it.
        steady_ms: a clock that only runs forwards, also while the machine is suspended: the store's
            time is counted on by it between two answers.
        run_in_thread: for hashing large bodies.
        find_dialect: asked before the first request for the dialect to begin with, where files
            must be read to know it; `dialect` holds until then.
    """

    def __init__(
        self,
        dialect: Dialect,
        credentials: CredentialSource,
        *,
        now_ms: Callable[[], int] = _wall_clock_ms,
        steady_ms: Callable[[], int] = _steady_clock_ms,
        run_in_thread: RunInThread = _run_in_thread,
        find_dialect: Callable[[], Awaitable[Dialect]] | None = None,
    ) -> None:
        self._dialect = dialect
        self._find_dialect = find_dialect
        self._credentials = credentials
        self._now_ms = now_ms
        self._steady_ms = steady_ms
        self._run_in_thread = run_in_thread
        # What the machine trusts, as all of osqueue does; httpx would take a list of its own.
        self._tls = ssl.create_default_context()
        self._limiter = trio.CapacityLimiter(CONNECTIONS_MAX)
        self._connections = self._make_connections()
        self._etags_are_md5 = False
        self._methods_numbered: set[str] = set()
        self._clock_ahead_ms: int | None = None
        """The store's clock less the steady one, which nobody sets."""
        # Learned where the store refuses this machine's time; until then signatures carry that.
        self._signing_offset_ms = 0

    @property
    def description(self) -> str:
        """Names the store for a person, as in "S3 store at s3://bucket/prefix"."""
        return self._dialect.description

    @property
    def dialect(self) -> Dialect:
        """How the bucket is spoken to, as far as is known by now."""
        return self._dialect

    @property
    def clock_offset_ms(self) -> int | None:
        """The lead of the store's clock over this machine's now; see `ObjectStore`."""
        ahead_ms = self._clock_ahead_ms
        return None if ahead_ms is None else ahead_ms + self._steady_ms() - self._now_ms()

    async def read(
        self,
        key: str,
        *,
        if_changed_from: Version | None = None,
        head_bytes: int | None = None,
    ) -> StoredObject | Unchanged:
        """Read the object under `key`; see `ObjectStore.read`.

        Raises:
            ObjectMissing, AccessDenied, StoreMisconfigured, StoreUnavailable: as promised there.

        Cancellation: the read is given up at once and has no effect.
        """
        check_key(key)
        assert head_bytes is None or head_bytes > 0, head_bytes

        def build(dialect: Dialect, head_bytes: int | None) -> BucketRequest:
            return dialect.read(key, if_changed_from=if_changed_from, head_bytes=head_bytes)

        try:
            answer = await self._exchange(partial(build, head_bytes=head_bytes), head_bytes)
            if answer.status == _RANGE_NOT_SATISFIABLE:
                # An empty object has no first byte, and that answer has no version.
                answer = await self._exchange(partial(build, head_bytes=None), head_bytes)
            elif (question := self._dialect.doubt(answer, key)) is not None:
                answer = await self._exchange(lambda dialect: question)
        except (NotApplied, httpx.TransportError) as error:
            raise _unavailable(error, key) from error
        answer = self._doubt_version(answer, "GET")
        found = self._dialect.found(answer, key, known=if_changed_from, head_bytes=head_bytes)
        if head_bytes is None and isinstance(found, StoredObject):
            await self._check(answer, key)
        return found

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        """Store the concatenation of `chunks` under `key`; see `ObjectStore.put`.

        Raises:
            VersionConflict, ObjectMissing, NotApplied, AccessDenied, StoreMisconfigured,
            WriteOutcomeUnknown: as promised there; NotApplied only where nothing was sent.

        Cancellation: the put may have been applied, or may still be.
        """
        check_key(key)
        digest = await self._digest(chunks)

        def build(dialect: Dialect) -> BucketRequest:
            return dialect.put(
                key, chunks, digest=digest, condition=condition, metadata=metadata or {}
            )

        answer = self._doubt_version(await self._write(build, key), "PUT")
        return self._dialect.written(answer, key, condition=condition)

    async def delete(self, key: str) -> None:
        """Remove the object under `key`; a missing one is no error; see `ObjectStore.delete`.

        Raises:
            NotApplied, AccessDenied, StoreMisconfigured, WriteOutcomeUnknown: as promised there.

        Cancellation: it may have been removed, or may still be.
        """
        check_key(key)
        answer = await self._write(lambda dialect: dialect.delete(key), key)
        self._dialect.deleted(answer, key)

    async def list(self, prefix: str) -> list[str]:
        """Name all keys that begin with `prefix`, in ascending order; see `ObjectStore.list`.

        Raises:
            AccessDenied, StoreMisconfigured, StoreUnavailable: as promised there.

        Cancellation: the listing is given up at once and has no effect.
        """
        keys: list[str] = []
        page: str | None = None
        while True:
            try:
                answer = await self._exchange(partial(_build_list, prefix=prefix, page=page))
            except (NotApplied, httpx.TransportError) as error:
                raise _unavailable(error, prefix) from error
            found = self._dialect.listed(answer, prefix)
            keys += found.keys
            if found.next_page is None:
                # Python orders text by code points, which is the order of its UTF-8 bytes.
                return sorted(keys)
            page = found.next_page

    async def ask_bucket(self, subject: str) -> Answer:
        """Ask for a part of the bucket's own settings; see `bucket_rules`, which judges answers.

        Raises:
            AccessDenied, StoreMisconfigured: as the source of credentials says.
            StoreUnavailable: no answer.

        Cancellation: has no effect.
        """
        try:
            return await self._exchange(lambda dialect: dialect.ask_bucket(subject))
        except (NotApplied, httpx.TransportError) as error:
            raise _unavailable(error, f"?{subject}") from error

    async def aclose(self) -> None:
        """Close the connections. The store is not used afterwards; twice is harmless.

        Raises: nothing.

        Cancellation: everything is released all the same.
        """
        await self._connections.give_up()

    async def _digest(self, chunks: Sequence[bytes]) -> bytes | None:
        name = self._dialect.digest_name
        return None if name is None else await self._hash(chunks, name)

    async def _hash(self, chunks: Sequence[bytes], name: DigestName) -> bytes:
        hash_chunks = partial(digest_of, chunks, name)
        if sum(map(len, chunks)) < HASHED_INLINE_BYTES:
            return hash_chunks()
        return await self._run_in_thread(hash_chunks)

    def _doubt_version(self, answer: Answer, method: str) -> Answer:
        """The answer as it came, or without its ETag, and so foreign, where it is a success that
        lacks the number that an earlier one of its method had. A broker's proof has asked for both.
        """
        if httpx.codes.is_success(answer.status):
            if self._dialect.names_request(answer):
                self._methods_numbered.add(method)
            elif method in self._methods_numbered:
                return answer._replace(headers={**answer.headers, "etag": ""})
        return answer

    async def _check(self, answer: Answer, key: str) -> None:
        """Compare a whole object with the checksum in its answer.

        An ETag is held to be an MD5 once one was, of any object: by chance none ever is. A broker
        knows so from its proof at the start.

        Raises:
            StoreUnavailable: it was damaged on its way, or cut.
        """
        checksum = self._dialect.checksum_of(answer)
        if checksum is None:
            return
        if await self._hash([answer.body], "md5") == checksum.md5:
            self._etags_are_md5 = True
        elif checksum.is_promised or self._etags_are_md5:
            raise StoreUnavailable(
                f"the object was damaged on its way, its checksum is another; retry later:"
                f" {len(answer.body)} bytes: {key}"
            )

    async def _write(self, build: Callable[[Dialect], BucketRequest], key: str) -> Answer:
        try:
            return await self._exchange(build)
        except _NEVER_SENT as error:
            raise NotApplied(f"the store cannot be reached: {_named(error)}: {key}") from error
        except httpx.TransportError as error:
            raise WriteOutcomeUnknown(
                f"a write was sent and not answered: {_named(error)}: {key}"
            ) from error

    async def _exchange(
        self, build: Callable[[Dialect], BucketRequest], body_bytes_max: int | None = None
    ) -> Answer:
        """Send one request, or a corrected second one where the first was refused unread.

        Raises:
            httpx.TransportError: of the last request.
            NotApplied: there are no credentials just now; nothing was sent.
            AccessDenied, StoreMisconfigured: as the source of credentials says.
        """
        if self._find_dialect is not None:
            found = await self._find_dialect()
            # Another request may have found it meanwhile, and learned better since.
            if self._find_dialect is not None:
                self._dialect, self._find_dialect = found, None
        answer = await self._send(build(self._dialect), body_bytes_max)
        if not self._learn(answer):
            return answer
        return await self._send(build(self._dialect), body_bytes_max)

    def _learn(self, answer: Answer) -> bool:
        """Whether the answer says what was wrong with the way of asking, so that it is now right.

        Such an answer is given before a request is carried out: a write has changed nothing.
        """
        if (corrected := self._dialect.corrected(answer)) is not None:
            self._dialect = corrected
            return True
        offset_ms = self.clock_offset_ms
        if not self._dialect.is_skewed(answer) or offset_ms is None:
            return False
        # Off by what is known already: to sign for that time once more would not help.
        if abs(offset_ms - self._signing_offset_ms) <= _HTTP_DATE_RESOLUTION_MS:
            return False
        self._signing_offset_ms = offset_ms
        return True

    async def _send(self, request: BucketRequest, body_bytes_max: int | None) -> Answer:
        credentials = await self._credentials.current()
        async with self._limiter:
            sent_ms = self._steady_ms()
            authorized = request.authorized(
                credentials,
                region=self._dialect.region,
                now_ms=self._now_ms() + self._signing_offset_ms,
            )
            connections = self._connections
            try:
                async with connections.lent() as client:
                    answer = await _exchange_over(client, authorized, body_bytes_max)
            except httpx.PoolTimeout:
                # There are as many connections as requests under way: the pool has lost some.
                if self._connections is connections:
                    self._connections = self._make_connections()
                    await connections.give_up()
                raise
        if self._dialect.is_own(answer):
            self._note_clock(answer, sent_ms, self._steady_ms())
        if self._dialect.refuses_credentials(answer):
            self._credentials.forget(credentials)
        return answer

    def _note_clock(self, answer: Answer, sent_ms: int, received_ms: int) -> None:
        if received_ms - sent_ms > _ROUND_TRIP_MS_MAX:
            return
        try:
            store_s = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except (ValueError, OverflowError):
            return
        # The date is cut to whole seconds, and was written at some time between the two.
        store_ms = int(store_s) * 1_000 + _HTTP_DATE_RESOLUTION_MS // 2
        self._clock_ahead_ms = store_ms - (sent_ms + received_ms) // 2

    def _make_connections(self) -> _Connections:
        limits = httpx.Limits(
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=_IDLE_S,
        )
        return _Connections(
            httpx.AsyncClient(verify=self._tls, limits=limits, follow_redirects=False)
        )


def _build_list(dialect: Dialect, *, prefix: str, page: str | None) -> BucketRequest:
    return dialect.list(prefix, page=page)


async def _exchange_over(
    client: httpx.AsyncClient, request: BucketRequest, body_bytes_max: int | None
) -> Answer:
    """Send a request and receive the answer, at most so many bytes of its body."""
    sent = _as_httpx(request)
    response = await client.send(sent, stream=True)
    try:
        headers = {name.lower(): value for name, value in response.headers.items()}
        if not response.is_success:
            body_bytes_max = _FAILURE_BYTES_MAX
        elif not headers.keys() & {"content-length", "transfer-encoding"} and (
            response.status_code not in (204, 304)
        ):
            # It ends with the connection: whether it is whole, nobody can tell.
            raise httpx.RemoteProtocolError("the answer does not say how long it is", request=sent)
        body: list[bytes] = []
        received_bytes = 0
        async for part in response.aiter_raw():
            # What is too much is received all the same: who stops iterating leaves httpx's
            # generators open. Only a store that ignores ranges sends so much.
            if body_bytes_max is None or received_bytes < body_bytes_max:
                body.append(part)
            received_bytes += len(part)
        return Answer(response.status_code, headers, b"".join(body))
    finally:
        with trio.CancelScope(shield=True):
            await response.aclose()


def _as_httpx(request: BucketRequest) -> httpx.Request:
    length = sum(map(len, request.chunks))
    # What is transferred is what is stored, and hashed; nothing is packed on the way.
    headers = {"host": request.origin.partition("://")[2], **request.headers}
    headers |= {"accept-encoding": "identity", "user-agent": "osqueue"}
    if request.chunks or request.method in ("PUT", "POST"):
        headers["content-length"] = str(length)
    body_s = length / _BYTES_PER_S_MIN
    timeout = httpx.Timeout(_ANSWER_S + body_s, connect=_CONNECT_S, pool=_CONNECT_S)
    sent = httpx.Request(
        request.method,
        request.origin + request.raw_path,
        headers=headers,
        stream=BodyStream(request.chunks) if length else None,
        extensions={"timeout": timeout.as_dict()},
    )
    # A signature covers what goes over the wire: were the URL rewritten, the store would refuse it.
    assert sent.url.raw_path == request.raw_path.encode("ascii"), sent.url.raw_path
    return sent


def _unavailable(error: NotApplied | httpx.TransportError, key: str) -> StoreUnavailable:
    reason = str(error) if isinstance(error, NotApplied) else _named(error)
    return StoreUnavailable(f"the store cannot be read now; retry later: {reason}: {key}")


def _named(error: httpx.TransportError) -> str:
    # Many of them have no text of their own; an untrusted certificate is named further down.
    reason = str(error) or (reason_of(error) if isinstance(error, httpx.ConnectError) else "")
    if isinstance(error, httpx.ConnectError) and "all attempts" not in reason:
        # Of a name that is not known, the system does not say which one.
        reason = f"{error.request.url.host}: {reason}"
    if "WRONG_VERSION_NUMBER" in reason:
        reason = f"its address says https, but it does not speak that ({reason})"
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__

"""One request to a bucket and one answer, as values, and what every dialect makes of an answer.

A dialect (`s3`, `gcs`) builds requests and judges answers without sending anything; `http_store`
sends them without knowing what they mean. The classification that both dialects share is here: what
a status says about a write that may not be repeated blindly. What only one provider says stands in
its dialect, at the line that handles it.

An answer is the store's only if it looks like it: an ingress, a proxy, a login page answer with the
same statuses. What does not look like it is "unavailable" for a read and "unknown" for a write.

Rules of this file: no I/O, no clock. No answer says "nothing was changed" of a write: something on
the way may have sent it twice, and what comes back is the refusal of the second copy.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple, Protocol, Self
from urllib.parse import unquote_plus, urlsplit
from xml.etree import ElementTree

from storage_adapters.contract import (
    UNCHANGED,
    AccessDenied,
    Condition,
    StoredObject,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    Unchanged,
    Version,
    VersionConflict,
    WriteOutcomeUnknown,
)
from storage_adapters.signing import (
    EMPTY_SHA256,
    BearerToken,
    Credentials,
    UnsignedRequest,
    authorization_headers,
)

__all__ = [
    "Answer",
    "BucketRequest",
    "Checksum",
    "Dialect",
    "DigestName",
    "KeysPage",
    "Problem",
    "content_type_of",
    "foreign_answer",
    "is_page",
    "metadata_headers",
    "object_of",
    "origin_of",
    "read_failure",
    "write_failure",
    "xml_of",
    "xml_page_of",
    "xml_problem_of",
]

DigestName = Literal["sha256", "md5"]

_SIGNED_HEADERS = ("content-type", "if-match", "if-none-match")
# What a metadata header can carry unchanged through every store: visible ASCII and inner blanks.
_METADATA_NAME = re.compile(r"[a-z0-9-]+")
_METADATA_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_THIS_MACHINE = re.compile(r"(?:localhost|127\.[0-9.]+|\[::1\])(?::[0-9]+)?")
_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS, _NOT_IMPLEMENTED, _NOT_MODIFIED = 408, 429, 501, 304
# What changes no byte; the last one is left behind by uploads of Amazon's own programs.
_NOT_PACKED = frozenset({"", "identity", "aws-chunked"})
_CONTENT_RANGE = re.compile(r"bytes 0-([0-9]{1,18})/(?:([0-9]{1,18})|\*)")


@dataclass(frozen=True, slots=True)
class BucketRequest:
    """One request, up to what the transport adds by itself."""

    method: str
    """In capital letters."""
    origin: str
    """Scheme, host and port, as `origin_of` makes it."""
    raw_path: str
    """Path and query, percent-encoded as they go over the wire."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names in small letters. Neither `host` nor `content-length`: they follow from the rest."""
    chunks: Sequence[bytes] = ()
    """The body in order; not joined."""
    payload_sha256: str = EMPTY_SHA256
    """Hex hash of the body, or `UNSIGNED_PAYLOAD`."""

    def authorized(self, credentials: Credentials, *, region: str, now_ms: int) -> Self:
        """Add the headers that prove who is asking.

        Args:
            now_ms: the store's time, ms since the epoch.

        Raises:
            StoreMisconfigured: a token would go over plain http to another machine, where whoever
                reads it could use it. A signature is good for its own request alone.
        """
        scheme, _, host = self.origin.partition("://")
        is_here = _THIS_MACHINE.fullmatch(host) is not None
        if isinstance(credentials, BearerToken) and scheme == "http" and not is_here:
            raise StoreMisconfigured(
                "a token is not sent over http, where everybody can read it; give the store's"
                f" address with https: {self.origin}"
            )
        signed = {
            name: value
            for name, value in self.headers.items()
            if name in _SIGNED_HEADERS or name.startswith(("x-amz-", "x-goog-"))
        }
        request = UnsignedRequest(
            method=self.method,
            scheme=scheme,
            host=host,
            raw_path=self.raw_path.encode("ascii"),
            headers=signed,
            payload_sha256=self.payload_sha256,
        )
        added = authorization_headers(request, credentials, region=region, now_ms=now_ms)
        return replace(self, headers={**self.headers, **added})


class Answer(NamedTuple):
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes

    def has_header(self, *beginnings: str) -> bool:
        """Whether the name of some header begins with one of these."""
        return any(name.startswith(beginnings) for name in self.headers)


class KeysPage(NamedTuple):
    """One page of a listing."""

    keys: list[str]
    """Without the prefix of the store; in the bucket's order."""
    next_page: str | None
    """What to ask for next; None: this was the last one."""


class Problem(NamedTuple):
    """The reason of an answer that is not a success, told in the form of the provider."""

    code: str
    """The provider's name for it; may be empty."""
    message: str
    """The provider's words; may be empty."""

    @property
    def is_told(self) -> bool:
        """Whether the store says it. What answers in its place speaks in another form."""
        return bool(self.code or self.message)


class Checksum(NamedTuple):
    """The MD5 of the whole object, as an answer tells it."""

    md5: bytes
    is_promised: bool
    """Whether it surely is one. False: some stores put something else in the same place."""


class Dialect(Protocol):
    """How one kind of bucket is spoken to. Immutable: what is learned makes another one."""

    @property
    def description(self) -> str:
        """Names the store for a person."""
        ...

    @property
    def region(self) -> str:
        """The region to sign for; empty where there is none."""
        ...

    @property
    def digest_name(self) -> DigestName | None:
        """The hash of the body that a put needs; None: it needs none."""
        ...

    def read(
        self, key: str, *, if_changed_from: Version | None, head_bytes: int | None
    ) -> BucketRequest:
        """Ask for an object; as `ObjectStore.read`."""
        ...

    def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        digest: bytes | None,
        condition: Condition,
        metadata: Mapping[str, str],
    ) -> BucketRequest:
        """Ask to store an object; as `ObjectStore.put`. `digest` is what `digest_name` asks for.

        Raises:
            StoreMisconfigured: the metadata cannot be sent.
        """
        ...

    def delete(self, key: str) -> BucketRequest:
        """Ask to remove an object."""
        ...

    def list(self, prefix: str, *, page: str | None) -> BucketRequest:
        """Ask for a page of the keys that begin with `prefix`; None: the first."""
        ...

    def ask_bucket(self, subject: str) -> BucketRequest:
        """Ask for a part of the bucket's own settings; `bucket_rules` knows its names."""
        ...

    def found(
        self, answer: Answer, key: str, *, known: Version | None, head_bytes: int | None
    ) -> StoredObject | Unchanged:
        """Judge the answer to `read`. Raises what `ObjectStore.read` raises."""
        ...

    def written(self, answer: Answer, key: str, *, condition: Condition) -> Version:
        """Judge the answer to `put`. Raises what `ObjectStore.put` raises."""
        ...

    def doubt(self, answer: Answer, key: str) -> BucketRequest | None:
        """A question to ask before an answer to `read` is believed; None: it is judged as it is.

        For an API that says in one place, and not in another, that an object is missing.
        """
        ...

    def checksum_of(self, answer: Answer) -> Checksum | None:
        """The checksum in the answer to a successful `read`; None: it has none."""
        ...

    def is_own(self, answer: Answer) -> bool:
        """Whether the answer looks like the store's, so that its clock is the store's clock."""
        ...

    def deleted(self, answer: Answer, key: str) -> None:
        """Judge the answer to `delete`. Raises what `ObjectStore.delete` raises."""
        ...

    def listed(self, answer: Answer, prefix: str) -> KeysPage:
        """Judge the answer to `list`. Raises what `ObjectStore.list` raises."""
        ...

    def names_request(self, answer: Answer) -> bool:
        """Whether it carries the store's number of the request, where that is needed."""
        ...

    def corrected(self, answer: Answer) -> "Dialect | None":
        """The dialect to use from now on, where the answer is that the region is another one.

        Such an answer surely comes from before the request was carried out.
        """
        ...

    def is_skewed(self, answer: Answer) -> bool:
        """Whether the store refused the time of the signature, before anything else."""
        ...

    def refuses_credentials(self, answer: Answer) -> bool:
        """Whether the credentials have expired or are not known any more."""
        ...


def origin_of(url: str, *, name: str) -> tuple[str, str]:
    """Split the address of a store into its origin and its path (without a slash at the end).

    Args:
        url: http(s)://HOST[:PORT][/PATH].
        name: the setting that it comes from, for the error.

    Raises:
        StoreMisconfigured: it is no such address.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    extra = parts.query or parts.fragment or parts.username
    if parts.scheme not in ("http", "https") or not host or extra or " " in url:
        raise StoreMisconfigured(
            f"{name} must be an address as https://storage.example.org:9000; correct it: {url!r}"
        )
    if ":" in host:
        host = f"[{host}]"
    # Left out as HTTP clients leave it out of the Host header, which is signed.
    is_usual = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}{'' if is_usual else f':{port}'}", parts.path.rstrip("/")


def content_type_of(key: str) -> str:
    """The media type that a person's browser should see for an object."""
    return "application/json" if key.endswith(".json") else "application/octet-stream"


def metadata_headers(metadata: Mapping[str, str], *, prefix: str) -> dict[str, str]:
    """Make headers of metadata, each with `prefix` before its name.

    Raises:
        StoreMisconfigured: the metadata is more than small ASCII names and texts.
    """
    for name, value in metadata.items():
        if not (_METADATA_NAME.fullmatch(name) and _METADATA_VALUE.fullmatch(value)):
            raise StoreMisconfigured(
                "metadata must be small ASCII names with visible ASCII texts;"
                f" correct it: {name!r}: {value!r}"
            )
    return {f"{prefix}{name}": value for name, value in metadata.items()}


def is_page(answer: Answer) -> bool:
    """Whether it brings a page for a browser: no object of osqueue, and no answer of a store."""
    kind = answer.headers.get("content-type", "").lower()
    return kind.startswith(("text/html", "application/xhtml")) and bool(answer.body)


def foreign_answer(answer: Answer, key: str) -> str:
    """Describe an answer that does not look like the store's."""
    kind = answer.headers.get("content-type", "").partition(";")[0] or "no type"
    by = "".join(f" by {name}" for name in (answer.headers.get("server"),) if name)
    to = "".join(f" to {place}" for place in (answer.headers.get("location"),) if place)
    return (
        f"the answer {answer.status}{to} ({kind}{by}) is not the store's own: something between"
        f" here and the store answers in its place; find out what: {key}"
    )


def object_of(
    answer: Answer, key: str, *, version: str | None, known: Version | None, head_bytes: int | None
) -> StoredObject | Unchanged:
    """The object of a successful read.

    Args:
        version: None where the answer names none that this store could have given.

    Raises:
        StoreUnavailable: it is not the store's own answer, or not what was asked for.
    """
    if not version or is_page(answer):
        raise StoreUnavailable(foreign_answer(answer, key))
    # Some stores ignore the condition of a read, and send the whole again.
    if version == known:
        return UNCHANGED
    if answer.status == 206 and not _is_head(answer, head_bytes):
        place = answer.headers.get("content-range", "none")
        raise StoreUnavailable(
            f"the answer is another part of the object than was asked for; retry later: {place}:"
            f" {len(answer.body)} bytes: {key}"
        )
    if (packing := answer.headers.get("content-encoding", "")) not in _NOT_PACKED:
        raise StoreUnavailable(f"the object comes packed ({packing}); find out by what: {key}")
    data = answer.body if head_bytes is None else answer.body[:head_bytes]
    return StoredObject(data, Version(version))


def _is_head(answer: Answer, head_bytes: int | None) -> bool:
    """Whether a part is the whole beginning that was asked for."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if found is None or head_bytes is None:
        return False
    sent_bytes = int(found[1]) + 1
    wanted_bytes = min(head_bytes, int(found[2] or head_bytes))
    return sent_bytes >= wanted_bytes and len(answer.body) >= wanted_bytes


def read_failure(answer: Answer, problem: Problem, key: str) -> StoreError:
    """Judge an answer to a read or a listing that is not a success.

    That nothing is stored is said by words of the provider, which the dialect knows.

    Returns: AccessDenied, StoreMisconfigured or StoreUnavailable.
    """
    told = _told(answer, problem, key)
    if not problem.is_told:
        return StoreUnavailable(
            f"the store cannot be read now; retry later: {foreign_answer(answer, key)}"
        )
    match answer.status:
        case 401 | 403:
            return AccessDenied(
                "these credentials may not read (or may not list the bucket, from whom the store"
                f" hides that nothing is there); fix the permissions: {told}"
            )
        case 405 | 501:
            return StoreMisconfigured(f"the store cannot do what a read needs: {told}")
        case status if 300 <= status < 400 and status != _NOT_MODIFIED:
            return _sent_elsewhere(answer, told)
        case _:
            return StoreUnavailable(f"the store cannot be read now; retry later: {told}")


def write_failure(answer: Answer, problem: Problem, key: str, *, needs: str) -> StoreError:
    """Judge an answer to a put or delete that is not a success.

    None of them promises that nothing was changed: what is refused may be a second copy.

    Args:
        needs: what the store must be able to do for it, as "If-None-Match: * on PUT".

    Returns: VersionConflict, AccessDenied, StoreMisconfigured or WriteOutcomeUnknown, and this one
        whenever the answer is not surely the store's.
    """
    told = _told(answer, problem, key)
    match answer.status:
        # Some stores refuse without a word. To believe it is safe: a load follows a conflict.
        case 412 if problem.is_told or not answer.body:
            return VersionConflict(
                f"another put came first and changed the object; load it and decide again: {told}"
            )
        case status if status == _TOO_MANY_REQUESTS or problem.code == "SlowDown":
            # Nearly always refused early, and by no provider promised so.
            return WriteOutcomeUnknown(
                "the store is asked too often and did not carry out a write, perhaps; slow down by"
                f" GROUP_COMMIT_INTERVAL_MS or a budget: {told}"
            )
        case status if status == _REQUEST_TIMEOUT or (status >= 500 and status != _NOT_IMPLEMENTED):
            # Usually refused before anything was done, and by no provider promised so.
            return WriteOutcomeUnknown(f"the store did not carry out a write, perhaps: {told}")
        case _ if not problem.is_told:
            return WriteOutcomeUnknown(f"a write may have landed: {foreign_answer(answer, key)}")
        case 401 | 403:
            return AccessDenied(f"these credentials may not write; fix the permissions: {told}")
        case 405 | 501:
            return StoreMisconfigured(
                f"the store lacks {needs}, without which it cannot hold a queue;"
                f" use another store: {told}"
            )
        case 409:
            # A concurrent write or delete was in the way, or the first copy of this very write.
            return WriteOutcomeUnknown(f"the store was busy with another write of this key: {told}")
        case status if 300 <= status < 400 and status != _NOT_MODIFIED:
            return _sent_elsewhere(answer, told)
        case status if 400 <= status < 500:
            return WriteOutcomeUnknown(f"the store refused a write, or a copy of it: {told}")
        case _:
            return WriteOutcomeUnknown(f"the store's answer to a write makes no sense: {told}")


def _sent_elsewhere(answer: Answer, told: str) -> StoreMisconfigured:
    place = answer.headers.get("location", "another place")
    return StoreMisconfigured(
        f"the store sends its callers to {place}; set its region and endpoint right: {told}"
    )


def _told(answer: Answer, problem: Problem, key: str) -> str:
    words = ": ".join(word for word in problem if word)
    return f"{answer.status} {words[:500]}".rstrip() + f": {key}"


def xml_of(body: bytes) -> ElementTree.Element | None:
    """Read XML; None where it is none. Whatever stands between may have written it."""
    try:
        return ElementTree.fromstring(body)
    # The last two where it names an encoding that Python does not have, or not for XML.
    except (ElementTree.ParseError, LookupError, ValueError):
        return None


def xml_problem_of(answer: Answer) -> Problem:
    """What an answer in the XML of S3, which Google took over, says of its reason."""
    root = xml_of(answer.body) if answer.status >= 300 and answer.body else None
    if root is None or root.tag.rpartition("}")[2] != "Error":
        return Problem("", "")
    return Problem(root.findtext("{*}Code") or "", root.findtext("{*}Message") or "")


def xml_page_of(answer: Answer, prefix: str, *, listed: str) -> KeysPage:
    """Read a page of a listing in that XML.

    Args:
        prefix: of the store, taken off the keys.
        listed: what was asked for, for the error.

    Raises:
        StoreUnavailable: it is none.
    """
    root = xml_of(answer.body)
    if root is None or root.tag.rpartition("}")[2] != "ListBucketResult":
        raise StoreUnavailable(f"the store's listing cannot be read; retry later: {listed}")
    is_encoded = root.findtext("{*}EncodingType") == "url"
    keys = [element.text or "" for element in root.iterfind("{*}Contents/{*}Key")]
    names = [unquote_plus(key) if is_encoded else key for key in keys]
    is_last = root.findtext("{*}IsTruncated") != "true"
    token = root.findtext("{*}NextContinuationToken")
    return KeysPage([name.removeprefix(prefix) for name in names], None if is_last else token)

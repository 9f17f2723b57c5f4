"""How Google Cloud Storage is spoken to, in its JSON API: one request built, one answer judged.

Sends nothing; `http_store` does. A version is the generation, which each put makes anew; Google
does not promise that it grows, so that it is compared for equality only. Objects are stored by
multipart uploads: one request carries bytes, metadata, checksum and condition. They say `no-store`,
because public objects are cached otherwise.

HMAC keys do not work in this API; who has nothing else uses the XML API (`gcs_xml`).

Source: the Cloud Storage documentation ("JSON API", "Request preconditions", "Object metadata").
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

import msgspec

from storage_adapters.contract import (
    UNCHANGED,
    Absent,
    AccessDenied,
    Condition,
    StoredObject,
    StoreMisconfigured,
    StoreUnavailable,
    Unchanged,
    Version,
    WriteOutcomeUnknown,
    missing_object,
)
from storage_adapters.exchanges import (
    Answer,
    BucketRequest,
    Checksum,
    DigestName,
    KeysPage,
    Problem,
    content_type_of,
    foreign_answer,
    is_page,
    object_of,
    origin_of,
    read_failure,
    write_failure,
)
from storage_adapters.signing import encode_query

__all__ = ["GOOGLE", "GcsDialect", "generation_of", "has_mark"]

GOOGLE = "https://storage.googleapis.com"
"""Where both of its APIs are."""

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_RATE_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_CREATED_FROM_NOTHING = "0"
_GENERATION = re.compile(r"[1-9][0-9]{0,30}")
_NO_OBJECT = "No such object"
_NO_BUCKET = "bucket does not exist"
_MD5 = re.compile(r"(?:^|,) *md5=([A-Za-z0-9+/]{22}==)")
# What bytes raise that are not the expected JSON, no text in UTF-8, or nested without end.
_NO_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Written(msgspec.Struct):
    """What is read of the answer to an upload."""

    generation: str = ""


class _Item(msgspec.Struct):
    name: str


class _Listing(msgspec.Struct, rename="camel"):
    """What is read of a page of a listing."""

    items: list[_Item] = []
    next_page_token: str | None = None


class _Reason(msgspec.Struct):
    reason: str = ""


class _Error(msgspec.Struct):
    message: str = ""
    errors: list[_Reason] = []


class _Failure(msgspec.Struct):
    """What is read of an answer that is not a success."""

    error: _Error


@dataclass(frozen=True, slots=True)
class GcsDialect:
    """One bucket of Google Cloud Storage, or of an emulator.

    Raises:
        StoreMisconfigured: bucket or endpoint cannot be one.
    """

    bucket: str
    prefix: str = ""
    """Put before each key as it is."""
    endpoint_url: str = ""
    """Address of an emulator or a proxy; empty: Google."""

    def __post_init__(self) -> None:
        if not _BUCKET_NAME.fullmatch(self.bucket):
            raise StoreMisconfigured(
                "a bucket's name has 3 to 222 small letters, digits, dots, hyphens and underscores;"
                f" correct it: {self.bucket!r}"
            )
        if self.endpoint_url:
            origin_of(self.endpoint_url, name="the endpoint of a GCS store")

    @property
    def description(self) -> str:
        """Names the store for a person, as in "GCS store at gs://bucket/prefix"."""
        place = f" on {self.endpoint_url}" if self.endpoint_url else ""
        return f"GCS store at gs://{self.bucket}/{self.prefix}{place}"

    @property
    def region(self) -> str:
        """No region: nothing is signed for one."""
        return ""

    @property
    def digest_name(self) -> DigestName | None:
        """MD5, which Google checks before it stores the object."""
        return "md5"

    def read(
        self, key: str, *, if_changed_from: Version | None, head_bytes: int | None
    ) -> BucketRequest:
        """Ask for an object; as `ObjectStore.read`."""
        parameters = {"alt": "media"}
        if if_changed_from is not None:
            parameters["ifGenerationNotMatch"] = if_changed_from
        headers = {} if head_bytes is None else {"range": f"bytes=0-{head_bytes - 1}"}
        return self._request("GET", f"{self._object(key)}?{encode_query(parameters)}", headers)

    def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        digest: bytes | None,
        condition: Condition,
        metadata: Mapping[str, str],
    ) -> BucketRequest:
        """Ask to store an object; as `ObjectStore.put`. Raises nothing."""
        assert digest is not None, "the MD5 of the body"
        is_create = isinstance(condition, Absent)
        parameters = {
            "uploadType": "multipart",
            "name": self.prefix + key,
            "ifGenerationMatch": _CREATED_FROM_NOTHING if is_create else condition.version,
        }
        described = {
            "name": self.prefix + key,
            "contentType": content_type_of(key),
            "cacheControl": "no-store",
            "md5Hash": b64encode(digest).decode(),
            "metadata": dict(metadata),
        }
        # No body holds its own hash, so that it cannot hold the line that ends it.
        boundary = f"osqueue-{digest.hex()}"
        head = (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
            f"{msgspec.json.encode(described).decode()}\r\n"
            f"--{boundary}\r\nContent-Type: {content_type_of(key)}\r\n\r\n"
        )
        tail = f"\r\n--{boundary}--\r\n"
        return self._request(
            "POST",
            f"/upload/storage/v1/b/{self.bucket}/o?{encode_query(parameters)}",
            {"content-type": f"multipart/related; boundary={boundary}"},
            [head.encode(), *chunks, tail.encode()],
        )

    def delete(self, key: str) -> BucketRequest:
        """Ask to remove an object."""
        return self._request("DELETE", self._object(key))

    def list(self, prefix: str, *, page: str | None) -> BucketRequest:
        """Ask for a page of the keys that begin with `prefix`; None: the first."""
        parameters = {"prefix": self.prefix + prefix, "fields": "items(name),nextPageToken"}
        if page is not None:
            parameters["pageToken"] = page
        return self._request("GET", f"/storage/v1/b/{self.bucket}/o?{encode_query(parameters)}")

    def ask_bucket(self, subject: str) -> BucketRequest:
        """Ask for some fields of the bucket, with commas between them."""
        query = encode_query({"fields": subject})
        return self._request("GET", f"/storage/v1/b/{self.bucket}?{query}")

    def _object(self, key: str) -> str:
        # The key is one segment of the path: its slashes are encoded, too.
        return f"/storage/v1/b/{self.bucket}/o/{quote(self.prefix + key, safe='-_.~')}"

    def _request(
        self,
        method: str,
        raw_path: str,
        headers: Mapping[str, str] | None = None,
        chunks: Sequence[bytes] = (),
    ) -> BucketRequest:
        origin, path = origin_of(self.endpoint_url or GOOGLE, name="the endpoint of a GCS store")
        return BucketRequest(method, origin, path + raw_path, headers or {}, chunks)

    def found(
        self, answer: Answer, key: str, *, known: Version | None, head_bytes: int | None
    ) -> StoredObject | Unchanged:
        """Judge the answer to `read`. Raises what `ObjectStore.read` raises."""
        if answer.status in (200, 206):
            version = generation_of(answer)
            return object_of(answer, key, version=version, known=known, head_bytes=head_bytes)
        if answer.status == 304 and known is not None and _says_unchanged(answer, known):
            return UNCHANGED
        self._check(answer, key)
        problem = _problem(answer)
        if answer.status == 404 and problem.is_told:
            raise missing_object(self.prefix + key)
        raise read_failure(answer, problem, self.prefix + key)

    def doubt(self, answer: Answer, key: str) -> BucketRequest | None:
        """Ask for the object's description where a 404 is not in Google's words.

        Of the bytes, emulators say "Not Found" as anybody does; of the description they say it in
        Google's form.
        """
        if answer.status != 404 or _problem(answer).is_told:
            return None
        return self._request("GET", self._object(key))

    def checksum_of(self, answer: Answer) -> Checksum | None:
        """The MD5 of `x-goog-hash`. Only what was composed of several objects has none."""
        found = _MD5.search(answer.headers.get("x-goog-hash", ""))
        return None if found is None else Checksum(b64decode(found[1]), is_promised=True)

    def is_own(self, answer: Answer) -> bool:
        """Whether it has a header of Google or its form of an error, or tells of an object."""
        if has_mark(answer):
            return True
        if answer.status >= 400:
            return _problem(answer).is_told
        return answer.headers.get("content-type", "").startswith("application/json")

    def names_request(self, answer: Answer) -> bool:
        """Not asked: a success names a generation, as nobody else does."""
        return False

    def written(self, answer: Answer, key: str, *, condition: Condition) -> Version:
        """Judge the answer to `put`. Raises what `ObjectStore.put` raises."""
        if answer.status == 200:
            try:
                generation = msgspec.json.decode(answer.body, type=_Written).generation
            except _NO_JSON:
                generation = ""
            if not _GENERATION.fullmatch(generation):
                raise WriteOutcomeUnknown(f"a write may have landed: {foreign_answer(answer, key)}")
            return Version(generation)
        self._check_write(answer, key)
        if answer.status == 404 and _problem(answer).is_told:
            raise self._no_bucket()
        needs = "ifGenerationMatch on multipart uploads"
        raise write_failure(answer, _problem(answer), self.prefix + key, needs=needs)

    def deleted(self, answer: Answer, key: str) -> None:
        """Judge the answer to `delete`. Raises what `ObjectStore.delete` raises."""
        if answer.status in (200, 204) and not is_page(answer):
            return
        self._check_write(answer, key)
        problem = _problem(answer)
        if answer.status != 404 or not problem.is_told:
            raise write_failure(answer, problem, self.prefix + key, needs="DELETE")

    def _check_write(self, answer: Answer, key: str) -> None:
        if _is_asked_too_often(answer):
            raise WriteOutcomeUnknown(
                "the store is asked too often and did not carry out a write, perhaps; slow down by"
                f" GROUP_COMMIT_INTERVAL_MS or a budget: {key}"
            )
        self._check(answer, key)

    def _check(self, answer: Answer, key: str) -> None:
        """Raise what an answer means whatever was asked."""
        if _is_asked_too_often(answer):
            raise StoreUnavailable(f"the store is asked too often; slow down: {key}")
        problem = _problem(answer)
        if answer.status == 404 and _NO_BUCKET in problem.message:
            raise self._no_bucket()
        if answer.status == 401 and problem.is_told:
            raise AccessDenied(
                f"the store does not know these credentials, or not any more; renew them: {key}"
            )

    def listed(self, answer: Answer, prefix: str) -> KeysPage:
        """Judge the answer to `list`. Raises what `ObjectStore.list` raises."""
        self._check(answer, prefix)
        problem = _problem(answer)
        if answer.status == 404 and problem.is_told:
            raise self._no_bucket()
        if answer.status != 200:
            raise read_failure(answer, problem, self.prefix + prefix)
        try:
            page = msgspec.json.decode(answer.body, type=_Listing)
        except _NO_JSON as error:
            raise StoreUnavailable(
                f"the store's listing cannot be read; retry later: {prefix}: {error}"
            ) from error
        keys = [item.name.removeprefix(self.prefix) for item in page.items]
        return KeysPage(keys, page.next_page_token or None)

    def _no_bucket(self) -> StoreMisconfigured:
        return StoreMisconfigured(
            f"there is no such bucket; create it, or correct its name: {self.description}"
        )

    def corrected(self, answer: Answer) -> Self | None:
        """None: a bucket has one address, wherever it is."""
        return None

    def is_skewed(self, answer: Answer) -> bool:
        """Never: a token has no time."""
        return False

    def refuses_credentials(self, answer: Answer) -> bool:
        """Whether the token has expired or is not known."""
        return answer.status == 401 and _problem(answer).is_told


def _is_asked_too_often(answer: Answer) -> bool:
    # Some quotas answer so in place of 429.
    return answer.status == 403 and _problem(answer).code in _RATE_REASONS


def _problem(answer: Answer) -> Problem:
    """The reason in JSON; or, where bytes were asked for, in plain words under Google's headers."""
    try:
        error = msgspec.json.decode(answer.body, type=_Failure).error
    except _NO_JSON:
        return Problem("", _plain_words(answer) if has_mark(answer) else "")
    return Problem(error.errors[0].reason if error.errors else "", error.message)


def _plain_words(answer: Answer) -> str:
    words = answer.body[:500].decode(errors="replace").strip() or "no words"
    # Of a missing object Google says which one; "Not Found" may be of a wrong address.
    return "" if answer.status == 404 and not words.startswith(_NO_OBJECT) else words


def has_mark(answer: Answer) -> bool:
    """Whether it has a header of Google."""
    return answer.has_header("x-goog-", "x-guploader-")


def _says_unchanged(answer: Answer, known: Version) -> bool:
    """Whether a 304 is Google's, and of this generation where it names one."""
    named = answer.headers.get("x-goog-generation", known)
    return named == known and (has_mark(answer) or "etag" in answer.headers)


def generation_of(answer: Answer) -> str | None:
    """The generation that the headers of an answer name; None: none."""
    generation = answer.headers.get("x-goog-generation", "")
    return generation if _GENERATION.fullmatch(generation) else None

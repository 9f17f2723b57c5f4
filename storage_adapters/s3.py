"""How S3, and what speaks like it, is spoken to: one request built, one answer judged.

Sends nothing; `http_store` does. A version is the ETag without its quotes, which some stores demand
in a condition and others do not match: see `quotes_etags`. On S3 an ETag names the bytes (MD5), not
the put, so that equal bodies have equal versions: whoever relies on it writes unique bodies.

Which store answers what is in docs/storage.md.

Source: the Amazon S3 API reference (GetObject, PutObject, DeleteObject, ListObjectsV2, "Error
responses"), and its user guide ("Conditional requests", "Making requests", "Virtual hosting").
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self, cast, get_args

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
    metadata_headers,
    object_of,
    origin_of,
    read_failure,
    write_failure,
    xml_of,
    xml_page_of,
    xml_problem_of,
)
from storage_adapters.signing import EMPTY_SHA256, UNSIGNED_PAYLOAD, encode_key, encode_query

__all__ = ["AddressingStyle", "S3Dialect", "addressing_style_of", "unquoted_etag"]

AddressingStyle = Literal["auto", "path", "virtual"]

_BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_REGION_NAME = re.compile(r"[a-z0-9-]{1,64}")

_EXPIRED = frozenset({"ExpiredToken", "TokenRefreshRequired", "InvalidToken", "InvalidAccessKeyId"})
_WRONG_SETTINGS = frozenset({"NoSuchBucket", "InvalidBucketName"})
_MISSING = "NoSuchKey"
_ETAG = re.compile(r"[!-~]{1,256}")
_MD5 = re.compile(r"[0-9a-f]{32}")
# Where the store encrypts with other keys than its own, an ETag looks like an MD5 and is none.
_ENCRYPTION = "x-amz-server-side-encryption"
_OWN_KEYS = "AES256"
_REQUEST_NUMBERS = ("x-amz-request-id", "x-amzn-requestid")
# Answers of status 400 to a request that was lost or damaged on its way.
_LOST = frozenset({"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"})


@dataclass(frozen=True, slots=True)
class S3Dialect:
    """One bucket of S3, or of a store that speaks like it.

    Raises:
        StoreMisconfigured: bucket, region or endpoint cannot be one.
    """

    bucket: str
    prefix: str = ""
    """Put before each key as it is."""
    region: str = "us-east-1"
    """Where the bucket is, as far as is known; the store's answer corrects it."""
    endpoint_url: str = ""
    """Address of a store that is not AWS; empty: AWS, in `region`."""
    addressing_style: AddressingStyle = "auto"
    """Whether the bucket stands in the path or in the host; auto: in the host on AWS, unless its
    name has dots, for which no certificate is valid; in the path elsewhere."""
    quotes_etags: bool = True
    """Whether conditions carry the ETag in quotes, as HTTP has it. Ceph before 18 and DigitalOcean
    Spaces match it only without; AWS takes both."""

    def __post_init__(self) -> None:
        if not _BUCKET_NAME.fullmatch(self.bucket):
            raise StoreMisconfigured(
                "a bucket's name has 2 to 63 letters, digits, dots and hyphens; "
                f"correct it: {self.bucket!r}"
            )
        if not _REGION_NAME.fullmatch(self.region):
            raise StoreMisconfigured(
                f"a region is a name as us-east-1; correct it: {self.region!r}"
            )
        if self.endpoint_url:
            origin_of(self.endpoint_url, name="the endpoint of an S3 store")

    @property
    def description(self) -> str:
        """Names the store for a person, as in "S3 store at s3://bucket/prefix"."""
        place = f" on {self.endpoint_url}" if self.endpoint_url else ""
        return f"S3 store at s3://{self.bucket}/{self.prefix}{place}"

    @property
    def digest_name(self) -> DigestName | None:
        """SHA-256 over http; over https the connection protects the body already."""
        return None if self._place[0].startswith("https:") else "sha256"

    @property
    def _place(self) -> tuple[str, str]:
        """The origin of the bucket, and the path before its keys, with a slash at the end."""
        if self.endpoint_url:
            origin, path = origin_of(self.endpoint_url, name="the endpoint of an S3 store")
        else:
            domain = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
            origin, path = f"https://s3.{self.region}.{domain}", ""
        style = self.addressing_style
        if style == "auto":
            style = "path" if self.endpoint_url or "." in self.bucket else "virtual"
        if style == "path":
            return origin, f"{path}/{self.bucket}/"
        scheme, _, host = origin.partition("://")
        return f"{scheme}://{self.bucket}.{host}", f"{path}/"

    def read(
        self, key: str, *, if_changed_from: Version | None, head_bytes: int | None
    ) -> BucketRequest:
        """Ask for an object; as `ObjectStore.read`."""
        headers: dict[str, str] = {}
        if if_changed_from is not None:
            headers["if-none-match"] = self._etag(if_changed_from)
        if head_bytes is not None:
            headers["range"] = f"bytes=0-{head_bytes - 1}"
        return self._request("GET", key, headers=headers)

    def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        digest: bytes | None,
        condition: Condition,
        metadata: Mapping[str, str],
    ) -> BucketRequest:
        """Ask to store an object; as `ObjectStore.put`.

        Raises:
            StoreMisconfigured: the metadata is more than small ASCII names and texts.
        """
        assert (digest is None) == (self.digest_name is None), "a hash where one is asked for"
        headers = {"content-type": content_type_of(key), "cache-control": "no-store"}
        if isinstance(condition, Absent):
            headers["if-none-match"] = "*"
        else:
            headers["if-match"] = self._etag(condition.version)
        headers |= metadata_headers(metadata, prefix="x-amz-meta-")
        return self._request(
            "PUT",
            key,
            headers=headers,
            chunks=chunks,
            payload_sha256=UNSIGNED_PAYLOAD if digest is None else digest.hex(),
        )

    def delete(self, key: str) -> BucketRequest:
        """Ask to remove an object."""
        return self._request("DELETE", key)

    def list(self, prefix: str, *, page: str | None) -> BucketRequest:
        """Ask for a page of the keys that begin with `prefix`; None: the first."""
        origin, path = self._place
        parameters = {"list-type": "2", "encoding-type": "url", "prefix": self.prefix + prefix}
        if page is not None:
            parameters["continuation-token"] = page
        return BucketRequest("GET", origin, f"{path}?{encode_query(parameters)}")

    def ask_bucket(self, subject: str) -> BucketRequest:
        """Ask for a part of the bucket's own settings, as "versioning"."""
        origin, path = self._place
        return BucketRequest("GET", origin, f"{path}?{encode_query({subject: ''})}")

    def _request(
        self,
        method: str,
        key: str,
        *,
        headers: Mapping[str, str] | None = None,
        chunks: Sequence[bytes] = (),
        payload_sha256: str = EMPTY_SHA256,
    ) -> BucketRequest:
        origin, path = self._place
        raw_path = path + encode_key(self.prefix + key)
        return BucketRequest(
            method, origin, raw_path, headers or {}, chunks, payload_sha256=payload_sha256
        )

    def _etag(self, version: Version) -> str:
        return f'"{version}"' if self.quotes_etags else version

    def found(
        self, answer: Answer, key: str, *, known: Version | None, head_bytes: int | None
    ) -> StoredObject | Unchanged:
        """Judge the answer to `read`. Raises what `ObjectStore.read` raises."""
        if answer.status in (200, 206):
            version = _version_of(answer)
            return object_of(answer, key, version=version, known=known, head_bytes=head_bytes)
        if answer.status == 304 and known is not None and _says_unchanged(answer, known):
            return UNCHANGED
        problem = xml_problem_of(answer)
        if problem.code in _WRONG_SETTINGS:
            raise self._wrong_settings(answer, problem)
        if answer.status == 404 and problem.code == _MISSING:
            raise missing_object(self.prefix + key)
        if problem.code == "TemporaryRedirect":
            raise StoreUnavailable(f"a new bucket is not known everywhere yet; retry later: {key}")
        self._check_credentials(problem, key)
        raise read_failure(answer, problem, self.prefix + key)

    def written(self, answer: Answer, key: str, *, condition: Condition) -> Version:
        """Judge the answer to `put`. Raises what `ObjectStore.put` raises."""
        name = "If-None-Match: *" if isinstance(condition, Absent) else "If-Match"
        if answer.status in (200, 201, 204):
            version = _version_of(answer)
            if version is None or is_page(answer):
                raise WriteOutcomeUnknown(f"a write may have landed: {foreign_answer(answer, key)}")
            return version
        self._check_write(answer, key)
        problem = xml_problem_of(answer)
        # On AWS a condition on a version fails so where nothing is stored; others answer 412.
        is_missing = answer.status == 404 and problem.code == _MISSING
        if is_missing and not isinstance(condition, Absent):
            raise missing_object(self.prefix + key)
        raise write_failure(answer, problem, self.prefix + key, needs=f"{name} on PUT")

    def doubt(self, answer: Answer, key: str) -> BucketRequest | None:
        """None: each answer says what it means."""
        return None

    def checksum_of(self, answer: Answer) -> Checksum | None:
        """The ETag, where it can be an MD5: whether it is one, the store does not say."""
        etag = unquoted_etag(answer.headers.get("etag", ""))
        is_opaque = (
            answer.headers.get(_ENCRYPTION, _OWN_KEYS) != _OWN_KEYS
            or f"{_ENCRYPTION}-customer-algorithm" in answer.headers
        )
        if is_opaque or not _MD5.fullmatch(etag):
            return None
        return Checksum(bytes.fromhex(etag), is_promised=False)

    def is_own(self, answer: Answer) -> bool:
        """Whether it has a version, a header of S3, or its form of an error."""
        return _has_mark(answer) or (
            _version_of(answer) is not None
            if answer.status < 400 and not is_page(answer)
            else xml_problem_of(answer).is_told
        )

    def names_request(self, answer: Answer) -> bool:
        """Whether it has the number of the request; ETags are of HTTP, and anybody's."""
        return answer.has_header(*_REQUEST_NUMBERS)

    def deleted(self, answer: Answer, key: str) -> None:
        """Judge the answer to `delete`. Raises what `ObjectStore.delete` raises."""
        if answer.status in (200, 204) and not is_page(answer):
            return
        self._check_write(answer, key)
        problem = xml_problem_of(answer)
        if problem.code != _MISSING:
            raise write_failure(answer, problem, self.prefix + key, needs="DELETE")

    def _check_write(self, answer: Answer, key: str) -> None:
        """Raise what an answer means by its code more than by its status."""
        problem = xml_problem_of(answer)
        if problem.code in _WRONG_SETTINGS:
            raise self._wrong_settings(answer, problem)
        self._check_credentials(problem, key)
        if "Object Lock" in problem.message:
            # A default retention wants a checksum with each write.
            raise StoreMisconfigured(
                "the bucket locks objects by default, so that no queue can be replaced there; use"
                f" another bucket: {answer.status} {problem.code}: {problem.message}"
            )
        if problem.code in _LOST or problem.code == "TemporaryRedirect":
            raise WriteOutcomeUnknown(
                f"a write, or a copy of it, did not reach the store whole: {problem.code}: {key}"
            )

    def _wrong_settings(self, answer: Answer, problem: Problem) -> StoreMisconfigured:
        return StoreMisconfigured(
            f"correct the bucket or the endpoint of the {self.description}: "
            f"{answer.status} {problem.code}: {problem.message}"
        )

    def _check_credentials(self, problem: Problem, key: str) -> None:
        """Raise what is wrong with the credentials themselves, which no permission would mend."""
        if problem.code == "InvalidAccessKeyId":
            raise AccessDenied(
                f"the store does not know this access key, or not any more; correct it: {key}"
            )
        if problem.code in _EXPIRED:
            raise AccessDenied(
                f"the credentials are not valid any more; renew them: {problem.code}: {key}"
            )
        if problem.code == "RequestTimeTooSkewed":
            raise AccessDenied(
                "this machine's clock is too far off the store's for it to believe a signature; set"
                f" the clock: {problem.code}: {key}"
            )
        if problem.code == "SignatureDoesNotMatch":
            raise AccessDenied(
                "the secret key does not belong to the access key, or something between here and"
                f" the store changes requests; correct it: {problem.code}: {key}"
            )

    def listed(self, answer: Answer, prefix: str) -> KeysPage:
        """Judge the answer to `list`. Raises what `ObjectStore.list` raises."""
        problem = xml_problem_of(answer)
        if problem.code in _WRONG_SETTINGS:
            raise self._wrong_settings(answer, problem)
        if answer.status != 200:
            self._check_credentials(problem, prefix)
            raise read_failure(answer, problem, self.prefix + prefix)
        return xml_page_of(answer, self.prefix, listed=prefix)

    def corrected(self, answer: Answer) -> Self | None:
        """The dialect of the bucket's region, where the answer names another one than this."""
        if answer.status not in (301, 307, 400):
            return None
        region = answer.headers.get("x-amz-bucket-region")
        if region is None and answer.body:
            root = xml_of(answer.body)
            region = None if root is None else root.findtext("{*}Region")
        if not region or region == self.region or not _REGION_NAME.fullmatch(region):
            return None
        return replace(self, region=region)

    def is_skewed(self, answer: Answer) -> bool:
        """Whether the store refused the time of the signature, before anything else."""
        return answer.status == 403 and xml_problem_of(answer).code == "RequestTimeTooSkewed"

    def refuses_credentials(self, answer: Answer) -> bool:
        """Whether the credentials have expired or are not known any more."""
        return answer.status in (400, 401, 403) and xml_problem_of(answer).code in _EXPIRED


def addressing_style_of(text: str) -> AddressingStyle:
    """Read a setting.

    Raises:
        StoreMisconfigured: it is no such style.
    """
    if text not in get_args(AddressingStyle):
        raise StoreMisconfigured(
            f"an addressing style is {' or '.join(get_args(AddressingStyle))}; correct it: {text!r}"
        )
    return cast("AddressingStyle", text)


def unquoted_etag(etag: str) -> str:
    """The opaque part of an ETag: without quotes, and without the mark that a proxy weakened it."""
    return etag.strip().removeprefix("W/").removeprefix('"').removesuffix('"')


def _version_of(answer: Answer) -> Version | None:
    etag = unquoted_etag(answer.headers.get("etag", ""))
    return Version(etag) if _ETAG.fullmatch(etag) else None


def _says_unchanged(answer: Answer, known: Version) -> bool:
    """Whether a 304 is the store's: by the version that it names, or, where it names none (Ceph
    before 19), by a header of S3."""
    if "etag" in answer.headers:
        return _version_of(answer) == known
    return _has_mark(answer)


def _has_mark(answer: Answer) -> bool:
    return answer.has_header("x-amz-", "x-amzn-")

"""How Google Cloud Storage is spoken to with HMAC keys: in its XML API, which looks like S3's.

Sends nothing; `http_store` does. Everybody else than the holder of an HMAC key uses the JSON API
(`gcs`), which takes tokens only. Conditions are those of Google, on generations: the API has
If-Match of S3 for reads alone, so that no client of S3 can keep a queue here.

A version is the generation together with the ETag. Writes are conditional on the generation, which
each put makes anew. Reads cannot be conditional on it; they are on the ETag, the MD5 of the bytes.
So a read may call an object unchanged that was replaced by the same bytes meanwhile, as on S3.

Source: the Cloud Storage documentation ("XML API", "Request preconditions", "HMAC keys").
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage_adapters.contract import (
    UNCHANGED,
    Absent,
    Condition,
    StoredObject,
    Unchanged,
    Version,
    WriteOutcomeUnknown,
    missing_object,
)
from storage_adapters.exchanges import (
    Answer,
    BucketRequest,
    DigestName,
    KeysPage,
    content_type_of,
    foreign_answer,
    is_page,
    metadata_headers,
    object_of,
    origin_of,
    read_failure,
    write_failure,
    xml_page_of,
    xml_problem_of,
)
from storage_adapters.gcs import GOOGLE, GcsDialect, generation_of, has_mark
from storage_adapters.signing import EMPTY_SHA256, UNSIGNED_PAYLOAD, encode_key, encode_query

__all__ = ["GcsXmlDialect"]

_CREATED_FROM_NOTHING = "0"
_MISSING = "NoSuchKey"


@dataclass(frozen=True, slots=True)
class GcsXmlDialect(GcsDialect):
    """One bucket of Google Cloud Storage, in its XML API.

    Raises:
        StoreMisconfigured: bucket or endpoint cannot be one.
    """

    @property
    def _origin(self) -> tuple[str, str]:
        return origin_of(self.endpoint_url or GOOGLE, name="the endpoint of a GCS store")

    @property
    def digest_name(self) -> DigestName | None:
        """MD5, which Google checks; over http SHA-256, which the signature then covers."""
        return "md5" if self._origin[0].startswith("https:") else "sha256"

    def read(
        self, key: str, *, if_changed_from: Version | None, head_bytes: int | None
    ) -> BucketRequest:
        """Ask for an object; as `ObjectStore.read`."""
        headers: dict[str, str] = {}
        if if_changed_from is not None and (etag := if_changed_from.partition(":")[2]):
            headers["if-none-match"] = etag
        if head_bytes is not None:
            headers["range"] = f"bytes=0-{head_bytes - 1}"
        return self._ask("GET", encode_key(self.prefix + key), headers)

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
        assert digest is not None, "the hash of the body"
        is_create = isinstance(condition, Absent)
        headers = {
            "content-type": content_type_of(key),
            "cache-control": "no-store",
            "x-goog-if-generation-match": (
                _CREATED_FROM_NOTHING if is_create else condition.version.partition(":")[0]
            ),
            **metadata_headers(metadata, prefix="x-goog-meta-"),
        }
        payload_sha256 = digest.hex()
        if self.digest_name == "md5":
            headers["content-md5"] = b64encode(digest).decode()
            payload_sha256 = UNSIGNED_PAYLOAD
        return self._ask("PUT", encode_key(self.prefix + key), headers, chunks, payload_sha256)

    def delete(self, key: str) -> BucketRequest:
        """Ask to remove an object."""
        return self._ask("DELETE", encode_key(self.prefix + key))

    def list(self, prefix: str, *, page: str | None) -> BucketRequest:
        """Ask for a page of the keys that begin with `prefix`; None: the first."""
        parameters = {"list-type": "2", "encoding-type": "url", "prefix": self.prefix + prefix}
        if page is not None:
            parameters["continuation-token"] = page
        return self._ask("GET", f"?{encode_query(parameters)}")

    def _ask(
        self,
        method: str,
        rest: str,
        headers: Mapping[str, str] | None = None,
        chunks: Sequence[bytes] = (),
        payload_sha256: str = EMPTY_SHA256,
    ) -> BucketRequest:
        origin, path = self._origin
        raw_path = f"{path}/{self.bucket}/{rest}"
        return BucketRequest(
            method, origin, raw_path, headers or {}, chunks, payload_sha256=payload_sha256
        )

    def found(
        self, answer: Answer, key: str, *, known: Version | None, head_bytes: int | None
    ) -> StoredObject | Unchanged:
        """Judge the answer to `read`. Raises what `ObjectStore.read` raises."""
        if answer.status in (200, 206):
            version = _version_of(answer)
            return object_of(answer, key, version=version, known=known, head_bytes=head_bytes)
        if answer.status == 304 and known is not None and _says_unchanged(answer, known):
            return UNCHANGED
        self._check_bucket(answer)
        problem = xml_problem_of(answer)
        if answer.status == 404 and problem.code == _MISSING:
            raise missing_object(self.prefix + key)
        raise read_failure(answer, problem, self.prefix + key)

    def doubt(self, answer: Answer, key: str) -> BucketRequest | None:
        """None: each answer says what it means."""
        return None

    def is_own(self, answer: Answer) -> bool:
        """Whether it has a header of Google, or its form of an error."""
        return has_mark(answer) or xml_problem_of(answer).is_told

    def written(self, answer: Answer, key: str, *, condition: Condition) -> Version:
        """Judge the answer to `put`. Raises what `ObjectStore.put` raises."""
        if answer.status == 200:
            version = _version_of(answer)
            if version is None or is_page(answer):
                raise WriteOutcomeUnknown(f"a write may have landed: {foreign_answer(answer, key)}")
            return version
        self._check_bucket(answer)
        needs = "x-goog-if-generation-match on PUT"
        raise write_failure(answer, xml_problem_of(answer), self.prefix + key, needs=needs)

    def deleted(self, answer: Answer, key: str) -> None:
        """Judge the answer to `delete`. Raises what `ObjectStore.delete` raises."""
        if answer.status in (200, 204) and not is_page(answer):
            return
        self._check_bucket(answer)
        problem = xml_problem_of(answer)
        if problem.code != _MISSING:
            raise write_failure(answer, problem, self.prefix + key, needs="DELETE")

    def listed(self, answer: Answer, prefix: str) -> KeysPage:
        """Judge the answer to `list`. Raises what `ObjectStore.list` raises."""
        if answer.status == 200:
            return xml_page_of(answer, self.prefix, listed=prefix)
        self._check_bucket(answer)
        raise read_failure(answer, xml_problem_of(answer), self.prefix + prefix)

    def _check_bucket(self, answer: Answer) -> None:
        if answer.status == 404 and xml_problem_of(answer).code == "NoSuchBucket":
            raise self._no_bucket()

    def is_skewed(self, answer: Answer) -> bool:
        """Whether the store refused the time of the signature, before anything else."""
        return answer.status == 403 and xml_problem_of(answer).code == "RequestTimeTooSkewed"

    def refuses_credentials(self, answer: Answer) -> bool:
        """Whether the key is not known."""
        return answer.status == 401 and xml_problem_of(answer).is_told


def _version_of(answer: Answer) -> Version | None:
    generation = generation_of(answer)
    return Version(f"{generation}:{answer.headers.get('etag', '')}") if generation else None


def _says_unchanged(answer: Answer, known: Version) -> bool:
    """Whether a 304 is Google's, and of the ETag that was asked for where it names one."""
    etag = known.partition(":")[2]
    is_marked = has_mark(answer) or "etag" in answer.headers
    return is_marked and answer.headers.get("etag", etag) == etag

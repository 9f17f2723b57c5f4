"""What proves to a bucket who is asking: credentials as values, and the headers they make.

Two signatures, made alike: SigV4 for S3 and what speaks its dialect, GOOG4-HMAC-SHA256 for the
HMAC keys of Google Cloud Storage. A bearer token needs no signature, an emulator needs nothing.
Where credentials come from and when they are renewed is the business of `credentials`; the
dialects build requests and the HTTP store sends them. Nothing here looks at a clock or sends.

Rules of this file:

- What is signed is what goes over the wire: `UnsignedRequest.raw_path` is taken as it is. S3 does
  not normalise paths and encodes them once, unlike the other services of AWS.
- Every header that is given is signed. Give those that the server must see unchanged
  (`content-md5`, `if-match`, `x-amz-*`), never those that a proxy may touch (`user-agent`).
- No `repr` shows a secret, so that no traceback, log line or failed assertion can.

Source: the AWS documentation of Signature Version 4 ("Authenticating Requests: Using the
Authorization Header") and of Cloud Storage ("V4 signing process", "Canonical requests").
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, assert_never
from urllib.parse import quote

__all__ = [
    "ANONYMOUS",
    "EMPTY_SHA256",
    "UNSIGNED_PAYLOAD",
    "Anonymous",
    "AwsKeys",
    "BearerToken",
    "Credentials",
    "HmacKey",
    "UnsignedRequest",
    "authorization_headers",
    "encode_key",
    "encode_query",
    "sign_goog4",
    "sign_sigv4",
]

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
"""In place of the payload's hash: the body is protected by https alone."""

EMPTY_SHA256 = hashlib.sha256().hexdigest()
"""The hash of no payload, as of each GET."""


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """A key set of AWS, or of a store that signs as S3 does. Signs with SigV4."""

    access_key_id: str
    """Its public half: may be shown, and names the key to an operator."""
    secret_access_key: str = field(repr=False)
    """Its secret half."""
    session_token: str | None = field(default=None, repr=False)
    """Goes along with keys that were given for a time."""
    expires_at_ms: int | None = None
    """When they stop working, ms since the epoch; None: not of their own accord."""


@dataclass(frozen=True, slots=True)
class HmacKey:
    """An HMAC key of Google Cloud Storage. Signs requests of its XML API with GOOG4."""

    access_id: str
    """Its public half, as in GOOG1E..."""
    secret: str = field(repr=False)
    """Its secret half."""


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An access token of Google, sent as it is."""

    token: str = field(repr=False)
    """The token."""
    expires_at_ms: int | None = None
    """When it stops working, ms since the epoch; None: not of its own accord."""
    quota_project: str | None = None
    """The project that pays for the requests of a person; None: that of the bucket."""


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody: for emulators and public buckets."""


ANONYMOUS = Anonymous()
"""What all that ask as nobody share."""

Credentials = AwsKeys | HmacKey | BearerToken | Anonymous
"""Who is asking."""


@dataclass(frozen=True, slots=True)
class UnsignedRequest:
    """What a signature covers."""

    method: str
    """In capital letters."""
    scheme: str
    """`https` or `http`: over http the payload must be signed."""
    host: str
    """The `Host` header as it is sent: with the port, unless it is the scheme's own."""
    raw_path: bytes
    """Path and query exactly as sent (httpx: `URL.raw_path`), made by `encode_key` and
    `encode_query`."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further headers to sign, without `host`; names in any case."""
    payload_sha256: str = EMPTY_SHA256
    """Hex hash of the body, or `UNSIGNED_PAYLOAD` over https."""


def authorization_headers(
    request: UnsignedRequest, credentials: Credentials, *, region: str, now_ms: int
) -> dict[str, str]:
    """Make the headers that `request` needs besides its own, whoever is asking.

    Args:
        region: of the bucket; only SigV4 looks at it.
        now_ms: the store's time, ms since the epoch: it refuses what is 15 minutes off.

    Returns: header names in small letters; empty for `Anonymous`.
    """
    match credentials:
        case AwsKeys():
            return sign_sigv4(request, credentials, region=region, now_ms=now_ms)
        case HmacKey():
            return sign_goog4(request, credentials, now_ms=now_ms)
        case BearerToken(token=token, quota_project=project):
            payer = {"x-goog-user-project": project} if project else {}
            return {"authorization": f"Bearer {token}", **payer}
        case Anonymous():
            return {}
        case _:
            assert_never(credentials)


def sign_sigv4(
    request: UnsignedRequest, keys: AwsKeys, *, region: str, now_ms: int, service: str = "s3"
) -> dict[str, str]:
    """Sign for S3 (or another service, where the path is "/" and needs no second encoding).

    Returns: `authorization`, `x-amz-date`, `x-amz-content-sha256`, and `x-amz-security-token`
    where the keys have one. The same second gives the same headers.
    """
    token = {"x-amz-security-token": keys.session_token} if keys.session_token else {}
    return _sign(
        request, _SIGV4, keys.access_key_id, keys.secret_access_key,
        region=region, service=service, now_ms=now_ms, token=token,
    )  # fmt: skip


def sign_goog4(request: UnsignedRequest, key: HmacKey, *, now_ms: int) -> dict[str, str]:
    """Sign for the XML API of Google Cloud Storage.

    Returns: `authorization`, `x-goog-date` and `x-goog-content-sha256`.
    """
    return _sign(
        request, _GOOG4, key.access_id, key.secret,
        region="auto", service="storage", now_ms=now_ms, token={},
    )  # fmt: skip


def encode_key(key: str) -> str:
    """Percent-encode a key for the path of a URL, slashes kept, so that every store signs the same.

    A server decodes the path and encodes it again before it compares signatures, leaving nothing
    but `A-Za-z0-9-_.~/` as it is. httpx leaves more (`'()*`), and removes dot segments: those are
    refused by `check_key` before a key comes here.
    """
    assert not any(part in (".", "..") for part in key.split("/")), "check_key comes first"
    return quote(key, safe="/-_.~")


def encode_query(parameters: Mapping[str, str]) -> str:
    """Percent-encode the parameters of a query, in their order; "" where there are none."""
    return "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in parameters.items()
    )


class _Scheme(NamedTuple):
    """What the two signatures spell differently."""

    algorithm: str
    key_prefix: str
    terminator: str
    header_prefix: str


_SIGV4 = _Scheme("AWS4-HMAC-SHA256", "AWS4", "aws4_request", "x-amz-")
_GOOG4 = _Scheme("GOOG4-HMAC-SHA256", "GOOG4", "goog4_request", "x-goog-")

# What is percent-encoded otherwise would be signed otherwise by the server, which answers 403.
_ENCODED = re.compile(
    rb"/(?:[A-Za-z0-9_.~/-]|%[0-9A-F]{2})*(?:\?(?:[A-Za-z0-9_.~=&-]|%[0-9A-F]{2})*)?"
)


def _sign(
    request: UnsignedRequest,
    scheme: _Scheme,
    key_id: str,
    secret: str,
    *,
    region: str,
    service: str,
    now_ms: int,
    token: dict[str, str],
) -> dict[str, str]:
    assert _ENCODED.fullmatch(request.raw_path), "made by encode_key and encode_query"
    assert request.payload_sha256 != UNSIGNED_PAYLOAD or request.scheme == "https", (
        "over http nothing but its hash protects a payload"
    )
    at = datetime.fromtimestamp(now_ms // 1_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    added = {
        f"{scheme.header_prefix}date": at,
        f"{scheme.header_prefix}content-sha256": request.payload_sha256,
        **token,
    }
    signed = {name.lower(): value for name, value in request.headers.items()}
    assert not signed.keys() & {"host", "authorization", *added}, "these are the signature's own"
    signed |= added
    signed["host"] = request.host
    names = ";".join(sorted(signed))
    canonical = _canonical_request(request, signed, names=names)
    scope = f"{at[:8]}/{region}/{service}/{scheme.terminator}"
    hashed = hashlib.sha256(canonical).hexdigest()
    to_sign = f"{scheme.algorithm}\n{at}\n{scope}\n{hashed}"
    key = _signing_key(f"{scheme.key_prefix}{secret}", scope)
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    added["authorization"] = (
        f"{scheme.algorithm} Credential={key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return added


def _canonical_request(request: UnsignedRequest, signed: dict[str, str], *, names: str) -> bytes:
    path, _, query = request.raw_path.partition(b"?")
    # Sorted by name, then by value, both encoded; a name alone counts as one with an empty value.
    pairs = sorted(part.partition(b"=")[::2] for part in query.split(b"&") if part)
    lines = [
        request.method.encode(),
        path,
        b"&".join(name + b"=" + value for name, value in pairs),
        *(f"{name}:{' '.join(signed[name].split())}".encode() for name in sorted(signed)),
        b"",
        names.encode(),
        request.payload_sha256.encode(),
    ]
    return b"\n".join(lines)


# A day's key of a region is the same for every request. Few are alive at a time: of two regions
# while a redirect is learned, of two days at midnight, of two key sets at a renewal.
@lru_cache(maxsize=8)
def _signing_key(prefixed_secret: str, scope: str) -> bytes:
    key = prefixed_secret.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key

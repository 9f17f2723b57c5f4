"""Compares our signatures with those of botocore, over random requests, keys and times."""

import hashlib
from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.utils import percent_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from storage_adapters.signing import (
    UNSIGNED_PAYLOAD,
    AwsKeys,
    UnsignedRequest,
    encode_key,
    encode_query,
    sign_sigv4,
)

KEY_PARTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda part: part not in (".", "..")
)
OBJECT_KEYS = (
    st.lists(KEY_PARTS, min_size=1, max_size=4)
    .map("/".join)
    .filter(lambda key: not {".", ".."} & set(key.split("/")))
)
QUERIES = st.dictionaries(
    st.one_of(
        st.sampled_from(["list-type", "prefix", "continuation-token", "uploads", "a", "A"]),
        st.text(min_size=1, max_size=6),
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    max_size=4,
)
VISIBLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
HEADERS = st.dictionaries(
    st.one_of(
        st.sampled_from(
            ["If-Match", "if-none-match", "Content-MD5", "x-amz-meta-osqueue", "Range", "x-amz-acl"]
        ),
        st.from_regex(r"x-amz-meta-[a-z0-9-]{1,10}", fullmatch=True),
    ),
    st.text(VISIBLE, max_size=30),
    max_size=4,
)
KEYS = st.builds(
    AwsKeys,
    st.from_regex(r"(AKIA|ASIA)[A-Z0-9]{16}", fullmatch=True),
    st.text(VISIBLE, min_size=1, max_size=40),
    st.one_of(st.none(), st.from_regex(r"[A-Za-z0-9/+=]{1,60}", fullmatch=True)),
)
TIMES_MS = st.integers(0, 4_102_444_800_000)
REGIONS = st.sampled_from(["us-east-1", "eu-central-1", "auto", "cn-north-1"])
HOSTS = st.sampled_from(
    ["bucket.s3.eu-central-1.amazonaws.com", "s3.us-east-1.amazonaws.com", "127.0.0.1:9000"]
)
METHODS = st.sampled_from(["GET", "PUT", "HEAD", "DELETE", "POST"])
PAYLOADS = st.one_of(st.none(), st.binary(max_size=50))


def raw_path_of(key: str, query: dict[str, str]) -> bytes:
    return f"/{encode_key(key)}{'?' if query else ''}{encode_query(query)}".encode()


def botocore_authorization(
    request: UnsignedRequest, keys: AwsKeys, *, region: str, now_ms: int, auth: SigV4Auth
) -> str:
    """What botocore's own steps give for a request whose headers are already complete."""
    at = datetime.fromtimestamp(now_ms // 1_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    url = f"{request.scheme}://{request.host}{request.raw_path.decode()}"
    theirs = AWSRequest(request.method, url, headers={**request.headers, "X-Amz-Date": at})
    theirs.headers["X-Amz-Content-SHA256"] = request.payload_sha256
    theirs.context["timestamp"] = at
    if keys.session_token:
        theirs.headers["X-Amz-Security-Token"] = keys.session_token
    signature = auth.signature(auth.string_to_sign(theirs, auth.canonical_request(theirs)), theirs)
    signed = auth.signed_headers(auth.headers_to_sign(theirs))
    scope = f"{keys.access_key_id}/{at[:8]}/{region}/{auth._service_name}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature={signature}"


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None)
@given(
    METHODS, HOSTS, OBJECT_KEYS, QUERIES, HEADERS, PAYLOADS, KEYS, REGIONS, TIMES_MS,
)  # fmt: skip
def test_signature_for_s3_is_that_of_botocore(
    method: str,
    host: str,
    key: str,
    query: dict[str, str],
    headers: dict[str, str],
    payload: bytes | None,
    keys: AwsKeys,
    region: str,
    now_ms: int,
) -> None:
    hashed = UNSIGNED_PAYLOAD if payload is None else hashlib.sha256(payload).hexdigest()
    names = {name.lower(): value for name, value in headers.items()}
    request = UnsignedRequest(method, "https", host, raw_path_of(key, query), names, hashed)
    auth = S3SigV4Auth(
        Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token), "s3", region
    )
    ours = sign_sigv4(request, keys, region=region, now_ms=now_ms)
    assert ours["authorization"] == botocore_authorization(
        request, keys, region=region, now_ms=now_ms, auth=auth
    )


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(KEYS, REGIONS, TIMES_MS, st.binary(max_size=50))
def test_signature_for_another_service_is_that_of_botocore(
    keys: AwsKeys, region: str, now_ms: int, payload: bytes
) -> None:
    hashed = hashlib.sha256(payload).hexdigest()
    host = f"sts.{region}.amazonaws.com"
    request = UnsignedRequest("POST", "https", host, b"/", {"content-type": "a/b"}, hashed)
    auth = SigV4Auth(
        Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token), "sts", region
    )
    ours = sign_sigv4(request, keys, region=region, now_ms=now_ms, service="sts")
    assert ours["authorization"] == botocore_authorization(
        request, keys, region=region, now_ms=now_ms, auth=auth
    )


@given(OBJECT_KEYS)
def test_key_is_encoded_as_botocore_encodes_it(key: str) -> None:
    assert encode_key(key) == percent_encode(key, safe="/~")

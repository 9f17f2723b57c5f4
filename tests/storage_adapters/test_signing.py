"""Tests the signatures against published examples."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from storage_adapters.signing import (
    ANONYMOUS,
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    AwsKeys,
    BearerToken,
    Credentials,
    HmacKey,
    UnsignedRequest,
    authorization_headers,
    encode_key,
    encode_query,
    sign_goog4,
    sign_sigv4,
)

# The keys and the day of the examples in the AWS documentation of Signature Version 4 for S3.
EXAMPLE_KEYS = AwsKeys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EXAMPLE_DAY_MS = int(datetime(2013, 5, 24, tzinfo=UTC).timestamp() * 1_000)
EXAMPLE_HOST = "examplebucket.s3.amazonaws.com"


def signature_of(headers: dict[str, str]) -> str:
    return headers["authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("method", "raw_path", "headers", "payload", "signature"),
    [
        (
            "GET", b"/test.txt", {"Range": "bytes=0-9"}, b"",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT", b"/test%24file.text",
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET", b"/?lifecycle", {}, b"",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET", b"/?max-keys=2&prefix=J", {}, b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
    ids=["get object", "put object", "get lifecycle", "list objects"],
)  # fmt: skip
def test_example_of_the_documentation_has_its_signature(
    method: str, raw_path: bytes, headers: dict[str, str], payload: bytes, signature: str
) -> None:
    hashed = hashlib.sha256(payload).hexdigest()
    request = UnsignedRequest(method, "https", EXAMPLE_HOST, raw_path, headers, hashed)
    signed = sign_sigv4(request, EXAMPLE_KEYS, region="us-east-1", now_ms=EXAMPLE_DAY_MS)
    assert signature_of(signed) == signature
    assert signed["x-amz-date"] == "20130524T000000Z"
    assert signed["x-amz-content-sha256"] == hashed


def test_goog4_signature_follows_the_same_derivation_with_the_names_of_google() -> None:
    request = UnsignedRequest("PUT", "https", "bucket.storage.googleapis.com", b"/queue.json",
                              {"x-goog-if-generation-match": "7"}, EMPTY_SHA256)  # fmt: skip
    signed = sign_goog4(request, HmacKey("GOOG1EXAMPLE", "hidden"), now_ms=EXAMPLE_DAY_MS)
    names = "host;x-goog-content-sha256;x-goog-date;x-goog-if-generation-match"
    canonical = (
        "PUT\n/queue.json\n\nhost:bucket.storage.googleapis.com\n"
        f"x-goog-content-sha256:{EMPTY_SHA256}\nx-goog-date:20130524T000000Z\n"
        f"x-goog-if-generation-match:7\n\n{names}\n{EMPTY_SHA256}"
    )
    scope = "20130524/auto/storage/goog4_request"
    to_sign = "\n".join(
        ["GOOG4-HMAC-SHA256", "20130524T000000Z", scope,
         hashlib.sha256(canonical.encode()).hexdigest()]
    )  # fmt: skip
    key = b"GOOG4hidden"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    assert signed == {
        "x-goog-date": "20130524T000000Z",
        "x-goog-content-sha256": EMPTY_SHA256,
        "authorization": f"GOOG4-HMAC-SHA256 Credential=GOOG1EXAMPLE/{scope}, "
        f"SignedHeaders={names}, Signature={hmac.digest(key, to_sign.encode(), 'sha256').hex()}",
    }


def test_session_token_is_signed_and_sent() -> None:
    keys = AwsKeys("ASIAEXAMPLE", "hidden", "token/of+session==")
    request = UnsignedRequest("GET", "https", EXAMPLE_HOST, b"/")
    signed = sign_sigv4(request, keys, region="us-east-1", now_ms=EXAMPLE_DAY_MS)
    assert signed["x-amz-security-token"] == "token/of+session=="
    assert ";x-amz-security-token," in signed["authorization"]


@pytest.mark.parametrize(
    ("credentials", "names"),
    [
        (EXAMPLE_KEYS, {"authorization", "x-amz-date", "x-amz-content-sha256"}),
        (HmacKey("GOOG1E", "s"), {"authorization", "x-goog-date", "x-goog-content-sha256"}),
        (BearerToken("t"), {"authorization"}),
        (BearerToken("t", quota_project="p"), {"authorization", "x-goog-user-project"}),
        (ANONYMOUS, set[str]()),
    ],
    ids=["aws", "hmac", "token", "token with a project", "anonymous"],
)
def test_each_kind_of_credentials_makes_its_headers(
    credentials: Credentials, names: set[str]
) -> None:
    request = UnsignedRequest("GET", "https", EXAMPLE_HOST, b"/a")
    headers = authorization_headers(request, credentials, region="us-east-1", now_ms=0)
    assert headers.keys() == names


def test_bearer_token_is_sent_as_it_is() -> None:
    request = UnsignedRequest("GET", "https", EXAMPLE_HOST, b"/a")
    headers = authorization_headers(request, BearerToken("ya29.x"), region="", now_ms=0)
    assert headers == {"authorization": "Bearer ya29.x"}


def test_unsigned_payload_is_accepted_over_https_only() -> None:
    https = UnsignedRequest("PUT", "https", EXAMPLE_HOST, b"/a", {}, UNSIGNED_PAYLOAD)
    signed = sign_sigv4(https, EXAMPLE_KEYS, region="us-east-1", now_ms=0)
    assert signed["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    http = UnsignedRequest("PUT", "http", EXAMPLE_HOST, b"/a", {}, UNSIGNED_PAYLOAD)
    with pytest.raises(AssertionError, match="nothing but its hash"):
        sign_sigv4(http, EXAMPLE_KEYS, region="us-east-1", now_ms=0)


@pytest.mark.parametrize("raw_path", [b"", b"a", b"/a'b", b"/a b", b"/%2f", b"/a?b=c d", b"/a?b?"])
def test_path_that_a_server_would_encode_otherwise_is_a_bug(raw_path: bytes) -> None:
    request = UnsignedRequest("GET", "https", EXAMPLE_HOST, raw_path)
    with pytest.raises(AssertionError, match="encode_key"):
        sign_sigv4(request, EXAMPLE_KEYS, region="us-east-1", now_ms=0)


@pytest.mark.parametrize("name", ["Host", "X-Amz-Date", "Authorization", "x-amz-content-sha256"])
def test_header_that_the_signature_makes_itself_cannot_be_given(name: str) -> None:
    request = UnsignedRequest("GET", "https", EXAMPLE_HOST, b"/", {name: "x"})
    with pytest.raises(AssertionError, match="the signature's own"):
        sign_sigv4(request, EXAMPLE_KEYS, region="us-east-1", now_ms=0)


def test_key_is_encoded_whole_but_for_its_slashes() -> None:
    assert encode_key("a/b c~-_.é") == "a/b%20c~-_.%C3%A9"
    assert encode_key("'()*!+=&?#%") == "%27%28%29%2A%21%2B%3D%26%3F%23%25"
    for key in ("..", "a/./b", "a/../b"):
        with pytest.raises(AssertionError, match="check_key"):
            encode_key(key)


def test_query_is_encoded_whole_and_keeps_its_order() -> None:
    assert encode_query({"prefix": "a/b c", "list-type": "2"}) == "prefix=a%2Fb%20c&list-type=2"
    assert encode_query({}) == ""


def test_no_repr_shows_a_secret() -> None:
    for value in (
        AwsKeys("AKIDEXAMPLE", "hidden", "hidden"), HmacKey("GOOG1E", "hidden"),
        BearerToken("hidden"),
    ):  # fmt: skip
        assert "hidden" not in repr(value)

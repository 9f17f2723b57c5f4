"""Tests the reading of what Google's token services answer."""

import httpx
import pytest

from storage_adapters.contract import AccessDenied, NotApplied, StoreError, StoreMisconfigured
from storage_adapters.credentials.exchange import Answer
from storage_adapters.credentials.google.token_answers import (
    check_protected,
    refused_token,
    token_of,
)
from storage_adapters.signing import BearerToken
from tests.storage_adapters.credentials.issuers import NOW_MS, assert_hides

SECRET = "kept-from-everybody"


def answer_of(body: str, status: int = 200) -> Answer:
    return Answer(status, body.encode(), httpx.Headers())


def read(body: str, status: int = 200) -> BearerToken:
    return token_of(answer_of(body, status), issuer="the issuer", now_ms=NOW_MS, secrets=[SECRET])


@pytest.mark.parametrize(
    ("expires_in", "life_ms"),
    [("3599", 3_599_000), ('"3599"', 3_599_000), ("1" + "0" * 15, 43_200_000)],
    ids=["number", "text", "for ever"],
)
def test_token_lives_from_the_question_on(expires_in: str, life_ms: int) -> None:
    body = f'{{"access_token": "ya29.a", "expires_in": {expires_in}, "token_type": "Bearer"}}'
    assert read(body) == BearerToken("ya29.a", NOW_MS + life_ms)


@pytest.mark.parametrize(
    "body",
    [
        f'{{"access_token": "{SECRET}"}}',
        f'{{"access_token": "{SECRET}", "expires_in": 0}}',
        f'{{"access_token": "{SECRET}", "expires_in": "{SECRET}"}}',
        f'{{"access_token": "{SECRET}", "expires_in": [1]}}',
        '{"access_token": "", "expires_in": 1}',
        "<html>",
    ],
)
def test_answer_without_a_usable_token_shows_nothing_of_it(body: str) -> None:
    with pytest.raises(NotApplied, match="unusable answer of the issuer") as caught:
        read(body)
    assert_hides(caught.value, SECRET)


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, '{"error": "invalid_grant", "error_description": "Token has been revoked."}',
         AccessDenied, r"400 \(invalid_grant Token has been revoked\.\)"),
        (403, '{"error": {"code": 403, "message": "no permission", "status": "DENIED"}}',
         AccessDenied, r"403 \(DENIED no permission\)"),
        (400, '{"error": "temporarily_unavailable"}', NotApplied, "temporarily_unavailable"),
        (503, "busy", NotApplied, "answered 503"),
        (401, f"<html>{SECRET}", AccessDenied, "answered 401$"),
        (400, f'{{"error": "{SECRET}", "error_description": "{SECRET}"}}', AccessDenied, "400$"),
    ],
    ids=["oauth", "api", "passing", "busy", "html", "echo"],
)  # fmt: skip
def test_refusal_is_read_in_both_shapes(
    status: int, body: str, kind: type[StoreError], text: str
) -> None:
    with pytest.raises(kind, match=text) as caught:
        read(body, status)
    assert_hides(caught.value, SECRET)
    error = refused_token(answer_of(body, status), issuer="the issuer", secrets=[SECRET])
    assert type(error) is kind


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://oauth2.googleapis.com/token", True), ("http://localhost:1/token", True),
        ("http://127.0.0.1:1/", True), ("http://[::1]/", True), ("http://10.0.0.1/", False),
        ("http://localhost.example/", False), ("ftp://localhost/", False), ("", False),
        ("http://[", False),
    ],
)  # fmt: skip
def test_secrets_go_over_https_or_stay_on_the_machine(url: str, allowed: bool) -> None:
    if allowed:
        check_protected(url, what="token_uri in the file")
        return
    with pytest.raises(StoreMisconfigured, match="token_uri in the file must begin with https"):
        check_protected(url, what="token_uri in the file")

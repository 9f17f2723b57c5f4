"""Tests tokens of a person, against a server that stands for Google's."""

from urllib.parse import parse_qsl

import pytest

from storage_adapters.contract import AccessDenied, StoreMisconfigured
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.credentials.google.user import UserFile, token_of_user
from storage_adapters.signing import BearerToken
from tests.storage_adapters.credentials.issuers import NOW_MS, IssuerServer, Said, assert_hides

SECRETS = ("client-secret-0123456789", "refresh-token-0123456789")


async def token_at(url: str, exchange: Exchange) -> BearerToken:
    file = UserFile("client", *SECRETS, token_uri=url)
    return await token_of_user(file, exchange, where="the file", now_ms=lambda: NOW_MS)


async def test_refresh_token_is_exchanged(exchange: Exchange, server: IssuerServer) -> None:
    server.says(Said('{"access_token": "ya29.a", "expires_in": 3599, "scope": "s"}'))
    token = await token_at(f"{server.url}/token", exchange)
    assert token == BearerToken("ya29.a", NOW_MS + 3_599_000)
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", "/token")
    assert dict(parse_qsl(asked.body.decode())) == {
        "grant_type": "refresh_token", "client_id": "client",
        "client_secret": SECRETS[0], "refresh_token": SECRETS[1],
    }  # fmt: skip
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"


async def test_revoked_token_says_so_and_shows_nothing(
    exchange: Exchange, server: IssuerServer
) -> None:
    server.says(Said(f'{{"error": "invalid_grant", "error_description": "{SECRETS[1]}"}}', 400))
    with pytest.raises(AccessDenied, match=r"token service answered 400 \(inv") as caught:
        await token_at(server.url, exchange)
    assert_hides(caught.value, *SECRETS)


async def test_secrets_are_not_sent_over_http(exchange: Exchange) -> None:
    with pytest.raises(StoreMisconfigured, match="token_uri in the file"):
        await token_at("http://oauth2.example/token", exchange)


def test_where_google_is_asked_by_default() -> None:
    assert UserFile("a", "b", "c").token_uri == "https://oauth2.googleapis.com/token"

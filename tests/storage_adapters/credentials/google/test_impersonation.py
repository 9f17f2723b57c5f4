"""Tests acting as a service account, against a server that stands for Google's."""

import json

import pytest

from storage_adapters.contract import AccessDenied, NotApplied, StoreError, StoreMisconfigured
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.credentials.google.impersonation import act_as
from storage_adapters.signing import BearerToken
from tests.storage_adapters.credentials.issuers import NOW_MS, IssuerServer, Said, assert_hides

ACTOR = BearerToken("token-of-the-actor-0123456789")
PATH = "/v1/projects/-/serviceAccounts/queue@p.iam.gserviceaccount.com:generateAccessToken"


async def test_token_of_the_account_is_asked_for(exchange: Exchange, server: IssuerServer) -> None:
    server.says(Said('{"accessToken": "ya29.b", "expireTime": "2023-11-14T22:13:20Z"}'))
    token = await act_as(
        f"{server.url}{PATH}", exchange, token=ACTOR, where="the file", delegates=("a",), life_s=600
    )
    assert token == BearerToken("ya29.b", NOW_MS)
    (asked,) = server.asked
    assert (asked.method, asked.target) == ("POST", PATH)
    assert asked.headers["authorization"] == f"Bearer {ACTOR.token}"
    assert json.loads(asked.body) == {
        "delegates": ["a"], "lifetime": "600s",
        "scope": ["https://www.googleapis.com/auth/devstorage.read_write"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (Said('{"error": {"code": 403, "message": "denied", "status": "PERMISSION_DENIED"}}', 403),
         AccessDenied, r"403 \(PERMISSION_DENIED denied\)"),
        (Said(f'{{"error": {{"message": "{ACTOR.token}", "status": "X"}}}}', 401), AccessDenied,
         r"401 \(X\)"),
        (Said(status=503), NotApplied, "answered 503"),
        (Said('{"accessToken": "", "expireTime": "2023-11-14T22:13:20Z"}'), NotApplied, "empty"),
        (Said('{"accessToken": "ya29.secret", "expireTime": "soon"}'), NotApplied, "no time"),
        (Said('{"accessToken": "ya29.secret"}'), NotApplied, "`expireTime`"),
    ],
    ids=["denied", "echo", "busy", "empty", "no time", "half"],
)  # fmt: skip
async def test_refusal_says_why_and_nothing_secret(
    exchange: Exchange, server: IssuerServer, said: Said, kind: type[StoreError], text: str
) -> None:
    server.says(said)
    with pytest.raises(kind, match=text) as caught:
        await act_as(server.url, exchange, token=ACTOR, where="the file")
    assert_hides(caught.value, ACTOR.token, "ya29.secret")


async def test_token_of_the_actor_is_not_sent_over_http(exchange: Exchange) -> None:
    with pytest.raises(StoreMisconfigured, match="service_account_impersonation_url in the file"):
        await act_as("http://iam.example/", exchange, token=ACTOR, where="the file")

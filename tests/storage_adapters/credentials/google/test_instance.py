"""Tests the tokens of a machine of Google, against a server that speaks as its metadata does."""

import pytest

from storage_adapters.contract import AccessDenied, NotApplied, StoreError
from storage_adapters.credentials.exchange import Exchange, NoAnswer
from storage_adapters.credentials.google.instance import InstanceToken
from storage_adapters.signing import BearerToken
from tests.storage_adapters.credentials.issuers import (
    NOW_MS,
    IssuerServer,
    RecordingExchange,
    Said,
    assert_hides,
)

SECRET = "ya29.kept-from-everybody"
FLAVOR = {"metadata-flavor": "Google"}
GIVEN = Said(
    f'{{"access_token": "{SECRET}", "expires_in": 3599, "token_type": "Bearer"}}', headers=FLAVOR
)


def source_at(variables: dict[str, str], exchange: Exchange) -> InstanceToken:
    return InstanceToken(variables, exchange, now_ms=lambda: NOW_MS)


async def test_machine_gives_the_token_of_its_account(
    exchange: Exchange, server: IssuerServer
) -> None:
    server.says(GIVEN)
    token = await source_at({"GCE_METADATA_HOST": server.host}, exchange).fetch()
    assert token == BearerToken(SECRET, NOW_MS + 3_599_000)
    (asked,) = server.asked
    assert asked.headers["metadata-flavor"] == "Google"
    assert asked.target == "/computeMetadata/v1/instance/service-accounts/default/token"


async def test_machine_that_is_none_of_googles_has_none(
    exchange: Exchange, closed_url: str
) -> None:
    host = closed_url.removeprefix("http://")
    assert await source_at({"GCE_METADATA_ROOT": host}, exchange).fetch() is None


async def test_server_that_is_not_to_be_asked_is_not(
    exchange: Exchange, server: IssuerServer
) -> None:
    variables = {"GCE_METADATA_HOST": server.host, "NO_GCE_CHECK": "true"}
    assert await source_at(variables, exchange).fetch() is None
    assert server.asked == []


async def test_server_that_has_answered_once_is_waited_for_afterwards(
    exchange: Exchange, server: IssuerServer, closed_url: str
) -> None:
    server.says(GIVEN)
    variables = {"GCE_METADATA_HOST": server.host}
    source = source_at(variables, exchange)
    await source.fetch()
    variables["GCE_METADATA_HOST"] = closed_url.removeprefix("http://")
    with pytest.raises(NoAnswer, match="Google's metadata server cannot be reached"):
        await source.fetch()


async def test_server_is_where_google_puts_it() -> None:
    exchange = RecordingExchange()
    assert await source_at({}, exchange).fetch() is None
    (url,) = exchange.urls
    assert url.startswith("http://metadata.google.internal/computeMetadata/v1/")


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (Said(status=404, headers=FLAVOR), AccessDenied, "this machine has no service account"),
        (Said(status=503, headers=FLAVOR), NotApplied, "answered 503"),
        (Said(status=403, headers=FLAVOR), AccessDenied, "answered 403"),
        (Said(GIVEN.body), NotApplied, "is something else"),
        (Said("<html>", headers=FLAVOR), NotApplied, "unusable answer"),
        (Said(f'{{"access_token": "{SECRET}"}}', headers=FLAVOR), NotApplied, "`expires_in`"),
    ],
    ids=["no account", "busy", "forbidden", "no flavor", "html", "half"],
)  # fmt: skip
async def test_server_without_a_token_says_why_and_nothing_secret(
    exchange: Exchange, server: IssuerServer, said: Said, kind: type[StoreError], text: str
) -> None:
    server.says(said)
    with pytest.raises(kind, match=text) as caught:
        await source_at({"GCE_METADATA_HOST": server.host}, exchange).fetch()
    assert_hides(caught.value, SECRET)

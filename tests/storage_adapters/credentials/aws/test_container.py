"""Tests the keys of tasks and pods, against a server that speaks as their agents do."""

from pathlib import Path

import pytest

from storage_adapters.contract import AccessDenied, NotApplied, StoreError, StoreMisconfigured
from storage_adapters.credentials.aws.container import ContainerKeys
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.signing import AwsKeys
from tests.storage_adapters.credentials.issuers import (
    NOW_MS,
    IssuerServer,
    RecordingExchange,
    Said,
    assert_hides,
)

SECRET = "kept-from-everybody"
TOKEN = "Bearer-of-the-agent-0123456789"
KEYS = AwsKeys("ASIAEXAMPLE", SECRET, "session", NOW_MS)
GIVEN = (
    f'{{"RoleArn": "arn", "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "{SECRET}",'
    ' "Token": "session", "Expiration": "2023-11-14T22:13:20Z"}'
)


async def test_without_its_variables_there_is_no_container(exchange: Exchange) -> None:
    assert await ContainerKeys({}, exchange).fetch() is None


async def test_agent_gives_keys_for_the_token_that_is_in_the_file_now(
    exchange: Exchange, server: IssuerServer, tmp_path: Path
) -> None:
    server.says(Said(GIVEN))
    file = tmp_path / "token"
    file.write_text("first\n")
    variables = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(file),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "not this one",
    }
    source = ContainerKeys(variables, exchange)
    assert await source.fetch() == KEYS
    file.write_text("second\n")
    assert await source.fetch() == KEYS
    assert [asked.headers["authorization"] for asked in server.asked] == ["first", "second"]
    assert server.asked[0].target == "/v1/credentials"


async def test_agent_gives_keys_for_the_token_of_the_variable_or_for_none(
    exchange: Exchange, server: IssuerServer
) -> None:
    server.says(Said(GIVEN))
    variables = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}
    assert await ContainerKeys(variables, exchange).fetch() == KEYS
    with_token = {**variables, "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN}
    assert await ContainerKeys(with_token, exchange).fetch() == KEYS
    assert [asked.headers.get("authorization") for asked in server.asked] == [None, TOKEN]


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"RELATIVE_URI": "/v2/credentials/1"}, "http://169.254.170.2/v2/credentials/1"),
        ({"RELATIVE_URI": ".evil.example"}, "http://169.254.170.2/.evil.example"),
        ({"RELATIVE_URI": "/a", "FULL_URI": "http://localhost/b"}, "http://169.254.170.2/a"),
        ({"FULL_URI": "http://169.254.170.23/v1/credentials"},
         "http://169.254.170.23/v1/credentials"),
        ({"FULL_URI": "http://[fd00:ec2::23]/v1"}, "http://[fd00:ec2::23]/v1"),
        ({"FULL_URI": "http://[::1]:80/v1"}, "http://[::1]:80/v1"),
        ({"FULL_URI": "http://localhost:1338/v1"}, "http://localhost:1338/v1"),
        ({"FULL_URI": "https://agent.example/v1"}, "https://agent.example/v1"),
    ],
)  # fmt: skip
async def test_agent_is_beside_us_or_behind_https(variables: dict[str, str], url: str) -> None:
    exchange = RecordingExchange()
    named = {f"AWS_CONTAINER_CREDENTIALS_{name}": value for name, value in variables.items()}
    with pytest.raises(NotApplied):
        await ContainerKeys(named, exchange).fetch()
    assert exchange.urls == [url]


@pytest.mark.parametrize(
    "url",
    ["http://agent.example/", "http://10.0.0.1/", "http://localhost.evil.example/", "ftp://a/",
     "http://[", "http://", "nothing"],
)  # fmt: skip
async def test_token_is_not_sent_over_a_network_in_the_open(url: str) -> None:
    exchange = RecordingExchange()
    variables = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}
    with pytest.raises(StoreMisconfigured, match="FULL_URI must begin with https"):
        await ContainerKeys(variables, exchange).fetch()
    assert exchange.urls == []


async def test_missing_token_file_names_itself(exchange: Exchange, tmp_path: Path) -> None:
    variables = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost/",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
    }
    with pytest.raises(StoreMisconfigured, match="AUTHORIZATION_TOKEN_FILE names no file"):
        await ContainerKeys(variables, exchange).fetch()


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (Said(f"no such token: {TOKEN}", 401), AccessDenied, "answered 401$"),
        (Said('{"code": "AccessDenied", "message": "no role"}', 403), AccessDenied,
         r"403 \(AccessDenied no role\)"),
        (Said(f'{{"code": "Bad", "message": "{TOKEN}"}}', 400), AccessDenied, r"400 \(Bad\)"),
        (Said("busy", 503), NotApplied, "answered 503"),
        (Said("<html>"), NotApplied, "unusable answer of container credentials"),
        (Said(f'{{"SecretAccessKey": "{SECRET}"}}'), NotApplied, "`AccessKeyId`"),
    ],
    ids=["unknown token", "no role", "echo", "busy", "html", "half"],
)  # fmt: skip
async def test_agent_without_keys_says_why_and_nothing_secret(
    exchange: Exchange, server: IssuerServer, said: Said, kind: type[StoreError], text: str
) -> None:
    server.says(said)
    variables = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
    }
    with pytest.raises(kind, match=text) as caught:
        await ContainerKeys(variables, exchange).fetch()
    assert_hides(caught.value, SECRET, TOKEN)

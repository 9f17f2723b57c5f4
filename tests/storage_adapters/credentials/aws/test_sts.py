"""Tests the questions to the token service, against a server that checks them as it does."""

from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreKeys

from storage_adapters.contract import AccessDenied, NotApplied, StoreError, StoreMisconfigured
from storage_adapters.credentials.aws.sts import TokenService
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.signing import AwsKeys
from tests.storage_adapters.credentials.issuers import (
    NOW_MS,
    Asked,
    IssuerServer,
    RecordingExchange,
    Said,
    assert_hides,
)

SECRET = "kept-from-everybody"
IDENTITY = "eyJhbGciOiJSUzI1NiJ9.identity-token"
OWN_KEYS = AwsKeys("AKIDEXAMPLE", SECRET, "session-of-the-caller")
ROLE = {"RoleArn": "arn:aws:iam::123456789012:role/queue"}
GIVEN = AwsKeys("ASIAEXAMPLE", "given-secret", "given-session", NOW_MS)


def keys_answer(action: str) -> str:
    return f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <{action}Result>
        <AssumedRoleUser><Arn>arn</Arn></AssumedRoleUser>
        <Credentials>
          <AccessKeyId>ASIAEXAMPLE</AccessKeyId>
          <SecretAccessKey>given-secret</SecretAccessKey>
          <SessionToken>given-session
</SessionToken>
          <Expiration>2023-11-14T22:13:20Z</Expiration>
        </Credentials>
      </{action}Result>
    </{action}Response>"""


def error_answer(code: str, message: str, status: int = 400) -> Said:
    return Said(
        f"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
        <Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>
        </ErrorResponse>""",
        status,
    )


def service(
    url: str, exchange: Exchange, now_ms: Callable[[], int] = lambda: NOW_MS, **variables: str
) -> TokenService:
    return TokenService({"AWS_ENDPOINT_URL_STS": url, **variables}, exchange, now_ms=now_ms)


def form_of(asked: Asked) -> dict[str, str]:
    return dict(parse_qsl(asked.body.decode(), strict_parsing=True))


def botocore_signature(asked: Asked, *, region: str) -> str:
    """What botocore's signer makes of a request as it arrived."""
    signed = asked.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest(
        "POST", f"http://{asked.headers['host']}{asked.target}",
        headers={name: asked.headers[name] for name in signed}, data=asked.body,
    )  # fmt: skip
    request.context["timestamp"] = asked.headers["x-amz-date"]
    keys = BotocoreKeys(OWN_KEYS.access_key_id, SECRET, OWN_KEYS.session_token)
    auth = SigV4Auth(keys, "sts", region)
    return auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)


async def test_role_is_assumed_by_a_signed_question(
    exchange: Exchange, server: IssuerServer
) -> None:
    server.says(Said(keys_answer("AssumeRole")))
    sts = service(server.url, exchange)
    given = await sts.assume_role(
        {**ROLE, "ExternalId": "a b&c"}, keys=OWN_KEYS, region="eu-central-1"
    )
    assert given == GIVEN
    (asked,) = server.asked
    assert form_of(asked) == {
        "Action": "AssumeRole", "Version": "2011-06-15", **ROLE, "ExternalId": "a b&c",
        "RoleSessionName": f"osqueue-{NOW_MS}",
    }  # fmt: skip
    authorization = asked.headers["authorization"]
    assert "Credential=AKIDEXAMPLE/20231114/eu-central-1/sts/aws4_request" in authorization
    assert authorization.endswith(botocore_signature(asked, region="eu-central-1"))
    assert asked.headers["x-amz-security-token"] == "session-of-the-caller"


async def test_identity_token_is_exchanged_without_a_signature(
    exchange: Exchange, server: IssuerServer
) -> None:
    server.says(Said(keys_answer("AssumeRoleWithWebIdentity")))
    sts = service(server.url, exchange, AWS_ROLE_SESSION_NAME="mine")
    assert await sts.assume_role_with_web_identity(ROLE, token=IDENTITY) == GIVEN
    (asked,) = server.asked
    assert form_of(asked) == {
        "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", **ROLE,
        "RoleSessionName": "mine", "WebIdentityToken": IDENTITY,
    }  # fmt: skip
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("variables", "region", "url", "scope"),
    [
        ({}, None, "https://sts.amazonaws.com/", "us-east-1"),
        ({}, "eu-west-1", "https://sts.eu-west-1.amazonaws.com/", "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-1",
         "https://sts.eu-west-2.amazonaws.com/", "eu-west-2"),
        ({"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-3"}, None,
         "https://sts.eu-west-3.amazonaws.com/", "eu-west-3"),
        ({"AWS_REGION": "cn-north-1"}, None,
         "https://sts.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
        ({"AWS_ENDPOINT_URL": "http://minio:9000"}, None, "http://minio:9000/", "us-east-1"),
        ({"AWS_ENDPOINT_URL": "http://minio:9000", "AWS_ENDPOINT_URL_STS": "https://sts.example/"},
         "eu-west-1", "https://sts.example/", "eu-west-1"),
    ],
    ids=["nothing", "profile", "default region", "region", "china", "endpoint", "own endpoint"],
)  # fmt: skip
async def test_service_is_that_of_the_region(
    variables: dict[str, str], region: str | None, url: str, scope: str
) -> None:
    exchange = RecordingExchange()
    sts = TokenService(variables, exchange, now_ms=lambda: NOW_MS)
    with pytest.raises(NotApplied):
        await sts.assume_role(ROLE, keys=OWN_KEYS, region=region)
    assert exchange.urls == [url]
    assert f"/{scope}/sts/aws4_request" in exchange.headers["authorization"]
    assert exchange.headers["host"] == url.split("/")[2]


@pytest.mark.parametrize("url", ["https://a/path", "nothing", "https://user:pass@a/"])
async def test_endpoint_that_is_more_than_a_host_is_misconfigured(
    exchange: Exchange, url: str
) -> None:
    with pytest.raises(StoreMisconfigured, match="AWS_ENDPOINT_URL_STS"):
        await service(url, exchange).assume_role(ROLE, keys=OWN_KEYS)


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (error_answer("AccessDenied", "User is not authorized to perform: sts:AssumeRole", 403),
         AccessDenied, r"AWS STS answered 403 \(AccessDenied User is not authorized"),
        (error_answer("InvalidIdentityToken", f"bad: {IDENTITY}"), AccessDenied,
         r"400 \(InvalidIdentityToken\)"),
        (error_answer("Throttling", "Rate exceeded"), NotApplied, r"\(Throttling Rate exceeded\)"),
        (error_answer("IDPCommunicationError", "try again"), NotApplied, "IDPCommunicationError"),
        (Said("unavailable", 503), NotApplied, "answered 503"),
        (Said(f"<html>{IDENTITY}", 403), AccessDenied, "answered 403$"),
        (Said("<html>"), NotApplied, "no AccessKeyId in its credentials"),
        (Said(b"\xff\xfe\0"), NotApplied, "no AccessKeyId"),
        (Said("<?xml version='1.0' encoding='nonsense'?><a/>"), NotApplied, "no AccessKeyId"),
        (Said("<!DOCTYPE a [<!ENTITY b 'bbbbbbbb'>]><a>&b;</a>"), NotApplied, "no AccessKeyId"),
        (Said(keys_answer("A").replace("given-session\n", "")), NotApplied, "no SessionToken"),
        (Said(keys_answer("A").replace("2023-11-14T22:13:20Z", "soon")), NotApplied, "no time"),
    ],
    ids=["denied", "echo", "throttled", "idp", "busy", "html refusal", "html", "binary",
         "encoding", "entity", "half", "no time"],
)  # fmt: skip
async def test_service_without_keys_says_why_and_nothing_secret(
    exchange: Exchange, server: IssuerServer, said: Said, kind: type[StoreError], text: str
) -> None:
    server.says(said)
    with pytest.raises(kind, match=text) as caught:
        await service(server.url, exchange).assume_role_with_web_identity(ROLE, token=IDENTITY)
    assert_hides(caught.value, IDENTITY, "given-secret")
    with pytest.raises(kind) as caught:
        await service(server.url, exchange).assume_role(ROLE, keys=OWN_KEYS)
    assert_hides(caught.value, SECRET, "given-secret")

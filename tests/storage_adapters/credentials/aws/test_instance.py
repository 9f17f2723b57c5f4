"""Tests the keys of an EC2 instance, against a server that speaks as its metadata service does."""

import pytest

from storage_adapters.contract import AccessDenied, NotApplied, StoreError
from storage_adapters.credentials.aws.instance import InstanceKeys
from storage_adapters.credentials.exchange import Exchange, NoAnswer
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
TOKEN = "token-of-the-session-0123456789"
ROLES = "/latest/meta-data/iam/security-credentials/"
GIVEN = (
    '{"Code": "Success", "LastUpdated": "2023-11-14T20:00:00Z", "Type": "AWS-HMAC",'
    f' "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "{SECRET}",'
    ' "Token": "session", "Expiration": "2023-11-14T22:13:20Z"}'
)


class Metadata:
    """What the service says; a test changes it."""

    def __init__(self, server: IssuerServer) -> None:
        self.token = Said(f"{TOKEN}\n")
        self.roles = Said("queue-role")
        self.keys = Said(GIVEN)
        server.answer = self.answer

    def answer(self, asked: Asked) -> Said:
        if (asked.method, asked.target) == ("PUT", "/latest/api/token"):
            assert asked.headers["x-aws-ec2-metadata-token-ttl-seconds"] == "300"
            return self.token
        assert asked.method == "GET"
        if asked.headers.get("x-aws-ec2-metadata-token") != TOKEN:
            return Said(status=401)
        return self.roles if asked.target == ROLES else self.keys


@pytest.fixture
def metadata(server: IssuerServer) -> Metadata:
    return Metadata(server)


@pytest.fixture
def source(server: IssuerServer, exchange: Exchange) -> InstanceKeys:
    return InstanceKeys({"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{server.url}/"}, exchange)


async def test_instance_gives_the_keys_of_its_role_by_the_second_version(
    metadata: Metadata, source: InstanceKeys, server: IssuerServer
) -> None:
    assert await source.fetch() == AwsKeys("ASIAEXAMPLE", SECRET, "session", NOW_MS)
    assert [asked.target for asked in server.asked] == [
        "/latest/api/token", ROLES, f"{ROLES}queue-role",
    ]  # fmt: skip


async def test_name_of_the_role_cannot_lead_elsewhere(
    metadata: Metadata, source: InstanceKeys, server: IssuerServer
) -> None:
    metadata.roles = Said("../../user-data?a\nsecond")
    await source.fetch()
    assert server.asked[-1].target == f"{ROLES}..%2F..%2Fuser-data%3Fa"


async def test_disabled_service_is_not_asked(exchange: Exchange, server: IssuerServer) -> None:
    variables = {
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
        "AWS_EC2_METADATA_DISABLED": "True",
    }
    assert await InstanceKeys(variables, exchange).fetch() is None
    assert server.asked == []


async def test_machine_without_the_service_is_no_instance(
    exchange: Exchange, closed_url: str
) -> None:
    variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": closed_url}
    assert await InstanceKeys(variables, exchange).fetch() is None


async def test_service_that_has_answered_once_is_waited_for_afterwards(
    metadata: Metadata, exchange: Exchange, server: IssuerServer, closed_url: str
) -> None:
    variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url}
    source = InstanceKeys(variables, exchange)
    await source.fetch()
    variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = closed_url
    with pytest.raises(NoAnswer, match="EC2 instance metadata cannot be reached"):
        await source.fetch()


@pytest.mark.parametrize(
    ("mode", "host"), [("", "169.254.169.254"), ("IPv4", "169.254.169.254"),
                       ("IPv6", "[fd00:ec2::254]")],
)  # fmt: skip
async def test_service_is_where_aws_puts_it(mode: str, host: str) -> None:
    exchange = RecordingExchange()
    variables = {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": mode}
    assert await InstanceKeys(variables, exchange).fetch() is None
    assert exchange.urls == [f"http://{host}/latest/api/token"]


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"token": Said(status=403)}, AccessDenied, "answered 403"),
        ({"token": Said(status=503)}, NotApplied, "answered 503"),
        ({"token": Said("wrong")}, AccessDenied, "answered 401"),
        ({"token": Said(f"{SECRET}\nx: y")}, StoreError, "holds a line break"),
        ({"roles": Said(status=404)}, AccessDenied, "this instance has no role"),
        ({"roles": Said("")}, AccessDenied, "this instance has no role"),
        ({"roles": Said(status=500)}, NotApplied, "answered 500"),
        ({"keys": Said(status=404)}, AccessDenied, "answered 404"),
        ({"keys": Said('{"Code": "AssumeRoleUnauthorizedAccess", "Message": "no trust"}')},
         NotApplied, r"\(AssumeRoleUnauthorizedAccess no trust\)"),
        ({"keys": Said(f'{{"Code": "Failed", "Message": "bad token {TOKEN}"}}')},
         NotApplied, r"\(Failed\)"),
        ({"keys": Said("<html>")}, NotApplied, "unusable answer of EC2 instance metadata"),
        ({"keys": Said(f'{{"SecretAccessKey": "{SECRET}"}}')}, NotApplied, "`AccessKeyId`"),
    ],
    ids=["disabled", "busy", "wrong token", "no token", "no role", "empty role", "broken",
         "no keys", "no trust", "echo", "html", "half"],
)  # fmt: skip
async def test_service_without_keys_says_why_and_nothing_secret(
    metadata: Metadata,
    source: InstanceKeys,
    changes: dict[str, Said],
    kind: type[StoreError],
    text: str,
) -> None:
    for name, said in changes.items():
        setattr(metadata, name, said)
    with pytest.raises(kind, match=text) as caught:
        await source.fetch()
    assert_hides(caught.value, SECRET, TOKEN)

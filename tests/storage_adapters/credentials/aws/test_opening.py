"""Tests the whole chain for S3, in botocore's order; botocore walks it beside us."""

import json
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import botocore.session
import pytest
import trio

from storage_adapters.contract import ABSENT, AccessDenied, StoredObject, StoreError
from storage_adapters.credentials.aws.opening import aws_credentials
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.credentials.refreshing import RefreshingSource
from storage_adapters.http_store import HttpStore
from storage_adapters.s3 import S3Dialect
from storage_adapters.signing import AwsKeys
from tests.emulators.peers import BUCKET, IDENTITY_ISSUER, ROLE_ARN, Peers, S3Peer
from tests.storage_adapters.credentials.aws.test_sts import keys_answer
from tests.storage_adapters.credentials.issuers import NOW_MS, Asked, IssuerServer, Said

HOUR_MS = 3_600_000
ROLE = "arn:aws:iam::123456789012:role/queue"
LATER = "2023-11-14T23:13:20Z"


class Clock:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.ms = NOW_MS

    def now_ms(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Everything:
    """An environment in which every place holds keys, each with an id that names it."""

    def __init__(self, home: Path, server: IssuerServer) -> None:
        self.home = home
        self.server = server
        (home / ".aws").mkdir()
        (home / "token").write_text("identity")
        self.config = home / ".aws/config"
        self.shared = home / ".aws/credentials"
        self.config.write_text(
            "[default]\naws_access_key_id = CONFIG\naws_secret_access_key = s\n"
            f"[profile with-role]\nrole_arn = {ROLE}\nsource_profile = default\n"
        )
        self.shared.write_text("[default]\naws_access_key_id = SHARED\naws_secret_access_key = s\n")
        self.variables = {
            "AWS_ACCESS_KEY_ID": "VARIABLES",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_PROFILE": "with-role",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "token"),
            "AWS_ROLE_ARN": ROLE,
            "AWS_ENDPOINT_URL_STS": server.url,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/container",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
        }
        server.answer = self.answer

    def answer(self, asked: Asked) -> Said:
        given = '"SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"'
        match asked.method, asked.target.rpartition("/")[2]:
            case "POST", _:
                by_token = b"WebIdentity" in asked.body
                answer = keys_answer(f"AssumeRole{'WithWebIdentity' if by_token else ''}")
                kind = "WEBIDENTITY" if by_token else "ROLE"
                return Said(answer.replace("2023", "2099").replace("ASIAEXAMPLE", kind))
            case "PUT", _:
                return Said("token")
            case _, "container":
                return Said(f'{{"AccessKeyId": "CONTAINER", {given}}}')
            case _, "":
                return Said("role")
            case _:
                return Said(f'{{"Code": "Success", "AccessKeyId": "INSTANCE", {given}}}')


def remove(everything: Everything, place: str) -> None:
    match place:
        case "VARIABLES":
            del everything.variables["AWS_ACCESS_KEY_ID"]
            del everything.variables["AWS_SECRET_ACCESS_KEY"]
        case "ROLE":
            del everything.variables["AWS_PROFILE"]
        case "WEBIDENTITY":
            del everything.variables["AWS_WEB_IDENTITY_TOKEN_FILE"]
        case "SHARED":
            everything.shared.unlink()
        case "CONFIG":
            everything.config.unlink()
        case "CONTAINER":
            del everything.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
        case _:
            everything.variables["AWS_EC2_METADATA_DISABLED"] = "true"


def open_source(everything: Everything, clock: Clock) -> RefreshingSource:
    return aws_credentials(everything.variables, home=everything.home, now_ms=clock.now_ms)


def botocore_key_id(everything: Everything, monkeypatch: pytest.MonkeyPatch) -> str | None:
    with monkeypatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patched.delenv(name)
        patched.setenv("HOME", str(everything.home))
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name, value in everything.variables.items():
            patched.setenv(name, value)
        keys = botocore.session.Session().get_credentials()
        return None if keys is None else keys.get_frozen_credentials().access_key


@pytest.mark.slow
async def test_places_are_asked_in_the_order_of_botocore(
    tmp_path: Path, server: IssuerServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = Everything(tmp_path, server)
    order = ("VARIABLES", "ROLE", "WEBIDENTITY", "SHARED", "CONFIG", "CONTAINER", "INSTANCE")
    for place in order:
        keys = await open_source(everything, clock).current()
        theirs = await trio.to_thread.run_sync(botocore_key_id, everything, monkeypatch)
        assert isinstance(keys, AwsKeys)
        assert (keys.access_key_id, theirs) == (place, place)
        remove(everything, place)
    with pytest.raises(AccessDenied, match=r"set AWS_ACCESS_KEY_ID.*EC2 instance metadata"):
        await open_source(everything, clock).current()


async def test_keys_are_renewed_at_the_place_where_they_were_found(
    tmp_path: Path, server: IssuerServer, clock: Clock
) -> None:
    told: list[StoreError] = []
    variables = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}
    source = aws_credentials(
        variables, home=tmp_path, now_ms=clock.now_ms, exchange=Exchange(),
        on_failed_renewal=lambda error, _: told.append(error),
    )  # fmt: skip
    given = '"SecretAccessKey": "s", "Token": "t"'
    server.says(
        Said(f'{{"AccessKeyId": "FIRST", {given}, "Expiration": "{LATER}"}}'),
        Said(status=500),
        Said(f'{{"AccessKeyId": "SECOND", {given}, "Expiration": "2023-11-15T00:13:20Z"}}'),
    )
    assert await source.current() == AwsKeys("FIRST", "s", "t", NOW_MS + HOUR_MS)
    assert source.description == "container credentials"
    clock.ms += HOUR_MS - 500_000
    assert await source.current() == AwsKeys("FIRST", "s", "t", NOW_MS + HOUR_MS)
    assert [str(error) for error in told] == [
        "no credentials just now: container credentials answered 500"
    ]
    clock.ms += 500_000
    assert await source.current() == AwsKeys("SECOND", "s", "t", NOW_MS + 2 * HOUR_MS)


def role_by_keys(peer: S3Peer, home: Path) -> dict[str, str]:
    """A profile whose role is assumed by the keys of the user."""
    (home / "config").write_text(
        f"[profile queue]\nrole_arn = {ROLE_ARN}\nsource_profile = own\n[profile own]\n"
        f"aws_access_key_id = {peer.keys.access_key_id}\n"
        f"aws_secret_access_key = {peer.keys.secret_access_key}\n"
    )
    return {"AWS_CONFIG_FILE": str(home / "config"), "AWS_PROFILE": "queue"}


def role_by_identity(peer: S3Peer, home: Path) -> dict[str, str]:
    """A token of the issuer that the role trusts."""
    claims = {"iss": f"https://{IDENTITY_ISSUER}", "sub": "broker", "aud": "sts.amazonaws.com"}
    parts = [urlsafe_b64encode(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)]
    (home / "token").write_bytes(b".".join([*parts, b""]))
    return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "token"), "AWS_ROLE_ARN": ROLE_ARN}


@pytest.mark.slow
@pytest.mark.parametrize("make", [role_by_keys, role_by_identity])
async def test_role_opens_a_bucket_of_a_store_that_checks(
    make: Callable[[S3Peer, Path], dict[str, str]], peers: Peers, tmp_path: Path
) -> None:
    peer = peers.ministack
    variables = {**make(peer, tmp_path), "AWS_ENDPOINT_URL_STS": peer.url}
    source = aws_credentials(variables, home=tmp_path, now_ms=lambda: int(time.time() * 1_000))
    keys = await source.current()
    assert isinstance(keys, AwsKeys)
    assert keys.session_token
    assert keys.access_key_id != peer.keys.access_key_id
    store = HttpStore(S3Dialect(BUCKET, f"{make.__name__}/", endpoint_url=peer.url), source)
    version = await store.put("queue.json", [b"{}"], condition=ABSENT)
    assert await store.read("queue.json") == StoredObject(b"{}", version)
    await store.aclose()

"""Tests tokens for an identity of another system, against a server that stands for both ends."""

import json
from base64 import b64decode
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import msgspec
import pytest

from storage_adapters.contract import AccessDenied, NotApplied, StoreError, StoreMisconfigured
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.credentials.google.federation import FederationFile, token_of_federation
from storage_adapters.signing import BearerToken
from tests.storage_adapters.credentials.issuers import (
    NOW_MS,
    Asked,
    IssuerServer,
    Said,
    assert_hides,
)

IDENTITY = "eyJhbGciOiJSUzI1NiJ9.identity-token"
GIVEN = Said('{"access_token": "ya29.a", "expires_in": 3599, "token_type": "Bearer"}')
IMPERSONATED = Said('{"accessToken": "ya29.b", "expireTime": "2023-11-14T22:13:20Z"}')


class Federation:
    """A configuration, written as gcloud does, and the server that it leads to."""

    def __init__(self, server: IssuerServer, exchange: Exchange, folder: Path) -> None:
        self.server = server
        self.exchange = exchange
        self.identity_file = folder / "identity"
        self.identity_file.write_text(f"{IDENTITY}\n")
        self.subject = Said(IDENTITY)
        self.given = GIVEN
        self.configuration: dict[str, object] = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{server.url}/v1/token",
            "credential_source": {"file": str(self.identity_file)},
        }
        server.answer = self.answer

    def answer(self, asked: Asked) -> Said:
        if asked.target == "/v1/token":
            return self.given
        return IMPERSONATED if asked.target == "/impersonate" else self.subject

    async def token(self) -> BearerToken:
        file = msgspec.convert(self.configuration, FederationFile)
        return await token_of_federation(
            file, self.exchange, where="the file", now_ms=lambda: NOW_MS
        )

    def form(self) -> dict[str, str]:
        (asked,) = (asked for asked in self.server.asked if asked.target == "/v1/token")
        return dict(parse_qsl(asked.body.decode()))


@pytest.fixture
def federation(server: IssuerServer, exchange: Exchange, tmp_path: Path) -> Federation:
    return Federation(server, exchange, tmp_path)


async def test_identity_token_of_a_file_is_exchanged(federation: Federation) -> None:
    assert await federation.token() == BearerToken("ya29.a", NOW_MS + 3_599_000)
    assert federation.form() == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": federation.configuration["audience"],
        "scope": "https://www.googleapis.com/auth/devstorage.read_write",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": IDENTITY,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    }
    assert "authorization" not in federation.server.asked[0].headers


async def test_identity_token_of_a_url_is_asked_for_with_its_headers(
    federation: Federation,
) -> None:
    federation.subject = Said(json.dumps({"value": IDENTITY, "count": 1}))
    federation.configuration["credential_source"] = {
        "url": f"{federation.server.url}/identity?audience=a",
        "headers": {"Authorization": "bearer of-the-runner"},
        "format": {"type": "json", "subject_token_field_name": "value"},
    }
    await federation.token()
    assert federation.form()["subject_token"] == IDENTITY
    asked = federation.server.asked[0]
    assert (asked.method, asked.target) == ("GET", "/identity?audience=a")
    assert asked.headers["authorization"] == "bearer of-the-runner"


async def test_service_account_is_acted_as_where_the_file_names_one(
    federation: Federation,
) -> None:
    federation.configuration |= {
        "service_account_impersonation_url": f"{federation.server.url}/impersonate",
        "service_account_impersonation": {"token_lifetime_seconds": 600},
    }
    assert await federation.token() == BearerToken("ya29.b", NOW_MS)
    assert federation.form()["scope"] == "https://www.googleapis.com/auth/iam"
    asked = federation.server.asked[-1]
    assert asked.headers["authorization"] == "Bearer ya29.a"
    assert json.loads(asked.body)["lifetime"] == "600s"


async def test_client_of_a_workforce_pool_shows_who_it_is(federation: Federation) -> None:
    federation.configuration |= {
        "client_id": "client", "client_secret": "a b", "workforce_pool_user_project": "p",
    }  # fmt: skip
    await federation.token()
    scheme, _, value = federation.server.asked[0].headers["authorization"].partition(" ")
    assert (scheme, b64decode(value)) == ("Basic", b"client:a b")
    assert "options" not in federation.form()


async def test_project_of_a_workforce_pool_is_named(federation: Federation) -> None:
    federation.configuration["workforce_pool_user_project"] = "p"
    await federation.token()
    assert json.loads(unquote(federation.form()["options"])) == {"userProject": "p"}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"environment_id": "aws1", "regional_cred_verification_url": "https://a"},
         "has neither file nor url: tokens of AWS"),
        ({"executable": {"command": "/bin/true"}}, "has neither file nor url"),
        ({"file": "/nowhere/identity"}, "names no file; correct it: /nowhere/identity"),
        ({"file": "FILE", "format": {"type": "xml"}}, "must be text or json"),
        ({"file": "FILE", "format": {"type": "json", "subject_token_field_name": "a"}},
         "no identity token under 'a'"),
        ({"url": "URL", "format": {"type": "json", "subject_token_field_name": "b"}},
         "no identity token under 'b'"),
        ({"url": "URL", "format": {"type": "json", "subject_token_field_name": "count"}},
         "no identity token under 'count'"),
    ],
    ids=["aws", "program", "no file", "other format", "no json", "no field", "number"],
)  # fmt: skip
async def test_source_without_a_token_says_what_to_correct(
    federation: Federation, source: dict[str, object], text: str
) -> None:
    places = {"FILE": str(federation.identity_file), "URL": f"{federation.server.url}/identity"}
    federation.subject = Said(json.dumps({"value": IDENTITY, "count": 1}))
    federation.configuration["credential_source"] = {
        name: places.get(value, value) if isinstance(value, str) else value
        for name, value in source.items()
    }
    with pytest.raises(StoreMisconfigured, match=text) as caught:
        await federation.token()
    assert_hides(caught.value, IDENTITY)


async def test_empty_file_has_no_token(federation: Federation) -> None:
    federation.identity_file.write_text("\n")
    with pytest.raises(StoreMisconfigured, match="no identity token where"):
        await federation.token()


@pytest.mark.parametrize(
    ("said", "kind", "text"),
    [
        (Said(status=503), NotApplied, "answered 503"),
        (Said(IDENTITY, 401), AccessDenied, "answered 401$"),
        (Said(b"\xff"), NotApplied, "no text in UTF-8"),
    ],
)
async def test_issuer_of_the_identity_that_refuses_is_named(
    federation: Federation, said: Said, kind: type[StoreError], text: str
) -> None:
    federation.subject = said
    federation.configuration["credential_source"] = {"url": f"{federation.server.url}/identity"}
    with pytest.raises(kind, match=text) as caught:
        await federation.token()
    assert "credential_source.url" in str(caught.value)
    assert_hides(caught.value, IDENTITY)


async def test_refused_exchange_says_why_and_nothing_secret(federation: Federation) -> None:
    federation.given = Said(
        f'{{"error": "invalid_target", "error_description": "bad {IDENTITY}"}}', 400
    )
    with pytest.raises(AccessDenied, match=r"Google STS answered 400 \(invalid_target\)") as caught:
        await federation.token()
    assert_hides(caught.value, IDENTITY)


async def test_identity_is_not_sent_over_http(federation: Federation) -> None:
    federation.configuration["token_url"] = "http://sts.example/v1/token"
    with pytest.raises(StoreMisconfigured, match="token_url in the file"):
        await federation.token()

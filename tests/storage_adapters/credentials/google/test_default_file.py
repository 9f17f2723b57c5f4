"""Tests the files of credentials of every kind, found by variable or in gcloud's folder."""

import json
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.credentials.google.default_file import DefaultFile, NamedFile
from storage_adapters.signing import BearerToken
from tests.storage_adapters.credentials.google.test_signed_token import EMAIL, PEM, decoded
from tests.storage_adapters.credentials.issuers import (
    NOW_MS,
    Asked,
    IssuerServer,
    Said,
    assert_hides,
)

SECRET = "kept-from-everybody"
SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


class Folder:
    """A home directory, a server for both token services, and the issuers over them."""

    def __init__(self, home: Path, server: IssuerServer, exchange: Exchange) -> None:
        self.server = server
        self.variables: dict[str, str] = {}
        self.file = home / "credentials.json"
        self.gcloud_file = home / ".config/gcloud/application_default_credentials.json"
        self.gcloud_file.parent.mkdir(parents=True)
        arguments = {"home": home, "now_ms": lambda: NOW_MS}
        self.named = NamedFile(self.variables, exchange, **arguments)
        self.default = DefaultFile(self.variables, exchange, **arguments)
        server.answer = self.answer

    def answer(self, asked: Asked) -> Said:
        if asked.target == "/impersonate":
            return Said('{"accessToken": "acting", "expireTime": "2023-11-14T22:13:20Z"}')
        return Said('{"access_token": "exchanged", "expires_in": 3600}')

    async def token(self, content: object) -> BearerToken | None:
        self.file.write_text(content if isinstance(content, str) else json.dumps(content))
        self.variables["GOOGLE_APPLICATION_CREDENTIALS"] = "~/credentials.json"
        return await self.named.fetch()

    def user(self) -> dict[str, object]:
        return {
            "type": "authorized_user", "client_id": "c", "client_secret": SECRET,
            "refresh_token": SECRET, "token_uri": f"{self.server.url}/token",
            "quota_project_id": "of-the-file", "universe_domain": "googleapis.com",
        }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, server: IssuerServer, exchange: Exchange) -> Folder:
    return Folder(tmp_path, server, exchange)


EXCHANGED = BearerToken("exchanged", NOW_MS + 3_600_000)
ACCOUNT = {
    "type": "service_account", "project_id": "p", "private_key_id": "key-1",
    "private_key": PEM, "client_email": EMAIL, "client_id": "1",
}  # fmt: skip


async def test_without_a_file_there_is_nothing(folder: Folder) -> None:
    assert await folder.named.fetch() is None
    assert await folder.default.fetch() is None


async def test_key_of_a_service_account_signs_for_objects(folder: Folder) -> None:
    token = await folder.token(ACCOUNT)
    assert token is not None
    assert decoded(token.token.split(".")[1])["scope"] == SCOPE
    assert token.quota_project is None
    assert folder.server.asked == []


async def test_person_is_paid_for_by_the_project_of_file_or_environment(folder: Folder) -> None:
    token = await folder.token(folder.user())
    assert token == BearerToken("exchanged", NOW_MS + 3_600_000, "of-the-file")
    folder.variables["GOOGLE_CLOUD_QUOTA_PROJECT"] = "of-the-environment"
    token = await folder.named.fetch()
    assert token == BearerToken("exchanged", NOW_MS + 3_600_000, "of-the-environment")


async def test_identity_of_another_system_is_exchanged(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "identity").write_text("identity")
    configuration = {
        "type": "external_account", "audience": "a", "subject_token_type": "t",
        "token_url": f"{folder.server.url}/token",
        "credential_source": {"file": str(tmp_path / "identity")},
    }  # fmt: skip
    assert await folder.token(configuration) == EXCHANGED


async def test_person_acts_as_a_service_account(folder: Folder) -> None:
    configuration = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": f"{folder.server.url}/impersonate",
        "source_credentials": folder.user(),
        "delegates": ["a"],
    }
    assert await folder.token(configuration) == BearerToken("acting", NOW_MS)
    first, second = folder.server.asked
    assert dict(parse_qsl(first.body.decode()))["grant_type"] == "refresh_token"
    assert json.loads(second.body)["delegates"] == ["a"]


async def test_account_that_acts_as_another_signs_for_that(folder: Folder) -> None:
    configuration = {
        "type": "impersonated_service_account",
        "service_account_impersonation_url": f"{folder.server.url}/impersonate",
        "source_credentials": ACCOUNT,
    }
    assert await folder.token(configuration) == BearerToken("acting", NOW_MS)
    scheme, _, token = folder.server.asked[0].headers["authorization"].partition(" ")
    assert scheme == "Bearer"
    assert decoded(token.split(".")[1])["scope"] == "https://www.googleapis.com/auth/iam"


async def test_file_of_gcloud_is_found_in_its_folder(folder: Folder, tmp_path: Path) -> None:
    folder.gcloud_file.write_text(json.dumps(folder.user()))
    token = await folder.default.fetch()
    assert token is not None
    assert token.token == "exchanged"


async def test_folder_of_gcloud_can_be_named(
    exchange: Exchange, server: IssuerServer, tmp_path: Path
) -> None:
    folder = Folder(tmp_path, server, exchange)
    (tmp_path / "application_default_credentials.json").write_text(json.dumps(folder.user()))
    variables = {"CLOUDSDK_CONFIG": str(tmp_path)}
    source = DefaultFile(variables, exchange, home=Path("/nowhere"), now_ms=lambda: NOW_MS)
    assert await source.fetch() is not None


async def test_file_that_is_named_must_be_there(folder: Folder) -> None:
    folder.variables["GOOGLE_APPLICATION_CREDENTIALS"] = "/nowhere/file.json"
    with pytest.raises(StoreMisconfigured, match=r"names no file; correct it: /nowhere/file\.json"):
        await folder.named.fetch()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "cannot be understood"),
        (SECRET, "cannot be understood"),
        ("[" * 100_000, "cannot be understood|holds no JSON"),
        (json.dumps({"private_key": SECRET}), "missing required field `type`"),
        (json.dumps({"type": "gdch_service_account", "private_key": SECRET}),
         "of a kind that is not built in; it must be one of service_account"),
        (json.dumps({"type": "service_account", "private_key": SECRET}),
         "missing required field `client_email`"),
        (json.dumps({"type": "service_account", "private_key": SECRET, "client_email": 1}),
         r"Expected `str`, got `int` - at `\$\.client_email`"),
        (json.dumps({"type": "authorized_user", "refresh_token": [SECRET]}),
         r"`array` - at `\$\.refresh_token`"),
        (f'{{"type": "service_account", "a": {"[" * 100_000}', "cannot be|holds no JSON"),
    ],
    ids=["empty", "no json", "deep", "no kind", "other kind", "half", "number", "list",
         "deep inside"],
)  # fmt: skip
async def test_file_that_cannot_be_used_says_why_and_nothing_secret(
    folder: Folder, content: str, text: str
) -> None:
    with pytest.raises(StoreMisconfigured, match=text) as caught:
        await folder.token(content)
    assert "GOOGLE_APPLICATION_CREDENTIALS" in str(caught.value)
    assert_hides(caught.value, SECRET)

"""Tests the whole chain for Google Cloud Storage."""

import json
from pathlib import Path

import pytest

from storage_adapters.contract import AccessDenied
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.credentials.google.opening import google_credentials
from storage_adapters.credentials.source import CredentialSource
from storage_adapters.signing import ANONYMOUS, BearerToken, HmacKey
from tests.storage_adapters.credentials.issuers import NOW_MS, Asked, IssuerServer, Said


def token_named(asked: Asked) -> Said:
    """Gives a token with the name of the way that led to it."""
    name = "instance" if asked.method == "GET" else asked.target.strip("/")
    body = f'{{"access_token": "{name}", "expires_in": 3600}}'
    return Said(body, headers={"metadata-flavor": "Google"})


def write_user(path: Path, url: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    user = {"type": "authorized_user", "client_id": "c", "client_secret": "s",
            "refresh_token": "r", "token_uri": url}  # fmt: skip
    path.write_text(json.dumps(user))


async def test_places_are_asked_in_order(
    tmp_path: Path, server: IssuerServer, exchange: Exchange
) -> None:
    server.answer = token_named
    gcloud_file = tmp_path / ".config/gcloud/application_default_credentials.json"
    write_user(tmp_path / "named.json", f"{server.url}/named")
    write_user(gcloud_file, f"{server.url}/gcloud")
    variables = {
        "STORAGE_EMULATOR_HOST": "localhost:1",
        "GCS_HMAC_ACCESS_KEY_ID": "GOOG1E",
        "GCS_HMAC_SECRET": "hidden",
        "GOOGLE_APPLICATION_CREDENTIALS": "~/named.json",
        "GCE_METADATA_HOST": server.host,
    }

    def opened() -> CredentialSource:
        return google_credentials(
            variables, home=tmp_path, now_ms=lambda: NOW_MS, exchange=exchange
        )

    assert await opened().current() is ANONYMOUS
    assert opened().description == "nobody's credentials, for an emulator"
    del variables["STORAGE_EMULATOR_HOST"]
    assert await opened().current() == HmacKey("GOOG1E", "hidden")
    del variables["GCS_HMAC_ACCESS_KEY_ID"], variables["GCS_HMAC_SECRET"]
    assert await opened().current() == BearerToken("named", NOW_MS + 3_600_000)
    del variables["GOOGLE_APPLICATION_CREDENTIALS"]
    assert await opened().current() == BearerToken("gcloud", NOW_MS + 3_600_000)
    gcloud_file.unlink()
    source = opened()
    assert await source.current() == BearerToken("instance", NOW_MS + 3_600_000)
    assert source.description == "Google's metadata server"
    variables["NO_GCE_CHECK"] = "true"
    with pytest.raises(
        AccessDenied, match=r"name a file by GOOGLE_APPLICATION_CREDENTIALS.*gcloud"
    ):
        await opened().current()


async def test_chain_is_made_without_asking_anybody(tmp_path: Path) -> None:
    source = google_credentials({}, home=tmp_path, now_ms=lambda: NOW_MS)
    assert "Google's metadata server" in source.description

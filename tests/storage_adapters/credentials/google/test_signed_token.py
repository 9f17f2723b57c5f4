"""Tests tokens that a service account's key signs."""

import json
import sys
from base64 import urlsafe_b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.google.signed_token import (
    ServiceAccountFile,
    token_of_service_account,
)
from storage_adapters.signing import BearerToken
from tests.storage_adapters.credentials.issuers import NOW_MS, assert_hides

EMAIL = "queue@project.iam.gserviceaccount.com"
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def token_of(file: ServiceAccountFile) -> BearerToken:
    return await token_of_service_account(file, scope="a-scope", where="the file", now_ms=NOW_MS)


def decoded(part: str) -> dict[str, object]:
    assert "=" not in part
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.mark.parametrize("key_id", ["", "key-1"])
async def test_token_is_signed_by_the_key_and_lives_an_hour(key_id: str) -> None:
    token = await token_of(ServiceAccountFile(EMAIL, PEM, key_id))
    assert token.expires_at_ms == NOW_MS + 3_600_000
    header, claims, signature = token.token.split(".")
    named = {"kid": key_id} if key_id else {}
    assert decoded(header) == {"alg": "RS256", "typ": "JWT", **named}
    assert decoded(claims) == {
        "iss": EMAIL, "sub": EMAIL, "scope": "a-scope",
        "iat": NOW_MS // 1_000, "exp": NOW_MS // 1_000 + 3_600,
    }  # fmt: skip
    signed = urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    KEY.public_key().verify(signed, f"{header}.{claims}".encode(), PKCS1v15(), SHA256())


@pytest.mark.parametrize(
    "pem",
    [
        "kept-from-everybody",
        "",
        PEM[:200],
        KEY.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
        ).decode(),
        ed25519.Ed25519PrivateKey.generate()
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode(),
    ],
    ids=["text", "empty", "half", "encrypted", "other kind"],
)
async def test_key_that_is_none_is_misconfigured_and_not_shown(pem: str) -> None:
    with pytest.raises(StoreMisconfigured, match="private_key in the file is no RSA key") as caught:
        await token_of(ServiceAccountFile(EMAIL, pem))
    assert_hides(caught.value, *filter(None, pem.splitlines()))


async def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(StoreMisconfigured, match=r"pip install 'osqueue\[gcs-service-account\]'"):
        await token_of(ServiceAccountFile(EMAIL, PEM))


def test_no_repr_shows_the_key() -> None:
    assert repr(ServiceAccountFile(EMAIL, PEM)) == "ServiceAccountFile(...)"

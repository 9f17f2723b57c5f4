"""Tokens that the key of a service account signs by itself: no round trip to Google.

Source: "Using OAuth 2.0 for Server to Server Applications", addendum on service account
authorization without OAuth: a JWT with a scope is taken in place of an access token.
"""

from base64 import urlsafe_b64encode
from contextlib import suppress

import msgspec
import trio

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.exchange import SecretStruct
from storage_adapters.signing import BearerToken

__all__ = ["ServiceAccountFile", "token_of_service_account"]

_LIFE_S = 3_600


class ServiceAccountFile(SecretStruct):
    """The file of a service account's key."""

    client_email: str
    private_key: str
    private_key_id: str = ""
    quota_project_id: str | None = None


async def token_of_service_account(
    file: ServiceAccountFile, *, scope: str, where: str, now_ms: int
) -> BearerToken:
    """Sign a token that lives an hour, in a thread: reading and checking a key takes its time.

    Args:
        where: names the file for a person.

    Raises:
        StoreMisconfigured: `cryptography` is not installed, or the key is none.

    Cancellation: the token is dropped.
    """
    issued_at_s = now_ms // 1_000
    header = {"alg": "RS256", "typ": "JWT"}
    if file.private_key_id:
        header["kid"] = file.private_key_id
    claims = {
        "iss": file.client_email,
        "sub": file.client_email,
        "scope": scope,
        "iat": issued_at_s,
        "exp": issued_at_s + _LIFE_S,
    }
    unsigned = b".".join(_base64(msgspec.json.encode(part)) for part in (header, claims))
    signature = await trio.to_thread.run_sync(_sign, file.private_key, unsigned, where)
    token = b".".join([unsigned, _base64(signature)]).decode()
    return BearerToken(token, (issued_at_s + _LIFE_S) * 1_000)


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _sign(private_key: str, message: bytes, where: str) -> bytes:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise StoreMisconfigured(
            "the key of a service account needs the package cryptography: "
            "pip install 'osqueue[gcs-service-account]'"
        ) from None
    key: object = None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = load_pem_private_key(private_key.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise StoreMisconfigured(
            f"private_key in {where} is no RSA key in PEM form; get a new key file"
        )
    return key.sign(message, PKCS1v15(), SHA256())

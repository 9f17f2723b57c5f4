"""Tokens of a person who signed in with `gcloud auth application-default login`.

Source: RFC 6749, section 6 (refreshing an access token).
"""

from collections.abc import Callable
from urllib.parse import urlencode

from storage_adapters.credentials.exchange import Exchange, SecretStruct
from storage_adapters.credentials.google.token_answers import check_protected, token_of
from storage_adapters.signing import BearerToken

__all__ = ["UserFile", "token_of_user"]

_ISSUER = "Google's token service"
_TIMEOUT_S = 5.0


class UserFile(SecretStruct):
    """The file that gcloud writes for a person."""

    client_id: str
    client_secret: str
    refresh_token: str
    token_uri: str = "https://oauth2.googleapis.com/token"
    quota_project_id: str | None = None


async def token_of_user(
    file: UserFile, exchange: Exchange, *, where: str, now_ms: Callable[[], int]
) -> BearerToken:
    """Exchange the refresh token for an access token.

    Args:
        where: names the file for a person.

    Raises, Cancellation: as `Issuer.fetch`.
    """
    check_protected(file.token_uri, what=f"token_uri in {where}")
    form = {
        "grant_type": "refresh_token",
        "client_id": file.client_id,
        "client_secret": file.client_secret,
        "refresh_token": file.refresh_token,
    }
    asked_at_ms = now_ms()
    answer = await exchange.ask(
        "POST",
        file.token_uri,
        issuer=_ISSUER,
        timeout_s=_TIMEOUT_S,
        headers={"content-type": "application/x-www-form-urlencoded"},
        content=urlencode(form).encode(),
    )
    secrets = [file.client_secret, file.refresh_token]
    return token_of(answer, issuer=_ISSUER, now_ms=asked_at_ms, secrets=secrets)

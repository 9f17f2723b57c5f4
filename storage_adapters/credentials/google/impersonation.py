"""Tokens of a service account for somebody who may act as it.

Source: IAM Service Account Credentials API, projects.serviceAccounts.generateAccessToken.
"""

from collections.abc import Sequence

import msgspec

from storage_adapters.contract import NotApplied
from storage_adapters.credentials.exchange import Exchange, SecretStruct, ms_of
from storage_adapters.credentials.google.token_answers import (
    STORAGE_SCOPE,
    check_protected,
    refused_token,
)
from storage_adapters.signing import BearerToken

__all__ = ["IMPERSONATION_SCOPE", "act_as"]

IMPERSONATION_SCOPE = "https://www.googleapis.com/auth/iam"
"""What the token of the one who acts must allow."""

_ISSUER = "Google's service account impersonation"
_TIMEOUT_S = 5.0


class _Impersonated(SecretStruct, rename="camel"):
    access_token: str
    expire_time: str


async def act_as(
    url: str,
    exchange: Exchange,
    *,
    token: BearerToken,
    where: str,
    delegates: Sequence[str] = (),
    life_s: int = 3_600,
) -> BearerToken:
    """Get a token of the service account that `url` names.

    Args:
        token: of the one who acts.
        where: names the file that holds `url`, for a person.
        delegates: service accounts in between.

    Raises, Cancellation: as `Issuer.fetch`.
    """
    check_protected(url, what=f"service_account_impersonation_url in {where}")
    question = {"delegates": list(delegates), "scope": [STORAGE_SCOPE], "lifetime": f"{life_s}s"}
    answer = await exchange.ask(
        "POST",
        url,
        issuer=_ISSUER,
        timeout_s=_TIMEOUT_S,
        headers={"authorization": f"Bearer {token.token}", "content-type": "application/json"},
        content=msgspec.json.encode(question),
    )
    if answer.status != 200:
        raise refused_token(answer, issuer=_ISSUER, secrets=[token.token])
    given = answer.read(_Impersonated, issuer=_ISSUER)
    if not given.access_token:
        raise NotApplied(f"unusable answer of {_ISSUER}: an empty token")
    return BearerToken(given.access_token, ms_of(given.expire_time, issuer=_ISSUER))

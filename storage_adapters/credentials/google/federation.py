"""Tokens for whoever holds an identity of another system (workload identity federation).

The identity token comes from a file or a URL. Those that AWS signs, that a program prints or that
a certificate stands for are left out, and named in the error.

Source: RFC 8693 (token exchange), and "Workload Identity Federation", credential configurations.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

import msgspec

from storage_adapters.contract import NotApplied, StoreMisconfigured
from storage_adapters.credentials.exchange import Exchange, SecretStruct, refusal
from storage_adapters.credentials.files import read_text
from storage_adapters.credentials.google.impersonation import IMPERSONATION_SCOPE, act_as
from storage_adapters.credentials.google.token_answers import (
    STORAGE_SCOPE,
    check_protected,
    token_of,
)
from storage_adapters.signing import BearerToken

__all__ = ["FederationFile", "token_of_federation"]

_ISSUER = "Google STS"
_SUBJECT_ISSUER = "the issuer of the identity token (credential_source.url)"
_TIMEOUT_S = 5.0


class SubjectFormat(SecretStruct):
    """How the identity token is wrapped."""

    type: str = "text"
    subject_token_field_name: str = ""


class SubjectSource(SecretStruct):
    """Where the identity token is."""

    file: str = ""
    url: str = ""
    headers: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    format: SubjectFormat = msgspec.field(default_factory=SubjectFormat)


class ImpersonationOptions(SecretStruct):
    """How long an impersonated token lives."""

    token_lifetime_seconds: int = 3_600


class FederationFile(SecretStruct):
    """The file that `gcloud iam workload-identity-pools create-cred-config` writes."""

    audience: str
    subject_token_type: str
    credential_source: SubjectSource
    token_url: str = "https://sts.googleapis.com/v1/token"
    service_account_impersonation_url: str = ""
    service_account_impersonation: ImpersonationOptions = msgspec.field(
        default_factory=ImpersonationOptions
    )
    client_id: str = ""
    client_secret: str = ""
    workforce_pool_user_project: str = ""
    quota_project_id: str | None = None


async def token_of_federation(
    file: FederationFile, exchange: Exchange, *, where: str, now_ms: Callable[[], int]
) -> BearerToken:
    """Exchange the identity token of now; act as a service account where the file says so.

    Args:
        where: names the file for a person.

    Raises, Cancellation: as `Issuer.fetch`.
    """
    check_protected(file.token_url, what=f"token_url in {where}")
    subject = await _subject_token(file.credential_source, exchange, where=where)
    impersonation_url = file.service_account_impersonation_url
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": file.audience,
        "scope": IMPERSONATION_SCOPE if impersonation_url else STORAGE_SCOPE,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": subject,
        "subject_token_type": file.subject_token_type,
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if file.client_id:
        client = f"{file.client_id}:{file.client_secret}".encode()
        headers["authorization"] = f"Basic {b64encode(client).decode()}"
    elif file.workforce_pool_user_project:
        options = msgspec.json.encode({"userProject": file.workforce_pool_user_project})
        form["options"] = quote(options)
    asked_at_ms = now_ms()
    answer = await exchange.ask(
        "POST",
        file.token_url,
        issuer=_ISSUER,
        timeout_s=_TIMEOUT_S,
        headers=headers,
        content=urlencode(form).encode(),
    )
    secrets = [subject, file.client_secret]
    token = token_of(answer, issuer=_ISSUER, now_ms=asked_at_ms, secrets=secrets)
    if not impersonation_url:
        return token
    life_s = file.service_account_impersonation.token_lifetime_seconds
    return await act_as(impersonation_url, exchange, token=token, where=where, life_s=life_s)


async def _subject_token(source: SubjectSource, exchange: Exchange, *, where: str) -> str:
    """Read the identity token anew: whoever issues it replaces it before it ends."""
    if source.file:
        text = await read_text(Path(source.file), what="the identity token")
        if text is None:
            raise StoreMisconfigured(
                f"credential_source in {where} names no file; correct it: {source.file}"
            )
    elif source.url:
        text = await _ask_for_subject(source.url, source.headers, exchange)
    else:
        raise StoreMisconfigured(
            f"credential_source in {where} has neither file nor url: tokens of AWS, programs and "
            "certificates are not built in; create a configuration with a file or URL"
        )
    return _unwrapped(text, source.format, where=where)


async def _ask_for_subject(url: str, headers: Mapping[str, str], exchange: Exchange) -> str:
    answer = await exchange.ask(
        "GET", url, issuer=_SUBJECT_ISSUER, timeout_s=_TIMEOUT_S, headers=headers
    )
    if answer.status != 200:
        raise refusal(answer, issuer=_SUBJECT_ISSUER)
    try:
        return answer.body.decode()
    except UnicodeDecodeError:
        raise NotApplied(f"unusable answer of {_SUBJECT_ISSUER}: no text in UTF-8") from None


def _unwrapped(text: str, wrapping: SubjectFormat, *, where: str) -> str:
    token: object = text.strip()
    if wrapping.type == "json":
        try:
            token = msgspec.json.decode(text, type=dict[str, object])[
                wrapping.subject_token_field_name
            ]
        except (ValueError, RecursionError, KeyError):
            token = None
    elif wrapping.type != "text":
        raise StoreMisconfigured(
            f"credential_source.format.type in {where} must be text or json; correct it"
        )
    if not isinstance(token, str) or not token:
        name = wrapping.subject_token_field_name
        field = f" under {name!r}" if wrapping.type == "json" else ""
        raise StoreMisconfigured(
            f"no identity token{field} where credential_source in {where} says; correct it"
        )
    return token

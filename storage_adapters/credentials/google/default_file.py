"""The file of credentials that Google's own tools would use, whatever kind it is of.

Source: "How Application Default Credentials works".
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.exchange import Exchange, SecretStruct
from storage_adapters.credentials.files import expanded, read_text
from storage_adapters.credentials.google.federation import FederationFile, token_of_federation
from storage_adapters.credentials.google.impersonation import IMPERSONATION_SCOPE, act_as
from storage_adapters.credentials.google.signed_token import (
    ServiceAccountFile,
    token_of_service_account,
)
from storage_adapters.credentials.google.token_answers import STORAGE_SCOPE
from storage_adapters.credentials.google.user import UserFile, token_of_user
from storage_adapters.signing import BearerToken

__all__ = ["DefaultFile", "NamedFile"]

_NAMED_BY = "GOOGLE_APPLICATION_CREDENTIALS"
_KINDS = "service_account, authorized_user, external_account, impersonated_service_account"


class _Kind(SecretStruct):
    type: str


class _ImpersonatedFile(SecretStruct):
    service_account_impersonation_url: str
    source_credentials: msgspec.Raw
    delegates: tuple[str, ...] = ()
    quota_project_id: str | None = None


Told = TypeVar("Told", bound=SecretStruct)


class _FileReader:
    """Gets a token by what a file says, read anew each time."""

    def __init__(
        self, environment: Mapping[str, str], exchange: Exchange, *, now_ms: Callable[[], int]
    ) -> None:
        self._environment = environment
        self._exchange = exchange
        self._now_ms = now_ms

    async def token(self, text: str, *, where: str) -> BearerToken:
        """Get a token for objects, paid for by the project that file or environment names.

        Raises, Cancellation: as `Issuer.fetch`.
        """
        token, project = await self._token(text.encode(), scope=STORAGE_SCOPE, where=where)
        payer = self._environment.get("GOOGLE_CLOUD_QUOTA_PROJECT") or project
        return BearerToken(token.token, token.expires_at_ms, payer or None)

    async def _token(
        self, text: bytes | msgspec.Raw, *, scope: str, where: str
    ) -> tuple[BearerToken, str | None]:
        kind = _decoded(text, _Kind, where=where).type
        match kind:
            case "service_account":
                file = _decoded(text, ServiceAccountFile, where=where)
                now_ms = self._now_ms()
                token = await token_of_service_account(
                    file, scope=scope, where=where, now_ms=now_ms
                )
                return token, file.quota_project_id
            case "authorized_user":
                file = _decoded(text, UserFile, where=where)
                now_ms = self._now_ms
                token = await token_of_user(file, self._exchange, where=where, now_ms=now_ms)
                return token, file.quota_project_id
            case "external_account":
                file = _decoded(text, FederationFile, where=where)
                now_ms = self._now_ms
                token = await token_of_federation(file, self._exchange, where=where, now_ms=now_ms)
                return token, file.quota_project_id
            case "impersonated_service_account":
                file = _decoded(text, _ImpersonatedFile, where=where)
                actor, _ = await self._token(
                    file.source_credentials, scope=IMPERSONATION_SCOPE, where=where
                )
                url = file.service_account_impersonation_url
                token = await act_as(
                    url, self._exchange, token=actor, where=where, delegates=file.delegates
                )
                return token, file.quota_project_id
            case _:
                raise StoreMisconfigured(
                    f"{where} is of a kind that is not built in; it must be one of {_KINDS}"
                )


class NamedFile:
    """The `Issuer` of the file that GOOGLE_APPLICATION_CREDENTIALS names."""

    name = f"the file of {_NAMED_BY}"

    def __init__(
        self, environment: Mapping[str, str], exchange: Exchange, *, home: Path,
        now_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        self._environment = environment
        self._home = home
        self._reader = _FileReader(environment, exchange, now_ms=now_ms)

    async def fetch(self) -> BearerToken | None:
        """Get a token by it; None where the variable is not set. See `Issuer.fetch`."""
        named = self._environment.get(_NAMED_BY)
        if not named:
            return None
        text = await read_text(expanded(named, home=self._home), what=self.name)
        if text is None:
            raise StoreMisconfigured(f"{_NAMED_BY} names no file; correct it: {named}")
        return await self._reader.token(text, where=self.name)


class DefaultFile:
    """The `Issuer` of the file that `gcloud auth application-default login` writes."""

    name = "gcloud's application default credentials"

    def __init__(
        self, environment: Mapping[str, str], exchange: Exchange, *, home: Path,
        now_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        folder = environment.get("CLOUDSDK_CONFIG") or "~/.config/gcloud"
        self._path = expanded(folder, home=home) / "application_default_credentials.json"
        self._reader = _FileReader(environment, exchange, now_ms=now_ms)

    async def fetch(self) -> BearerToken | None:
        """Get a token by it; None where there is no such file. See `Issuer.fetch`."""
        text = await read_text(self._path, what=self.name)
        return None if text is None else await self._reader.token(text, where=self.name)


def _decoded(text: bytes | msgspec.Raw, kind: type[Told], *, where: str) -> Told:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        # Its text names the field and what is wrong, and holds no value.
        raise StoreMisconfigured(f"{where} cannot be understood: {error}; correct it") from None
    except (ValueError, RecursionError):
        raise StoreMisconfigured(f"{where} holds no JSON that can be used; correct it") from None

"""Puts the chain for Google Cloud Storage together."""

from collections.abc import Callable, Mapping
from pathlib import Path

from storage_adapters.credentials.chain import Chain
from storage_adapters.credentials.exchange import Exchange
from storage_adapters.credentials.google.default_file import DefaultFile, NamedFile
from storage_adapters.credentials.google.hmac_keys import EnvironmentHmacKey
from storage_adapters.credentials.google.instance import InstanceToken
from storage_adapters.credentials.refreshing import FailedRenewal, RefreshingSource
from storage_adapters.credentials.source import CredentialSource, FixedSource
from storage_adapters.signing import ANONYMOUS

__all__ = ["google_credentials"]


def google_credentials(
    environment: Mapping[str, str],
    *,
    home: Path,
    now_ms: Callable[[], int],
    exchange: Exchange | None = None,
    on_failed_renewal: FailedRenewal | None = None,
) -> CredentialSource:
    """Look for credentials where Google's libraries do.

    Nobody's, where STORAGE_EMULATOR_HOST is set. Otherwise HMAC keys; the file that
    GOOGLE_APPLICATION_CREDENTIALS names; that of gcloud; the metadata server. Reads and asks
    nothing before the first request needs it.

    Args:
        environment: the variables of the process, or what stands for them.
        home: of its user, for `~/.config/gcloud`.
        now_ms: the wall clock, ms since the epoch.
        exchange: how issuers are asked; by default trusting what the machine trusts.
        on_failed_renewal: see `RefreshingSource`.
    """
    if environment.get("STORAGE_EMULATOR_HOST"):
        return FixedSource(ANONYMOUS, description="nobody's credentials, for an emulator")
    exchange = exchange or Exchange()
    chain = Chain(
        [
            EnvironmentHmacKey(environment),
            NamedFile(environment, exchange, home=home, now_ms=now_ms),
            DefaultFile(environment, exchange, home=home, now_ms=now_ms),
            InstanceToken(environment, exchange, now_ms=now_ms),
        ],
        advice="name a file by GOOGLE_APPLICATION_CREDENTIALS, sign in by `gcloud auth "
        "application-default login`, or give the machine a service account",
    )
    return RefreshingSource(chain, now_ms=now_ms, on_failed_renewal=on_failed_renewal)

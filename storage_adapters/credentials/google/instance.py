"""Tokens of the service account that a machine or pod of Google runs as.

Compute Engine, Cloud Run, and GKE with workload identity all have the same metadata server.

Source: Compute Engine documentation, "Authenticate applications directly with access tokens".
"""

from collections.abc import Callable, Mapping

from storage_adapters.contract import AccessDenied, NotApplied
from storage_adapters.credentials.exchange import Exchange, NoAnswer
from storage_adapters.credentials.google.token_answers import token_of
from storage_adapters.signing import BearerToken

__all__ = ["InstanceToken"]

_HOST = "metadata.google.internal"
_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
_FLAVOR = "Google"
_TIMEOUT_S = 3.0


class InstanceToken:
    """The `Issuer` at metadata.google.internal or GCE_METADATA_HOST."""

    name = "Google's metadata server"

    def __init__(
        self, environment: Mapping[str, str], exchange: Exchange, *, now_ms: Callable[[], int]
    ) -> None:
        self._environment = environment
        self._exchange = exchange
        self._now_ms = now_ms
        self._has_answered = False

    async def fetch(self) -> BearerToken | None:
        """Ask for a token; see `Issuer.fetch`.

        Returns: None where NO_GCE_CHECK is true, and where nobody answers that ever has: then
        this is no machine of Google.
        """
        named = self._environment.get
        if named("NO_GCE_CHECK", "").lower() == "true":
            return None
        host = named("GCE_METADATA_HOST") or named("GCE_METADATA_ROOT") or _HOST
        asked_at_ms = self._now_ms()
        try:
            answer = await self._exchange.ask(
                "GET",
                f"http://{host}{_PATH}",
                issuer=self.name,
                timeout_s=_TIMEOUT_S,
                headers={"metadata-flavor": _FLAVOR},
                is_local=True,
            )
        except NoAnswer:
            if self._has_answered:
                raise
            return None
        if answer.headers.get("metadata-flavor") != _FLAVOR:
            raise NotApplied(f"{self.name}: what answers at {host} is something else")
        self._has_answered = True
        if answer.status == 404:
            raise AccessDenied(f"no credentials: this machine has no service account ({self.name})")
        return token_of(answer, issuer=self.name, now_ms=asked_at_ms, secrets=[])

"""Several places for credentials, asked in order until one is set up."""

from collections.abc import Sequence
from typing import assert_never

from storage_adapters.contract import AccessDenied, StoreMisconfigured
from storage_adapters.credentials.exchange import is_sendable
from storage_adapters.credentials.source import Issuer
from storage_adapters.signing import Anonymous, AwsKeys, BearerToken, Credentials, HmacKey

__all__ = ["Chain"]


class Chain:
    """An `Issuer` that is the first of several which is set up here.

    That one is asked from then on: a broker does not change who it is because a file went away.
    An issuer that is set up and fails ends the search with its error, for the same reason.
    """

    def __init__(self, issuers: Sequence[Issuer], *, advice: str) -> None:
        """Ask nobody yet.

        Args:
            advice: what to do where none is set up, for the error.
        """
        self._issuers = issuers
        self._advice = advice
        self._chosen: Issuer | None = None

    @property
    def name(self) -> str:
        """Names the place that was found; before that, all of them."""
        if self._chosen is not None:
            return self._chosen.name
        return ", ".join(issuer.name for issuer in self._issuers)

    async def fetch(self) -> Credentials | None:
        """Fetch from the first place that is set up; see `Issuer.fetch`. Never None."""
        for issuer in [self._chosen] if self._chosen else self._issuers:
            fetched = await issuer.fetch()
            if fetched is not None:
                _check_sendable(fetched, issuer)
                self._chosen = issuer
                return fetched
        raise AccessDenied(f"no credentials found; {self._advice}. Looked in: {self.name}")


def _check_sendable(credentials: Credentials, issuer: Issuer) -> None:
    match credentials:
        case AwsKeys():
            sent = credentials.access_key_id + (credentials.session_token or "")
        case HmacKey():
            sent = credentials.access_id
        case BearerToken():
            sent = credentials.token + (credentials.quota_project or "")
        case Anonymous():
            sent = ""
        case _:
            assert_never(credentials)
    if not is_sendable(sent):
        raise StoreMisconfigured(
            f"the credentials of {issuer.name} hold a line break or other characters that no "
            "header may hold; correct them"
        )

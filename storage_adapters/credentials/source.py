"""What a store asks for credentials, what is behind it, and the simplest answer.

The HTTP store asks its source before each request; it never keeps what it got. What credentials
are, and what they do to a request, stands in `signing`; the sources of each provider lie in
`aws` and `google`, and `refreshing` keeps what they give.
"""

from typing import Protocol

from storage_adapters.signing import Credentials

__all__ = ["CredentialSource", "FixedSource", "Issuer"]


class CredentialSource(Protocol):
    """Gives credentials that are valid now.

    May be asked concurrently by the tasks of one Trio run.
    """

    @property
    def description(self) -> str:
        """Names the source for a person, without a secret: "environment variables"."""
        ...

    async def current(self) -> Credentials:
        """Give credentials that are valid now and for some seconds to come.

        Usually without waiting: they are renewed minutes ahead of their end.

        Raises:
            AccessDenied: there are none, or their issuer refuses: an operator has to act.
            StoreMisconfigured: a file, variable or profile that names them is wrong.
            NotApplied: none just now, their issuer does not answer; to be tried again. Whoever
                asked for a write has surely sent nothing; for a read this is `StoreUnavailable`.

        Cancellation: this caller stops waiting; a renewal that others wait for goes on.
        """
        ...

    def forget(self, refused: Credentials) -> None:
        """Say that the store refused these as expired or unknown: the next caller gets new ones.

        Harmless where they have been renewed meanwhile, or cannot be.
        """
        ...


class Issuer(Protocol):
    """One place that credentials come from: variables, a file, a service near the machine."""

    @property
    def name(self) -> str:
        """Names the place for a person, without a secret: "EC2 instance metadata"."""
        ...

    async def fetch(self) -> Credentials | None:
        """Fetch new credentials. One attempt; not called concurrently.

        Returns: None where this place is not set up here, so that another one is to be asked.

        Raises:
            AccessDenied, StoreMisconfigured, NotApplied: as `CredentialSource.current`.

        Cancellation: nothing has been fetched; asking again is harmless.
        """
        ...


class FixedSource:
    """Always gives the same credentials: keys from settings, or nobody for an emulator."""

    def __init__(self, credentials: Credentials, *, description: str = "fixed credentials") -> None:
        self._credentials = credentials
        self._description = description

    @property
    def description(self) -> str:
        """Names the source for a person."""
        return self._description

    async def current(self) -> Credentials:
        """Give them. Raises nothing and does not wait."""
        return self._credentials

    def forget(self, refused: Credentials) -> None:
        """Do nothing: there are no others."""

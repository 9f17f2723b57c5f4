"""One question to an issuer of credentials over HTTP, bounded in time and size, and its answer.

Every issuer that is asked over the network is asked here, so that it is decided once what a
stranger at the other end can do: be slow, be endless, redirect, answer nonsense, or send back what
it was sent. Nothing that was sent or received gets into an error: no body, no header, no text of a
lower error but that of a failed connection. Words of an issuer are quoted only where they share
nothing with the secrets that it was sent.
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import httpx
import msgspec
import trio

from storage_adapters.contract import AccessDenied, NotApplied, StoreError, StoreMisconfigured

__all__ = [
    "Answer",
    "Exchange",
    "NoAnswer",
    "SecretStruct",
    "is_sendable",
    "ms_of",
    "reason_of",
    "refusal",
]

_ANSWER_BYTES_MAX = 262_144
_QUOTED_CHARS_MAX = 240
_SHARED_CHARS = 8
"""So many characters in a row that were sent as a secret make words unfit to be shown."""


class NoAnswer(NotApplied):
    """The issuer could not be reached, or did not answer in time."""


class SecretStruct(msgspec.Struct):
    """What an issuer or a file says, of which a `repr` shows nothing."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


Told = TypeVar("Told", bound=SecretStruct)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an issuer said."""

    status: int
    body: bytes = field(repr=False)
    headers: httpx.Headers = field(repr=False)

    def read(self, kind: type[Told], *, issuer: str) -> Told:
        """Read the JSON object that was expected.

        Raises:
            NotApplied: it is something else; another answer may come later.
        """
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.DecodeError as error:
            # Its text names the field and what is wrong, and holds no value.
            raise NotApplied(f"unusable answer of {issuer}: {error}") from None
        except (ValueError, RecursionError):
            raise NotApplied(f"unusable answer of {issuer}: not the expected JSON") from None

    def peek(self, kind: type[Told]) -> Told | None:
        """Read a JSON object that explains a refusal, if it is one."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (ValueError, RecursionError):
            return None


class Exchange:
    """Asks issuers; keeps nothing but the certificates that it trusts."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        """Connect to nothing yet.

        Args:
            tls: how issuers prove who they are; by default by the certificates that this machine
                trusts (SSL_CERT_FILE and SSL_CERT_DIR name others).
        """
        self._tls = tls

    async def ask(
        self,
        method: str,
        url: str,
        *,
        issuer: str,
        timeout_s: float,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        is_local: bool = False,
    ) -> Answer:
        """Send one request, on a connection of its own; redirects are not followed.

        Args:
            issuer: names it for a person; begins what errors say.
            timeout_s: for the whole of it.
            is_local: beside this machine, so never behind a proxy of the environment.

        Raises:
            NoAnswer: not reached, or not answered in time.
            NotApplied: the answer is too long.
            StoreMisconfigured: the URL is none, or a header could not be one.

        Cancellation: the connection is closed; what was asked may have been done.
        """
        for name, value in (headers or {}).items():
            if not is_sendable(value):
                raise StoreMisconfigured(
                    f"what is sent to {issuer} as {name} holds a line break or other characters "
                    "that no header may hold; correct the file or variable that it comes from"
                )
        target = _target(url, issuer)
        # Loads hundreds of certificates, so not in the loop, and only where they are needed.
        if target.scheme == "https" and self._tls is None:
            self._tls = await trio.to_thread.run_sync(ssl.create_default_context)
        with trio.move_on_after(timeout_s):
            try:
                # A pool that a cancelled request left behind is not used again: there is none.
                async with (
                    httpx.AsyncClient(
                        verify=self._tls or False, trust_env=not is_local, timeout=timeout_s
                    ) as client,
                    client.stream(method, target, headers=headers, content=content) as response,
                ):
                    return Answer(
                        response.status_code, await _body(response, issuer), response.headers
                    )
            except httpx.ConnectError as error:
                raise NoAnswer(f"{issuer} cannot be reached: {reason_of(error)}") from None
            except httpx.RequestError as error:
                raise NoAnswer(f"{issuer} does not answer: {type(error).__name__}") from None
        raise NoAnswer(f"{issuer} does not answer within {timeout_s:g} s")


def _target(url: str, issuer: str) -> httpx.URL:
    try:
        target = httpx.URL(url)
    except httpx.InvalidURL:
        raise StoreMisconfigured(f"the address of {issuer} is no URL; correct it") from None
    if target.scheme not in ("http", "https") or not target.host:
        raise StoreMisconfigured(
            f"the address of {issuer} must begin with https:// or http:// and a host; correct it"
        )
    return target


def reason_of(error: httpx.ConnectError) -> str:
    """Say why a connection could not be made, as in "certificate verify failed".

    An untrusted certificate is named several errors further down; none of them has seen a request.
    """
    cause: BaseException | None = error
    while cause is not None and not str(cause):
        cause = cause.__cause__ or cause.__context__
    return str(cause) if cause is not None else type(error).__name__


async def _body(response: httpx.Response, issuer: str) -> bytes:
    body = bytearray()
    # Cancelled, and not left by an exception: only so do httpx's generators end where they wait.
    with trio.CancelScope() as scope:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > _ANSWER_BYTES_MAX:
                scope.cancel()
    if len(body) > _ANSWER_BYTES_MAX:
        raise NotApplied(
            f"the answer of {issuer} is longer than {_ANSWER_BYTES_MAX} bytes: "
            "something else is at its address"
        )
    return bytes(body)


def refusal(
    answer: Answer,
    *,
    issuer: str,
    code: str = "",
    words: str = "",
    secrets: Sequence[str] = (),
    will_pass: bool = False,
) -> StoreError:
    """Make the error for an answer that is not the hoped-for one.

    Args:
        code: the issuer's name for the reason, as in "InvalidIdentityToken".
        words: its explanation.
        secrets: what was sent to it, so that its explanation is left out where it repeats them.
        will_pass: the reason is one that goes away by itself, whatever the status says.
    """
    said = " ".join(part for part in (_quoted(code, secrets), _quoted(words, secrets)) if part)
    what = f"{issuer} answered {answer.status}{f' ({said})' if said else ''}"
    if will_pass or answer.status in (408, 429) or answer.status >= 500 or answer.status < 300:
        return NotApplied(f"no credentials just now: {what}")
    if answer.status < 400:
        return StoreMisconfigured(f"{what}: a redirect, which is not followed; correct its address")
    return AccessDenied(f"no credentials: {what}")


def _quoted(text: str, secrets: Sequence[str]) -> str:
    flat = " ".join(re.sub(r"[^\x20-\x7e]", " ", text).split())[:_QUOTED_CHARS_MAX]
    pieces = {flat[at : at + _SHARED_CHARS] for at in range(len(flat) - _SHARED_CHARS + 1)}
    if any(piece in secret for secret in secrets for piece in pieces):
        return ""
    return "" if flat in secrets else flat


def is_sendable(value: str) -> bool:
    """Tell whether a header can hold `value`; where it cannot, HTTP clients show it in an error."""
    return value.isascii() and value.isprintable()


def ms_of(time: str, *, issuer: str) -> int:
    """Read a time of ISO 8601, by itself in UTC; returns ms since the epoch.

    Raises:
        NotApplied: it is none.
    """
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        raise NotApplied(f"unusable answer of {issuer}: its time of expiry is no time") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1_000)

"""What Google's token services answer, and the errors for what they refuse."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from storage_adapters.contract import NotApplied, StoreError, StoreMisconfigured
from storage_adapters.credentials.exchange import Answer, SecretStruct, refusal
from storage_adapters.signing import BearerToken

__all__ = ["STORAGE_SCOPE", "check_protected", "refused_token", "token_of"]

STORAGE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
"""What a token is asked to allow: objects, and nothing else of the project."""

_LIFE_S_MAX = 43_200
# Told with status 400 by some, although it goes away by itself.
_PASSING = frozenset({"internal_failure", "server_error", "temporarily_unavailable"})


class _Token(SecretStruct):
    access_token: str
    expires_in: int | str


class _ApiError(SecretStruct):
    message: str = ""
    status: str = ""


class _Error(SecretStruct):
    error: str | _ApiError = ""
    error_description: str = ""


def token_of(answer: Answer, *, issuer: str, now_ms: int, secrets: Sequence[str]) -> BearerToken:
    """Read the answer of a token endpoint (RFC 6749, section 5).

    Args:
        now_ms: the time that `expires_in` counts from: that before the question.
        secrets: what was sent, so that it is not quoted.

    Raises:
        AccessDenied, StoreMisconfigured, NotApplied: no token in it; see `Issuer.fetch`.
    """
    if answer.status != 200:
        raise refused_token(answer, issuer=issuer, secrets=secrets)
    token = answer.read(_Token, issuer=issuer)
    try:
        life_s = min(int(token.expires_in), _LIFE_S_MAX)
    except ValueError:
        life_s = 0
    if life_s <= 0 or not token.access_token:
        raise NotApplied(f"unusable answer of {issuer}: an empty token, or one without a life")
    return BearerToken(token.access_token, now_ms + life_s * 1_000)


def refused_token(answer: Answer, *, issuer: str, secrets: Sequence[str]) -> StoreError:
    """Make the error for an answer without a token, in either shape that Google has for it."""
    told = answer.peek(_Error) or _Error()
    if isinstance(told.error, _ApiError):
        code, words = told.error.status, told.error.message
    else:
        code, words = told.error, told.error_description
    return refusal(
        answer, issuer=issuer, code=code, words=words, secrets=secrets, will_pass=code in _PASSING
    )


def check_protected(url: str, *, what: str) -> None:
    """Refuse to send a secret over a network in the open.

    Args:
        what: names the URL for a person, as in "token_uri in the file ...".

    Raises:
        StoreMisconfigured: the URL is neither https nor on this machine.
    """
    try:
        parts = urlsplit(url)
        is_protected = parts.scheme == "https" or (
            parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
        )
    except ValueError:
        is_protected = False
    if not is_protected:
        raise StoreMisconfigured(f"{what} must begin with https://; correct it")

"""The HTTP status of every error, and the refusals that only HTTP knows."""

from __future__ import annotations

from osqueue.core.errors import (
    BrokerProtocolError,
    Forbidden,
    InvalidRequest,
    JobNotFound,
    JobNotHeld,
    NotLeader,
    OutcomeUnknown,
    QueueError,
    QueueFull,
    StoredDataInvalid,
    Unauthorized,
    Unavailable,
    WrongStatus,
)

__all__ = ["STATUSES", "HttpRefusal", "retry_after_s", "status_of"]

STATUSES: dict[type[QueueError], int] = {
    InvalidRequest: 400,
    BrokerProtocolError: 400,
    Unauthorized: 401,
    Forbidden: 403,
    JobNotFound: 404,
    JobNotHeld: 409,
    WrongStatus: 409,
    NotLeader: 421,
    QueueFull: 429,
    StoredDataInvalid: 500,
    Unavailable: 503,
    OutcomeUnknown: 504,
}
"""A client acts on the advice in the body; the status serves whatever stands between."""


class HttpRefusal(Exception):
    """A request that is answered with a status of its own, before it reaches the broker."""

    def __init__(
        self, status: int, error: QueueError, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(error.message)
        self.status = status
        self.error = error
        self.headers = headers


def status_of(error: QueueError) -> int:
    """The HTTP status that belongs to an error."""
    return STATUSES[type(error)]


def retry_after_s(error: QueueError) -> int | None:
    """The value of `Retry-After`, in whole seconds and at least one; None where it has no place."""
    if isinstance(error, QueueFull | Unavailable):
        return max(1, -(-error.retry_after_ms // 1_000))
    return None

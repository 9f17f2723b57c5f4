"""Every error a caller of the queue can see, each with an advice: what the caller should do.

The class decides what to do, the message says what was wrong (field, limit, value), the fields
carry what a program needs. HTTP statuses live in `osqueue.server`, wire names in
`osqueue.protocol`.

    QueueError
    ├── InvalidRequest          fix the request
    ├── BrokerProtocolError     fix the client
    ├── Unauthorized            fix credentials
    ├── Forbidden               fix credentials
    ├── JobNotFound             drop the work
    ├── JobNotHeld              drop the work
    ├── WrongStatus             look again
    ├── QueueFull               retry later        (retry_after_ms)
    ├── NotLeader               ask the leader     (epoch, broker_address)
    ├── Unavailable             retry later        (retry_after_ms)
    ├── OutcomeUnknown          look it up
    └── StoredDataInvalid       tell the operator
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "ERROR_CLASSES",
    "BrokerProtocolError",
    "Forbidden",
    "InvalidRequest",
    "JobNotFound",
    "JobNotHeld",
    "NotLeader",
    "OutcomeUnknown",
    "QueueError",
    "QueueFull",
    "StoredDataInvalid",
    "Unauthorized",
    "Unavailable",
    "WrongStatus",
]


class QueueError(Exception):
    """The base of every answer that is not ok."""

    advice: ClassVar[str] = ""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def fields(self) -> dict[str, object]:
        """The fields beside the message, by their names on the wire; empty for most classes."""
        return {}


class InvalidRequest(QueueError):
    """A field is missing, of the wrong type or over a limit. Nothing was applied."""

    advice = "fix the request"


class BrokerProtocolError(QueueError):
    """The frame is malformed or the method unknown. Nothing was applied."""

    advice = "fix the client"


class Unauthorized(QueueError):
    """No token, or one that nobody knows."""

    advice = "fix credentials"


class Forbidden(QueueError):
    """The token lacks the scope, or the page's origin is not allowed."""

    advice = "fix credentials"


class JobNotFound(QueueError):
    """No job of that id is in the queue."""

    advice = "drop the work"


class JobNotHeld(QueueError):
    """The worker does not hold that attempt of the job. Nothing was changed."""

    advice = "drop the work"


class WrongStatus(QueueError):
    """The job's status forbids what was asked. Nothing was changed."""

    advice = "look again"


class QueueFull(QueueError):
    """A limit of the queue was reached. Nothing was applied."""

    advice = "retry later"

    def __init__(self, message: str, *, retry_after_ms: int = 1_000) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms

    def fields(self) -> dict[str, object]:
        """`retryAfterMs`: how long to wait before the next try."""
        return {"retryAfterMs": self.retry_after_ms}


class NotLeader(QueueError):
    """This broker does not lead. Nothing was applied."""

    advice = "ask the leader"

    def __init__(self, message: str, *, epoch: int = 0, broker_address: str = "") -> None:
        super().__init__(message)
        self.epoch = epoch
        self.broker_address = broker_address

    def fields(self) -> dict[str, object]:
        """`epoch` known here, and `brokerAddress` of the leader where one is known."""
        address = {"brokerAddress": self.broker_address} if self.broker_address else {}
        return {"epoch": self.epoch, **address}


class Unavailable(QueueError):
    """The store cannot be reached, or the broker is draining. Nothing was applied."""

    advice = "retry later"

    def __init__(self, message: str, *, retry_after_ms: int = 1_000) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms

    def fields(self) -> dict[str, object]:
        """`retryAfterMs`: how long to wait before the next try."""
        return {"retryAfterMs": self.retry_after_ms}


class OutcomeUnknown(QueueError):
    """The write may have landed or not, and nothing can tell any more."""

    advice = "look it up"


class StoredDataInvalid(QueueError):
    """The document is unreadable, missing although it was there, or of a newer format."""

    advice = "tell the operator"


ERROR_CLASSES: tuple[type[QueueError], ...] = (
    InvalidRequest,
    BrokerProtocolError,
    Unauthorized,
    Forbidden,
    JobNotFound,
    JobNotHeld,
    WrongStatus,
    QueueFull,
    NotLeader,
    Unavailable,
    OutcomeUnknown,
    StoredDataInvalid,
)

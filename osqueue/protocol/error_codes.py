"""Errors on the wire: every class of `osqueue.core.errors` by its name, with its fields, and back.

HTTP statuses stand in `osqueue.server`; the advice, not the status, tells a client what to do.
"""

from __future__ import annotations

from osqueue.core.errors import (
    ERROR_CLASSES,
    BrokerProtocolError,
    Forbidden,
    InvalidRequest,
    JobNotHeld,
    NotLeader,
    OutcomeUnknown,
    QueueError,
    QueueFull,
    StoredDataInvalid,
    Unavailable,
    WrongStatus,
)
from osqueue.protocol.messages import WireError

__all__ = ["ERROR_TAGS", "error_from_wire", "error_to_wire"]

ERROR_TAGS: dict[str, type[QueueError]] = {kind.__name__: kind for kind in ERROR_CLASSES}
"""Every error by its `_tag`."""

_CLASS_FOR_ADVICE: dict[str, type[QueueError]] = {
    InvalidRequest.advice: InvalidRequest,
    BrokerProtocolError.advice: BrokerProtocolError,
    Forbidden.advice: Forbidden,
    JobNotHeld.advice: JobNotHeld,
    WrongStatus.advice: WrongStatus,
    Unavailable.advice: Unavailable,
    NotLeader.advice: NotLeader,
    OutcomeUnknown.advice: OutcomeUnknown,
    StoredDataInvalid.advice: StoredDataInvalid,
}
"""What an error of a newer broker is taken for."""
_RETRY_AFTER_MS_DEFAULT = 1_000


def error_to_wire(error: QueueError) -> WireError:
    """The error object of a reply, or of an HTTP answer."""
    wire = WireError(tag=type(error).__name__, message=error.message, advice=error.advice)
    if isinstance(error, QueueFull | Unavailable):
        wire.retry_after_ms = error.retry_after_ms
    elif isinstance(error, NotLeader):
        wire.epoch = error.epoch
        wire.broker_address = error.broker_address
    return wire


def error_from_wire(wire: WireError) -> QueueError:
    """The exception that an error object stands for.

    An error that this version does not know becomes the class whose advice it carries, and its
    message keeps the name; with an unknown advice too it is OutcomeUnknown, which promises nothing.
    """
    kind = ERROR_TAGS.get(wire.tag)
    message = wire.message
    if kind is None:
        kind = _CLASS_FOR_ADVICE.get(wire.advice, OutcomeUnknown)
        message = f"{wire.tag}: {message}"
    if issubclass(kind, QueueFull | Unavailable):
        retry_after_ms = wire.retry_after_ms
        return kind(
            message,
            retry_after_ms=_RETRY_AFTER_MS_DEFAULT if retry_after_ms is None else retry_after_ms,
        )
    if issubclass(kind, NotLeader):
        return kind(message, epoch=wire.epoch or 0, broker_address=wire.broker_address)
    return kind(message)

"""What callers are told when a term or a batch ends badly."""

from __future__ import annotations

from osqueue.core.document import Header
from osqueue.core.errors import NotLeader, OutcomeUnknown, StoredDataInvalid, Unavailable

__all__ = [
    "broker_draining",
    "deposed_by",
    "document_vanished",
    "nobody_leads",
    "outcome_unknown",
    "store_takes_nothing",
]


def deposed_by(found: Header, own_address: str) -> NotLeader:
    """What was found says who leads now. A document that was edited by hand may name us."""
    return NotLeader(
        f"this broker does not lead any more: the document is of epoch {found.epoch}",
        epoch=found.epoch,
        broker_address="" if found.broker in (None, own_address) else found.broker,
    )


def nobody_leads(epoch: int) -> NotLeader:
    """After a term that ended without a successor in sight."""
    return NotLeader("this broker stepped down and does not know who leads", epoch=epoch)


def outcome_unknown() -> OutcomeUnknown:
    """The batch may have landed."""
    return OutcomeUnknown(
        "the store did not say whether the write landed, and nothing can tell any more: look the "
        "job up before submitting it again"
    )


def store_takes_nothing() -> Unavailable:
    """The batch was undone."""
    return Unavailable(
        "the store does not take this broker's writes, its log says why: nothing was applied"
    )


def broker_draining() -> Unavailable:
    """The broker takes nothing new."""
    return Unavailable("this broker is stopping: nothing was applied")


def document_vanished(was_there: str = "") -> StoredDataInvalid:
    """Whoever has seen the document never creates it again, nor does a store that knows of it.

    `was_there` is what the store says of it, and what to do.
    """
    if was_there:
        return StoredDataInvalid(f"the stored queue has vanished: {was_there}")
    return StoredDataInvalid(
        "the stored queue has vanished while a broker was running. Restore the object from a "
        "backup before a broker is started: without it, one starts with an empty queue"
    )

"""What callers are told when a term or a batch ends badly."""

from __future__ import annotations

from osqueue.core.document import Header
from osqueue.core.errors import NotLeader, OutcomeUnknown, Unavailable

__all__ = [
    "broker_draining",
    "deposed_by",
    "nobody_leads",
    "outcome_unknown",
    "store_unreachable",
]


def deposed_by(found: Header) -> NotLeader:
    """What was found says who leads now."""
    return NotLeader(
        f"another broker leads since epoch {found.epoch}",
        epoch=found.epoch,
        broker_address=found.broker or "",
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


def store_unreachable() -> Unavailable:
    """The batch was undone."""
    return Unavailable("the store cannot be reached: nothing was applied")


def broker_draining() -> Unavailable:
    """The broker takes nothing new."""
    return Unavailable("this broker is stopping: nothing was applied")

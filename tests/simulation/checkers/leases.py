"""Whether a lease had run out when its job was taken from a worker: not before its time, counted
from what its leader surely knew. That it is taken in time is checked by `timeliness.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.checkers.views import JobView, StoredVersion, Violation

if TYPE_CHECKING:
    from tests.simulation.checkers.ledger import Ledger

__all__ = ["check_expiry"]


def check_expiry(ledger: Ledger, old: JobView, version: StoredVersion) -> None:
    """An attempt was taken from its worker.

    Raises:
        Violation: its lease still ran.
    """
    attempt = (old.id, old.attempts)
    claimed_ms = ledger.holders[attempt][2].landed_ms
    began_ms = ledger.term_began[version.document.epoch]
    until_ms = max(claimed_ms, began_ms) + _surely(old.lease_ms)
    for arrived_ms, leader in ledger.beats.get(attempt, ()):
        if leader == version.writer and arrived_ms < min(until_ms, version.formed_ms):
            renewed_ms = max(old.lease_ms, _least_ms(ledger.versions, version, arrived_ms))
            until_ms = max(until_ms, arrived_ms + _surely(renewed_ms))
    if version.formed_ms < until_ms:
        raise Violation(
            "leases",
            f"{attempt} of {old.worker_id} was taken at {version.formed_ms}, "
            f"its lease ran until {until_ms}",
        )


def _least_ms(versions: list[StoredVersion], version: StoredVersion, arrived_ms: int) -> int:
    """The shortest lease when a heartbeat was taken in: twice the timeout of its batch, which a
    slow store makes longer; 0 where it may have been in a batch that was undone."""
    batch = version
    for earlier in reversed(versions[: version.index]):
        if earlier.document.epoch != version.document.epoch:
            return 0
        if earlier.formed_ms < arrived_ms:
            is_next = _sequence(batch) == _sequence(earlier) + 1
            return 2 * batch.document.broker_timeout_ms if is_next else 0
        batch = earlier
    return 0


def _sequence(version: StoredVersion) -> int:
    return int(version.commit_id.split("-")[1])


def _surely(lease_ms: int) -> int:
    """By the fastest clock."""
    return int(lease_ms * 0.99) - 3

"""Claimed jobs that no broker has sent."""

from __future__ import annotations

from typing import Any

import msgspec

from osqueue.client import ClaimedJob
from osqueue.client.results import WireClaimedJob

__all__ = ["make_claimed"]


def make_claimed(
    payload: object = None, *, job_id: str = "j", attempt: int = 1, lease_ms: int = 3_000
) -> ClaimedJob[Any]:
    """A claimed job of which a test names what matters."""
    wire = WireClaimedJob(
        job_id=job_id,
        type="t",
        payload=msgspec.Raw(msgspec.msgpack.encode(payload)),
        attempt=attempt,
        max_attempts=3,
        created_at=1_700_000_000_000,
        lease_ms=lease_ms,
    )
    return ClaimedJob(wire, "w", None)

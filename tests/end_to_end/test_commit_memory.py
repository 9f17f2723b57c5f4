"""What it takes to commit 20 MB to a bucket: the body is streamed from its blocks, never joined."""

from __future__ import annotations

import pytest

from tests.emulators.peers import GcsPeer, Peers, S3Peer
from tests.end_to_end.committing_broker import measure_on_peer

pytestmark = pytest.mark.slow

DOCUMENT_BYTES = 20_000_000
PEAK_GROWTH_MIB_MAX = 8
"""Less than half a document: no copy of it is made, not even for a moment. 60 would be allowed."""
STEP_MS_MAX = 10
"""In CPU time. What hashes the body has a thread of its own."""


@pytest.mark.parametrize("name", ["ministack", "fake_gcs"])
async def test_commit_of_20_mb_copies_nothing_and_holds_nobody_up(name: str, peers: Peers) -> None:
    peer: S3Peer | GcsPeer = getattr(peers, name)
    [cost] = await measure_on_peer(
        peer, prefix="commit-memory/", document_bytes=DOCUMENT_BYTES, count=1
    )
    assert cost.document_bytes >= DOCUMENT_BYTES
    assert cost.peak_growth_mib <= PEAK_GROWTH_MIB_MAX, cost
    assert cost.longest_step_ms <= STEP_MS_MAX, cost

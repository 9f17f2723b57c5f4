"""The proof on real servers: which of them are accepted, which are refused, and at what step."""

from __future__ import annotations

import pytest

from storage_adapters.proof import ConditionsBroken, prove_conditions
from tests.emulators.peers import GcsPeer, Peers, S3Peer

pytestmark = pytest.mark.slow

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize("name", ["ministack", "moto", "fake_gcs"])
async def test_bucket_that_keeps_conditions_is_accepted(name: str, peers: Peers) -> None:
    peer: S3Peer | GcsPeer = getattr(peers, name)
    store = peer.open(prefix="proof/")
    proof = await prove_conditions(store, scratch_name=name, now_ms=NOW_MS)
    assert len(proof.steps) == 5
    assert (proof.attempts, proof.left_behind, proof.sweep_failure) == (1, "", "")
    assert await store.list("") == []
    await store.aclose()


@pytest.mark.parametrize(
    ("name", "step"),
    [("rclone", "create again"), ("localbucket", "replace under the old version")],
)
async def test_bucket_that_ignores_conditions_is_refused(
    name: str, step: str, peers: Peers
) -> None:
    peer: S3Peer = getattr(peers, name)
    store = peer.open(prefix="proof/")
    with pytest.raises(ConditionsBroken, match="does not keep the conditions of writes") as caught:
        await prove_conditions(store, scratch_name=name, now_ms=NOW_MS)
    assert caught.value.step == step
    assert "S3 store at s3://osqueue-tests/proof/" in str(caught.value)
    await store.aclose()

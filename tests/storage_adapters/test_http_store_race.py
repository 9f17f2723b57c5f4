"""Our adapter and another client, obstore, change one object at once, and no change is lost.

Not on fake-gcs-server: obstore writes to Google's stores by the XML API, whose uploads that server
refuses (400, "invalid uploadType").
"""

from __future__ import annotations

import obstore
import pytest
import trio
from obstore.exceptions import PreconditionError
from obstore.store import S3Store

from storage_adapters.contract import ABSENT
from tests.emulators.peers import BUCKET, Peers, S3Peer
from tests.storage_adapters.contract import increment, read_object

pytestmark = pytest.mark.slow

LANES = 4
"""Of each client."""
INCREMENTS = 10
"""Of each lane."""
KEY = "counter"


def open_obstore(peer: S3Peer, *, prefix: str) -> S3Store:
    return S3Store(
        BUCKET,
        prefix=prefix,
        endpoint=peer.url,
        region="eu-central-1",
        access_key_id=peer.keys.access_key_id,
        secret_access_key=peer.keys.secret_access_key,
        client_options={"allow_http": True},
    )


def increment_by_obstore(store: S3Store) -> int:
    """Add one to the number, as `contract.increment` does. Returns how often another came first."""
    refusals_count = 0
    while True:
        found = obstore.get(store, KEY)
        number = int(bytes(found.bytes()))
        try:
            obstore.put(store, KEY, b"%d" % (number + 1), mode={"e_tag": found.meta["e_tag"]})
        except PreconditionError:
            refusals_count += 1
            continue
        return refusals_count


@pytest.mark.parametrize("name", ["ministack", "moto"])
async def test_increments_of_ours_and_of_obstore_are_all_there(name: str, peers: Peers) -> None:
    peer: S3Peer = getattr(peers, name)
    ours, theirs = peer.open(prefix="race/"), open_obstore(peer, prefix="race")
    refusals_count = 0

    async def run_our_lane() -> None:
        for _ in range(INCREMENTS):
            await increment(ours, KEY)

    async def run_their_lane() -> None:
        nonlocal refusals_count
        for _ in range(INCREMENTS):
            refusals_count += await trio.to_thread.run_sync(increment_by_obstore, theirs)

    await ours.put(KEY, [b"0"], condition=ABSENT)
    async with trio.open_nursery() as nursery:
        for _ in range(LANES):
            nursery.start_soon(run_our_lane)
            nursery.start_soon(run_their_lane)
    assert (await read_object(ours, KEY)).data == b"%d" % (2 * LANES * INCREMENTS)
    assert refusals_count, "they got in each other's way"
    await ours.aclose()

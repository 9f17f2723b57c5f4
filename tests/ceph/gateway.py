"""The adapter and the proof at the start on a real Ceph gateway: `make test-ceph`.

Not named test_..., so that `make test` leaves it out: it needs Debian's Ceph.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Generator

import pytest
import trio

from storage_adapters.contract import (
    ABSENT,
    Match,
    ObjectStore,
    Version,
    VersionConflict,
    WriteOutcomeUnknown,
)
from storage_adapters.proof import ConditionsBroken, prove_conditions
from tests.ceph.cluster import Cluster
from tests.emulators.peers import S3Peer
from tests.storage_adapters.contract import (
    PROMISES,
    Promise,
    racing_increments_are_never_lost,
    read_object,
    replacing_race_has_one_winner,
)

RACERS_COUNT = 20
WITHOUT_UNKNOWNS = (replacing_race_has_one_winner, racing_increments_are_never_lost)
"""Ceph 16 answers 500 to some of those who replace one object at once, so that their outcomes are
unknown: the tests below ask the same, and look for what is unknown, as a broker does."""
NOW_MS = 1_800_000_000_000
KEY_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Generator[S3Peer]:
    """One for all tests."""
    cluster = Cluster(tmp_path_factory.mktemp("ceph"))
    yield cluster.gateway
    cluster.stop()


@pytest.fixture
async def store(gateway: S3Peer) -> AsyncGenerator[ObjectStore]:
    """Under a prefix of its own."""
    opened = gateway.open(prefix=f"{next(KEY_NUMBERS)}/")
    yield opened
    await opened.aclose()


@pytest.mark.parametrize(
    "promise",
    [each for each in PROMISES if each not in WITHOUT_UNKNOWNS],
    ids=lambda each: each.__name__,
)
async def test_adapter_keeps_promise(promise: Promise, store: ObjectStore) -> None:
    await promise(store, "object.json")


async def test_replacing_race_has_at_most_one_winner_and_the_others_are_told_or_unknown(
    store: ObjectStore,
) -> None:
    version = await store.put("object.json", [b"first"], condition=ABSENT)
    winners: list[bytes] = []
    unknown: list[bytes] = []

    async def race(body: bytes) -> None:
        try:
            await store.put("object.json", [body], condition=Match(version))
        except VersionConflict:
            return
        except WriteOutcomeUnknown:
            unknown.append(body)
        else:
            winners.append(body)

    async with trio.open_nursery() as nursery:
        for number in range(RACERS_COUNT):
            nursery.start_soon(race, b"racer %d" % number)
    assert len(winners) <= 1
    assert (await read_object(store, "object.json")).data in (winners or [b"first", *unknown])


async def test_racing_writers_who_look_for_what_is_unknown_lose_and_double_nothing(
    store: ObjectStore,
) -> None:
    await store.put("object.json", [b""], condition=ABSENT)

    async def put_name(name: bytes, names: list[bytes], version: Version) -> None:
        body = b",".join([*names, name])
        try:
            await store.put("object.json", [body], condition=Match(version))
        except (VersionConflict, WriteOutcomeUnknown):
            return

    async def write_until_there(name: bytes) -> None:
        while True:
            data, version = await read_object(store, "object.json")
            names = data.split(b",") if data else []
            if name in names:
                return
            await put_name(name, names, version)

    expected = [b"racer %d" % number for number in range(RACERS_COUNT)]
    async with trio.open_nursery() as nursery:
        for name in expected:
            nursery.start_soon(write_until_there, name)
    found = (await read_object(store, "object.json")).data.split(b",")
    assert sorted(found) == sorted(expected)


async def test_gateway_proves_that_it_keeps_conditions(store: ObjectStore) -> None:
    proof = await prove_conditions(store, scratch_name="ceph", now_ms=NOW_MS)
    assert len(proof.steps) == 5
    assert (proof.attempts, proof.left_behind, proof.sweep_failure) == (1, "", "")
    assert await store.list("") == []


async def test_gateway_that_is_sent_quoted_etags_is_refused(gateway: S3Peer) -> None:
    quoting = S3Peer(gateway.program, gateway.keys)
    store = quoting.open(prefix="quoted/")
    with pytest.raises(ConditionsBroken) as caught:
        await prove_conditions(store, scratch_name="ceph", now_ms=NOW_MS)
    assert caught.value.step == "replace"
    await store.aclose()

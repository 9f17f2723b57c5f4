"""The contract suite: one function per promise of `storage_adapters.contract`.

Every adapter must keep every promise; `test_contract` runs all of them on all adapters. A promise
gets a store and a key under which nothing is stored, and may use keys that begin with that key.
"""

from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio

from storage_adapters.contract import (
    ABSENT,
    UNCHANGED,
    Condition,
    Match,
    NotApplied,
    ObjectMissing,
    ObjectStore,
    StoredObject,
    Version,
    VersionConflict,
)

__all__ = [
    "PROMISES",
    "PROMISES_FOR_EQUAL_BODIES",
    "PROMISES_WHERE_MISSING_IS_TOLD",
    "Promise",
    "increment",
    "read_object",
]

Promise = Callable[[ObjectStore, str], Awaitable[None]]

_RACERS_COUNT = 20


async def read_object(store: ObjectStore, key: str) -> StoredObject:
    """Read without a condition, where the answer cannot be `Unchanged`."""
    found = await store.read(key)
    assert isinstance(found, StoredObject)
    return found


async def increment(store: ObjectStore, key: str) -> None:
    """Add one to the number under `key`, however often another writer comes first."""
    while True:
        data, version = await read_object(store, key)
        try:
            await store.put(key, [b"%d" % (int(data) + 1)], condition=Match(version))
        except (VersionConflict, NotApplied):
            continue
        return


async def _outcome_of_put(
    store: ObjectStore, key: str, chunks: Sequence[bytes], *, condition: Condition
) -> Version | type[Exception]:
    try:
        return await store.put(key, chunks, condition=condition)
    except (VersionConflict, ObjectMissing, NotApplied) as error:
        return type(error)


async def create_stores_the_joined_chunks(store: ObjectStore, key: str) -> None:
    version = await store.put(key, [b"one, ", b"", b"two"], condition=ABSENT)
    assert await store.read(key) == StoredObject(b"one, two", version)


async def create_accepts_metadata(store: ObjectStore, key: str) -> None:
    version = await store.put(key, [b"a"], condition=ABSENT, metadata={"commit": "7-1"})
    assert await store.read(key) == StoredObject(b"a", version)


async def create_of_no_chunks_stores_an_empty_object(store: ObjectStore, key: str) -> None:
    version = await store.put(key, [], condition=ABSENT)
    assert await store.read(key) == StoredObject(b"", version)
    assert await store.read(key, if_changed_from=version) == UNCHANGED


async def create_of_existing_object_is_refused(store: ObjectStore, key: str) -> None:
    version = await store.put(key, [b"first"], condition=ABSENT)
    outcome = await _outcome_of_put(store, key, [b"second"], condition=ABSENT)
    assert outcome is VersionConflict
    assert await store.read(key) == StoredObject(b"first", version)


async def replace_under_right_version_is_applied(store: ObjectStore, key: str) -> None:
    old = await store.put(key, [b"a longer first body"], condition=ABSENT)
    new = await store.put(key, [b"second"], condition=Match(old))
    assert new != old
    assert await store.read(key) == StoredObject(b"second", new)


async def replace_under_version_just_read_is_applied(store: ObjectStore, key: str) -> None:
    await store.put(key, [b"first"], condition=ABSENT)
    new = await store.put(key, [b"b"], condition=Match((await read_object(store, key)).version))
    assert await store.read(key) == StoredObject(b"b", new)


async def replace_under_old_version_is_refused(store: ObjectStore, key: str) -> None:
    old = await store.put(key, [b"first"], condition=ABSENT)
    new = await store.put(key, [b"second"], condition=Match(old))
    outcome = await _outcome_of_put(store, key, [b"third"], condition=Match(old))
    assert outcome is VersionConflict
    assert await store.read(key) == StoredObject(b"second", new)


async def replace_of_missing_object_is_refused(store: ObjectStore, key: str) -> None:
    version = await store.put(key, [b"first"], condition=ABSENT)
    await store.delete(key)
    outcome = await _outcome_of_put(store, key, [b"second"], condition=Match(version))
    assert outcome in (ObjectMissing, VersionConflict)
    assert await _is_missing(store, key)


async def replace_of_missing_object_says_that_it_is_missing(store: ObjectStore, key: str) -> None:
    version = await store.put(key, [b"first"], condition=ABSENT)
    await store.delete(key)
    outcome = await _outcome_of_put(store, key, [b"second"], condition=Match(version))
    assert outcome is ObjectMissing


async def read_of_missing_object_says_so(store: ObjectStore, key: str) -> None:
    assert await _is_missing(store, key)
    version = await store.put(key + "-other", [b"a"], condition=ABSENT)
    assert await _is_missing(store, key)
    with pytest.raises(ObjectMissing, match=key):
        await store.read(key, if_changed_from=version)


async def _is_missing(store: ObjectStore, key: str) -> bool:
    try:
        await store.read(key)
    except ObjectMissing:
        return True
    return False


async def read_if_changed_answers_unchanged_until_the_next_put(
    store: ObjectStore, key: str
) -> None:
    old = await store.put(key, [b"first"], condition=ABSENT)
    assert await store.read(key, if_changed_from=old) == UNCHANGED
    assert await store.read(key, if_changed_from=old, head_bytes=2) == UNCHANGED
    new = await store.put(key, [b"second"], condition=Match(old))
    assert await store.read(key, if_changed_from=old) == StoredObject(b"second", new)
    assert await store.read(key, if_changed_from=new) == UNCHANGED


async def read_of_head_returns_first_bytes_and_whole_version(store: ObjectStore, key: str) -> None:
    version = await store.put(key, [b"01234", b"56789"], condition=ABSENT)
    assert await store.read(key, head_bytes=1) == StoredObject(b"0", version)
    assert await store.read(key, head_bytes=7) == StoredObject(b"0123456", version)
    assert await store.read(key, head_bytes=10) == StoredObject(b"0123456789", version)
    assert await store.read(key, head_bytes=1000) == StoredObject(b"0123456789", version)


async def big_body_in_many_chunks_comes_back_whole(store: ObjectStore, key: str) -> None:
    chunks = [bytes([index % 256]) * (index * 7 % 9_000) for index in range(2_000)]
    version = await store.put(key, chunks, condition=ABSENT)
    data = (await read_object(store, key)).data
    assert data == b"".join(chunks)
    assert await store.read(key, if_changed_from=version) == UNCHANGED


async def creating_race_has_one_winner(store: ObjectStore, key: str) -> None:
    await _race_under_one_condition(store, key, condition=ABSENT)


async def replacing_race_has_one_winner(store: ObjectStore, key: str) -> None:
    version = await store.put(key, [b"first"], condition=ABSENT)
    await _race_under_one_condition(store, key, condition=Match(version))


async def _race_under_one_condition(store: ObjectStore, key: str, *, condition: Condition) -> None:
    outcomes: dict[int, Version | type[Exception]] = {}

    async def race(index: int) -> None:
        body = [b"racer %d" % index]
        outcomes[index] = await _outcome_of_put(store, key, body, condition=condition)

    async with trio.open_nursery() as nursery:
        for index in range(_RACERS_COUNT):
            nursery.start_soon(race, index)
    winners = [index for index, outcome in outcomes.items() if isinstance(outcome, str)]
    assert len(winners) == 1, outcomes
    found = await read_object(store, key)
    assert found == (b"racer %d" % winners[0], outcomes[winners[0]])


async def racing_increments_are_never_lost(store: ObjectStore, key: str) -> None:
    await store.put(key, [b"0"], condition=ABSENT)
    async with trio.open_nursery() as nursery:
        for _ in range(_RACERS_COUNT):
            nursery.start_soon(increment, store, key)
    assert (await read_object(store, key)).data == b"%d" % _RACERS_COUNT


async def read_during_puts_pairs_bytes_with_their_version(store: ObjectStore, key: str) -> None:
    bodies: dict[Version, bytes] = {}
    reads: list[StoredObject] = []
    is_writing = True

    async def keep_reading() -> None:
        while is_writing:
            reads.append(await read_object(store, key))

    body = b"%06d" % 0 * 2_000
    version = await store.put(key, [body], condition=ABSENT)
    bodies[version] = body
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_reading)
        nursery.start_soon(keep_reading)
        for index in range(1, 60):
            # Each body has another length, so that a mixture of two would show.
            body = b"%06d" % index * (2_000 + index)
            version = await store.put(key, [body[:5_000], body[5_000:]], condition=Match(version))
            bodies[version] = body
        is_writing = False
    assert reads
    for data, version_read in reads:
        assert bodies[version_read] == data


async def cancelled_put_leaves_the_old_or_the_new_object(store: ObjectStore, key: str) -> None:
    old = StoredObject(b"old", await store.put(key, [b"old"], condition=ABSENT))
    may_still_land: set[bytes] = set()
    for checkpoints_count in (*range(8), 16, 32, 64, 128, 256, 1024):
        new_data = b"new %d" % checkpoints_count
        outcome: Version | type[Exception] | None = None
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(_cancel_later, scope, checkpoints_count)
                outcome = await _outcome_of_put(
                    store, key, [new_data[:2], new_data[2:]], condition=Match(old.version)
                )
        found = await read_object(store, key)
        if isinstance(outcome, str):
            assert found == (new_data, outcome)
        elif found != old:
            # A cancelled put of an earlier round lands late, even after a read that missed it.
            assert found.data in may_still_land | {new_data}
            assert outcome in (None, VersionConflict)
        else:
            may_still_land.add(new_data)
        if found != old:
            old = found
            may_still_land.clear()


async def _cancel_later(scope: trio.CancelScope, checkpoints_count: int) -> None:
    for _ in range(checkpoints_count):
        await trio.lowlevel.checkpoint()
    scope.cancel()


async def cancelled_read_has_no_effect(store: ObjectStore, key: str) -> None:
    version = await store.put(key, [b"a"], condition=ABSENT)
    for checkpoints_count in range(8):
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(_cancel_later, scope, checkpoints_count)
                await store.read(key)
    assert await store.read(key) == StoredObject(b"a", version)


async def delete_removes_and_is_harmless_twice(store: ObjectStore, key: str) -> None:
    await store.delete(key)
    await store.put(key, [b"a"], condition=ABSENT)
    await store.delete(key)
    assert await _is_missing(store, key)
    await store.delete(key)


async def deleted_object_can_be_created_again(store: ObjectStore, key: str) -> None:
    await store.put(key, [b"a"], condition=ABSENT)
    await store.delete(key)
    version = await store.put(key, [b"b"], condition=ABSENT)
    assert await store.read(key) == StoredObject(b"b", version)


async def list_names_keys_with_prefix_in_order(store: ObjectStore, key: str) -> None:
    assert await store.list(key) == []
    names = [key + suffix for suffix in ("/b", "-a", "/part/2", "/part/10", "/é", "B", "/.probe/x")]
    for name in names:
        await store.put(name, [b"a"], condition=ABSENT)
    assert await store.list(key) == sorted(names)
    assert await store.list(key + "/part") == [key + "/part/10", key + "/part/2"]
    assert await store.list(key + "/part/1") == [key + "/part/10"]
    assert await store.list(key + "/.probe/") == [key + "/.probe/x"]
    assert await store.list(key + "/nothing") == []
    await store.delete(names[0])
    assert await store.list(key) == sorted(names[1:])


async def keys_do_not_touch_each_other(store: ObjectStore, key: str) -> None:
    first = await store.put(key + "/1", [b"a"], condition=ABSENT)
    second = await store.put(key + "/2", [b"b"], condition=ABSENT)
    await store.delete(key + "/1")
    assert await store.read(key + "/2") == StoredObject(b"b", second)
    assert await _outcome_of_put(store, key + "/2", [b"c"], condition=Match(first)) in (
        VersionConflict,
        NotApplied,
    )


async def versions_of_different_bodies_never_repeat(store: ObjectStore, key: str) -> None:
    await _put_and_collect_versions(store, key, bodies=[b"%d" % index for index in range(50)])


async def versions_of_equal_bodies_never_repeat(store: ObjectStore, key: str) -> None:
    await _put_and_collect_versions(store, key, bodies=[b"A", b"B", b"A", b"A"] * 25)


async def _put_and_collect_versions(store: ObjectStore, key: str, *, bodies: list[bytes]) -> None:
    versions: list[Version] = []
    condition: Condition = ABSENT
    for index, body in enumerate(bodies):
        version = await store.put(key, [body], condition=condition)
        versions.append(version)
        condition = Match(version)
        if index % 10 == 9:
            await store.delete(key)
            condition = ABSENT
    assert len(set(versions)) == len(bodies)


async def store_describes_itself(store: ObjectStore, key: str) -> None:
    assert "store" in store.description, key


async def store_closes_twice(store: ObjectStore, key: str) -> None:
    await store.put(key, [b"a"], condition=ABSENT)
    await store.aclose()
    await store.aclose()


PROMISES: tuple[Promise, ...] = (
    create_stores_the_joined_chunks,
    create_accepts_metadata,
    create_of_no_chunks_stores_an_empty_object,
    create_of_existing_object_is_refused,
    replace_under_right_version_is_applied,
    replace_under_version_just_read_is_applied,
    replace_under_old_version_is_refused,
    replace_of_missing_object_is_refused,
    read_of_missing_object_says_so,
    read_if_changed_answers_unchanged_until_the_next_put,
    read_of_head_returns_first_bytes_and_whole_version,
    big_body_in_many_chunks_comes_back_whole,
    creating_race_has_one_winner,
    replacing_race_has_one_winner,
    racing_increments_are_never_lost,
    read_during_puts_pairs_bytes_with_their_version,
    cancelled_put_leaves_the_old_or_the_new_object,
    cancelled_read_has_no_effect,
    delete_removes_and_is_harmless_twice,
    deleted_object_can_be_created_again,
    list_names_keys_with_prefix_in_order,
    keys_do_not_touch_each_other,
    versions_of_different_bodies_never_repeat,
    store_describes_itself,
    store_closes_twice,
)
"""What every adapter keeps."""

PROMISES_WHERE_MISSING_IS_TOLD: tuple[Promise, ...] = (
    replace_of_missing_object_says_that_it_is_missing,
)
"""What an adapter keeps whose store tells a missing object from a changed one, as GCS does not."""

PROMISES_FOR_EQUAL_BODIES: tuple[Promise, ...] = (versions_of_equal_bodies_never_repeat,)
"""What an adapter keeps whose versions do not come from the bytes alone, as those of S3 do."""

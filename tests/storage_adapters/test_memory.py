"""Tests what only the memory store promises: its latency, and what a cancelled put means."""

import math

import pytest
import trio
from trio.testing import MockClock

from storage_adapters.contract import ABSENT, Match, ObjectMissing, StoredObject
from storage_adapters.memory import MemoryStore
from tests.storage_adapters.contract import PROMISES, PROMISES_FOR_EQUAL_BODIES, Promise

KEY = "queue.json"


@pytest.mark.parametrize(
    "promise", [*PROMISES, *PROMISES_FOR_EQUAL_BODIES], ids=lambda promise: promise.__name__
)
async def test_memory_with_latency_keeps_promise(
    promise: Promise, autojump_clock: MockClock
) -> None:
    await promise(MemoryStore(latency_ms=40), KEY)


async def test_each_call_with_latency_takes_it(autojump_clock: MockClock) -> None:
    store = MemoryStore(latency_ms=40)
    started_s = trio.current_time()
    version = await store.put(KEY, [b"a"], condition=ABSENT)
    await store.read(KEY, if_changed_from=version)
    await store.list("")
    await store.delete(KEY)
    with pytest.raises(ObjectMissing):
        await store.put(KEY, [b"a"], condition=Match(version))
    assert math.isclose(trio.current_time() - started_s, 5 * 0.040)


async def test_put_cancelled_on_its_way_there_is_never_applied(autojump_clock: MockClock) -> None:
    store = MemoryStore(latency_ms=40)
    with trio.move_on_after(0.019) as scope:
        await store.put(KEY, [b"a"], condition=ABSENT)
    assert scope.cancelled_caught
    await trio.sleep(1)
    assert await store.list("") == []


async def test_put_cancelled_on_its_way_back_is_applied(autojump_clock: MockClock) -> None:
    store = MemoryStore(latency_ms=40)
    with trio.move_on_after(0.021) as scope:
        await store.put(KEY, [b"a"], condition=ABSENT)
    assert scope.cancelled_caught
    found = await store.read(KEY)
    assert isinstance(found, StoredObject)
    assert found.data == b"a"


async def test_delete_cancelled_on_its_way_back_is_applied(autojump_clock: MockClock) -> None:
    store = MemoryStore(latency_ms=40)
    await store.put(KEY, [b"a"], condition=ABSENT)
    with trio.move_on_after(0.021) as scope:
        await store.delete(KEY)
    assert scope.cancelled_caught
    assert await store.list("") == []


async def test_puts_are_applied_in_the_middle_of_their_latency(autojump_clock: MockClock) -> None:
    store = MemoryStore(latency_ms=40)
    version = await store.put(KEY, [b"old"], condition=ABSENT)
    found: list[object] = []

    async def read_after(delay_s: float) -> None:
        await trio.sleep(delay_s)
        found.append(await store.read(KEY, if_changed_from=version))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_after, 0)
        nursery.start_soon(read_after, 0.002)
        await trio.sleep(0.001)
        await store.put(KEY, [b"new"], condition=Match(version))
    # The first read looked one millisecond before the put was applied, the second one after it.
    before, after = found
    assert not isinstance(before, StoredObject)
    assert isinstance(after, StoredObject)
    assert after.data == b"new"


async def test_chunks_changed_after_the_put_do_not_change_the_object() -> None:
    store = MemoryStore()
    chunks = [b"a", b"b"]
    version = await store.put(KEY, chunks, condition=ABSENT)
    chunks.append(b"c")
    assert await store.read(KEY) == StoredObject(b"ab", version)


async def test_stores_are_apart_from_each_other() -> None:
    first, second = MemoryStore(), MemoryStore()
    await first.put(KEY, [b"a"], condition=ABSENT)
    assert await second.list("") == []


def test_negative_latency_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        MemoryStore(latency_ms=-1)

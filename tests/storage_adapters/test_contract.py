"""Runs the contract suite on every adapter, and tests what the contract itself decides.

An adapter joins by one entry of `ADAPTERS`: how to open an empty store, given a directory of the
test and the buckets that are there for tests. What only one adapter promises is tested in the file
named after it. The clock is real here, because threads and networks do not follow another;
`test_memory` runs the suite with latency.
"""

import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage_adapters import contract
from storage_adapters.contract import (
    ABSENT,
    Absent,
    Condition,
    Match,
    ObjectMissing,
    ObjectStore,
    StoreError,
    StoreMisconfigured,
    Version,
    VersionConflict,
    check_key,
    refusal_of_condition,
)
from storage_adapters.file.store import FileStore
from storage_adapters.memory import MemoryStore
from tests.emulators.peers import Peers
from tests.storage_adapters.contract import (
    PROMISES,
    PROMISES_FOR_EQUAL_BODIES,
    PROMISES_WHERE_MISSING_IS_TOLD,
    Promise,
)


@dataclass(frozen=True)
class Adapter:
    """How the suite opens one kind of store."""

    open: Callable[[Path, Peers], ObjectStore]
    """Makes a store; the directory is empty and the test's own."""
    tells_missing_from_changed: bool = True
    """False where a put on a version says the same whether the object is gone or another one."""
    keeps_versions_of_equal_bodies: bool = True
    """False where a version comes from the bytes alone."""


ADAPTERS = {
    "memory": Adapter(lambda directory, peers: MemoryStore()),
    "file": Adapter(lambda directory, peers: FileStore(directory / "store")),
    "ministack": Adapter(
        lambda directory, peers: peers.ministack.open(), keeps_versions_of_equal_bodies=False
    ),
    "moto": Adapter(
        lambda directory, peers: peers.moto.open(), keeps_versions_of_equal_bodies=False
    ),
    "fake-gcs": Adapter(
        lambda directory, peers: peers.fake_gcs.open(), tells_missing_from_changed=False
    ),
    "xml-gcs": Adapter(
        lambda directory, peers: peers.xml_gcs.open(), tells_missing_from_changed=False
    ),
}

CASES = [
    pytest.param(adapter, promise, id=f"{name}-{promise.__name__}")
    for name, adapter in ADAPTERS.items()
    for promise in (
        *PROMISES,
        *(PROMISES_WHERE_MISSING_IS_TOLD if adapter.tells_missing_from_changed else ()),
        *(PROMISES_FOR_EQUAL_BODIES if adapter.keeps_versions_of_equal_bodies else ()),
    )
]

KEY_NUMBERS = itertools.count()


@pytest.mark.parametrize(("adapter", "promise"), CASES)
async def test_adapter_keeps_promise(
    adapter: Adapter, promise: Promise, tmp_path: Path, peers: Peers
) -> None:
    store = adapter.open(tmp_path, peers)
    try:
        # Adapters may share one bucket over many tests, so that each test has its own key.
        await promise(store, f"contract/{next(KEY_NUMBERS)}/object.json")
    finally:
        await store.aclose()


BAD_KEYS = [
    *("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b"),
    *("a\\b", "a\0b", "\ud800", "a" * 1025, "é" * 513),
]


@pytest.fixture(params=ADAPTERS.values(), ids=list(ADAPTERS))
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, peers: Peers
) -> AsyncGenerator[ObjectStore]:
    opened: ObjectStore = request.param.open(tmp_path, peers)
    yield opened
    await opened.aclose()


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_adapter_with_bad_key_refuses_every_call(store: ObjectStore, key: str) -> None:
    with pytest.raises(StoreMisconfigured):
        await store.read(key)
    with pytest.raises(StoreMisconfigured):
        await store.put(key, [b"a"], condition=ABSENT)
    with pytest.raises(StoreMisconfigured):
        await store.delete(key)
    assert await store.list("bad/") == []


@pytest.mark.parametrize("key", BAD_KEYS)
def test_check_key_with_bad_key_refuses(key: str) -> None:
    with pytest.raises(StoreMisconfigured):
        check_key(key)


@pytest.mark.parametrize("key", ["a", "queue.json", ".probe/1", "a/b c/é", "...", "a" * 1024])
def test_check_key_with_good_key_accepts(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize(
    ("condition", "found", "expected"),
    [
        (ABSENT, None, None),
        (ABSENT, "1", VersionConflict),
        (Match(Version("1")), "1", None),
        (Match(Version("1")), "2", VersionConflict),
        (Match(Version("1")), None, ObjectMissing),
    ],
)
def test_refusal_of_condition_judges_what_is_stored(
    condition: Condition, found: str | None, expected: type[StoreError] | None
) -> None:
    version = None if found is None else Version(found)
    refusal = refusal_of_condition("queue.json", condition, found=version)
    if expected is None:
        assert refusal is None
    else:
        assert type(refusal) is expected
        assert str(refusal).endswith(": queue.json")


def test_conditions_with_equal_content_are_equal() -> None:
    assert Absent() == ABSENT
    assert Match(Version("1")) == Match(Version("1"))
    assert Match(Version("1")) != Match(Version("2"))


def test_errors_each_have_their_own_advice() -> None:
    errors = [
        value
        for name in contract.__all__
        if isinstance(value := getattr(contract, name), type) and issubclass(value, StoreError)
    ]
    assert len(errors) == 9
    assert len({error.advice for error in errors}) == len(errors)
    needing = [error for error in errors if error.needs_operator]
    assert needing == [contract.AccessDenied, contract.StoreMisconfigured]

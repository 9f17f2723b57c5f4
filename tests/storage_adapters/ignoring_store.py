"""Stores that keep less than they promise, each in one way; a memory store behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from storage_adapters.contract import (
    ABSENT,
    Absent,
    Condition,
    Match,
    ObjectMissing,
    StoredObject,
    StoreError,
    Version,
    VersionConflict,
)
from storage_adapters.memory import MemoryStore

__all__ = ["IgnoringStore", "RestlessStore", "SizeAndSecondStore", "StaleStore"]


class IgnoringStore(MemoryStore):
    """Takes writes under conditions of these classes whether they hold or not."""

    def __init__(self, *ignored: type[Absent | Match]) -> None:
        super().__init__()
        self.ignored = ignored

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        if isinstance(condition, self.ignored):
            return await self.put_anyway(key, chunks, metadata=metadata)
        return await super().put(key, chunks, condition=condition, metadata=metadata)

    async def put_anyway(
        self, key: str, chunks: Sequence[bytes], *, metadata: Mapping[str, str] | None = None
    ) -> Version:
        """Replace whatever is there."""
        while True:
            present = await self.present(key)
            try:
                return await MemoryStore.put(
                    self, key, chunks, condition=present, metadata=metadata
                )
            except (VersionConflict, ObjectMissing):
                # Another one came in between; it is ignored, too.
                continue

    async def present(self, key: str) -> Condition:
        """The condition that holds now."""
        try:
            found = await self.read(key)
        except ObjectMissing:
            return ABSENT
        assert isinstance(found, StoredObject)
        return Match(found.version)


class StaleStore(IgnoringStore):
    """Refuses the replacements that it must refuse, and stores them all the same."""

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        if isinstance(condition, Absent):
            return await super().put(key, chunks, condition=condition, metadata=metadata)
        present = await self.present(key)
        version = await self.put_anyway(key, chunks, metadata=metadata)
        if condition != present:
            raise VersionConflict(f"refused: {key}")
        return version


class SizeAndSecondStore(MemoryStore):
    """Names a version after the size and the second: of two writes in one, the second is taken for
    the first."""

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        await super().put(key, chunks, condition=condition, metadata=metadata)
        version = Version(f"{sum(map(len, chunks))}-{int(trio.current_time())}")
        self._objects[key] = (tuple(chunks), version)
        return version


class RestlessStore(MemoryStore):
    """Fails the calls that are named, by the number of the call, with an error of a test's choice;
    writes are carried out or not as they would be."""

    def __init__(self, failures: Mapping[int, StoreError], *, is_applied: bool = False) -> None:
        super().__init__()
        self.failures = failures
        self.is_applied = is_applied
        self.puts_count = 0

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        self.puts_count += 1
        failure = self.failures.get(self.puts_count)
        if failure is not None and not self.is_applied:
            raise failure
        version = await super().put(key, chunks, condition=condition, metadata=metadata)
        if failure is not None:
            raise failure
        return version

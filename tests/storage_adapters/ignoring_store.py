"""Stores that keep less than they promise, each in one way; a memory store behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

__all__ = ["IgnoringStore", "RestlessStore", "StaleStore"]


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
            condition = await self._present(key)
        return await super().put(key, chunks, condition=condition, metadata=metadata)

    async def _present(self, key: str) -> Condition:
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
        present = await self._present(key) if isinstance(condition, Match) else condition
        version = await super().put(key, chunks, condition=present, metadata=metadata)
        if condition != present:
            raise VersionConflict(f"refused: {key}")
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

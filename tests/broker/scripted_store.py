"""A store over the memory store, with a script that says what happens to each put and read."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum

import trio

from storage_adapters.contract import (
    ABSENT,
    AccessDenied,
    Condition,
    Match,
    NotApplied,
    ObjectMissing,
    StoredObject,
    StoreUnavailable,
    Unchanged,
    Version,
    VersionConflict,
    WriteOutcomeUnknown,
)
from storage_adapters.memory import MemoryStore

__all__ = ["KEY", "Put", "ScriptedStore"]

KEY = "queue.json"


class Put(Enum):
    """What happens to one put."""

    LAND = "applied, and answered"
    REFUSE = "surely not applied"
    DENY = "refused for lack of permission: this copy was not applied"
    DENY_COPY = "applied; a second copy of it is refused for lack of permission"
    LOSE_REPLY = "applied, and not answered"
    VANISH = "never applied, and not answered"
    LAND_LATE = "not answered, and applied right after the next read"
    HANG = "applied, and the answer never comes"
    HANG_UNAPPLIED = "never applied, and the answer never comes"
    NO_VERSION = "applied, and answered without a version"


class ScriptedStore(MemoryStore):
    """Each put does the next thing of its script; without one it lands."""

    def __init__(self) -> None:
        super().__init__(latency_ms=2)
        self.script: deque[Put] = deque()
        self.always: Put = Put.LAND
        """What happens to puts that no script is left for."""
        self.reads_fail = False
        self.reads_denied = False
        self.reads_hang = 0
        """So many reads are never answered."""
        self.bodies: list[bytes] = []
        """What every attempt sent, in order."""
        self.reads_count = 0
        self.before_put: Callable[[], Awaitable[None]] | None = None
        """What a rival does before the next put arrives."""
        self._late: list[tuple[Sequence[bytes], Condition]] = []

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        self.bodies.append(b"".join(chunks))
        before, self.before_put = self.before_put, None
        if before is not None:
            await before()
        step = self.script.popleft() if self.script else self.always
        if step is Put.REFUSE:
            await trio.lowlevel.checkpoint()
            raise NotApplied("no connection")
        if step is Put.DENY:
            await trio.lowlevel.checkpoint()
            raise AccessDenied("403, no permission")
        if step is Put.VANISH:
            raise WriteOutcomeUnknown("connection reset")
        if step is Put.LAND_LATE:
            self._late.append((chunks, condition))
            raise WriteOutcomeUnknown("504, gateway timeout")
        if step is Put.HANG_UNAPPLIED:
            await trio.sleep_forever()
        version = await super().put(key, chunks, condition=condition, metadata=metadata)
        if step is Put.DENY_COPY:
            raise AccessDenied("403, no permission")
        if step is Put.LOSE_REPLY:
            raise WriteOutcomeUnknown("connection reset")
        if step is Put.HANG:
            await trio.sleep_forever()
        return Version("") if step is Put.NO_VERSION else version

    async def read(
        self,
        key: str,
        *,
        if_changed_from: Version | None = None,
        head_bytes: int | None = None,
    ) -> StoredObject | Unchanged:
        self.reads_count += 1
        await trio.lowlevel.checkpoint()
        if self.reads_fail:
            raise StoreUnavailable("503")
        if self.reads_denied:
            raise AccessDenied("403")
        if self.reads_hang:
            self.reads_hang -= 1
            await trio.sleep_forever()
        try:
            return await super().read(key, if_changed_from=if_changed_from, head_bytes=head_bytes)
        finally:
            late, self._late = self._late, []
            for chunks, condition in late:
                await self._land_late(key, chunks, condition)

    async def stored(self) -> bytes:
        """What is there now."""
        found = await super().read(KEY)
        assert isinstance(found, StoredObject)
        return found.data

    async def replace(self, data: bytes) -> None:
        """Put something else there: what an editor or a rival does."""
        try:
            found = await super().read(KEY)
        except ObjectMissing:
            condition: Condition = ABSENT
        else:
            assert isinstance(found, StoredObject)
            condition = Match(found.version)
        await super().put(KEY, [data], condition=condition)

    async def _land_late(self, key: str, chunks: Sequence[bytes], condition: Condition) -> None:
        try:
            await super().put(key, chunks, condition=condition)
        except (VersionConflict, ObjectMissing):
            return

"""The store that lives and ends with its process: for tests, and for trying osqueue out.

Keeps the whole contract, so that a test that runs on it means something for a bucket. Keeps
nothing on disk and shares nothing with other processes. Opened by `opening`, and directly by tests.
"""

from collections.abc import Mapping, Sequence

import trio

from storage_adapters.contract import (
    UNCHANGED,
    Condition,
    StoredObject,
    Unchanged,
    Version,
    check_key,
    missing_object,
    refusal_of_condition,
)

__all__ = ["MemoryStore"]


class MemoryStore:
    """Objects in a dictionary; every call takes about `latency_ms`, as on the way to a bucket.

    Half of the latency passes on the way to the store and half on the way back; what a call does
    is done at once in between. So a put that is cancelled in its first half is never applied, and
    one that is cancelled in its second half was applied: both happen, as they do with a bucket.
    With no latency each half is still one checkpoint.

    Args:
        latency_ms: 0 or more. Waits on Trio's clock, so that an autojump clock skips it.
    """

    def __init__(self, *, latency_ms: int = 0) -> None:
        assert latency_ms >= 0, latency_ms
        self.description = "memory store of this process"
        self.clock_offset_ms: int | None = None
        self._half_latency_s = latency_ms / 2 / 1000
        # Bodies stay in the chunks they came in, so that a put copies nothing; reads join them.
        self._objects: dict[str, tuple[tuple[bytes, ...], Version]] = {}
        # Counts the puts of all keys and is never reset, a delete included: no version returns.
        self._puts_count = 0

    async def read(
        self,
        key: str,
        *,
        if_changed_from: Version | None = None,
        head_bytes: int | None = None,
    ) -> StoredObject | Unchanged:
        """Read the object under `key`; see `ObjectStore.read`.

        Raises:
            ObjectMissing: nothing is stored under the key.
            StoreMisconfigured: the key is not one.

        Cancellation: no effect.
        """
        check_key(key)
        assert head_bytes is None or head_bytes > 0, head_bytes
        await trio.sleep(self._half_latency_s)
        found = self._objects.get(key)
        await trio.sleep(self._half_latency_s)
        if found is None:
            raise missing_object(key)
        chunks, version = found
        if version == if_changed_from:
            return UNCHANGED
        return StoredObject(b"".join(chunks)[:head_bytes], version)

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        """Store the concatenation of `chunks` under `key`; see `ObjectStore.put`.

        The metadata is dropped.

        Raises:
            VersionConflict, ObjectMissing: the condition does not hold.
            StoreMisconfigured: the key is not one.

        Cancellation: applied, or not and never; see the class.
        """
        check_key(key)
        await trio.sleep(self._half_latency_s)
        found = self._objects.get(key)
        refusal = refusal_of_condition(key, condition, found=found[1] if found else None)
        version = Version(str(self._puts_count + 1))
        if refusal is None:
            self._puts_count += 1
            self._objects[key] = (tuple(chunks), version)
        await trio.sleep(self._half_latency_s)
        if refusal is not None:
            raise refusal
        return version

    async def delete(self, key: str) -> None:
        """Remove the object under `key`; a missing one is no error.

        Raises:
            StoreMisconfigured: the key is not one.

        Cancellation: removed, or not and never; see the class.
        """
        check_key(key)
        await trio.sleep(self._half_latency_s)
        self._objects.pop(key, None)
        await trio.sleep(self._half_latency_s)

    async def list(self, prefix: str) -> list[str]:
        """Name all keys that begin with `prefix`, in ascending order.

        Raises: nothing.

        Cancellation: no effect.
        """
        await trio.sleep(self._half_latency_s)
        keys = sorted(key for key in self._objects if key.startswith(prefix))
        await trio.sleep(self._half_latency_s)
        return keys

    async def aclose(self) -> None:
        """Do nothing, after a checkpoint: the objects go with the store.

        Raises: nothing.

        Cancellation: no effect.
        """
        await trio.lowlevel.checkpoint()

"""Finds the leading broker in the store: its address stands in line 1 of the queue's document."""

from __future__ import annotations

from osqueue.core.document import HEAD_BYTES_MAX, read_header
from osqueue.core.errors import StoredDataInvalid

__all__ = ["Discovery", "is_store_url"]

_QUEUE_KEY = "queue.json"
_STORE_SCHEMES = ("memory", "file", "s3", "gs")


def is_store_url(target: str) -> bool:
    """Whether the URL names a store, not a broker."""
    return target.partition(":")[0] in _STORE_SCHEMES


class Discovery:
    """Reads who leads, from one store.

    Raises:
        StoreMisconfigured: the URL names no store that can be opened.
    """

    def __init__(self, store_url: str) -> None:
        # Loaded here, because a client that knows its broker needs no store.
        from storage_adapters.opening import open_store

        self._store_url = store_url
        self._store = open_store(store_url)

    async def aclose(self) -> None:
        """Close the connections to the store. Raises nothing; cancelled, it closes them too."""
        await self._store.aclose()

    async def find(self) -> tuple[int, str] | str:
        """The term and the leader's address, or why there is none now."""
        from storage_adapters.contract import StoredObject, StoreError

        try:
            found = await self._store.read(_QUEUE_KEY, head_bytes=HEAD_BYTES_MAX)
            header = read_header(found.data) if isinstance(found, StoredObject) else None
        except StoreError as error:
            return f"{self._store_url}: {error}"
        except StoredDataInvalid as error:
            return f"{self._store_url}: {error.message}"
        if header is None:
            return f"{self._store_url}: line 1 of {_QUEUE_KEY} cannot be read"
        if not header.broker:
            return f"{self._store_url}: no broker leads at the moment"
        return header.epoch, header.broker

"""Finds the leading broker in the store: its address stands in line 1 of the queue's document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from osqueue.core.document import HEAD_BYTES_MAX, read_header
from osqueue.core.errors import Forbidden, InvalidRequest, StoredDataInvalid

if TYPE_CHECKING:
    from storage_adapters.contract import StoredObject, Unchanged

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
        self._has_answered = False

    async def aclose(self) -> None:
        """Close the connections to the store. Raises nothing; cancelled, it closes them too."""
        await self._store.aclose()

    async def find(self) -> tuple[int, str] | str:
        """The term and the leader's address, or why there is none now.

        Raises:
            Forbidden, InvalidRequest: the store refuses, as no repetition will change. Where it has
                answered before, that counts as passing: permissions are changed and changed back.
        """
        from storage_adapters.contract import AccessDenied, StoredObject, StoreError

        try:
            found = await self._read_head()
            header = read_header(found.data) if isinstance(found, StoredObject) else None
        except StoreError as error:
            if error.needs_operator and not self._has_answered:
                refusal = Forbidden if isinstance(error, AccessDenied) else InvalidRequest
                raise refusal(
                    f"the leader cannot be looked up in {self._store_url} (the client's target, or"
                    f" BROKER_URL): {error}"
                ) from error
            return f"{self._store_url}: {error}"
        except StoredDataInvalid as error:
            return f"{self._store_url}: {error.message}"
        if header is None:
            return f"{self._store_url}: line 1 of {_QUEUE_KEY} cannot be read"
        if not header.broker:
            return f"{self._store_url}: no broker leads at the moment"
        return header.epoch, header.broker

    async def _read_head(self) -> StoredObject | Unchanged:
        from storage_adapters.contract import ObjectMissing

        try:
            found = await self._store.read(_QUEUE_KEY, head_bytes=HEAD_BYTES_MAX)
        except ObjectMissing:
            if not self._has_answered:
                await self._look_for_bucket()
            self._has_answered = True
            raise
        self._has_answered = True
        return found

    async def _look_for_bucket(self) -> None:
        """Tell a missing bucket from one without a queue, as some stores do in a listing only."""
        from storage_adapters.contract import StoreError, StoreMisconfigured

        try:
            await self._store.list(_QUEUE_KEY)
        except StoreError as error:
            # Any other error says nothing of the bucket: a client need not be permitted to list.
            if isinstance(error, StoreMisconfigured):
                raise

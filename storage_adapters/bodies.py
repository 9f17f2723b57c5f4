"""The body of a put on its way: cut into pieces of a good size, and hashed, but never joined.

A document comes in as many chunks as it has blocks. Here they become pieces that are worth a
system call each and small enough to hold nobody up. Called by `http_store`.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Self, cast

import httpx

from storage_adapters.exchanges import DigestName

__all__ = ["PIECE_BYTES", "SMALL_BYTES", "BodyStream", "digest_of", "pieces_of"]

PIECE_BYTES = 262_144
"""The most that goes to the socket, or through TLS, at a time: some tenths of a millisecond."""

SMALL_BYTES = 16_384
"""Chunks below this are gathered: a system call costs more than copying them."""


class BodyStream(httpx.AsyncByteStream):
    """Streams chunks without joining them."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Pieces(self._chunks)


class _Pieces:
    """One pass over a body. No async generator: httpx leaves those of cancelled requests open."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._left = pieces_of(chunks)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._left:
            # h11 takes whatever is like bytes; its annotation says less.
            return cast("bytes", piece)
        raise StopAsyncIteration


def pieces_of(chunks: Sequence[bytes]) -> Iterator[bytes | memoryview]:
    """Yield what the chunks hold, in order, in pieces of at most `PIECE_BYTES`, none empty.

    Large chunks are cut without copying. Holds at most `PIECE_BYTES` of small ones at a time.
    """
    gathered: list[bytes] = []
    gathered_bytes = 0
    for chunk in chunks:
        is_small = len(chunk) < SMALL_BYTES
        if gathered and (not is_small or gathered_bytes + len(chunk) > PIECE_BYTES):
            yield b"".join(gathered)
            gathered, gathered_bytes = [], 0
        if is_small:
            if chunk:
                gathered.append(chunk)
                gathered_bytes += len(chunk)
            continue
        if len(chunk) <= PIECE_BYTES:
            yield chunk
            continue
        view = memoryview(chunk)
        for start in range(0, len(chunk), PIECE_BYTES):
            yield view[start : start + PIECE_BYTES]
    if gathered:
        yield b"".join(gathered)


def digest_of(chunks: Sequence[bytes], name: DigestName) -> bytes:
    """Hash what the chunks hold. Blocks for up to two milliseconds a megabyte; the GIL is free."""
    # MD5 is a checksum against damage here, which also FIPS allows.
    running = hashlib.new(name, usedforsecurity=False)
    for piece in pieces_of(chunks):
        running.update(piece)
    return running.digest()

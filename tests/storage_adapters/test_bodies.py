"""Tests how a body is cut and hashed: by count and by structure, so that nothing is joined."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage_adapters.bodies import PIECE_BYTES, SMALL_BYTES, digest_of, pieces_of

SIZES = st.one_of(
    st.integers(0, 100),
    st.sampled_from([SMALL_BYTES - 1, SMALL_BYTES, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES]),
)


@given(st.lists(SIZES, max_size=12))
def test_pieces_hold_the_same_bytes_in_order(sizes: list[int]) -> None:
    chunks = [bytes([index % 251]) * size for index, size in enumerate(sizes)]
    pieces = list(pieces_of(chunks))
    assert b"".join(pieces) == b"".join(chunks)
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)


def test_pieces_of_small_chunks_are_few() -> None:
    assert len(list(pieces_of([b"x" * 100] * 10_000))) == -(-1_000_000 // PIECE_BYTES)


def test_pieces_of_large_chunks_are_not_copied() -> None:
    middle, large = b"x" * SMALL_BYTES, b"y" * (PIECE_BYTES + 1)
    first, *views = pieces_of([middle, large])
    assert first is middle
    assert [type(view) for view in views] == [memoryview, memoryview]
    assert all(isinstance(view, memoryview) and view.obj is large for view in views)


@pytest.mark.parametrize("chunks", [[], [b""], [b"one, ", b"", b"two"], [b"x" * 1_000_000, b"y"]])
def test_digest_is_that_of_the_joined_chunks(chunks: list[bytes]) -> None:
    joined = b"".join(chunks)
    assert digest_of(chunks, "sha256") == hashlib.sha256(joined).digest()
    assert digest_of(chunks, "md5") == hashlib.md5(joined).digest()

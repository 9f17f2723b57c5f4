"""The two encodings of the same messages."""

from __future__ import annotations

import enum

__all__ = ["Encoding"]


class Encoding(enum.Enum):
    """How a frame is encoded: JSON in text frames, MessagePack in binary ones."""

    JSON = "application/json"
    MSGPACK = "application/msgpack"

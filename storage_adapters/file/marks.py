"""Marks of objects that were stored: they tell an object that vanished from one that never was.

`.file-store/stored/KEY` is an empty file. It is made by the second put of its object, before that
is applied: so it never speaks of an object that was not there, whenever the process is killed. It
is removed by a delete, before the object is. Where it lies there without the object, somebody
removed that past the store.

Only keys without a slash are marked. What lies deeper belongs to one of those.
"""

import contextlib
import os
from pathlib import Path

from storage_adapters.contract import ObjectVanished
from storage_adapters.file.reading import OWN_NAME, find_file

__all__ = ["find_mark", "make_mark", "refuse_vanished"]


def find_mark(directory: Path, key: str) -> Path | None:
    """Where the mark of a key belongs, below the store's `directory`; None: it gets none."""
    return None if "/" in key else directory / OWN_NAME / "stored" / key


def make_mark(mark: Path) -> None:
    """Make a mark, which may be there already.

    Not flushed: one that a power failure takes is made again by the next put.

    Raises:
        OSError: the disk failed.
    """
    mark.parent.mkdir(mode=0o700, exist_ok=True)
    file = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):
        os.close(file)


def refuse_vanished(mark: Path | None, path: Path) -> None:
    """Look for the mark of an object that was just missing at `path`.

    Raises:
        ObjectVanished: it was stored once, and is missing still.
        OSError: the disk failed.
    """
    if mark is None or find_file(mark) is None:
        return
    # Created since, and written again: then it was only not there yet.
    if find_file(path) is None:
        raise ObjectVanished(
            f"{path} was there and has been removed by hand. Put it back from a backup; to begin "
            f"anew without it, remove {mark} too"
        )

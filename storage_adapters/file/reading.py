"""The half of the file store that only looks: reading, listing, and telling versions.

Takes no lock and changes nothing, so that a reader never holds up a writer, and works in a
directory that it may not write to. All of it blocks: `store` calls it in threads. What makes a
version unique is explained there.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Generator
from pathlib import Path

from storage_adapters.contract import (
    UNCHANGED,
    AccessDenied,
    StoredObject,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    Unchanged,
    Version,
    missing_object,
)

__all__ = [
    "NO_PERMISSION",
    "OWN_NAME",
    "classified_read",
    "find_file",
    "list_files",
    "read_file",
    "version_of",
]

OWN_NAME = ".file-store"
"""The directory beside the objects that is the store's own."""

NO_PERMISSION = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""What the system answers where the caller may not do what it asked for."""

_NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR})
_IMPOSSIBLE_NAME = frozenset({errno.ENAMETOOLONG, errno.ELOOP})
_READ_ATTEMPTS_MAX = 100


def version_of(status: os.stat_result) -> Version:
    """Name what lies in a file; the head of `store` says why no name returns."""
    return Version(f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_size}")


def find_file(path: Path) -> os.stat_result | None:
    """Look at the file of a key; None where there is none, or something that is no file."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def read_file(
    path: Path, *, key: str, if_changed_from: Version | None, head_bytes: int | None
) -> StoredObject | Unchanged:
    """Read the object `key`, which lies at `path`; see `ObjectStore.read`.

    Raises: the errors of `ObjectStore.read`.
    """
    with classified_read(key):
        for _ in range(_READ_ATTEMPTS_MAX):
            found = _read_once(path, key=key, known=if_changed_from, head_bytes=head_bytes)
            if found is not None:
                return found
    raise StoreUnavailable(f"the file changes faster than it can be read; retry later: {key}")


def _read_once(
    path: Path, *, key: str, known: Version | None, head_bytes: int | None
) -> StoredObject | Unchanged | None:
    """Read bytes and version of one and the same file; None where it changed meanwhile."""
    with open(path, "rb", buffering=0, opener=_open_at_once) as file:
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise missing_object(key)
        # Replaced since it was opened, which changed its status change time: not a version that
        # any put returned. A replacement after this line does no harm: the open file stays whole.
        if before.st_nlink == 0:
            return None
        if version_of(before) == known:
            return UNCHANGED
        data = file.read(-1 if head_bytes is None else head_bytes)
        after = os.fstat(file.fileno())
    # The store never writes into an object; a person may, and then bytes of two states can mix.
    is_same = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    return StoredObject(data, version_of(before)) if is_same else None


def _open_at_once(path: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a named pipe would wait for its writer.
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def list_files(directory: Path, *, prefix: str) -> list[str]:
    """Name all keys below `directory` that begin with `prefix`; see `ObjectStore.list`.

    Raises: the errors of `ObjectStore.list`.
    """
    keys: list[str] = []
    with classified_read(prefix):
        for place, subdirectories, names in os.walk(directory, onerror=_raise_unless_missing):
            if place == str(directory) and OWN_NAME in subdirectories:
                subdirectories.remove(OWN_NAME)
            parent = Path(place).relative_to(directory)
            keys += [(parent / name).as_posix() for name in names]
    return sorted(key for key in keys if key.startswith(prefix))


def _raise_unless_missing(error: OSError) -> None:
    # The store itself may not exist yet, and a directory may go while the walk is under way.
    if not isinstance(error, FileNotFoundError):
        raise error


@contextlib.contextmanager
def classified_read(key: str) -> Generator[None]:
    """Turn what the disk says into the words of the contract."""
    try:
        yield
    except OSError as error:
        raise _classify_read(error, key=key) from error


def _classify_read(error: OSError, *, key: str) -> StoreError:
    if error.errno in _NO_SUCH_FILE:
        return missing_object(key)
    if error.errno in NO_PERMISSION:
        return AccessDenied(f"the file may not be read; fix its permissions: {key}: {error}")
    if error.errno in _IMPOSSIBLE_NAME:
        return StoreMisconfigured(
            f"the directory cannot hold this key; choose another name: {key}: {error}"
        )
    return StoreUnavailable(f"the file cannot be read now; retry later: {key}: {error}")

"""The files that become objects: each put writes one of its own, before it takes the lock.

They lie in the store's own directory as `next-` and a random number. Whoever writes one keeps it
locked until it is renamed or removed, and that lock goes with the process. So a file that can be
locked was left by a process that is gone, and is removed by the next put. That of a writer which
is stopped stays, for as long as it lives.
"""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Generator
from pathlib import Path

__all__ = ["opened_unfinished", "remove_left_behind"]

_NAME = "next"
_ATTEMPTS_MAX = 100


@contextlib.contextmanager
def opened_unfinished(
    own_directory: Path, *, open_file: Callable[[Path, int, int], int] = os.open
) -> Generator[tuple[Path, int]]:
    """Make an empty file, locked. It is removed again where the block raises.

    Args:
        own_directory: where it lies.
        open_file: the system call; tests give one that others come in between.

    Yields: its path and descriptor.

    Raises:
        OSError: the disk failed.
    """
    path, file = _make_file(own_directory, open_file)
    try:
        yield path, file
    except BaseException:
        # At once, not by the next put: on a full disk its space is needed.
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise
    finally:
        with contextlib.suppress(OSError):
            os.close(file)


def _make_file(own_directory: Path, open_file: Callable[[Path, int, int], int]) -> tuple[Path, int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    for _ in range(_ATTEMPTS_MAX):
        path = own_directory / f"{_NAME}-{secrets.token_hex(8)}"
        file = open_file(path, flags, 0o600)
        # In between, another put may have found it unlocked: then it is removed, or about to be.
        if _lock(file) and os.fstat(file).st_nlink:
            return path, file
        os.close(file)
    raise OSError(f"{_ATTEMPTS_MAX} new files in a row were removed by others: {own_directory}")


def remove_left_behind(own_directory: Path) -> None:
    """Remove the files of writers that are gone. What cannot be removed stays: it does no harm."""
    with contextlib.suppress(OSError), os.scandir(own_directory) as entries:
        for entry in entries:
            if entry.name.startswith(_NAME):
                _remove_if_left_behind(Path(entry.path))


def _remove_if_left_behind(path: Path) -> None:
    # Without O_NONBLOCK, opening a named pipe would wait for its reader.
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        file = os.open(path, flags)
        try:
            # Renamed since: then the name is gone already, and no other put ever takes it.
            if _lock(file):
                path.unlink(missing_ok=True)
        finally:
            os.close(file)


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

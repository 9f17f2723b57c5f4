"""The lock of a file store's directory, and the name of whoever keeps it.

It is held for the microseconds in which a put compares, renames and takes the version, and a delete
removes: never while bytes are written or flushed. A process that is stopped just then (SIGSTOP,
`docker pause`, a freezer) keeps it until it goes on or is ended; the lock goes with the process.
Nobody may take it away, because such a process renames as soon as it goes on. So whoever waits in
vain says who holds it, as far as the kernel tells, and what to do.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Generator
from pathlib import Path

import trio

from storage_adapters.contract import NotApplied

__all__ = ["describe_holder", "find_holder", "locked"]

_POLL_S = 0.001
_STATES = {"T": "stopped", "t": "stopped by a debugger", "D": "waiting for its disk"}


@contextlib.contextmanager
def locked(path: Path, *, wait_s: float, key: str) -> Generator[int]:
    """Hold the lock, against all processes of this machine and all threads of this one.

    Yields: the descriptor of the lock file, which is made where it is missing.

    Raises:
        NotApplied: another one has kept it for `wait_s`.
        OSError: the disk failed.

    Cancellation: while it waits.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait(lock, path=path, wait_s=wait_s, key=key)
        yield lock
    finally:
        # Closing releases it. The file itself stays: were it removed, one process could hold the
        # lock of the removed file while another one locks its successor. A failure tells nothing
        # about the object.
        with contextlib.suppress(OSError):
            os.close(lock)


def _wait(lock: int, *, path: Path, wait_s: float, key: str) -> None:
    # Stands still in suspend, as the holder does: nobody's safety is counted here.
    give_up_at_s = time.monotonic() + wait_s
    while True:
        try:
            # flock, not lockf: it belongs to the descriptor, so it also holds between threads.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Polled instead of waited for, so that a stopped holder cannot hold up a shutdown.
            trio.from_thread.check_cancelled()
        else:
            return
        if time.monotonic() >= give_up_at_s:
            holder = describe_holder(_find_holder_of(lock), path=path)
            raise NotApplied(f"the lock of the store was not free for {wait_s} s: {holder}: {key}")
        time.sleep(_POLL_S)


def describe_holder(pid: int | None, *, path: Path) -> str:
    """Say who keeps the lock, and what an operator does about it.

    Args:
        pid: of the holder; None where the kernel does not tell.
        path: of the lock file.
    """
    if pid is None:
        return (
            f"see which process keeps {path} (lsof marks its descriptor with W; it may be in "
            "another container) and let it go on or end it; writes then go on by themselves"
        )
    if pid == os.getpid():
        return "another write of this process keeps it; see whether its disk hangs"
    state = _STATES.get(_state_of(pid), "")
    return (
        f"process {pid} keeps it{f', which is {state}' if state else ''}; let it go on "
        f"(kill -CONT {pid}, docker unpause) or end it (kill -KILL {pid}); writes then go on by "
        "themselves"
    )


def find_holder(locks: str, *, device: int, inode: int) -> int | None:
    """Find who holds the exclusive lock of a file.

    Args:
        locks: the text of `/proc/locks`.
        device: of the file, as `st_dev`.
        inode: of the file.

    Returns: the process; None: the table does not show it, as for holders in other containers.
    """
    place = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    for line in locks.splitlines():
        # Like "1: FLOCK  ADVISORY  WRITE 4711 fd:00:131 0 EOF"; one that waits has an arrow.
        fields = line.split()
        if fields[1:2] == ["FLOCK"] and fields[3:4] == ["WRITE"] and fields[5:6] == [place]:
            return int(fields[4]) if int(fields[4]) > 0 else None
    return None


def _find_holder_of(lock: int) -> int | None:
    status = os.fstat(lock)
    try:
        locks = Path("/proc/locks").read_text()
    except OSError:
        # macOS and BSD have no such table.
        return None
    return find_holder(locks, device=status.st_dev, inode=status.st_ino)


def _state_of(pid: int) -> str:
    """The letter that proc(5) has for it; empty where it cannot be read."""
    try:
        # The name before it may hold blanks and brackets.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""

"""The lock: who holds it, and what is said of them."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from storage_adapters.contract import NotApplied
from storage_adapters.file.locking import describe_holder, find_holder, locked

LOCKS = """\
1: POSIX  ADVISORY  WRITE 11 fd:00:131 0 EOF
2: FLOCK  ADVISORY  READ  12 fd:00:131 0 EOF
3: FLOCK  ADVISORY  WRITE 13 fd:00:132 0 EOF
4: FLOCK  ADVISORY  WRITE 14 fd:00:131 0 EOF
4: -> FLOCK  ADVISORY  WRITE 15 fd:00:131 0 EOF
5: FLOCK  ADVISORY  WRITE 0 08:11:7 0 EOF
"""
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "rb")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
input()
"""
HAS_TABLE = Path("/proc/locks").exists()


def hold(path: Path) -> None:
    with locked(path, wait_s=0.01, key="queue.json"):
        pass


def test_holder_is_found_by_device_inode_and_kind_of_lock() -> None:
    assert find_holder(LOCKS, device=os.makedev(0xFD, 0), inode=131) == 14
    assert find_holder(LOCKS, device=os.makedev(0xFD, 1), inode=131) is None
    assert find_holder("", device=os.makedev(0xFD, 0), inode=131) is None


def test_holder_in_another_container_is_not_known() -> None:
    assert find_holder(LOCKS, device=os.makedev(8, 0x11), inode=7) is None
    told = describe_holder(None, path=Path("/store/lock"))
    assert "/store/lock" in told
    assert "lsof" in told


def test_own_process_and_one_without_a_state_are_told_apart(tmp_path: Path) -> None:
    assert "this process" in describe_holder(os.getpid(), path=tmp_path)
    # No pid is as great: the kernel's limit is 2 ** 22.
    assert "process 99999999 keeps it; let it go on" in describe_holder(99_999_999, path=tmp_path)


@contextmanager
def held_by_another() -> Generator[Callable[[Path], subprocess.Popen[bytes]]]:
    """Processes that hold a lock, and stand still; killed at the end."""
    holders: list[subprocess.Popen[bytes]] = []

    def start(path: Path) -> subprocess.Popen[bytes]:
        path.touch()
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        holders.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline()
        holder.send_signal(signal.SIGSTOP)
        os.waitpid(holder.pid, os.WUNTRACED)
        return holder

    try:
        yield start
    finally:
        for holder in holders:
            holder.kill()
            with holder:
                pass


async def test_lock_is_free_again_after_the_block_and_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for _ in range(2):
        await trio.to_thread.run_sync(hold, path)
    file = os.open(path, os.O_RDWR)
    fcntl.flock(file, fcntl.LOCK_EX)
    with pytest.raises(NotApplied, match=r"was not free for 0.01 s: .*: queue.json"):
        await trio.to_thread.run_sync(hold, path)
    os.close(file)
    await trio.to_thread.run_sync(hold, path)


@pytest.mark.slow
async def test_error_names_the_process_that_is_stopped_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_by_another() as start:
        holder = await trio.to_thread.run_sync(start, path)
        with pytest.raises(NotApplied) as raised:
            await trio.to_thread.run_sync(hold, path)
    if HAS_TABLE:
        assert f"process {holder.pid} keeps it, which is stopped" in str(raised.value)
        assert f"kill -CONT {holder.pid}" in str(raised.value)
    # The lock went with it.
    await trio.to_thread.run_sync(hold, path)

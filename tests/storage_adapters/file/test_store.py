"""Tests what only the file store promises: plain files, failing disks, cancelling, processes.

What its versions show of edits by hand is in `test_reading`.
"""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from storage_adapters.contract import (
    ABSENT,
    AccessDenied,
    Match,
    NotApplied,
    ObjectMissing,
    StoredObject,
    StoreError,
    StoreMisconfigured,
    VersionConflict,
    WriteOutcomeUnknown,
)
from storage_adapters.file.store import DiskCalls, DurabilityLost, FileStore
from tests.storage_adapters.contract import read_object
from tests.storage_adapters.file.store_process import KEY, body_chunks

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "tests.storage_adapters.file.store_process"]
PROCESSES_COUNT = 4
INCREMENTS_COUNT = 100
KILLS_COUNT = 8
TIMEOUT_S = 30
"""No thread of a test waits so long."""


def own_files(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / ".file-store").iterdir())


def inode_of(path: Path) -> int:
    return path.stat().st_ino


@contextmanager
def lock_held(directory: Path) -> Generator[None]:
    """Hold the lock as another process would: by a descriptor of its own."""
    with open(directory / ".file-store" / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


async def test_object_is_a_plain_file_with_the_bytes_put(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(KEY, [b'{"jobs"', b": []}"], condition=ABSENT)
    await store.put("part/of/it.json", [b"{}"], condition=ABSENT)
    assert (tmp_path / KEY).read_bytes() == b'{"jobs": []}'
    assert (tmp_path / "part/of/it.json").read_bytes() == b"{}"
    assert own_files(tmp_path) == ["lock"]


async def test_directory_is_made_by_the_first_put_for_its_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    store = FileStore(directory)
    assert await store.list("") == []
    await store.delete(KEY)
    with pytest.raises(ObjectMissing):
        await store.read(KEY)
    assert not directory.exists()
    await store.put(KEY, [b"a"], condition=ABSENT)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / KEY).stat().st_mode) == 0o600


async def test_two_stores_on_one_directory_share_the_object(tmp_path: Path) -> None:
    first, second = FileStore(tmp_path), FileStore(tmp_path)
    version = await first.put(KEY, [b"a"], condition=ABSENT)
    assert await second.read(KEY) == StoredObject(b"a", version)
    await second.put(KEY, [b"b"], condition=Match(version))
    with pytest.raises(VersionConflict):
        await first.put(KEY, [b"c"], condition=Match(version))


async def test_own_directory_is_no_place_for_objects_and_not_listed(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(KEY, [b"a"], condition=ABSENT)
    await store.put("part/.file-store/x", [b"a"], condition=ABSENT)
    assert await store.list("") == ["part/.file-store/x", KEY]
    with pytest.raises(StoreMisconfigured):
        await store.read(".file-store/lock")
    with pytest.raises(StoreMisconfigured):
        await store.delete(".file-store")


async def test_name_that_the_file_system_cannot_hold_is_misconfigured(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    for key in ("a" * 300, "loop"):
        with pytest.raises(StoreMisconfigured):
            await store.read(key)
        with pytest.raises(StoreMisconfigured):
            await store.put(key, [b"a"], condition=ABSENT)


async def test_versions_of_rapid_equal_puts_never_repeat(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    versions = [await store.put(KEY, [b"same"], condition=ABSENT)]
    for _ in range(300):
        versions.append(await store.put(KEY, [b"same"], condition=Match(versions[-1])))
    assert len(set(versions)) == len(versions)


async def test_versions_after_the_clock_was_set_back_never_repeat(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(KEY, [b"a"], condition=ABSENT)
    # As after puts under a clock that was ahead by decades, and is now right again.
    ahead_ns = 4_000_000_000 * 10**9
    os.utime(tmp_path / ".file-store" / "lock", ns=(ahead_ns, ahead_ns))
    times_ns: list[int] = []
    for _ in range(3):
        await store.delete(KEY)
        await store.put(KEY, [b"a"], condition=ABSENT)
        times_ns.append((tmp_path / KEY).stat().st_mtime_ns)
    assert ahead_ns < times_ns[0] < times_ns[1] < times_ns[2]


async def test_versions_without_the_lock_file_start_from_the_object(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(KEY, [b"a"], condition=ABSENT)
    ahead_ns = 4_000_000_000 * 10**9
    os.utime(tmp_path / KEY, ns=(ahead_ns, ahead_ns))
    (tmp_path / ".file-store" / "lock").unlink()
    await store.delete(KEY)
    await store.put(KEY, [b"a"], condition=ABSENT)
    assert (tmp_path / KEY).stat().st_mtime_ns > ahead_ns


def test_network_file_system_is_refused_unless_forced(tmp_path: Path) -> None:
    mounts = f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path.resolve()} nfs4 rw 0 0\n"
    with pytest.raises(StoreMisconfigured, match="nfs4"):
        FileStore(tmp_path / "store", mounts=mounts)
    FileStore(tmp_path / "store", mounts=mounts, force_network=True)


def test_network_file_system_behind_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "remote")
    mounts = f"server:/x {tmp_path.resolve() / 'remote'} cifs rw 0 0\n"
    with pytest.raises(StoreMisconfigured, match="cifs"):
        FileStore(tmp_path / "link", mounts=mounts)


class FailingDisk:
    """Passes system calls on, except that the one with the given number fails."""

    def __init__(self, *, error_number: int, flush: int | None = None) -> None:
        self.error = OSError(error_number, os.strerror(error_number))
        self.flushes_left = flush

    def fsync(self, descriptor: int) -> None:
        if self.flushes_left is not None:
            if self.flushes_left == 0:
                raise self.error
            self.flushes_left -= 1
        os.fsync(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        if self.flushes_left is None:
            raise self.error
        source.replace(target)

    def open_store(self, directory: Path) -> FileStore:
        calls = DiskCalls(fsync=self.fsync, replace=self.replace)
        return FileStore(directory, disk_calls=calls)


@pytest.mark.parametrize(
    ("error_number", "expected"),
    [
        (errno.ENOSPC, NotApplied),
        (errno.EIO, NotApplied),
        (errno.EACCES, AccessDenied),
        (errno.EROFS, AccessDenied),
    ],
)
async def test_put_that_fails_before_the_rename_changes_nothing(
    error_number: int, expected: type[StoreError], tmp_path: Path
) -> None:
    store = FileStore(tmp_path)
    version = await store.put(KEY, [b"old"], condition=ABSENT)
    failing = FailingDisk(error_number=error_number, flush=0).open_store(tmp_path)
    with pytest.raises(expected, match=KEY):
        await failing.put(KEY, [b"new"], condition=Match(version))
    assert await store.read(KEY) == StoredObject(b"old", version)
    assert own_files(tmp_path) == ["lock"]
    await store.put(KEY, [b"new"], condition=Match(version))


@pytest.mark.parametrize(
    ("error_number", "expected"), [(errno.EIO, WriteOutcomeUnknown), (errno.EROFS, AccessDenied)]
)
async def test_put_that_fails_in_the_rename_is_unknown_only_if_the_disk_failed(
    error_number: int, expected: type[StoreError], tmp_path: Path
) -> None:
    store = FileStore(tmp_path)
    version = await store.put(KEY, [b"old"], condition=ABSENT)
    with pytest.raises(expected, match=KEY):
        await (
            FailingDisk(error_number=error_number)
            .open_store(tmp_path)
            .put(KEY, [b"new"], condition=Match(version))
        )
    assert await store.read(KEY) == StoredObject(b"old", version)


async def test_put_whose_directory_cannot_be_flushed_ends_the_process(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    version = await store.put(KEY, [b"old"], condition=ABSENT)
    failing = FailingDisk(error_number=errno.EIO, flush=1).open_store(tmp_path)
    with pytest.raises(DurabilityLost) as raised:
        await failing.put(KEY, [b"new"], condition=Match(version))
    assert not isinstance(raised.value, StoreError)
    assert (await read_object(store, KEY)).data == b"new"


async def test_delete_whose_directory_cannot_be_flushed_ends_the_process(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(KEY, [b"old"], condition=ABSENT)
    failing = FailingDisk(error_number=errno.EIO, flush=0).open_store(tmp_path)
    with pytest.raises(DurabilityLost):
        await failing.delete(KEY)


async def test_put_onto_a_disk_with_coarse_times_is_misconfigured(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    version = await store.put(KEY, [b"old"], condition=ABSENT)

    def fsync_rounding_times(descriptor: int) -> None:
        rounded_ns = os.fstat(descriptor).st_mtime_ns // 10**9 * 10**9
        os.utime(descriptor, ns=(rounded_ns, rounded_ns - 1))

    coarse = FileStore(tmp_path, disk_calls=DiskCalls(fsync=fsync_rounding_times))
    with pytest.raises(StoreMisconfigured, match="nanosecond"):
        await coarse.put(KEY, [b"new"], condition=Match(version))
    assert await store.read(KEY) == StoredObject(b"old", version)


async def test_put_while_another_process_keeps_the_lock_is_not_applied(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    version = await store.put(KEY, [b"old"], condition=ABSENT)
    impatient = FileStore(tmp_path, lock_wait_ms=5)
    with lock_held(tmp_path):
        with pytest.raises(NotApplied, match="another write of this process keeps it"):
            await impatient.put(KEY, [b"new"], condition=Match(version))
        with pytest.raises(NotApplied, match="lock"):
            await impatient.delete(KEY)
        assert await impatient.read(KEY) == StoredObject(b"old", version)
        assert await impatient.list("") == [KEY]
    await impatient.put(KEY, [b"new"], condition=Match(version))


async def test_put_cancelled_while_it_waits_for_the_lock_changes_nothing(tmp_path: Path) -> None:
    store = FileStore(tmp_path, lock_wait_ms=60_000)
    version = await store.put(KEY, [b"old"], condition=ABSENT)
    with lock_held(tmp_path):
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_when_all_wait, scope)
                await store.put(KEY, [b"new"], condition=Match(version))
        assert scope.cancelled_caught
    assert await store.read(KEY) == StoredObject(b"old", version)


async def cancel_when_all_wait(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def test_put_cancelled_while_it_writes_runs_to_its_end(tmp_path: Path) -> None:
    is_flushing = trio.Event()
    may_flush = threading.Event()

    def slow_fsync(descriptor: int) -> None:
        if not may_flush.is_set():
            trio.from_thread.run_sync(is_flushing.set)
            may_flush.wait()
        os.fsync(descriptor)

    await FileStore(tmp_path).put("other", [b"a"], condition=ABSENT)
    store = FileStore(tmp_path, disk_calls=DiskCalls(fsync=slow_fsync))
    version = None
    async with trio.open_nursery() as nursery:

        async def cancel_in_the_middle(scope: trio.CancelScope) -> None:
            await is_flushing.wait()
            scope.cancel()
            may_flush.set()

        with trio.CancelScope() as scope:
            nursery.start_soon(cancel_in_the_middle, scope)
            version = await store.put(KEY, [b"new"], condition=ABSENT)
    assert scope.cancel_called
    assert version is not None
    assert await store.read(KEY) == StoredObject(b"new", version)


async def test_put_flushes_its_file_and_its_directory_and_nothing_else(tmp_path: Path) -> None:
    flushed: list[int] = []

    def counting_fsync(descriptor: int) -> None:
        flushed.append(os.fstat(descriptor).st_ino)
        os.fsync(descriptor)

    version = await FileStore(tmp_path).put(KEY, [b"old"], condition=ABSENT)
    store = FileStore(tmp_path, disk_calls=DiskCalls(fsync=counting_fsync))
    await store.put(KEY, [b"new"], condition=Match(version))
    assert flushed == [inode_of(tmp_path / KEY), inode_of(tmp_path)]
    with pytest.raises(VersionConflict):
        await store.put(KEY, [b"late"], condition=Match(version))
    assert len(flushed) == 2


@pytest.mark.parametrize("flush", ["of the file", "of the directory"])
async def test_writer_that_stands_still_in_a_flush_locks_nobody_out(
    flush: str, tmp_path: Path
) -> None:
    stands_still, may_go_on = trio.Event(), threading.Event()

    def fsync_standing_still(descriptor: int) -> None:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if is_directory == (flush == "of the directory"):
            trio.from_thread.run_sync(stands_still.set)
            assert may_go_on.wait(TIMEOUT_S)
        os.fsync(descriptor)

    store = FileStore(tmp_path, lock_wait_ms=5)
    version = await store.put(KEY, [b"1"], condition=ABSENT)
    stopped = FileStore(tmp_path, disk_calls=DiskCalls(fsync=fsync_standing_still))
    outcomes: list[object] = []

    async def put_and_stand_still() -> None:
        try:
            outcomes.append(await stopped.put(KEY, [b"stopped"], condition=Match(version)))
        except StoreError as error:
            outcomes.append(type(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(put_and_stand_still)
        await stands_still.wait()
        try:
            found = await read_object(store, KEY)
            assert found.data == (b"1" if flush == "of the file" else b"stopped")
            version_after = await store.put(KEY, [b"2"], condition=Match(found.version))
            # It did not take away the file of a writer that lives.
            assert len(own_files(tmp_path)) == (3 if flush == "of the file" else 2)
        finally:
            may_go_on.set()
    # Awake again, it finds that it is too late, or had been in time.
    assert outcomes == [VersionConflict if flush == "of the file" else found.version]
    assert await store.read(KEY) == StoredObject(b"2", version_after)
    assert own_files(tmp_path) == ["lock", "stored"]


async def test_put_of_a_writer_whose_file_was_taken_away_is_not_applied(tmp_path: Path) -> None:
    def fsync_and_lose(descriptor: int) -> None:
        os.fsync(descriptor)
        for path in (tmp_path / ".file-store").glob("next*"):
            path.unlink()

    version = await FileStore(tmp_path).put(KEY, [b"old"], condition=ABSENT)
    store = FileStore(tmp_path, disk_calls=DiskCalls(fsync=fsync_and_lose))
    with pytest.raises(NotApplied):
        await store.put(KEY, [b"new"], condition=Match(version))
    assert await store.read(KEY) == StoredObject(b"old", version)


async def test_put_that_lost_the_race_while_it_wrote_leaves_no_file(tmp_path: Path) -> None:
    other = FileStore(tmp_path)
    version = await other.put(KEY, [b"old"], condition=ABSENT)

    def fsync_and_lose_the_race(descriptor: int) -> None:
        os.fsync(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            trio.from_thread.run(partial(other.put, KEY, [b"2"], condition=Match(version)))

    slow = FileStore(tmp_path, disk_calls=DiskCalls(fsync=fsync_and_lose_the_race))
    with pytest.raises(VersionConflict):
        await slow.put(KEY, [b"late"], condition=Match(version))
    assert (await read_object(other, KEY)).data == b"2"
    assert own_files(tmp_path) == ["lock", "stored"]


async def test_leftover_of_a_killed_process_is_removed_by_the_next_put(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    version = await store.put(KEY, [b"old"], condition=ABSENT)
    (tmp_path / ".file-store" / "next").write_bytes(b"half of it")
    (tmp_path / ".file-store" / "next-0123456789abcdef").write_bytes(b"half of it")
    assert await store.list("") == [KEY]
    await store.put(KEY, [b"new"], condition=Match(version))
    assert own_files(tmp_path) == ["lock", "stored"]


async def test_leftover_that_is_the_object_itself_does_not_harm_it(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(KEY, [b"old"], condition=ABSENT)
    (tmp_path / ".file-store" / "next").hardlink_to(tmp_path / KEY)
    with pytest.raises(VersionConflict):
        await store.put(KEY, [b"new"], condition=ABSENT)
    await store.put("other", [b"new"], condition=ABSENT)
    assert (await read_object(store, KEY)).data == b"old"


@pytest.mark.slow
async def test_increments_of_racing_processes_are_never_lost(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(KEY, [b"0"], condition=ABSENT)

    async def run_process() -> None:
        command = [*PROGRAM, "increment", str(tmp_path), str(INCREMENTS_COUNT)]
        await trio.run_process(command, cwd=ROOT)

    async with trio.open_nursery() as nursery:
        for _ in range(PROCESSES_COUNT):
            nursery.start_soon(run_process)
    data, _ = await read_object(store, KEY)
    assert int(data) == PROCESSES_COUNT * INCREMENTS_COUNT


@pytest.mark.slow
async def test_writer_killed_at_any_moment_leaves_a_whole_object(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    for kill_number in range(KILLS_COUNT):
        acknowledged = await kill_after_lines(tmp_path, lines_count=1 + 3 * kill_number)
        data, version = await read_object(store, KEY)
        number = int(data[:8])
        assert data == b"".join(body_chunks(number))
        # The put after the last one that was acknowledged may have been applied as well.
        assert number >= acknowledged
        # The lock went with the process, and what it left behind goes with the next put.
        await store.put(KEY, body_chunks(number + 1), condition=Match(version))
        assert own_files(tmp_path) == ["lock", "stored"]


async def kill_after_lines(directory: Path, *, lines_count: int) -> int:
    """Let a process write until it has printed so many lines, kill it, return the last number."""
    command = [*PROGRAM, "replace", str(directory)]
    process = await trio.lowlevel.open_process(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    output = b""
    async with process.stdout:
        try:
            while output.count(b"\n") < lines_count:
                received = await process.stdout.receive_some()
                assert received, "the process has ended by itself"
                output += received
        finally:
            process.kill()
        async for received in process.stdout:
            output += received
    await process.wait()
    return int(output[: output.rindex(b"\n")].rsplit(b"\n", 1)[-1])

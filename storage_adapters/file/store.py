"""The store in one directory of one machine: an object is a plain file that people can read.

Key "queue.json" is the file `queue.json`, byte for byte what was put. Next to the objects lies
`.file-store/` with the lock, the file that is being written, and a mark for each object that was
there (see `marks`). Opened by `opening`. Any number of processes of one machine may share the
directory; machines may not, because the lock would not hold between them (see `mounts`).

How a put works. Under an exclusive lock of the directory: compare the version, write
`.file-store/next`, set its modification time, flush it, rename it over the object, flush the
directory. The rename is the step that applies it, with bytes and version at once. A process that
is killed before it has changed nothing, and the next put removes what it left; one killed after it
has applied its put. The lock goes with the process, its file stays for ever.

What a version is. The modification time of the file, its status change time and its size.

- It cannot repeat, because the store chooses the modification time itself, greater than any it
  chose before: greater than the clock, than the time of the object, and than the time of the lock
  file, which keeps the last one chosen, also across deletes and clocks that are set back. It is
  set before the rename and lives in the inode, so it changes in the same instant as the bytes.
- It shows an edit by hand, because the kernel sets the modification time of a file that is written
  in place, and the status change time of whatever is written, moved here or restored with its old
  times. (An edit that also restores the old times within the same tick of the kernel's clock as
  the put, a few milliseconds, is the only one that could hide.) Changing mode, owner or links
  shows as an edit too. That is the safe direction: it costs the writer a conflict, never an update.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from storage_adapters.contract import (
    AccessDenied,
    Condition,
    NotApplied,
    ObjectMissing,
    StoredObject,
    StoreError,
    StoreMisconfigured,
    Unchanged,
    Version,
    WriteOutcomeUnknown,
    check_key,
    refusal_of_condition,
)
from storage_adapters.file.marks import find_mark, refuse_vanished
from storage_adapters.file.mounts import network_type_of
from storage_adapters.file.reading import (
    NO_PERMISSION,
    OWN_NAME,
    classified_read,
    find_file,
    list_files,
    read_file,
    version_of,
)

__all__ = ["DiskCalls", "DurabilityLost", "FileStore"]

_LOCK_POLL_S = 0.001

_NEVER_POSSIBLE = frozenset(
    {errno.ENAMETOOLONG, errno.ELOOP, errno.EXDEV, errno.EISDIR, errno.ENOTDIR, errno.EEXIST}
)


class DurabilityLost(Exception):
    """A change is visible to others, but whether it outlives a power failure is unknown.

    The kernel reports a failed flush once and forgets the bytes: no repetition can tell, so the
    process must end. Not a `StoreError`, so that nobody who handles those catches it.
    """


@dataclass(frozen=True, kw_only=True)
class DiskCalls:
    """The system calls whose failure decides what is known about a put; tests give failing ones."""

    fsync: Callable[[int], None] = os.fsync
    """Flushes a file or directory, given by its descriptor."""
    replace: Callable[[Path, Path], None] = os.replace
    """Renames the first path over the second."""


class FileStore:
    """Objects as files below `directory`, made with mode 0700 by the first put where missing.

    Besides the errors of the contract, `put` and `delete` raise `DurabilityLost`.

    Args:
        directory: where the objects lie. Must belong to one machine.
        force_network: accept a network file system. Then nothing guards against a second machine.
        lock_wait_ms: how long a write waits for those of other processes before `NotApplied`.
        mounts: the text of the kernel's table of mounts; None reads it, where the system has one.

    Raises:
        StoreMisconfigured: there is a file where the directory should be, or it lies on a network
            file system.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        force_network: bool = False,
        lock_wait_ms: int = 5_000,
        mounts: str | None = None,
        disk_calls: DiskCalls | None = None,
    ) -> None:
        self.description = f"file store at {os.fspath(directory)}"
        # Its clock is this machine's own.
        self.clock_offset_ms: int | None = None
        # Resolved once: a later change of the working directory must not move the store.
        self._directory = Path(directory).resolve()
        self._lock_wait_s = lock_wait_ms / 1000
        self._disk_calls = DiskCalls() if disk_calls is None else disk_calls
        _refuse_file(self._directory)
        if not force_network:
            _refuse_network(self._directory, mounts=_kernel_mounts() if mounts is None else mounts)

    async def read(
        self,
        key: str,
        *,
        if_changed_from: Version | None = None,
        head_bytes: int | None = None,
    ) -> StoredObject | Unchanged:
        """Read the object under `key`; see `ObjectStore.read`. Takes no lock.

        Raises:
            ObjectMissing: there is no such file; `ObjectVanished` where there was one (`marks`).
            AccessDenied, StoreMisconfigured: an operator has to act.
            StoreUnavailable: the disk failed, or the file changed faster than it could be read.

        Cancellation: the thread is left behind; no effect.
        """
        assert head_bytes is None or head_bytes > 0, head_bytes
        path = self._path(key)
        return await trio.to_thread.run_sync(
            partial(
                self._read_in_thread,
                path,
                key=key,
                if_changed_from=if_changed_from,
                head_bytes=head_bytes,
            ),
            abandon_on_cancel=True,
        )

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        """Store the concatenation of `chunks` under `key`; see `ObjectStore.put`.

        The metadata is dropped.

        Raises:
            VersionConflict, ObjectMissing: the condition does not hold.
            NotApplied: the disk is full or failing, or another process kept the lock for too long.
            AccessDenied, StoreMisconfigured: an operator has to act.
            WriteOutcomeUnknown: the disk failed in the middle of the rename.
            DurabilityLost: the process must end.

        Cancellation: while it waits for the lock, the put is given up and changes nothing. From
        then on it runs to its end, and the call returns as if it had not been cancelled: a put is
        never left running behind.
        """
        path = self._path(key)
        return await trio.to_thread.run_sync(
            partial(self._put_in_thread, path, chunks, key=key, condition=condition)
        )

    async def delete(self, key: str) -> None:
        """Remove the object under `key`; a missing one is no error.

        Raises:
            NotApplied: the disk failed, or another process kept the lock for too long.
            AccessDenied, StoreMisconfigured: an operator has to act.
            DurabilityLost: the process must end.

        Cancellation: as for `put`.
        """
        path = self._path(key)
        await trio.to_thread.run_sync(partial(self._delete_in_thread, path, key=key))

    async def list(self, prefix: str) -> list[str]:
        """Name all keys that begin with `prefix`, in ascending order.

        Raises:
            AccessDenied: a directory cannot be read.
            StoreUnavailable: the disk failed.

        Cancellation: the thread is left behind; no effect.
        """
        return await trio.to_thread.run_sync(
            partial(list_files, self._directory, prefix=prefix), abandon_on_cancel=True
        )

    async def aclose(self) -> None:
        """Do nothing, after a checkpoint: between two calls nothing is open.

        Raises: nothing.

        Cancellation: no effect.
        """
        await trio.lowlevel.checkpoint()

    def _path(self, key: str) -> Path:
        check_key(key)
        if key.split("/")[0] == OWN_NAME:
            raise StoreMisconfigured(
                f"the file store keeps its own files under this name; choose another: {key}"
            )
        return self._directory / key

    def _read_in_thread(
        self, path: Path, *, key: str, if_changed_from: Version | None, head_bytes: int | None
    ) -> StoredObject | Unchanged:
        try:
            return read_file(path, key=key, if_changed_from=if_changed_from, head_bytes=head_bytes)
        except ObjectMissing:
            with classified_read(key):
                refuse_vanished(find_mark(self._directory, key), path)
            raise

    def _put_in_thread(
        self, path: Path, chunks: Sequence[bytes], *, key: str, condition: Condition
    ) -> Version:
        with _classified_write(key), self._locked(key) as lock:
            found = find_file(path)
            refusal = refusal_of_condition(
                key, condition, found=None if found is None else version_of(found)
            )
            if refusal is not None:
                raise refusal
            stamp_ns = _take_stamp(lock, found=found)
            if found is not None:
                self._mark(key)
            self._make_directory(path.parent)
            # Opened before the rename: after it nothing may fail but the flush itself.
            with _opened_directory(path.parent) as parent, self._next_file() as (next_path, file):
                self._write(file, chunks, stamp_ns=stamp_ns)
                self._rename(next_path, path, key=key)
                # The rename has set the status change time, so the version is known only now.
                version = version_of(os.fstat(file))
                self._flush_directory(parent, key=key)
            return version

    def _delete_in_thread(self, path: Path, *, key: str) -> None:
        with _classified_write(key):
            # Looked at before the lock too: to delete nothing must not create the directory.
            mark = find_mark(self._directory, key)
            if find_file(path) is not None or (mark is not None and find_file(mark) is not None):
                self._delete_under_lock(path, mark=mark, key=key)

    def _delete_under_lock(self, path: Path, *, mark: Path | None, key: str) -> None:
        with self._locked(key) as lock:
            if mark is not None:
                mark.unlink(missing_ok=True)
            found = find_file(path)
            if found is None:
                return
            # So that an object created later gets a greater one, whatever the clock does.
            _take_stamp(lock, found=found)
            with _opened_directory(path.parent) as parent:
                path.unlink()
                self._flush_directory(parent, key=key)

    def _mark(self, key: str) -> None:
        mark = find_mark(self._directory, key)
        if mark is None or find_file(mark) is not None:
            return
        # Not flushed: one that a power failure takes is made again by the next put.
        mark.parent.mkdir(mode=0o700, exist_ok=True)
        _close(os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    @contextlib.contextmanager
    def _locked(self, key: str) -> Generator[int]:
        """Hold the lock of the directory, for all processes and all threads of this one.

        Yields: the descriptor of the lock file.
        """
        self._make_directory(self._directory / OWN_NAME)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        lock = os.open(self._directory / OWN_NAME / "lock", flags, 0o600)
        try:
            self._wait_for_lock(lock, key=key)
            yield lock
        finally:
            # Closing releases it. The file itself stays: were it removed, one process could hold
            # the lock of the removed file while another one locks its successor.
            _close(lock)

    def _wait_for_lock(self, lock: int, *, key: str) -> None:
        give_up_at_s = time.monotonic() + self._lock_wait_s
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
                raise NotApplied(
                    "another process kept the lock of the store for "
                    f"{self._lock_wait_s} s; see whether it is stopped, then try again: {key}"
                )
            time.sleep(_LOCK_POLL_S)

    @contextlib.contextmanager
    def _next_file(self) -> Generator[tuple[Path, int]]:
        """Open an empty file for the next object. One name is enough: the lock is held.

        Yields: its path and descriptor.
        """
        next_path = self._directory / OWN_NAME / "next"
        # What a killed process left is removed, not truncated: on a file system without a journal
        # a power failure can leave it as a second name of the object itself.
        next_path.unlink(missing_ok=True)
        file = os.open(next_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield next_path, file
        except BaseException:
            # At once, not by the next put: on a full disk its space is needed.
            with contextlib.suppress(OSError):
                next_path.unlink(missing_ok=True)
            raise
        finally:
            _close(file)

    def _write(self, file: int, chunks: Sequence[bytes], *, stamp_ns: int) -> None:
        with open(file, "wb", closefd=False) as stream:
            stream.writelines(chunks)
        os.utime(file, ns=(stamp_ns, stamp_ns))
        self._disk_calls.fsync(file)
        if os.fstat(file).st_mtime_ns != stamp_ns:
            raise StoreMisconfigured(
                "the file system does not keep times to the nanosecond, so versions could repeat; "
                f"choose a directory on another one: {self._directory}"
            )

    def _rename(self, next_path: Path, path: Path, *, key: str) -> None:
        try:
            self._disk_calls.replace(next_path, path)
        except OSError as error:
            # The only failure after which POSIX does not promise that nothing was renamed.
            if error.errno != errno.EIO:
                raise
            raise WriteOutcomeUnknown(
                f"the disk failed while renaming; load the object and look for this write: {key}"
            ) from error

    def _flush_directory(self, directory: int, *, key: str) -> None:
        try:
            self._disk_calls.fsync(directory)
        except OSError as error:
            raise DurabilityLost(
                "the directory could not be flushed after a change that others may have seen; "
                f"check the disk, then start again: {key}: {error}"
            ) from error

    def _make_directory(self, directory: Path) -> None:
        if directory.is_dir():
            return
        missing = [place for place in (directory, *directory.parents) if not place.is_dir()]
        for place in reversed(missing):
            # Another process may have been faster.
            place.mkdir(mode=0o700, exist_ok=True)
            with _opened_directory(place.parent) as parent:
                self._disk_calls.fsync(parent)


def _kernel_mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(errors="surrogateescape")
    except OSError:
        # macOS and BSD have no such table: there the directory is taken as local.
        return ""


def _refuse_file(directory: Path) -> None:
    # Where it may not look, the first read says so.
    with contextlib.suppress(PermissionError):
        for place in (directory, *directory.parents):
            if place.is_dir():
                return
            if place.exists():
                raise StoreMisconfigured(
                    f"{place} is a file, so the directory of the store cannot be there; choose "
                    f"another one: {directory}"
                )


def _refuse_network(directory: Path, *, mounts: str) -> None:
    network_type = network_type_of(directory, mounts=mounts)
    if network_type is not None:
        raise StoreMisconfigured(
            "the file store serves one machine, and a network file system can be mounted on "
            "several; choose a local directory or a bucket, or force it if only this machine "
            f"ever uses it: {directory} is on {network_type}"
        )


def _take_stamp(lock: int, *, found: os.stat_result | None) -> int:
    """Choose a modification time that this directory never had, and note it on the lock file.

    Not flushed there: after a power failure no process is left that knows an older version.
    """
    found_ns = 0 if found is None else found.st_mtime_ns
    stamp_ns = max(time.time_ns(), os.fstat(lock).st_mtime_ns, found_ns) + 1
    os.utime(lock, ns=(stamp_ns, stamp_ns))
    return stamp_ns


@contextlib.contextmanager
def _opened_directory(directory: Path) -> Generator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        _close(descriptor)


def _close(descriptor: int) -> None:
    # By then all that matters was flushed, so a failure here tells nothing about the object; and
    # raised after the rename, it would pass for "nothing was written".
    with contextlib.suppress(OSError):
        os.close(descriptor)


@contextlib.contextmanager
def _classified_write(key: str) -> Generator[None]:
    """Turn what the disk says into the words of the contract: before the rename all is certain."""
    try:
        yield
    except OSError as error:
        raise _classify_write(error, key=key) from error


def _classify_write(error: OSError, *, key: str) -> StoreError:
    if error.errno in NO_PERMISSION:
        return AccessDenied(f"the file may not be written; fix its permissions: {key}: {error}")
    if error.errno in _NEVER_POSSIBLE:
        return StoreMisconfigured(
            f"the directory cannot hold this key; choose another name: {key}: {error}"
        )
    return NotApplied(f"nothing was written; check the disk, then try again: {key}: {error}")

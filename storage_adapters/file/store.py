"""The store in one directory of one machine: an object is a plain file that people can read.

Key "queue.json" is the file `queue.json`, byte for byte what was put. Next to the objects lies
`.file-store/` with the lock, the files that are being written, and a mark for each object that was
there (see `marks`). Opened by `opening`. Any number of processes of one machine may share the
directory; machines may not, because the lock would not hold between them (see `mounts`).

How a put works. It writes a file of its own (see `unfinished`) and flushes it. Then, under an
exclusive lock of the directory (see `locking`), it compares the version and renames that file over
the object; without the lock again it flushes the directory, and returns. The rename is the step
that applies it, with bytes and version at once. A process that is killed before it has changed
nothing, and the next put removes what it left; one killed after it has applied its put. The lock
goes with the process, its file stays for ever.

Why what is inside the lock is inside. Comparing and renaming, because a writer that was stopped in
between must find nothing replaced when it goes on: nobody can, while it lives. The choice of a time
that never was, because it is one only if nobody else chooses. The mark, because a delete in between
would leave a mark without an object. The version, because the next put changes it. All of that
takes microseconds. What takes milliseconds is outside: bytes and flushes. Whoever replaces an
object whose rename is not flushed yet flushes that along with its own.

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
from storage_adapters.file.locking import locked
from storage_adapters.file.marks import find_mark, make_mark, refuse_vanished
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
from storage_adapters.file.unfinished import opened_unfinished, remove_left_behind

__all__ = ["DiskCalls", "DurabilityLost", "FileStore"]

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
        lock_wait_ms: int = 1_000,
        mounts: str | None = None,
        disk_calls: DiskCalls | None = None,
    ) -> None:
        self.description = f"file store at {os.fspath(directory)}"
        # Its clock is this machine's own.
        self.clock_offset_ms: int | None = None
        # Resolved once: a later change of the working directory must not move the store.
        self._directory = Path(directory).resolve()
        self._own_directory = self._directory / OWN_NAME
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
        with _classified_write(key):
            # Saves the file of a put that is refused already. The lock decides.
            found = _refuse_unless(condition, path, key=key)
            mark = None if found is None else self._find_missing_mark(key)
            self._make_directory(self._own_directory)
            self._make_directory(path.parent)
            remove_left_behind(self._own_directory)
            # Opened before the rename: after it nothing may fail but the flush itself.
            with (
                _opened_directory(path.parent) as parent,
                opened_unfinished(self._own_directory) as (next_path, file),
            ):
                stamp_ns = self._write(file, chunks)
                with _kept_open(path), self._locked(key) as lock:
                    found = _refuse_unless(condition, path, key=key)
                    _stamp_later(file, stamp_ns, lock=lock, found=found)
                    if mark is not None and found is not None:
                        make_mark(mark)
                    self._rename(next_path, path, key=key)
                    # The rename has set the status change time, so the version is known only now;
                    # the next put, which removes this file's name, changes it again.
                    version = version_of(os.fstat(file))
                # Whoever replaces the object from here on flushes this rename with its own.
                self._flush_directory(parent, key=key)
            return version

    def _delete_in_thread(self, path: Path, *, key: str) -> None:
        with _classified_write(key):
            # Looked at before the lock too: to delete nothing must not create the directory.
            mark = find_mark(self._directory, key)
            if find_file(path) is not None or (mark is not None and find_file(mark) is not None):
                self._delete_found(path, mark=mark, key=key)

    def _delete_found(self, path: Path, *, mark: Path | None, key: str) -> None:
        self._make_directory(self._own_directory)
        self._make_directory(path.parent)
        with _opened_directory(path.parent) as parent:
            with self._locked(key) as lock:
                if mark is not None:
                    mark.unlink(missing_ok=True)
                found = find_file(path)
                if found is None:
                    return
                # So that an object created later gets a greater one, whatever the clock does.
                _take_stamp(lock, time.time_ns(), found=found)
                path.unlink()
            self._flush_directory(parent, key=key)

    def _find_missing_mark(self, key: str) -> Path | None:
        mark = find_mark(self._directory, key)
        return None if mark is None or find_file(mark) is not None else mark

    def _locked(self, key: str) -> contextlib.AbstractContextManager[int]:
        return locked(self._own_directory / "lock", wait_s=self._lock_wait_s, key=key)

    def _write(self, file: int, chunks: Sequence[bytes]) -> int:
        """Write and flush a file, and return the modification time that it was given."""
        with open(file, "wb", closefd=False) as stream:
            stream.writelines(chunks)
        stamp_ns = time.time_ns()
        os.utime(file, ns=(stamp_ns, stamp_ns))
        self._disk_calls.fsync(file)
        if os.fstat(file).st_mtime_ns != stamp_ns:
            raise StoreMisconfigured(
                "the file system does not keep times to the nanosecond, so versions could repeat; "
                f"choose a directory on another one: {self._directory}"
            )
        return stamp_ns

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


def _refuse_unless(condition: Condition, path: Path, *, key: str) -> os.stat_result | None:
    """Look at the object that is there, if any, and raise where the condition does not hold."""
    found = find_file(path)
    refusal = refusal_of_condition(
        key, condition, found=None if found is None else version_of(found)
    )
    if refusal is not None:
        raise refusal
    return found


def _stamp_later(file: int, stamp_ns: int, *, lock: int, found: os.stat_result | None) -> None:
    """Give the file a modification time that this directory never had: mostly it has one."""
    chosen_ns = _take_stamp(lock, stamp_ns, found=found)
    if chosen_ns != stamp_ns:
        os.utime(file, ns=(chosen_ns, chosen_ns))


def _take_stamp(lock: int, stamp_ns: int, *, found: os.stat_result | None) -> int:
    """Choose a modification time that this directory never had, and note it on the lock file.

    Not flushed there: after a power failure no process is left that knows an older version.
    """
    found_ns = 0 if found is None else found.st_mtime_ns
    chosen_ns = max(stamp_ns, os.fstat(lock).st_mtime_ns + 1, found_ns + 1)
    os.utime(lock, ns=(chosen_ns, chosen_ns))
    return chosen_ns


@contextlib.contextmanager
def _kept_open(path: Path) -> Generator[None]:
    """Keep the blocks of the object that is being replaced until the lock is free.

    To free them takes milliseconds on a busy disk: without this they would be the rename's.
    """
    try:
        old = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # There is none, or it may only be written: then the rename takes as long as it takes.
        yield
        return
    try:
        yield
    finally:
        _close(old)


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

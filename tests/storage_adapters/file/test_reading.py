"""Tests how the file store looks at files: whatever lies there, and whoever edited it by hand."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from storage_adapters.contract import (
    ABSENT,
    UNCHANGED,
    Match,
    ObjectMissing,
    StoredObject,
    StoreMisconfigured,
    StoreUnavailable,
    VersionConflict,
)
from storage_adapters.file.store import FileStore
from tests.storage_adapters.contract import read_object

KEY = "queue.json"


async def test_unchanged_and_head_reads_of_a_huge_file_do_not_read_it(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await store.put(KEY, [b"head"], condition=ABSENT)
    # Sparse: takes no space on the disk, and no memory could hold it.
    os.truncate(tmp_path / KEY, 1 << 42)
    head = await store.read(KEY, head_bytes=6)
    assert isinstance(head, StoredObject)
    assert head.data == b"head\0\0"
    assert await store.read(KEY, if_changed_from=head.version) == UNCHANGED


async def test_key_of_a_directory_or_below_a_file_is_missing_and_cannot_be_put(
    tmp_path: Path,
) -> None:
    store = FileStore(tmp_path)
    await store.put("a/b", [b"a"], condition=ABSENT)
    for key in ("a", "a/b/c"):
        with pytest.raises(ObjectMissing):
            await store.read(key)
        await store.delete(key)
        with pytest.raises(StoreMisconfigured):
            await store.put(key, [b"a"], condition=ABSENT)
    assert await store.list("") == ["a/b"]
    # What a refused put had written by then is gone as well.
    assert [path.name for path in (tmp_path / ".file-store").iterdir()] == ["lock"]


async def test_named_pipe_in_place_of_an_object_is_missing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / KEY)
    with pytest.raises(ObjectMissing):
        await FileStore(tmp_path).read(KEY)


async def test_file_that_cannot_be_opened_now_is_unavailable(tmp_path: Path) -> None:
    # The system refuses to open a socket, for a reason that is none of those that have a class.
    os.mknod(tmp_path / KEY, stat.S_IFSOCK | 0o600)
    with pytest.raises(StoreUnavailable, match=KEY):
        await FileStore(tmp_path).read(KEY)


def edit_in_place(path: Path) -> None:
    path.write_bytes(b"new")


def edit_by_appending(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"!")


def edit_by_replacing(path: Path) -> None:
    path.with_name("edited").write_bytes(b"new")
    path.with_name("edited").replace(path)


def edit_in_place_restoring_times(path: Path) -> None:
    before = path.stat()
    # Until the clock of the kernel has moved on, at most a few milliseconds.
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        path.write_bytes(b"new")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def edit_by_replacing_with_equal_times(path: Path) -> None:
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        edit_by_replacing(path)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "edit",
    [
        edit_in_place,
        edit_by_appending,
        edit_by_replacing,
        edit_in_place_restoring_times,
        edit_by_replacing_with_equal_times,
    ],
)
async def test_object_edited_by_hand_has_another_version(
    edit: Callable[[Path], None], tmp_path: Path
) -> None:
    store = FileStore(tmp_path)
    version = await store.put(KEY, [b"old"], condition=ABSENT)
    edit(tmp_path / KEY)
    with pytest.raises(VersionConflict):
        await store.put(KEY, [b"lost"], condition=Match(version))
    edited = await store.read(KEY, if_changed_from=version)
    assert isinstance(edited, StoredObject)
    assert edited.data in (b"new", b"old!")
    await store.put(KEY, [b"next"], condition=Match(edited.version))
    assert (await read_object(store, KEY)).data == b"next"


async def test_object_restored_from_a_backup_has_another_version(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    first = await store.put(KEY, [b"old"], condition=ABSENT)
    before = (tmp_path / KEY).stat()
    second = await store.put(KEY, [b"new"], condition=Match(first))
    (tmp_path / KEY).write_bytes(b"old")
    os.utime(tmp_path / KEY, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (await read_object(store, KEY)).version not in (first, second)

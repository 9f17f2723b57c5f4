"""An object that was removed by hand is told from one that never was."""

from pathlib import Path

import pytest

from storage_adapters.contract import (
    ABSENT,
    AccessDenied,
    Match,
    ObjectMissing,
    ObjectVanished,
    Version,
)
from storage_adapters.file.marks import find_mark, refuse_vanished
from storage_adapters.file.reading import classified_read
from storage_adapters.file.store import FileStore
from tests.storage_adapters.file.store_process import KEY


async def put_twice(store: FileStore, key: str = KEY) -> Version:
    version = await store.put(key, [b"1"], condition=ABSENT)
    return await store.put(key, [b"2"], condition=Match(version))


def mark_in(directory: Path) -> Path:
    return directory / ".file-store" / "stored" / KEY


async def test_read_of_an_object_removed_by_hand_says_so_and_what_to_do(tmp_path: Path) -> None:
    await put_twice(FileStore(tmp_path))
    (tmp_path / KEY).unlink()
    with pytest.raises(ObjectVanished) as caught:
        await FileStore(tmp_path).read(KEY)
    assert str(caught.value) == (
        f"{tmp_path / KEY} was there and has been removed by hand. Put it back from a backup; to "
        f"begin anew without it, remove {mark_in(tmp_path)} too"
    )


async def test_object_put_back_is_read_and_written_as_before(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await put_twice(store)
    (tmp_path / KEY).rename(tmp_path / "moved")
    (tmp_path / "moved").rename(tmp_path / KEY)
    version = (await store.read(KEY)).version  # type: ignore[union-attr]
    await store.put(KEY, [b"3"], condition=Match(version))
    assert (tmp_path / KEY).read_bytes() == b"3"


async def test_object_whose_mark_is_removed_too_is_only_missing(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await put_twice(store)
    (tmp_path / KEY).unlink()
    mark_in(tmp_path).unlink()
    with pytest.raises(ObjectMissing) as caught:
        await store.read(KEY)
    assert not isinstance(caught.value, ObjectVanished)


async def test_first_put_marks_nothing_so_a_kill_in_it_leaves_no_false_mark(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    version = await store.put(KEY, [b"1"], condition=ABSENT)
    assert not mark_in(tmp_path).exists()
    await store.put(KEY, [b"2"], condition=Match(version))
    assert mark_in(tmp_path).read_bytes() == b""


async def test_delete_removes_the_mark_also_where_the_object_is_gone(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    for is_there in (True, False):
        await put_twice(store)
        if not is_there:
            (tmp_path / KEY).unlink()
        await store.delete(KEY)
        assert not mark_in(tmp_path).exists()
        with pytest.raises(ObjectMissing) as caught:
            await store.read(KEY)
        assert not isinstance(caught.value, ObjectVanished)


async def test_key_with_a_slash_is_not_marked(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    await put_twice(store, "part/of/it.json")
    (tmp_path / "part/of/it.json").unlink()
    with pytest.raises(ObjectMissing) as caught:
        await store.read("part/of/it.json")
    assert not isinstance(caught.value, ObjectVanished)
    assert find_mark(tmp_path, "part/of/it.json") is None


def test_object_created_meanwhile_has_not_vanished(tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / "object"
    mark.touch()
    path.touch()
    refuse_vanished(mark, path)


def test_failure_to_look_is_put_into_the_words_of_the_contract() -> None:
    with pytest.raises(AccessDenied), classified_read(KEY):
        raise PermissionError(13, "no")

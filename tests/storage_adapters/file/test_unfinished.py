"""Files that become objects: who may remove them, and when."""

import fcntl
import os
from pathlib import Path

import pytest

from storage_adapters.file.unfinished import opened_unfinished, remove_left_behind


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_file_of_a_living_writer_stays_and_that_of_a_dead_one_goes(tmp_path: Path) -> None:
    (tmp_path / "next-0123456789abcdef").write_bytes(b"of a dead one")
    (tmp_path / "next").write_bytes(b"of an older version")
    (tmp_path / "lock").touch()
    with opened_unfinished(tmp_path) as (path, file):
        os.write(file, b"of a living one")
        remove_left_behind(tmp_path)
        assert names(tmp_path) == ["lock", path.name]
        path.rename(tmp_path / "object")
    remove_left_behind(tmp_path)
    assert (tmp_path / "object").read_bytes() == b"of a living one"
    assert names(tmp_path) == ["lock", "object"]


def test_file_is_removed_where_its_writer_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), opened_unfinished(tmp_path):
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_what_cannot_be_removed_stays(tmp_path: Path) -> None:
    (tmp_path / "next-directory").mkdir()
    (tmp_path / "next-link").symlink_to(tmp_path / "missing")
    os.mkfifo(tmp_path / "next-pipe")
    remove_left_behind(tmp_path)
    assert {"next-directory", "next-link"} <= set(names(tmp_path))
    remove_left_behind(tmp_path / "missing")


@pytest.mark.parametrize("is_removed_first", [True, False], ids=["removed", "about to be"])
def test_file_that_another_put_finds_before_it_is_locked_is_made_anew(
    is_removed_first: bool, tmp_path: Path
) -> None:
    taken: list[Path] = []
    others: list[int] = []

    def open_and_be_found(path: Path, flags: int, mode: int) -> int:
        file = os.open(path, flags, mode)
        taken.append(path)
        if len(taken) == 1:
            others.append(os.open(path, os.O_RDWR))
            fcntl.flock(others[0], fcntl.LOCK_EX)
            path.unlink()
            if is_removed_first:
                os.close(others.pop())
        return file

    with opened_unfinished(tmp_path, open_file=open_and_be_found) as (path, _):
        assert path == taken[1]
        assert path.exists()
    for other in others:
        os.close(other)


def test_making_a_file_is_given_up_where_others_remove_each(tmp_path: Path) -> None:
    def open_and_lose(path: Path, flags: int, mode: int) -> int:
        file = os.open(path, flags, mode)
        path.unlink()
        return file

    with (
        pytest.raises(OSError, match="removed by others"),
        opened_unfinished(tmp_path, open_file=open_and_lose),
    ):
        pass

"""Tests the reading of files that hold secrets."""

import os
from pathlib import Path

import pytest

from storage_adapters.contract import StoreMisconfigured
from storage_adapters.credentials.files import expanded, read_text
from tests.storage_adapters.credentials.issuers import assert_hides

SECRET = "kept-from-everybody"


async def test_file_is_read_whole_and_a_missing_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert await read_text(path, what="the token") is None
    assert await read_text(path / "below", what="the token") is None
    path.write_text("é\n")
    assert await read_text(path, what="the token") == "é\n"
    assert await read_text(path / "below", what="the token") is None


async def test_what_cannot_be_read_names_itself_and_its_path(tmp_path: Path) -> None:
    with pytest.raises(StoreMisconfigured, match=f"the token cannot be read.*{tmp_path}"):
        await read_text(tmp_path, what="the token")
    with pytest.raises(StoreMisconfigured, match="the token has a path that is none"):
        await read_text(Path("a\0b"), what="the token")


async def test_huge_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a")
    os.truncate(path, 1 << 40)
    with pytest.raises(StoreMisconfigured, match="the token is longer than 1048576 bytes"):
        await read_text(path, what="the token")


async def test_binary_file_is_refused_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(SECRET.encode() + b"\xff")
    with pytest.raises(StoreMisconfigured, match="the token is no text in UTF-8") as caught:
        await read_text(path, what="the token")
    assert_hides(caught.value, SECRET)


def test_tilde_is_the_home_directory_that_is_given() -> None:
    home = Path("/home/somebody")
    assert expanded("~/.aws/config", home=home) == home / ".aws/config"
    assert expanded("~", home=home) == home
    assert expanded("~other/a", home=home) == Path("~other/a")
    assert expanded("/a/~/b", home=home) == Path("/a/~/b")

"""Where the browser comes from, on a machine that has little: every step of the search."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.chromium import INSTALL_LINE, NoChromium, find_chromium

pytestmark = pytest.mark.slow

NOWHERE = "/nowhere/chrome"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, and empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put_program(path: Path, script: str = "") -> Path:
    """A program that can be started."""
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def put_apt_get(programs: Path, *, has_chromium: bool) -> Path:
    """An apt-get that notes what it was asked for, and knows the package or not.

    Returns:
        The file with a line for each time it was asked.
    """
    asked = programs.parent / "asked"
    installs = f"/bin/ln -s /bin/true {programs}/chromium" if has_chromium else "exit 100"
    put_program(
        programs / "apt-get",
        f'echo "$@" >> {asked}\ncase "$*" in *chromium*) {installs} ;; esac',
    )
    return asked


def test_chromium_on_path_comes_before_playwrights_own(programs: Path, tmp_path: Path) -> None:
    bundled = put_program(tmp_path / "chrome")
    found = put_program(programs / "chromium")
    put_program(programs / "google-chrome")
    assert find_chromium(str(bundled), is_root=True) == str(found)


def test_playwrights_own_comes_before_an_installation(programs: Path, tmp_path: Path) -> None:
    asked = put_apt_get(programs, has_chromium=True)
    bundled = put_program(tmp_path / "chrome")
    assert find_chromium(str(bundled), is_root=True) == str(bundled)
    assert not asked.exists()


def test_root_installs_debians_where_there_is_none(programs: Path) -> None:
    asked = put_apt_get(programs, has_chromium=True)
    assert find_chromium(NOWHERE, is_root=True) == str(programs / "chromium")
    update, install = asked.read_text(encoding="utf-8").splitlines()
    assert update.startswith("update")
    assert f"apt-get {install}".startswith(INSTALL_LINE)


def test_others_are_told_what_to_type(programs: Path) -> None:
    asked = put_apt_get(programs, has_chromium=True)
    with pytest.raises(NoChromium, match=INSTALL_LINE):
        find_chromium(NOWHERE, is_root=False)
    assert not asked.exists()


def test_failed_installation_ends_with_what_to_type(programs: Path) -> None:
    put_apt_get(programs, has_chromium=False)
    with pytest.raises(NoChromium, match=INSTALL_LINE):
        find_chromium(NOWHERE, is_root=True)


def test_machine_without_apt_is_told_what_to_type(programs: Path) -> None:
    with pytest.raises(NoChromium, match=INSTALL_LINE):
        find_chromium(NOWHERE, is_root=True)

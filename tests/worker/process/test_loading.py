"""Finding a worker by its name, and saying what is wrong where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from osqueue.worker import Worker, load_worker
from osqueue.worker.process.loading import WorkerNotFound

__all__: list[str] = []


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def test_a_worker_is_found_in_the_working_directory(folder: Path) -> None:
    write(folder, "found_tasks.py", "from osqueue.worker import Worker\nworker = Worker()\n")
    assert isinstance(load_worker("found_tasks:worker"), Worker)


@pytest.mark.parametrize("name", ["tasks", "tasks:", ":worker", ""])
def test_a_name_has_two_parts(name: str) -> None:
    with pytest.raises(WorkerNotFound, match="module:attribute"):
        load_worker(name)


def test_a_missing_module_is_named() -> None:
    with pytest.raises(WorkerNotFound, match="no_such_module"):
        load_worker("no_such_module:worker")
    with pytest.raises(WorkerNotFound, match=r"no_such_package\.tasks"):
        load_worker("no_such_package.tasks:worker")


def test_a_missing_attribute_is_named(folder: Path) -> None:
    write(folder, "empty_tasks.py", "")
    with pytest.raises(WorkerNotFound, match="'worker'"):
        load_worker("empty_tasks:worker")


def test_what_is_no_worker_is_refused(folder: Path) -> None:
    write(folder, "wrong_tasks.py", "worker = 7\n")
    with pytest.raises(WorkerNotFound, match="int"):
        load_worker("wrong_tasks:worker")


def test_a_modules_own_missing_import_is_not_hidden(folder: Path) -> None:
    write(folder, "broken_tasks.py", "import no_such_module_inside\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_inside"):
        load_worker("broken_tasks:worker")

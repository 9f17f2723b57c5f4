"""Copies of the tree in which faults are planted: the working tree is never touched."""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.mutants.mutant import Mutant

__all__ = ["ROOT", "copy_tree", "environment_of", "planted"]

ROOT = Path(__file__).parents[2]
_COPIED = ("osqueue", "storage_adapters", "tests", "docs")
_FILES = ("pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "node_modules", "*.pyc", "static")


def copy_tree(target: Path) -> None:
    """Copy what programs and tests need, and compile it.

    What was compiled counts only for a source of the same hash: a planted fault is always what
    runs, though it may be as long as what it replaces, and be written within the same second.
    """
    for folder in _COPIED:
        shutil.copytree(ROOT / folder, target / folder, ignore=_LEFT_OUT)
    for file in _FILES:
        shutil.copy2(ROOT / file, target / file)
    compileall.compile_dir(
        target, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
    )


def environment_of(tree: Path) -> dict[str, str]:
    """For programs that run in a copy: it comes before whatever is installed."""
    changed = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    return {**os.environ, **changed}


@contextmanager
def planted(mutant: Mutant, tree: Path) -> Generator[None]:
    """The fault is in the copy for as long as the context lasts."""
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8")
    count = text.count(mutant.old)
    assert count == 1, f"{mutant.name}: its old text is {count} times in {mutant.file}, not once"
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")

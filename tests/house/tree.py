"""The files of this repository as the house tests see them."""

import ast
import os
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("osqueue", "storage_adapters")
NOT_OURS = {"node_modules", "osqueue-data", "dist", "build", "htmlcov", "__pycache__"}


@cache
def files(suffix: str, *folders: str) -> tuple[Path, ...]:
    """The files of these folders, without environments, caches and installed things."""
    found: list[Path] = []
    for top in folders:
        for folder, subfolders, names in os.walk(ROOT / top):
            visible = {name for name in subfolders if name == ".ci" or not name.startswith(".")}
            subfolders[:] = sorted(visible - NOT_OURS)
            wanted = [name for name in sorted(names) if name.endswith(suffix)]
            # Nobody's to commit: what measuring coverage leaves, and the .git file of a worktree.
            ours = [name for name in wanted if name != ".git" and not name.startswith(".coverage")]
            found += [Path(folder, name) for name in ours]
    assert found, f"no {suffix} file in {folders}: the test looks in the wrong place"
    return tuple(found)


def place(path: Path) -> str:
    """The path as a report names it, from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))

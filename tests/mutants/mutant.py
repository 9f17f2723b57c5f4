"""One planted fault, as data: where it lies, what it makes of the line, and who has to notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

__all__ = ["Mutant", "Simulation", "mirror_tests"]

Simulation = Literal["world", "shells"]
"""The world without Trio (`tests/simulation/`), or the real shells in it."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A fault of one line that a user could suffer from."""

    name: str
    """Says what is wrong, in words."""
    file: str
    """From the root of the repository."""
    old: str
    """Stands there now; exactly once in the file."""
    new: str
    """Is planted in its place."""
    killed_by: str
    """A simulation, or the id of a test where no simulation can see it."""
    because: str = ""
    """Why no simulation can see it; empty where one does."""

    @property
    def simulation(self) -> Simulation | None:
        """The simulation that has to find it; None: a test has to."""
        return next((one for one in get_args(Simulation) if one == self.killed_by), None)

    @property
    def test(self) -> str:
        """The id of the test that has to find it; empty: a simulation has to."""
        return "" if self.simulation else self.killed_by


def mirror_tests(file: str, root: Path) -> list[str]:
    """The files with the tests of one module: the one of its name, and those of its aspects."""
    module = PurePosixPath(file)
    folder = module.relative_to("osqueue") if module.is_relative_to("osqueue") else module
    tests = root / "tests" / folder.parent
    found = {*tests.glob(f"test_{module.stem}.py"), *tests.glob(f"test_{module.stem}_*.py")}
    return sorted(path.relative_to(root).as_posix() for path in found)

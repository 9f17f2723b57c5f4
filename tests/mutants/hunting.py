"""Plays seeds of one simulation until something is found, in a process of its own.

The last line that it prints is JSON: what was found, after how many seeds. It is started by
`run.py` in a copy of the tree, so that the planted fault is what it imports.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import cast

__all__ = ["FIRST_SEED", "hunt", "main"]

FIRST_SEED = 0
"""Each hunt begins here, so that it ends the same whenever it is repeated."""
SEEDS_BETWEEN_COLLECTIONS = 10


class SeedHangs(BaseException):
    """One seed took longer than any does. Not an `Exception`: nobody may catch it."""


def hunt(play: Callable[[int], None], seeds_max: int, *, seed_cpu_s: float) -> tuple[str, int]:
    """Play until something is found. Returns what (empty: nothing), and after how many seeds."""

    def give_up(_: int, __: FrameType | None) -> None:
        raise SeedHangs

    signal.signal(signal.SIGPROF, give_up)
    gc.disable()
    for count in range(1, seeds_max + 1):
        signal.setitimer(signal.ITIMER_PROF, seed_cpu_s)
        try:
            play(FIRST_SEED + count - 1)
        except (Exception, SeedHangs, BaseExceptionGroup) as error:
            return describe(error, seed_cpu_s), count
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        if count % SEEDS_BETWEEN_COLLECTIONS == 0:
            gc.unfreeze()
            gc.collect()
    return "", seeds_max


def describe(error: BaseException, seed_cpu_s: float) -> str:
    """The checker that found it, or the error that a planted fault led to."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return describe(group.exceptions[0], seed_cpu_s)
    if isinstance(error, SeedHangs):
        return f"time-out: one seed took {seed_cpu_s:.0f} s"
    return getattr(error, "checker", "") or type(error).__name__


def main() -> int:
    """Returns the exit status; 0 also where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("simulation", choices=["world", "shells"])
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("--seed-cpu-s", type=float, required=True)
    parser.add_argument("--file", default="", help="the module that has to be played, if any")
    options = parser.parse_args()
    package = "tests.simulation" if options.simulation == "world" else "tests.simulation.shells"
    try:
        world = importlib.import_module(f"{package}.world")
        make_plan = importlib.import_module(f"{package}.plan").make_plan
    except Exception as error:
        print(json.dumps({"found": f"import: {type(error).__name__}", "seeds": 0}))
        return 0
    here = Path.cwd().resolve()
    assert Path(world.__file__ or "").resolve().is_relative_to(here), "another tree was imported"
    if options.file and not is_loaded(here / options.file):
        print(json.dumps({"found": "", "seeds": 0}))
        return 0
    found, seeds = hunt(
        lambda seed: world.World(make_plan(seed)).play(),
        options.seeds,
        seed_cpu_s=options.seed_cpu_s,
    )
    print(json.dumps({"found": found, "seeds": seeds}))
    return 0


def is_loaded(path: Path) -> bool:
    """Whether the simulation has imported a file: what it does not import it cannot play."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return any(Path(file).resolve() == path for file in files if file)


if __name__ == "__main__":
    sys.exit(main())

"""Plays seeds of the real shells from the command line: `make sim`, `make sim SEED=shells-123`.

A failure prints the checker, what it found, and the one line that replays it.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.plan import Coverage
from tests.simulation.run import report
from tests.simulation.shells.plan import FAULTS, make_plan
from tests.simulation.shells.world import World

__all__ = ["main", "play"]

_SEEDS_AT_ONCE = 5
_LOG_LINES = 400
_SEEDS_FOR_ALL_FAULTS = 50


def play(seeds: Sequence[int]) -> tuple[Coverage, list[tuple[int, str]]]:
    """Play seeds. Returns what was hit, and of each failed seed what was found."""
    coverage = Coverage()
    failures: list[tuple[int, str]] = []
    for seed in seeds:
        try:
            World(make_plan(seed), coverage=coverage).play()
        except Exception as error:
            failures.append((seed, f"{type(error).__name__}: {error}"))
    # Each term of a broker has frozen what there was.
    gc.unfreeze()
    gc.collect()
    return coverage, failures


def replay(seed: int, lines: int) -> int:
    """Play one seed and print its log."""
    world = World(make_plan(seed))
    world.log = []
    found = ""
    try:
        world.play()
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    print(world.plan)
    print("\n".join(world.log[-lines:] if lines else world.log))
    print(f"seed shells-{seed}: {found or 'nothing found'}; trace {world.trace:08x}")
    return bool(found)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--first", type=int, help="the first seed; otherwise by the clock")
    parser.add_argument("--lines", type=int, default=_LOG_LINES, help="of a replay; 0: all")
    options = parser.parse_args()
    if options.seed is not None:
        return replay(options.seed, options.lines)
    first = options.first if options.first is not None else int(time.time()) * 1_000
    started = time.monotonic()
    coverage, failures = Coverage(), []
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        while time.monotonic() - started < options.seconds and not failures:
            starts = range(first, first + workers * _SEEDS_AT_ONCE, _SEEDS_AT_ONCE)
            for hit, found in pool.map(play, [range(at, at + _SEEDS_AT_ONCE) for at in starts]):
                coverage.add(hit)
                failures += found
            first += workers * _SEEDS_AT_ONCE
    report(coverage, time.monotonic() - started)
    for seed, what in failures:
        print(f"\nFAILED: {what}\n  make sim SEED=shells-{seed}")
    enough = coverage.seeds >= _SEEDS_FOR_ALL_FAULTS
    missing = FAULTS.keys() - coverage.faults.keys() if enough else set()
    if missing:
        print(f"\nNEVER HIT: {sorted(missing)}")
    return bool(failures or missing)


if __name__ == "__main__":
    sys.exit(main())

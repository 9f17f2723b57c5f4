"""Plants the listed faults one by one, and says who notices: `make mutants`.

Each fault is planted in a copy of the tree, one copy a processor. The simulations play up to 500
seeds of it, always the same ones; then the tests of its module run. The exit status says whether
everything was as the list has it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from tests.mutants.examination import Budget, Examined, examine, hunt_in, run_tests, stop_all
from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import Mutant, mirror_tests
from tests.mutants.table import as_table, list_lines
from tests.mutants.trees import copy_tree

__all__ = ["IN_SIMULATION_MIN", "main"]

Result = TypeVar("Result")

IN_SIMULATION_MIN = 45
"""So many of the faults have to be found by the simulations."""
SHELLS_SEEDS = 120
"""The shells cost eight times what the world costs: `SEEDS_MAX` of them would take hours."""
SHELLS_SEEDS_UNSEEN = 20


def main() -> int:
    """Returns the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="the name of one; repeatable")
    parser.add_argument("--list", action="store_true", help="print the faults, plant nothing")
    parser.add_argument("--table", action="store_true", help="print the table of docs/testing.md")
    parser.add_argument("--seeds", type=int, default=500, help="at most, of one simulation")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="at a time")
    options = parser.parse_args()
    if options.table or options.list:
        print(as_table(MUTANTS) if options.table else "\n".join(list_lines(MUTANTS)))
        return 0
    chosen = [one for one in MUTANTS if not options.only or one.name in options.only]
    unknown = set(options.only) - {one.name for one in chosen}
    if unknown:
        print(f"no such fault: {', '.join(sorted(unknown))}; --list names them", file=sys.stderr)
        return 2
    budget = Budget(
        seeds={"world": options.seeds, "shells": min(options.seeds, SHELLS_SEEDS)},
        seeds_unseen={"world": options.seeds, "shells": min(options.seeds, SHELLS_SEEDS_UNSEEN)},
    )
    started = time.monotonic()
    complaint, examined = _examine_all(
        chosen, budget, workers=options.workers, is_whole=not options.only
    )
    print()
    for one in sorted(examined, key=lambda one: MUTANTS.index(one.mutant)):
        print(_row(one))
    return _summarize(examined, complaint, time.monotonic() - started, is_whole=not options.only)


def _examine_all(
    mutants: Sequence[Mutant], budget: Budget, *, workers: int, is_whole: bool
) -> tuple[str, list[Examined]]:
    """Examine all, each in whichever copy is free; what takes long goes first."""
    trees: SimpleQueue[Path] = SimpleQueue()
    examined: list[Examined] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for number in range(workers):
            tree = Path(folder, str(number))
            copy_tree(tree)
            trees.put(tree)

        def in_a_tree(act: Callable[[Path], Result]) -> Result:
            tree = trees.get()
            try:
                return act(tree)
            finally:
                trees.put(tree)

        with ThreadPoolExecutor(workers) as pool:
            sound = pool.submit(in_a_tree, lambda tree: _unplanted(mutants, tree, budget, is_whole))
            ordered = sorted(mutants, key=lambda one: one.simulation is not None)
            futures = [
                pool.submit(in_a_tree, lambda tree, one=one: examine(one, tree, budget))
                for one in ordered
            ]
            try:
                for future in as_completed(futures):
                    examined.append(future.result())
                    count = f"{len(examined)}/{len(futures)}"
                    print(f"{count:>7} {_row(examined[-1])}", flush=True)
                return sound.result(), examined
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                stop_all()
                raise


def _unplanted(mutants: Sequence[Mutant], tree: Path, budget: Budget, is_whole: bool) -> str:
    """Look without any fault: if that finds anything, nothing that is found of one counts."""
    named = {one.test for one in mutants if one.test}
    mirrors = {file for one in mutants for file in mirror_tests(one.file, tree)}
    for arguments in (sorted(named), ["-m", "not slow", *sorted(mirrors)]):
        if arguments and (failed := run_tests(tree, arguments, budget)):
            return f"without any fault {failed} fails"
    for simulation, seeds in budget.seeds_unseen.items() if is_whole else ():
        checker, count = hunt_in(tree, simulation, seeds, budget)
        if checker:
            return f"without any fault seed {count - 1} of {simulation} finds: {checker}"
    return ""


def _row(one: Examined) -> str:
    seen = f"{one.found_by}: {one.checker}, {one.seeds} seeds" if one.found_by else "-"
    complaint = f"   <== {one.complaint}" if one.complaint else ""
    return f"{one.mutant.name:<44} {seen:<48} {one.test or '-'} ({one.seconds:.0f} s){complaint}"


def _summarize(
    examined: Sequence[Examined], complaint: str, elapsed_s: float, *, is_whole: bool
) -> int:
    seen = sum(one.found_by is not None for one in examined)
    in_tests = sum(bool(one.test) for one in examined)
    complaints = [f"{one.mutant.name} {one.complaint}" for one in examined if one.complaint]
    if complaint:
        complaints.append(complaint)
    if is_whole and seen < IN_SIMULATION_MIN:
        complaints.append(f"only {seen} are found by the simulations, not {IN_SIMULATION_MIN}")
    print(
        f"\n{len(examined)} faults in {elapsed_s / 60:.1f} minutes: {seen} found by the "
        f"simulations, {in_tests} by tests of their module or the one that is named"
    )
    for one in sorted(complaints):
        print(f"FAILED: {one}")
    return bool(complaints)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

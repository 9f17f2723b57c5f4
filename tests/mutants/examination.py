"""Sees who notices one planted fault: the simulations first, then the tests of its module."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import Mutant, Simulation, mirror_tests
from tests.mutants.trees import environment_of, planted

__all__ = ["Budget", "Examined", "examine", "hunt_in", "run_tests", "stop_all"]

_FIRST_FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
_NOTHING_COLLECTED = 5
_running: set[subprocess.Popen[str]] = set()
"""In sessions of their own: a Ctrl-C does not reach them by itself."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that is spent on one fault."""

    seeds: dict[Simulation, int]
    """Of a fault that the simulation has to find."""
    seeds_unseen: dict[Simulation, int]
    """Of one that it cannot see, as the list says; and of the simulation that is not named."""
    seed_cpu_s: float = 60.0
    """Of the processor, for one seed, which takes a second or two."""
    hunt_s: float = 1_200.0
    """By the clock, for one simulation."""
    tests_s: float = 300.0
    """By the clock, for the tests."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """One fault, and who has noticed it."""

    mutant: Mutant
    found_by: Simulation | None
    """The simulation that found it."""
    checker: str
    seeds: int
    test: str
    """The first test that failed; empty: none did."""
    seconds: float

    @property
    def complaint(self) -> str:
        """Tells what is wrong with the fault, its tests or the list; empty: nothing."""
        mutant = self.mutant
        if self.found_by is None and not self.test:
            return "survives everything"
        if mutant.simulation and self.found_by is None:
            return "survives the simulation that should find it"
        if not mutant.simulation and self.found_by is not None:
            return f"is seen by the simulation ({self.found_by}): the list is stale"
        if mutant.test and not self.test:
            return "survives the test that should find it"
        return ""


def examine(mutant: Mutant, tree: Path, budget: Budget) -> Examined:
    """Plant the fault in a copy of the tree, and see who notices."""
    started = time.monotonic()
    found_by, checker, seeds = None, "", 0
    with planted(mutant, tree):
        for simulation in _in_order(mutant):
            is_named = simulation == mutant.simulation
            most = (budget.seeds if is_named else budget.seeds_unseen)[simulation]
            checker, seeds = hunt_in(tree, simulation, most, budget, file=mutant.file)
            if checker:
                found_by = simulation
                break
        test = _failing_test(mutant, tree, budget)
    return Examined(
        mutant=mutant,
        found_by=found_by,
        checker=checker,
        seeds=seeds,
        test=test,
        seconds=time.monotonic() - started,
    )


def _in_order(mutant: Mutant) -> list[Simulation]:
    return ["shells", "world"] if mutant.simulation == "shells" else ["world", "shells"]


def hunt_in(
    tree: Path, simulation: Simulation, seeds: int, budget: Budget, *, file: str = ""
) -> tuple[str, int]:
    """Play one simulation in a copy. Returns what was found, and after how many seeds."""
    if not seeds:
        return "", 0
    arguments = [simulation, "--seeds", str(seeds), "--seed-cpu-s", str(budget.seed_cpu_s)]
    arguments += ["--file", file] if file else []
    status, output = _run(["-m", "tests.mutants.hunting", *arguments], tree, budget.hunt_s)
    if status is None:
        return f"time-out: it took {budget.hunt_s:.0f} s", 0
    last = output.strip().rpartition("\n")[2]
    if status or not last.startswith("{"):
        return f"ended with {status}", 0
    result = json.loads(last)
    return result["found"], result["seeds"]


def _failing_test(mutant: Mutant, tree: Path, budget: Budget) -> str:
    """The test that is named has the first word; then those of the module that are quick."""
    if mutant.test and (failed := run_tests(tree, [mutant.test], budget)):
        return failed
    quick = mirror_tests(mutant.file, tree)
    return run_tests(tree, ["-m", "not slow", *quick], budget) if quick else ""


def run_tests(tree: Path, arguments: Sequence[str], budget: Budget) -> str:
    """Run tests in a copy. Returns the first that failed; empty: all passed."""
    options = ["-x", "-q", "--no-header", "--tb=no", "--hypothesis-seed=0", "--timeout=60"]
    command = ["-m", "pytest", "-p", "no:cacheprovider", *options, *arguments]
    status, output = _run(command, tree, budget.tests_s)
    if status is None:
        return f"time-out: they took {budget.tests_s:.0f} s"
    if status in (0, _NOTHING_COLLECTED):
        return ""
    failed = _FIRST_FAILURE.search(output)
    if failed is None:
        return "time-out of one test" if "Timeout" in output else f"pytest ended with {status}"
    return failed[1]


def _run(arguments: Sequence[str], tree: Path, limit_s: float) -> tuple[int | None, str]:
    """Run Python in a copy. Returns its status (None: it was killed, for time) and what it said."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment_of(tree),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    _running.add(process)
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return None, output
    finally:
        _running.discard(process)
    return process.returncode, output


def stop_all() -> None:
    """Kill what runs in copies of the tree: the examinations end."""
    for process in list(_running):
        os.killpg(process.pid, signal.SIGKILL)

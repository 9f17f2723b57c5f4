"""The fixed set of seeds: nothing that must never happen happens, and everything was tried."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.plan import Coverage
from tests.simulation.run import play
from tests.simulation.world import World, make_plan

SEEDS = 60
CHUNK = 10


@pytest.fixture(scope="module")
def reached() -> Coverage:
    return Coverage()


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_seeds_of_the_fixed_set_find_nothing(first: int, reached: Coverage) -> None:
    coverage, failures = play(range(first, first + CHUNK))
    reached.add(coverage)
    assert not failures, "\n".join(f"make sim SEED={seed}: {what}" for seed, what in failures)


@pytest.mark.slow
def test_fixed_set_hits_every_fault_and_every_transition(reached: Coverage) -> None:
    assert reached.seeds == SEEDS, "the seeds before this one were not all played"
    missing = reached.missing()
    assert not missing, f"never hit: {sorted(missing)}"


@pytest.mark.slow
def test_same_seed_twice_ends_with_equal_trace_clock_and_draw() -> None:
    assert fingerprint(7) == fingerprint(7)
    assert fingerprint(7) != fingerprint(8)


@pytest.mark.slow
def test_same_seed_in_another_process_ends_the_same() -> None:
    script = "from tests.simulation.test_simulation import fingerprint; print(fingerprint(7))"
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == str(fingerprint(7))


def fingerprint(seed: int) -> tuple[int, int, int, float]:
    world = World(make_plan(seed))
    world.play()
    return world.fingerprint()

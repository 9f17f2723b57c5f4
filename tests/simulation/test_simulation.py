"""The fixed set of seeds: nothing that must never happen happens, and everything was tried."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.plan import FAULTS, Coverage
from tests.simulation.run import play
from tests.simulation.world import World, make_plan

SEEDS = 60
CHUNK = 10
TRANSITIONS = {
    "Elected", "LoadDocument", "ProbeLeader", "Settle", "StepDown", "WaitUntil", "WriteDocument",
    "verdict: landed", "verdict: still open", "verdict: landed, then another took over",
    "verdict: another took over before it landed", "verdict: nothing can tell",
    "elected: there is no queue yet",
    "elected: the last leader has released the queue",
    "elected: this broker had won an election that it gave up",
    "elected: this port and machine are the leader's, whose process is gone",
    "elected: the leader at is gone: its port refuses",
    "elected: the leader has not written for ms",
    "step down: released", "step down: another broker took over",
    "step down: a write's outcome stayed unknown", "step down: the document was replaced",
    "write succeeded", "write not applied", "write conflicted", "write unknown", "write timed out",
    "read loaded", "read unchanged", "read missing", "read failed",
    "probe answered", "probe answered by no leader", "probe refused", "probe silent",
    "attempt completed", "attempt expired", "attempt failed", "attempt given back",
    "attempt gone", "attempt snoozed",
    "answer InvalidRequest", "answer JobNotFound", "answer JobNotHeld", "answer NotLeader",
    "answer OutcomeUnknown", "answer QueueFull", "answer Unavailable", "answer WrongStatus",
}  # fmt: skip
"""What the fixed set must reach; a name that is never hit means that the world has gone blind."""


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
    missing = (FAULTS.keys() - reached.faults) | (TRANSITIONS - reached.transitions.keys())
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

"""The fixed set of seeds of the real shells: nothing is found, and everything was tried."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.plan import Coverage
from tests.simulation.shells.plan import FAULTS, make_plan, make_quiet_plan
from tests.simulation.shells.run import play
from tests.simulation.shells.world import World

SEEDS = 20
CHUNK = 4
REACHED = {
    # Cancelled at every kind of await of a caller.
    "cancelled: broker.submit in broker.broker.submit",
    "cancelled: broker.wait_until_ended in broker.broker.submit",
    "cancelled: broker.wait_until_ended in broker.broker.wait_until_ended",
    "cancelled: dispatcher.answer in broker.broker.submit",
    "cancelled: client.submit in client.session.call",
    "cancelled: client.claim in client.session.call",
    "cancelled: client.complete in client.session.call",
    "cancelled: client.wait in client.session.call",
    "cancelled: subscribe", "cancelled: next event", "cancelled: feed",
    # A broker's process ended at every kind of await of its loops.
    "crash while in broker.store_calls.write",
    "crash while in broker.broker.submit",
    "crash while in server.websocket._write",
    # What callers were told, and watchers.
    "answer JobNotFound",
    "outcome NotLeader", "reply NotLeader", "wait: result",
    "event JobsEvent", "event StatsEvent", "event CommitEvent", "event LeaderEvent",
    "gap: resubscribed", "gap: fell behind", "feed: jobs missed", "mirror checked",
    "stalling peer: cut off", "stalling peer: not let in",
    "handler quick", "handler slow", "handler long", "handler fails",
    "handler snoozes", "handler dies", "handler is followed",
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
    found = "\n".join(f"make sim SEED=shells-{seed}: {what}" for seed, what in failures)
    assert not failures, found


@pytest.mark.slow
def test_fixed_set_hits_every_fault_and_reaches_everything(reached: Coverage) -> None:
    assert reached.seeds == SEEDS, "the seeds before this one were not all played"
    missing = (FAULTS.keys() - reached.faults) | (REACHED - reached.transitions.keys())
    assert not missing, f"never hit: {sorted(missing)}"


@pytest.mark.slow
def test_same_seed_twice_leaves_the_same_trace() -> None:
    assert trace_of(7) == trace_of(7)
    assert trace_of(7) != trace_of(8)


@pytest.mark.slow
def test_same_seed_in_another_process_leaves_the_same_trace() -> None:
    script = "from tests.simulation.shells.test_shells import trace_of; print(trace_of(7))"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == str(trace_of(7))


@pytest.mark.slow
def test_world_without_faults_cancels_nobody_and_ends_soon() -> None:
    world = World(make_quiet_plan())
    world.play()
    assert not world.coverage.faults
    assert not [what for what in world.coverage.transitions if "cancelled" in what]
    assert world.coverage.simulated_ms < 60_000


def trace_of(seed: int) -> int:
    world = World(make_plan(seed))
    world.play()
    return world.trace

"""Client machines that are suspended while an answer is on its way to them."""

from __future__ import annotations

import pytest

from osqueue.core.errors import OutcomeUnknown
from osqueue.core.mutations import SubmitJobs
from osqueue.core.outcomes import JobsSubmitted
from tests.simulation.cast.clients import SimulatedClient
from tests.simulation.checkers.views import Violation
from tests.simulation.plan import make_quiet_plan
from tests.simulation.records import CallRecord
from tests.simulation.world import World

SUSPENDED_MS = 1_200_000
"""Longer than a broker remembers a client that is silent."""


def play(seed: int, *, suspended_ms: int = SUSPENDED_MS) -> CallRecord:
    """A producer is suspended between a write and its answer, and the broker dies meanwhile."""
    plan = make_quiet_plan(
        seed, brokers=1, heartbeat_ms=30_000, timeout_ms=90_000, client_timeout_ms=300_000
    )
    world = World(plan)
    world.start()
    with world.observer.watching():
        world.run_until(3_000)
        [producer], [site] = world.producers, world.sites
        client = SimulatedClient(producer, "suspended", timeout_ms=plan.client_timeout_ms)
        record = client.call(SubmitJobs(jobs=[producer.new_job()]))
        # Durable, and its answer is on the way.
        while world.observer.ledger.effect_of(record) is None:
            world.run_until(world.now + 1)
        assert record.outcome is None
        producer.pause(suspended_ms)
        assert site.process is not None
        site.process.crash(is_silent=False)
        world.run_until(world.now + suspended_ms + 200_000)
    return record


@pytest.mark.slow
def test_client_suspended_for_long_does_not_repeat_what_the_broker_has_forgotten() -> None:
    record = play(1)
    assert isinstance(record.outcome, OutcomeUnknown)
    assert "may have been applied" in record.outcome.message


@pytest.mark.slow
def test_client_suspended_for_minutes_hears_that_it_was_applied() -> None:
    assert isinstance(play(1, suspended_ms=240_000).outcome, JobsSubmitted)


@pytest.mark.slow
def test_client_whose_clock_stands_still_in_suspend_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SimulatedClient, "now_ms", SimulatedClient.awake_ms)
    with pytest.raises(Violation, match=r"patience: .* is sent after|no double enqueue"):
        play(1)

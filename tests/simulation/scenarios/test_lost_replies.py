"""Writes of which nobody can tell, found by the checker of refusals."""

from osqueue.core.mutations import SubmitJobs
from tests.simulation.plan import make_quiet_plan
from tests.simulation.world import World


def test_conflict_that_no_load_explains_is_not_told_as_a_refusal() -> None:
    """Found by seed 187: a proxy sent a write twice, and answered with the refusal of the second.
    Then the store could not be read until the leader gave up: it answered that nothing was
    applied, though the first had landed."""
    world = World(make_quiet_plan(brokers=1, client_timeout_ms=6_000))
    world.start()
    world.run_until(3_000)
    world.plan.faults.update({"write sent twice below": 1.0, "read fails": 1.0})
    world.run_until(20_000)
    told = [
        record.outcome
        for record in world.observer.records
        if isinstance(record.request, SubmitJobs) and record.issued_ms > 3_000
    ]
    assert told
    world.calm_down()
    world.run_until(60_000)
    for record in world.observer.records:
        version = world.observer.ledger.effect_of(record)
        assert version is None or record.possible_ms is not None, record

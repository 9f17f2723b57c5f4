"""Machines that stand still for long, found by the liveness checker."""

from tests.simulation.plan import make_quiet_plan
from tests.simulation.world import World


def test_leader_suspended_during_a_write_keeps_its_pace() -> None:
    """Found by seed 171: the answer was read an hour later, and the store seemed that slow. Had
    the leader died then, standbys would have waited for hours, and a dead worker kept its jobs."""
    world = World(make_quiet_plan(brokers=1))
    world.start()
    world.run_until(3_000)
    [site] = world.sites
    assert site.process is not None
    while not site.process.is_acting:
        world.run_until(world.now + 1)
    site.process.pause(3_600_000)
    world.run_until(world.now + 3_610_000)
    versions = world.observer.ledger.versions
    longest_ms = max(version.document.broker_timeout_ms for version in versions)
    assert longest_ms <= 6 * world.plan.timeout_ms

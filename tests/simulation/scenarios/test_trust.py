"""Leaders that trust themselves for too long, found by the checker of committed memory."""

from tests.simulation.plan import make_quiet_plan
from tests.simulation.world import World


def test_load_that_shows_our_commit_gives_no_trust() -> None:
    """Found by seed 317: the reply to a takeover was lost, its broker stood still for most of the
    timeout, and found its own commit then. It trusted itself for half a timeout more, while a
    standby, which had waited since the takeover landed, took over."""
    world = World(make_quiet_plan(brokers=2, timeout_ms=3_000))
    world.plan.faults["write applied, reply lost"] = 1.0
    world.start()
    while world.store.body is None:
        world.run_until(world.now + 1)
    world.plan.faults.clear()
    [version] = world.observer.ledger.versions
    [winner] = [
        site.process
        for site in world.sites
        if site.process is not None and site.process.name == version.writer
    ]
    winner.pause(2_900)
    # Whoever leads then: nobody may trust itself when the other one takes over.
    world.run_until(10_000)
    assert winner.is_gone or winner.term is not None or len(world.observer.ledger.term_began) > 1

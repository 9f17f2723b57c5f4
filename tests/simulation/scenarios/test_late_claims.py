"""Claims that arrive long after they were sent again elsewhere."""

from osqueue.core.mutations import ClaimJobs, SubmitJobs
from osqueue.core.outcomes import JobsClaimed
from tests.simulation.cast.actors import Producer
from tests.simulation.cast.clients import SimulatedClient
from tests.simulation.network import Connection, Frame, FrameCall
from tests.simulation.plan import make_quiet_plan
from tests.simulation.records import CallRecord
from tests.simulation.world import World


def test_late_copy_of_a_claim_gives_nothing_back_when_its_connection_ends() -> None:
    """The worker was told of its job on a second connection; the first claim arrives after that,
    in a batch that writes, and nobody waits for its answer when that is settled."""
    world = World(make_quiet_plan(brokers=1, producers=0, workers=0))
    world.start()
    assert world.operator is not None
    world.operator.end_tasks()
    world.run_until(1_000)
    [site] = world.sites
    broker = site.process
    assert broker is not None
    caller = Producer(world, "caller")
    caller.end_tasks()
    client = SimulatedClient(caller, "caller", timeout_ms=30_000)
    jobs = [caller.new_job() for _ in range(3)]
    for job in jobs:
        job.delay_ms = job.run_at = 0
        job.unique_key = ""
    client.call(SubmitJobs(jobs=jobs[:1]))
    world.run_until(1_200)
    claim = client.call(ClaimJobs(worker_id="w", claim_id="c"))
    world.run_until(1_400)
    assert isinstance(claim.outcome, JobsClaimed)
    assert [job.job_id for job in claim.outcome.jobs] == [jobs[0].id]

    client.call(SubmitJobs(jobs=jobs[1:2]))
    while not broker.is_acting:
        world.run_until(world.now + 1)
    late = Connection(world, None, broker)
    copy = CallRecord(claim.request, "late copy", world.now)
    broker.receive(late, Frame(client.client_id, 1, [FrameCall(1, copy, None)]))
    client.call(SubmitJobs(jobs=jobs[2:]))
    while jobs[2].id not in world.observer.ledger.jobs:
        world.run_until(world.now + 1)
    # The batch of both is stored, and not settled yet.
    broker.connection_ended(late)
    client.call(SubmitJobs(jobs=[caller.new_job()]))
    world.run_until(world.now + 500)
    held = world.observer.ledger.jobs[jobs[0].id]
    assert (held.status, held.worker_id, held.attempts) == ("in_progress", "w", 1)

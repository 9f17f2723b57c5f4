"""One batch on its way into the state; `test_group_commit.py` has the rest, with the writes."""

from __future__ import annotations

from osqueue.core.errors import Unavailable
from osqueue.core.mutations import (
    CompleteJobs,
    Completion,
    GiveBackJobs,
    Lease,
    Mutation,
    ReadStats,
)
from osqueue.core.outcomes import JobsClaimed, JobsCompleted, QueueStats
from osqueue.core.queue_state import QueueState
from osqueue.core.writes.batches import Batch, Gathering
from osqueue.core.writes.forming import Forming
from osqueue.core.writes.tickets import Ticket
from tests.builders import NOW_MS, STEADY_MS, make_header, make_job, make_repeat, make_state
from tests.core.driven import claim_jobs, claimed_ids, submit_job


class Scene:
    """A state, what has gathered for it, and the batch that it becomes."""

    def __init__(self, state: QueueState, *, steady_ms: int = STEADY_MS) -> None:
        self.state = state
        self.gathering = Gathering()
        self.batch = Batch()
        self.forming = Forming(
            self.batch, self.gathering, state, now_ms=NOW_MS, steady_ms=steady_ms
        )

    def gather(self, *mutations: Mutation | ReadStats, is_late: bool = False) -> Ticket:
        self.gathering.add(ticket := Ticket(mutations), is_late=is_late)
        return ticket


def test_queries_go_into_the_batch_that_is_named() -> None:
    scene = Scene(make_state(make_job()))
    ticket, reads = scene.gather(ReadStats()), Batch()
    queries = scene.gathering.take_queries()
    scene.forming.evaluate_queries(queries, reads, make_header(), [])
    assert (len(reads), len(scene.batch)) == (1, 0)
    assert isinstance(ticket.outcomes[0], QueueStats)


def test_leases_expire_only_with_a_trusted_leader() -> None:
    late_ms = STEADY_MS + 30_000
    for is_trusted, status in ((False, "in_progress"), (True, "unclaimed")):
        scene = Scene(make_state(make_job(status="in_progress")), steady_ms=late_ms)
        scene.forming.apply_all(is_trusted=is_trusted)
        assert scene.state.table.by_id["job-1"].status == status


def test_claims_served_from_waiting_count_as_mutations() -> None:
    scene = Scene(make_state())
    waiting = scene.gather(claim_jobs(wait_until_ms=STEADY_MS + 1))
    scene.forming.apply_all(is_trusted=True)
    assert (len(scene.batch), scene.batch.mutations_count) == (0, 0)
    scene.gather(submit_job())
    scene.forming.apply_all(is_trusted=True)
    assert claimed_ids(waiting.outcomes[0]) == ["job-1"]
    assert scene.batch.mutations_count == 2


def test_abandoned_completion_counts_and_its_claim_does_not() -> None:
    scene = Scene(make_state(make_job(1, status="in_progress"), make_job(2)))
    completion = Completion(lease=Lease("job-1"))
    mutation = CompleteJobs(worker_id="worker-1", completions=[completion], claim=claim_jobs())
    scene.gather(mutation).is_abandoned = True
    scene.forming.apply_all(is_trusted=True)
    assert list(scene.state.table.by_id) == ["job-2"]
    assert scene.state.table.by_id["job-2"].status == "unclaimed"
    assert mutation.claim is not None, "the request itself is left as it is"


def test_late_mutation_is_answered_only_as_a_repeat() -> None:
    scene = Scene(make_state(make_job()))
    repeat = scene.gather(submit_job(9, sequence=1))
    scene.forming.apply_all(is_trusted=True)
    late = scene.gather(submit_job(9, sequence=1), submit_job(8, sequence=2), is_late=True)
    scene.forming.apply_all(is_trusted=True)
    assert late.outcomes[0] == repeat.outcomes[0]
    assert isinstance(late.outcomes[1], Unavailable)


def test_late_repeat_of_a_completion_gets_what_is_still_held() -> None:
    scene = Scene(make_state(make_job(1, status="in_progress"), make_job(2)))
    completion = Completion(lease=Lease("job-1"))
    mutation = CompleteJobs(
        worker_id="worker-1", completions=[completion], claim=claim_jobs(), repeat=make_repeat(1)
    )
    scene.gather(mutation)
    scene.forming.apply_all(is_trusted=True)
    late = scene.gather(mutation, is_late=True)
    scene.forming.apply_all(is_trusted=True)
    [answer] = late.outcomes
    assert isinstance(answer, JobsCompleted)
    assert claimed_ids(answer.claimed) == ["job-2"]


def test_draining_ends_every_wait() -> None:
    scene = Scene(make_state())
    waiting = scene.gather(claim_jobs(wait_until_ms=STEADY_MS + 60_000))
    scene.forming.apply_all(is_trusted=True)
    scene.forming.end_waits(is_draining=False)
    assert waiting.outcomes == [None]
    scene.forming.end_waits(is_draining=True)
    assert waiting.outcomes == [JobsClaimed([])]


def test_types_that_became_ready_are_looked_at_once() -> None:
    scene = Scene(make_state())
    scene.gather(claim_jobs(types=["b"], wait_until_ms=STEADY_MS + 60_000))
    scene.gather(submit_job(type="a"))
    scene.forming.apply_all(is_trusted=True)
    assert scene.state.table.newly_ready_types == set()
    assert len(scene.gathering.waiting_claims) == 1


def test_give_backs_of_other_claims_stay_while_no_write_may_start() -> None:
    scene = Scene(make_state(make_job(status="in_progress")))
    give_back = GiveBackJobs(worker_id="worker-1", leases=[Lease("job-1")])
    scene.gathering.give_backs["worker-1", "claim-1"] = give_back
    ticket = scene.gather(claim_jobs("claim-2"))
    scene.forming.apply_writeless()
    assert ticket.outcomes == [JobsClaimed([])]
    assert list(scene.gathering.give_backs.values()) == [give_back]


def test_repeats_of_a_claim_withdraw_its_give_back_once_and_share_its_jobs() -> None:
    job = make_job(status="in_progress", worker_id="worker-1", claim_id="claim-1", attempts=1)
    scene = Scene(make_state(job))
    give_back = GiveBackJobs(worker_id="worker-1", leases=[Lease("job-1", 1)])
    scene.gathering.give_backs["worker-1", "claim-1"] = give_back
    repeats = [scene.gather(claim_jobs("claim-1")) for _ in range(2)]
    scene.forming.apply_all(is_trusted=True)
    assert [claimed_ids(repeat.outcomes[0]) for repeat in repeats] == [["job-1"], ["job-1"]]
    assert scene.batch.withdrawn == {("worker-1", "claim-1"): give_back}
    assert job.is_held
    assert scene.batch.given_back == {}

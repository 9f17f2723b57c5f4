"""A sequence that is used for something else is noticed, as long as it is among the newest."""

import pytest

from osqueue.core import mutations
from osqueue.core.job import JobError
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    ClaimJobs,
    CloseClient,
    CompleteJobs,
    Completion,
    DeleteJob,
    DeleteJobs,
    ExpireJobs,
    FailJob,
    GiveBackJobs,
    HeartbeatJobs,
    JobFilter,
    JobSelection,
    Lease,
    Mutation,
    PauseQueue,
    RedriveDead,
    ResumeQueue,
    RetryJob,
    RetryJobs,
    SnoozeJob,
    StartDueJobs,
    SubmitJobs,
)
from osqueue.core.tables.sequence_contents import SLOTS, SequenceContents, content_of
from tests.builders import make_new_job, make_repeat

UNSEQUENCED = {HeartbeatJobs, CloseClient, GiveBackJobs, ExpireJobs, StartDueJobs}
"""What clients send without one, and what the leader makes for itself."""
LEASE = Lease("job-1", 1)
ERROR = JobError("Error", "it broke")


def completed(lease: Lease, *follow_ups: int, worker_id: str = "w") -> CompleteJobs:
    done = Completion(lease=lease, submit=[make_new_job(number) for number in follow_ups])
    return CompleteJobs(worker_id=worker_id, completions=[done])


MUTATIONS: list[Mutation] = [
    SubmitJobs(jobs=[make_new_job(1)]),
    SubmitJobs(jobs=[make_new_job(2)]),
    SubmitJobs(jobs=[make_new_job(1), make_new_job(2)]),
    SubmitJobs(jobs=[make_new_job(2), make_new_job(1)]),
    SubmitJobs(jobs=[]),
    ClaimJobs(worker_id="w"),
    ClaimJobs(worker_id="w", claim_id="c"),
    completed(LEASE),
    completed(Lease("job-1", 2)),
    completed(LEASE, worker_id="other"),
    completed(LEASE, 5),
    FailJob(worker_id="w", lease=LEASE, error=ERROR),
    SnoozeJob(worker_id="w", lease=LEASE, delay_ms=1_000),
    CancelJob(job_id="job-1"),
    DeleteJob(job_id="job-1"),
    RetryJob(job_id="job-1"),
    RedriveDead(),
    RedriveDead(selection=JobSelection(limit=5)),
    RedriveDead(selection=JobSelection(job_ids=["job-1"])),
    CancelJobs(),
    DeleteJobs(selection=JobSelection(filter=JobFilter(type="mail"))),
    RetryJobs(selection=JobSelection(after_order=5)),
    PauseQueue(),
    PauseQueue(type="mail"),
    ResumeQueue(),
]


def test_every_mutation_that_can_carry_a_sequence_has_a_content() -> None:
    """One that is forgotten would end the broker with a KeyError at its first repeat."""
    kinds = {
        kind
        for kind in vars(mutations).values()
        if isinstance(kind, type) and issubclass(kind, Mutation) and not kind.__subclasses__()
    }
    assert kinds - UNSEQUENCED == {type(mutation) for mutation in MUTATIONS}


def test_contents_differ_by_what_they_name() -> None:
    assert len(set(map(content_of, MUTATIONS))) == len(MUTATIONS)


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_repeat_has_the_same_content(mutation: Mutation) -> None:
    contents = SequenceContents()
    contents.note(make_repeat(1), mutation)
    assert not contents.differs(make_repeat(1, floor=1), mutation)
    assert contents.differs(make_repeat(1), SubmitJobs(jobs=[make_new_job(9)]))


def test_what_is_not_remembered_is_taken_for_a_repeat() -> None:
    contents = SequenceContents()
    first, other = MUTATIONS[:2]
    contents.note(make_repeat(1), first)
    assert not contents.differs(make_repeat(2), other)
    assert not contents.differs(make_repeat(1, client_id="client-2"), other)


def test_newer_sequences_take_the_places_of_older_ones() -> None:
    contents = SequenceContents()
    first, other = MUTATIONS[:2]
    for sequence in range(1, SLOTS * 20):
        contents.note(make_repeat(sequence), first)
    assert contents.differs(make_repeat(SLOTS * 20 - 1), other)
    remembered = sum(
        contents.differs(make_repeat(sequence), other) for sequence in range(1, SLOTS * 20)
    )
    assert SLOTS * 0.9 < remembered <= SLOTS

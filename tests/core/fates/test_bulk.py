"""Many jobs at once: which are changed, which are not, and where to go on."""

import pytest

from osqueue.core.fates import bulk
from osqueue.core.fates.bulk import count_jobs
from osqueue.core.job import STATUSES, JobError
from osqueue.core.mutations import (
    CancelJobs,
    ChangeJobs,
    DeleteJobs,
    JobFilter,
    JobSelection,
    RedriveDead,
    RetryJobs,
)
from osqueue.core.outcomes import JobsChanged
from osqueue.core.queue_state import QueueState
from osqueue.core.tables import job_filters
from tests.builders import apply, make_job, make_state


def one_of_each() -> QueueState:
    return make_state(*[make_job(n, status=status) for n, status in enumerate(STATUSES, start=1)])


def statuses(state: QueueState) -> dict[int, str]:
    return {job.order: job.status for job in state.table.blocks.after(-1)}


ALL = dict(enumerate(STATUSES, start=1))
NUMBER = {status: number for number, status in ALL.items()}


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (CancelJobs, {3: "in_progress", 4: "completed", 5: "dead"}),
        (DeleteJobs, {3: "in_progress"}),
        (RetryJobs, ALL | {1: "unclaimed", 5: "unclaimed"}),
        (RedriveDead, ALL | {5: "unclaimed"}),
    ],
)
def test_what_becomes_of_jobs_of_every_status(
    change: type[ChangeJobs], left: dict[int, str]
) -> None:
    state = one_of_each()
    count = {CancelJobs: 3, DeleteJobs: 4, RetryJobs: 2, RedriveDead: 1}[change]
    assert count_jobs(state.table, change()) == JobsChanged(count)
    assert statuses(state) == ALL
    assert apply(state, change()) == JobsChanged(count)
    assert statuses(state) == left
    assert state.table.by_id["job-3"].cancel_requested == (change is CancelJobs)


def test_jobs_that_are_named_are_changed_and_the_others_counted_as_skipped() -> None:
    state = one_of_each()
    job_ids = ["job-5", "job-9", "job-3", "job-5", "job-1"]
    change = DeleteJobs(selection=JobSelection(job_ids=job_ids))
    assert count_jobs(state.table, change) == JobsChanged(2, 2)
    assert apply(state, change) == JobsChanged(2, 2)
    assert set(statuses(state)) == {2, 3, 4}


def test_limit_bounds_both_ways_of_choosing() -> None:
    state = make_state(*[make_job(number) for number in range(1, 6)])
    named = JobSelection(job_ids=["job-5", "job-4", "job-3"], limit=1)
    assert apply(state, DeleteJobs(selection=named)) == JobsChanged(1)
    assert apply(state, DeleteJobs(selection=JobSelection(limit=2))) == JobsChanged(2)
    assert set(statuses(state)) == {3, 4}


def test_filter_chooses_by_status_type_error_and_text() -> None:
    jobs = [
        make_job(1, type="a"),
        make_job(2, type="a", status="dead", errors=(JobError("E", "m"),)),
        make_job(3, type="a", status="dead", errors=(JobError("E", "n"),)),
        make_job(4, type="b", status="dead", errors=(JobError("E", "m"),)),
    ]
    state = make_state(*jobs)

    def count(**fields: str) -> int:
        wanted = JobFilter(**fields)  # pyright: ignore[reportArgumentType]
        change = DeleteJobs(selection=JobSelection(filter=wanted))
        return count_jobs(state.table, change).count

    assert count(type="a") == 3
    assert count(type="a", status="dead") == 2
    assert count(error_message="m") == 2
    assert count(type="a", error_type="E", error_message="m") == 1
    assert count(text="b") == 4
    assert count(status="in_progress") == 0


def test_whole_id_chooses_that_job_alone() -> None:
    state = make_state(make_job(1), make_job(11, status="dead"))
    wanted = JobSelection(filter=JobFilter(text="job-1"))
    assert apply(state, RetryJobs(selection=wanted)) == JobsChanged(0)
    assert apply(state, DeleteJobs(selection=wanted)) == JobsChanged(1)
    assert set(statuses(state)) == {11}


def test_request_changes_a_bounded_number_and_says_where_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "CHANGED_JOBS_MAX", 2)
    state = make_state(*[make_job(number) for number in range(1, 6)])
    found: list[JobsChanged] = []
    after = -1
    while True:
        outcome = apply(state, DeleteJobs(selection=JobSelection(after_order=after)))
        assert isinstance(outcome, JobsChanged)
        found.append(outcome)
        if outcome.next_after_order is None:
            break
        after = outcome.next_after_order
    assert found == [JobsChanged(2, 0, 2), JobsChanged(2, 0, 4), JobsChanged(1)]
    assert not statuses(state)


def test_search_looks_at_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_filters, "SCANNED_JOBS_MAX", 3)
    state = make_state(*[make_job(number) for number in range(1, 6)])
    change = CancelJobs(selection=JobSelection(filter=JobFilter(text="b-5")))
    assert count_jobs(state.table, change) == JobsChanged(0, 0, 3)
    change = CancelJobs(selection=JobSelection(filter=JobFilter(text="b-5"), after_order=3))
    assert count_jobs(state.table, change) == JobsChanged(1)


@pytest.mark.parametrize("change", [RetryJobs, RedriveDead])
def test_of_dead_jobs_with_one_key_the_first_is_revived(change: type[ChangeJobs]) -> None:
    state = make_state(
        make_job(1, status="dead", unique_key="k"),
        make_job(2, status="dead", unique_key="k"),
        make_job(3, status="dead", unique_key="taken"),
        make_job(4, unique_key="taken"),
    )
    assert count_jobs(state.table, change()) == JobsChanged(1)
    assert apply(state, change()) == JobsChanged(1)
    assert statuses(state) == {1: "unclaimed", 2: "dead", 3: "dead", 4: "unclaimed"}


def test_change_that_changes_nothing_needs_no_write() -> None:
    state = make_state(make_job(1, status="in_progress", cancel_requested=True))
    state.has_changed = False
    assert apply(state, CancelJobs()) == JobsChanged(1)
    assert apply(state, DeleteJobs()) == JobsChanged(0)
    assert not state.has_changed

"""Reads answer from the committed state, in copies and in pages."""

import pytest

from osqueue.core.document import Takeover
from osqueue.core.errors import JobNotFound
from osqueue.core.job import STATUSES
from osqueue.core.mutations import (
    CountJobs,
    ListDeadGroups,
    ListJobs,
    ListWorkers,
    PauseQueue,
    Query,
    ReadDocument,
    ReadJob,
    ReadLineage,
    ReadStats,
    RetryJobs,
)
from osqueue.core.outcomes import (
    DeadGroupsListed,
    DocumentRead,
    JobRead,
    JobsChanged,
    JobsListed,
    LineageRead,
    Outcome,
    PastTerm,
    QueueStats,
    WorkersListed,
)
from osqueue.core.queries import evaluate_query
from osqueue.core.queue_state import QueueState
from osqueue.core.reads.committed_view import CommittedView
from tests.builders import COMMIT_ID, NOW_MS, apply, make_header, make_job, make_state, refused


def ask(state: QueueState, query: Query) -> Outcome:
    view = CommittedView(state=state, header=make_header(), chunks=[b"chunk"], now_ms=NOW_MS)
    return evaluate_query(query, view)


def orders(listed: JobsListed) -> list[int]:
    return [job.order for job in listed.jobs]


def test_stats_count_every_status() -> None:
    jobs = [make_job(order, status=status) for order, status in enumerate(STATUSES, start=1)]
    again = make_job(6, priority=-1, ready_at=NOW_MS - 9)
    state = make_state(*jobs, again, completed_total=42)
    assert ask(state, ReadStats()) == QueueStats(
        total=6,
        scheduled=1,
        unclaimed=2,
        in_progress=1,
        completed=1,
        dead=1,
        completed_total=42,
        paused=False,
        paused_types=[],
        next_created_at=NOW_MS,
        epoch=7,
        commit_id=COMMIT_ID,
        oldest_unclaimed_at=NOW_MS - 9,
        next_run_at=NOW_MS + 1_000,
        workers=1,
        dead_by_type=[("", 1)],
        document_bytes=5,
    )


def test_stats_of_an_empty_queue_know_no_next_job_and_name_the_pauses() -> None:
    state = make_state()
    for kind in (None, "b", "a"):
        apply(state, PauseQueue(type=kind))
    stats = ask(state, ReadStats())
    assert isinstance(stats, QueueStats)
    assert (stats.next_created_at, stats.paused, stats.paused_types) == (0, True, ["a", "b"])
    assert (stats.oldest_unclaimed_at, stats.next_run_at, stats.workers) == (0, 0, 0)


def test_stats_name_the_types_with_most_dead_letters() -> None:
    kinds = "aabbbcdefg"
    jobs = [make_job(order, status="dead", type=kind) for order, kind in enumerate(kinds, start=1)]
    stats = ask(make_state(*jobs), ReadStats())
    assert isinstance(stats, QueueStats)
    assert stats.dead_by_type == [("b", 3), ("a", 2), ("c", 1), ("d", 1), ("e", 1)]


def test_lineage_read_tells_who_has_led() -> None:
    header = make_header(lineage=[Takeover(6, "a", ""), Takeover(7, "b", COMMIT_ID, at=NOW_MS)])
    view = CommittedView(state=make_state(), header=header, chunks=[])
    expected = [PastTerm(6, "a", 0), PastTerm(7, "b", NOW_MS)]
    assert evaluate_query(ReadLineage(seconds=9), view) == LineageRead(expected, 9)


def test_workers_listed_are_those_of_the_view() -> None:
    listed = ask(make_state(make_job(1, status="in_progress")), ListWorkers())
    assert isinstance(listed, WorkersListed)
    assert (listed.total, listed.now_ms) == (1, NOW_MS)


def test_job_read_is_a_copy() -> None:
    state = make_state(make_job())
    outcome = ask(state, ReadJob(job_id="job-1"))
    assert outcome == JobRead(make_job())
    assert isinstance(outcome, JobRead)
    outcome.job.attempts = 99
    assert state.table.by_id["job-1"].attempts == 0


def test_job_read_that_is_not_there_is_refused() -> None:
    refused(ask(make_state(), ReadJob(job_id="job-1")), JobNotFound)


def test_document_read_is_as_committed() -> None:
    assert ask(make_state(), ReadDocument()) == DocumentRead([b"chunk"])


def test_query_without_an_evaluation_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="Query has no evaluation"):
        ask(make_state(), Query())


def test_jobs_listed_come_with_the_counts_of_the_queue() -> None:
    state = make_state(make_job(1), make_job(2, status="dead"))
    listed = ask(state, ListJobs(limit=1))
    assert isinstance(listed, JobsListed)
    assert (orders(listed), listed.stats) == ([1], ask(state, ReadStats()))


def test_jobs_counted_are_those_that_a_change_would_change() -> None:
    state = make_state(make_job(1), make_job(2, status="dead"))
    assert ask(state, CountJobs(change=RetryJobs())) == JobsChanged(1)


def test_dead_groups_are_those_of_the_view() -> None:
    listed = ask(make_state(make_job(1, status="dead")), ListDeadGroups())
    assert isinstance(listed, DeadGroupsListed)
    assert (listed.total, listed.dead) == (1, 1)

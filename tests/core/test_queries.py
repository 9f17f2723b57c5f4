"""Reads answer from the committed state, in copies and in pages."""

import pytest
from msgspec import Raw

from osqueue.core import queries
from osqueue.core.document import Takeover
from osqueue.core.errors import JobNotFound
from osqueue.core.job import STATUSES
from osqueue.core.mutations import (
    ListJobs,
    ListWorkers,
    PauseQueue,
    Query,
    ReadDocument,
    ReadJob,
    ReadLineage,
    ReadStats,
)
from osqueue.core.outcomes import (
    DocumentRead,
    JobRead,
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


def page(state: QueueState, **fields: object) -> JobsListed:
    outcome = ask(state, ListJobs(**fields))  # pyright: ignore[reportArgumentType]
    assert isinstance(outcome, JobsListed)
    return outcome


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


def test_list_of_everything_is_one_page_in_order_of_submission() -> None:
    state = make_state(*[make_job(order, priority=order) for order in (1, 2, 3)])
    listed = page(state)
    assert orders(listed) == [1, 2, 3]
    assert listed.next_after_order is None
    assert listed.stats == ask(state, ReadStats())
    listed.jobs[0].attempts = 99
    assert state.table.by_id["job-1"].attempts == 0


def test_list_is_filtered_by_status_and_type() -> None:
    state = make_state(
        make_job(1, type="a"), make_job(2, type="a", status="dead"), make_job(3, status="dead")
    )
    assert orders(page(state, status="dead")) == [2, 3]
    assert orders(page(state, type="a")) == [1, 2]
    assert orders(page(state, type="", status="dead")) == [3]


def test_list_in_pages_finds_every_job_once_though_others_come_and_go() -> None:
    state = make_state(*[make_job(order) for order in range(1, 8)])
    first = page(state, limit=3)
    assert (orders(first), first.next_after_order) == ([1, 2, 3], 3)
    state.table.remove(state.table.by_id["job-3"])
    state.table.remove(state.table.by_id["job-4"])
    second = page(state, limit=3, after_order=3)
    assert (orders(second), second.next_after_order) == ([5, 6, 7], None)


def test_list_stops_at_its_byte_budget_but_never_before_the_first_job() -> None:
    state = make_state(*[make_job(order, payload=Raw(b"1" * 10)) for order in (1, 2, 3)])
    assert orders(page(state, byte_budget=5)) == [1]
    listed = page(state, byte_budget=20)
    assert (orders(listed), listed.next_after_order) == ([1, 2], 2)


def test_list_looks_at_a_bounded_number_of_jobs_and_goes_on_behind_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queries, "SCANNED_JOBS_MAX", 3)
    jobs = [make_job(order, type="rare" if order in (2, 7) else "usual") for order in range(1, 9)]
    state = make_state(*jobs)
    found: list[list[int]] = []
    after = -1
    while True:
        listed = page(state, type="rare", after_order=after)
        found.append(orders(listed))
        if listed.next_after_order is None:
            break
        after = listed.next_after_order
    assert found == [[2], [], [7]]

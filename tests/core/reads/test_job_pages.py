"""Pages of jobs: what they hold, in both orders, and where the next one begins."""

import pytest
from msgspec import Raw

from osqueue.core.mutations import JobFilter, ListJobs, ReadStats
from osqueue.core.outcomes import JobsListed, QueueStats
from osqueue.core.queries import evaluate_query
from osqueue.core.queue_state import QueueState
from osqueue.core.reads.committed_view import CommittedView
from osqueue.core.reads.job_pages import list_jobs
from osqueue.core.tables import job_filters
from tests.builders import make_header, make_job, make_state


def page(
    state: QueueState,
    wanted: JobFilter = JobFilter(),  # noqa: B008 (it is frozen)
    **fields: object,
) -> JobsListed:
    view = CommittedView(state=state, header=make_header(), chunks=[])
    stats = evaluate_query(ReadStats(), view)
    assert isinstance(stats, QueueStats)
    query = ListJobs(filter=wanted, **fields)  # pyright: ignore[reportArgumentType]
    return list_jobs(query, view, stats)


def orders(listed: JobsListed) -> list[int]:
    return [job.order for job in listed.jobs]


def walk(state: QueueState, wanted: JobFilter, **fields: object) -> list[list[int]]:
    """All pages, in the order of the list."""
    found: list[list[int]] = []
    after = -1
    while True:
        listed = page(state, wanted, after_order=after, **fields)
        found.append(orders(listed))
        if listed.next_after_order is None:
            return found
        after = listed.next_after_order


def test_everything_is_one_page_in_order_of_submission() -> None:
    state = make_state(*[make_job(order, priority=order) for order in (1, 2, 3)])
    listed = page(state)
    assert orders(listed) == [1, 2, 3]
    assert (listed.next_after_order, listed.matched, listed.stats.total) == (None, 3, 3)
    listed.jobs[0].attempts = 99
    assert state.table.by_id["job-1"].attempts == 0


def test_page_is_filtered_and_says_how_many_there_are() -> None:
    state = make_state(
        make_job(1, type="a"), make_job(2, type="a", status="dead"), make_job(3, status="dead")
    )
    for wanted, expected in [
        (JobFilter(status="dead"), [2, 3]),
        (JobFilter(type="a"), [1, 2]),
        (JobFilter(type="", status="dead"), [3]),
        (JobFilter(status="scheduled"), []),
    ]:
        listed = page(state, wanted)
        assert (orders(listed), listed.matched) == (expected, len(expected))


def test_pages_find_every_job_once_though_others_come_and_go() -> None:
    state = make_state(*[make_job(order) for order in range(1, 8)])
    first = page(state, limit=3)
    assert (orders(first), first.next_after_order) == ([1, 2, 3], 3)
    state.table.remove(state.table.by_id["job-3"])
    state.table.remove(state.table.by_id["job-4"])
    second = page(state, limit=3, after_order=3)
    assert (orders(second), second.next_after_order) == ([5, 6, 7], None)


def test_newest_come_first_where_that_is_asked_for() -> None:
    state = make_state(*[make_job(order) for order in range(1, 8)])
    assert walk(state, JobFilter(), limit=3, is_descending=True) == [[7, 6, 5], [4, 3, 2], [1]]


def test_offset_jumps_among_the_jobs_that_pass() -> None:
    jobs = [make_job(order, status="dead" if order % 2 else "unclaimed") for order in range(1, 9)]
    state = make_state(*jobs)
    listed = page(state, JobFilter(status="dead"), offset=1, limit=2)
    assert (orders(listed), listed.matched, listed.next_after_order) == ([3, 5], 4, 5)
    assert orders(page(state, offset=6, limit=5)) == [7, 8]
    assert orders(page(state, offset=6, is_descending=True)) == [2, 1]
    assert orders(page(state, offset=8)) == []


def test_page_stops_at_its_byte_budget_but_never_before_the_first_job() -> None:
    state = make_state(*[make_job(order, payload=Raw(b"1" * 10)) for order in (1, 2, 3)])
    assert orders(page(state, byte_budget=5)) == [1]
    listed = page(state, byte_budget=20)
    assert (orders(listed), listed.next_after_order) == ([1, 2], 2)


def test_page_without_payloads_costs_none_of_the_budget() -> None:
    state = make_state(*[make_job(order, payload=Raw(b"1" * 10)) for order in (1, 2, 3)])
    listed = page(state, byte_budget=5, with_payloads=False)
    assert [bytes(job.payload) for job in listed.jobs] == [b"", b"", b""]
    assert bytes(state.table.by_id["job-1"].payload) == b"1" * 10


def test_search_looks_at_a_bounded_number_of_jobs_and_goes_on_behind_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_filters, "SCANNED_JOBS_MAX", 3)
    jobs = [make_job(order, type="rare" if order in (2, 7) else "usual") for order in range(1, 9)]
    state = make_state(*jobs)
    assert walk(state, JobFilter(text="rar")) == [[2], [], [7]]
    assert walk(state, JobFilter(text="rar"), is_descending=True) == [[7], [], [2]]
    assert page(state, JobFilter(text="rar")).matched is None


def test_whole_id_finds_that_job_alone() -> None:
    jobs = [make_job(1, payload=Raw(b'"job-2"')), make_job(2, status="dead")]
    state = make_state(*jobs)
    listed = page(state, JobFilter(text="job-2"))
    assert (orders(listed), listed.matched) == ([2], 1)
    listed = page(state, JobFilter(text="job-2", status="unclaimed"))
    assert (orders(listed), listed.matched) == ([], 0)
    assert orders(page(state, JobFilter(text="job-"))) == [1, 2]

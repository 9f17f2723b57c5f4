"""Refusals name the limit, its value, and what was hit; texts are cut to what fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osqueue.core.limits import Limits
from osqueue.core.mutations import Lease
from osqueue.core.tables.job_table import JobTable
from osqueue.core.tables.refusals import (
    JOB_OVERHEAD_BYTES,
    cut_text,
    estimate_bytes,
    refuse_lost,
    refuse_missing,
    refuse_submit,
)
from tests.builders import make_job, make_new_job

TABLE = JobTable([make_job(1), make_job(2, status="dead")])


def message(
    limits: Limits, jobs: int = 1, *, stored_bytes: int = 0, added_bytes: int = 10, ended: int = 0
) -> str:
    """Why so many jobs are refused; empty where they are not."""
    refusal = refuse_submit(
        TABLE,
        limits,
        [make_new_job(number) for number in range(jobs)],
        stored_bytes=stored_bytes,
        added_bytes=added_bytes,
        ended_count=ended,
    )
    return "" if refusal is None else refusal.message


def test_submit_within_all_limits_is_not_refused() -> None:
    assert message(Limits(jobs_max=3, document_bytes_max=100, dead_jobs_max=2)) == ""


def test_submit_past_the_most_jobs_is_refused() -> None:
    assert "pass 3, its limit (JOBS_MAX) is 3" in message(Limits(jobs_max=3), 2)


def test_submit_past_90_percent_of_the_bytes_is_refused() -> None:
    limits = Limits(document_bytes_max=1_000)
    assert message(limits, stored_bytes=890) == ""
    assert "DOCUMENT_BYTES_MAX) of 1000" in message(limits, stored_bytes=891)


def test_submit_with_too_many_dead_letters_is_refused_for_longer() -> None:
    limits = Limits(dead_jobs_max=1)
    refusal = refuse_submit(TABLE, limits, [make_new_job()], stored_bytes=0, added_bytes=1)
    assert refusal is not None
    assert "DEAD_JOBS_MAX) of 1" in refusal.message
    assert refusal.retry_after_ms == 60_000


def test_submit_that_replaces_what_ends_is_not_refused_by_a_full_queue() -> None:
    limits = Limits(jobs_max=2, document_bytes_max=1_000)
    assert message(limits, stored_bytes=2_000, added_bytes=0, ended=1) == ""
    assert "JOBS_MAX" in message(limits, 2, stored_bytes=0, added_bytes=0, ended=1)
    assert "DOCUMENT_BYTES_MAX" in message(limits, stored_bytes=2_000, added_bytes=1, ended=1)


def test_estimate_counts_payload_and_overhead() -> None:
    assert estimate_bytes([make_new_job(1), make_new_job(22)]) == 7 + 8 + 2 * JOB_OVERHEAD_BYTES
    assert estimate_bytes([]) == 0


@pytest.mark.parametrize("text", ["", "short", "é" * 50])
def test_text_that_fits_is_not_cut(text: str) -> None:
    assert cut_text(text, 100) == text


def test_text_that_is_too_long_keeps_its_beginning_and_more_of_its_end() -> None:
    assert cut_text("begin" + "x" * 1_000 + "the end", 20) == "begi [...] xxthe end"


@given(text=st.text(max_size=200), bytes_max=st.integers(0, 64))
def test_text_cut_to_any_size_fits(text: str, bytes_max: int) -> None:
    assert len(cut_text(text, bytes_max).encode()) <= bytes_max


def test_missing_job_is_named() -> None:
    assert "job-9" in refuse_missing("job-9").message


def test_lost_lease_is_named_with_its_attempt_where_there_is_one() -> None:
    assert "attempt 2 of job job-9" in refuse_lost("worker-1", Lease("job-9", 2)).message
    assert "hold job job-9" in refuse_lost("worker-1", Lease("job-9")).message

"""What a batch is counted as, and when the count begins anew."""

from msgspec import Raw

from osqueue.core.job import JobError
from osqueue.core.mutations import ExpireJobs
from osqueue.core.tables.tally import Tally
from tests.builders import (
    NOW_MS,
    STEADY_MS,
    apply,
    claim,
    complete,
    fail,
    make_job,
    make_new_job,
    make_state,
    submit,
)


def test_tally_counts_what_was_done_since_it_was_taken() -> None:
    state = make_state(make_job(1, created_at=NOW_MS - 40), make_job(2, ready_at=NOW_MS - 7))
    submit(state, make_new_job(3), make_new_job(3), now_ms=NOW_MS)
    claim(state, limit=2)
    tally = state.take_tally()
    assert tally == Tally(submitted=1, waits_ms=[40, 7], oldest_unclaimed_at=NOW_MS)
    assert tally.claimed == 2
    complete(state, "job-1", "job-9", result=Raw(b"1"))
    fail(state, "job-2", is_final=True)
    assert state.take_tally() == Tally(completed=1, failed=1, died=1, oldest_unclaimed_at=NOW_MS)


def test_lease_that_runs_out_counts_as_a_failure() -> None:
    state = make_state(make_job(1, status="in_progress", errors=(JobError("E", "m"),)))
    apply(state, ExpireJobs(), steady_ms=STEADY_MS + 30_000)
    assert state.take_tally() == Tally(failed=1, oldest_unclaimed_at=NOW_MS)
    assert state.take_tally() == Tally(oldest_unclaimed_at=NOW_MS)

"""Filters: what passes, and what it costs."""

import pytest
from msgspec import Raw

from osqueue.core.job import STATUSES, JobError
from osqueue.core.mutations import JobFilter
from osqueue.core.tables import job_filters
from osqueue.core.tables.job_filters import JobMatcher, statuses_of
from tests.builders import make_job

JOB = make_job(
    1,
    status="in_progress",
    type="mail",
    unique_key="user-7",
    payload=Raw('{"to":"Zoë"}'.encode()),
    errors=(JobError("KeyError", "old"), JobError("ValueError", "no such user\nsecond line")),
)


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        (JobFilter(), True),
        (JobFilter(status="in_progress", type="mail"), True),
        (JobFilter(status="dead"), False),
        (JobFilter(type="sms"), False),
        (JobFilter(error_type="ValueError", error_message="no such user"), True),
        (JobFilter(error_type="KeyError"), False),
        (JobFilter(error_message="no such"), False),
        (JobFilter(text="ob-1"), True),
        (JobFilter(text="ai"), True),
        (JobFilter(text="user-7"), True),
        (JobFilter(text="worker-1"), True),
        (JobFilter(text="Value"), True),
        (JobFilter(text="second"), True),
        (JobFilter(text='"Zoë"'), True),
        (JobFilter(text="zoë"), False),
        (JobFilter(text="Key"), False),
        (JobFilter(text="Zoë", error_type="KeyError"), False),
    ],
)
def test_all_that_is_given_must_hold(wanted: JobFilter, passes: bool) -> None:
    assert JobMatcher(wanted).fits(JOB) is passes


def test_job_without_errors_has_an_empty_one() -> None:
    job = make_job(1)
    assert JobMatcher(JobFilter(error_type="", error_message="")).fits(job)
    assert not JobMatcher(JobFilter(text="x")).fits(job)


def test_statuses_are_all_or_the_one() -> None:
    assert statuses_of(JobFilter()) == STATUSES
    assert statuses_of(JobFilter(status="dead")) == ("dead",)


def test_matcher_is_spent_by_jobs_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_filters, "SCANNED_JOBS_MAX", 2)
    matcher = JobMatcher(JobFilter(text="x"))
    spent: list[bool] = []
    for _ in range(2):
        spent.append(matcher.is_spent)
        matcher.fits(JOB)
    assert (spent, matcher.is_spent) == ([False, False], True)
    monkeypatch.setattr(job_filters, "SEARCHED_BYTES_MAX", 5)
    matcher = JobMatcher(JobFilter(text="x"))
    matcher.fits(JOB)
    assert matcher.is_spent

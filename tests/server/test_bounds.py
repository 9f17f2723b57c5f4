"""Bounds: each error names the field, its value and the limit."""

import math

import pytest

from osqueue.core.errors import InvalidRequest
from osqueue.core.limits import Limits
from osqueue.core.retry_policy import RetryPolicy
from osqueue.protocol.params import RetryParams
from osqueue.server.bounds import (
    check_job_id,
    check_list,
    check_name,
    check_range,
    check_retry,
)

LIMITS = Limits()


def test_range_names_value_and_setting() -> None:
    assert check_range("limit", 5, 1, 5, "claim_jobs_max") == 5
    with pytest.raises(
        InvalidRequest, match=r"^limit is 6; it must be from 1 to 5 \(claim_jobs_max\)$"
    ):
        check_range("limit", 6, 1, 5, "claim_jobs_max")


def test_name_is_bounded_in_bytes() -> None:
    assert check_name("type", "ä" * 128, LIMITS) == "ä" * 128
    with pytest.raises(
        InvalidRequest, match=r"type is 258 bytes; the limit is 256 \(name_bytes_max\)"
    ):
        check_name("type", "ä" * 129, LIMITS)


def test_name_is_not_empty_unless_it_may_be() -> None:
    assert check_name("type", "", LIMITS, may_be_empty=True) == ""
    with pytest.raises(InvalidRequest, match="workerId is empty"):
        check_name("workerId", "", LIMITS)


def test_job_id_has_few_characters() -> None:
    assert check_job_id("jobId", "a.B_9:-", LIMITS) == "a.B_9:-"
    for wrong in ("", "a b", "ä", "a\n", "a/b"):
        with pytest.raises(InvalidRequest, match="may hold only letters"):
            check_job_id("jobId", wrong, LIMITS)
    with pytest.raises(
        InvalidRequest, match=r"65 characters; the limit is 64 \(job_id_chars_max\)"
    ):
        check_job_id("jobId", "a" * 65, LIMITS)


def test_list_is_bounded() -> None:
    check_list("jobs", range(10_000), LIMITS)
    with pytest.raises(InvalidRequest, match=r"jobs has 10001 items; the limit is 10000"):
        check_list("jobs", range(10_001), LIMITS)


@pytest.mark.parametrize(
    "retry",
    [
        RetryParams(base_ms=-1),
        RetryParams(factor=0.5),
        RetryParams(factor=math.nan),
        RetryParams(factor=math.inf),
        RetryParams(cap_ms=10**9),
        RetryParams(base_ms=2_000, cap_ms=1_500),
    ],
)
def test_retry_policy_is_bounded(retry: RetryParams) -> None:
    with pytest.raises(InvalidRequest, match=r"^retry\.(baseMs|factor|capMs) is"):
        check_retry("retry", retry, 1_000_000)


def test_retry_policy_has_its_defaults_where_a_field_is_absent() -> None:
    assert check_retry("retry", RetryParams(), 1_000_000) == RetryPolicy()
    assert check_retry("retry", RetryParams(factor=3.0), 1_000_000) == RetryPolicy(factor=3.0)

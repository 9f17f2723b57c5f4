"""Bounds of fields: each check names the field, its value, and the limit that it breaks."""

from __future__ import annotations

from collections.abc import Sized

from msgspec.structs import asdict

from osqueue.core.errors import InvalidRequest
from osqueue.core.ids import JOB_ID_PATTERN
from osqueue.core.limits import Limits
from osqueue.core.retry_policy import RetryPolicy
from osqueue.protocol.params import RetryParams

__all__ = [
    "WHOLE_NUMBER_MAX",
    "check_job_id",
    "check_list",
    "check_name",
    "check_range",
    "check_retry",
]

WHOLE_NUMBER_MAX = 2**53 - 1
"""The largest whole number that every JSON parser keeps."""
RETRY_FACTOR_MAX = 1_000.0
SHOWN_CHARS_MAX = 80
"""How much of a wrong text an error repeats."""


def check_range(field: str, value: int, least: int, most: int, limit: str = "") -> int:
    """Check a number, and give it back; `limit` is the setting that bounds it, if one does."""
    if not least <= value <= most:
        setting = f" ({limit})" if limit else ""
        raise InvalidRequest(f"{field} is {value}; it must be from {least} to {most}{setting}")
    return value


def check_name(field: str, value: str, limits: Limits, *, may_be_empty: bool = False) -> str:
    """Check a type, worker id, unique key, claim id or client id, and give it back."""
    if not value and not may_be_empty:
        raise InvalidRequest(f"{field} is empty")
    # No character needs more than four bytes, so most names need no encoding to be judged.
    if len(value) * 4 > limits.name_bytes_max and len(value.encode()) > limits.name_bytes_max:
        raise InvalidRequest(
            f"{field} is {len(value.encode())} bytes; the limit is {limits.name_bytes_max}"
            " (name_bytes_max)"
        )
    return value


def check_job_id(field: str, value: str, limits: Limits) -> str:
    """Check a job id, and give it back."""
    if len(value) > limits.job_id_chars_max:
        raise InvalidRequest(
            f"{field} is {len(value)} characters; the limit is {limits.job_id_chars_max}"
            " (job_id_chars_max)"
        )
    if JOB_ID_PATTERN.match(value) is None:
        raise InvalidRequest(
            f"{field} is {value[:SHOWN_CHARS_MAX]!r}; it may hold only letters, digits and _ . : -"
        )
    return value


def check_list(field: str, items: Sized, limits: Limits) -> None:
    """Check how many items a list has."""
    if len(items) > limits.list_items_max:
        raise InvalidRequest(
            f"{field} has {len(items)} items; the limit is {limits.list_items_max} (list_items_max)"
        )


def check_retry(field: str, params: RetryParams, wait_ms_max: int) -> RetryPolicy:
    """Make a retry policy, and check it; the waits are bounded by `wait_ms_max`."""
    given = {name: value for name, value in asdict(params).items() if value is not None}
    retry = RetryPolicy(**given)
    check_range(f"{field}.baseMs", retry.base_ms, 0, wait_ms_max)
    check_range(f"{field}.capMs", retry.cap_ms, 0, wait_ms_max)
    # Written so that not-a-number, which MessagePack can carry, fails as well.
    if not 1.0 <= retry.factor <= RETRY_FACTOR_MAX:
        raise InvalidRequest(
            f"{field}.factor is {retry.factor}; it must be from 1 to {RETRY_FACTOR_MAX:.0f}"
        )
    if retry.base_ms > retry.cap_ms:
        raise InvalidRequest(
            f"{field}.baseMs is {retry.base_ms}; it must be at most capMs, {retry.cap_ms}"
        )
    return retry

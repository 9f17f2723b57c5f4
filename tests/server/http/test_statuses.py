"""Every error has its HTTP status, and says when to come back."""

import pytest

from osqueue.core.errors import ERROR_CLASSES, InvalidRequest, QueueFull, Unavailable
from osqueue.server.http.statuses import STATUSES, HttpRefusal, retry_after_s, status_of


def test_every_error_has_a_status() -> None:
    assert STATUSES.keys() == set(ERROR_CLASSES)
    assert [status_of(kind("")) for kind in ERROR_CLASSES] == [
        400, 400, 401, 403, 404, 409, 409, 429, 421, 503, 504, 500,
    ]  # fmt: skip


@pytest.mark.parametrize(("wait_ms", "seconds"), [(0, 1), (1, 1), (1_000, 1), (1_001, 2)])
def test_retry_after_is_rounded_up(wait_ms: int, seconds: int) -> None:
    assert retry_after_s(QueueFull("", retry_after_ms=wait_ms)) == seconds
    assert retry_after_s(Unavailable("", retry_after_ms=wait_ms)) == seconds
    assert retry_after_s(InvalidRequest("")) is None


def test_refusal_carries_its_error() -> None:
    refusal = HttpRefusal(413, InvalidRequest("too large"))
    assert (str(refusal), refusal.status, refusal.headers) == ("too large", 413, ())

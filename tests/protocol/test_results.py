"""Results: which fields are always there, and which are left out."""

import msgspec
from msgspec import Raw

from osqueue.protocol.codec import Encoding, encode_message
from osqueue.protocol.results import (
    ClaimedJobView,
    ClaimJobResult,
    ClaimJobsResult,
    CompleteJobsResult,
    HeartbeatResult,
    ListJobsResult,
    Result,
    SubmitJobResult,
)


def as_json(result: Result) -> object:
    return msgspec.json.decode(encode_message(result, Encoding.JSON))


def test_claim_of_nothing_has_no_field() -> None:
    assert as_json(ClaimJobResult()) == {}


def test_lists_are_there_although_empty() -> None:
    assert as_json(ClaimJobsResult([])) == {"jobs": []}
    assert as_json(CompleteJobsResult([], [])) == {"completed": [], "lost": []}


def test_flags_are_there_only_when_set() -> None:
    assert as_json(SubmitJobResult("j")) == {"jobId": "j"}
    assert as_json(HeartbeatResult()) == {}


def test_claimed_job_without_a_type_says_so() -> None:
    view = as_json(ClaimedJobView("j", "", Raw(b"null"), 1, 3, 0, 1_000))
    assert isinstance(view, dict)
    assert (view["type"], view["payload"]) == ("", None)


def test_last_page_has_no_cursor() -> None:
    page = as_json(ListJobsResult([], 0, 0, 0, 0, "a:1"))
    assert isinstance(page, dict)
    assert "cursor" not in page

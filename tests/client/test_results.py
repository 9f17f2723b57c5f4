"""What the broker sends, as a program sees it."""

from __future__ import annotations

import msgspec
import pytest

from osqueue.client.results import (
    Changed,
    ClaimedJob,
    DeadGroup,
    DeadGroups,
    ErrorSummary,
    JobDetails,
    JobFailure,
    JobPage,
    WireClaimedJob,
)
from osqueue.protocol.results import (
    ChangeJobsResult,
    DeadGroupView,
    JobErrorView,
    JobView,
    ListDeadGroupsResult,
    ListedJobView,
    ListJobsResult,
)
from osqueue.protocol.results import ErrorSummary as ErrorSummaryView

__all__: list[str] = []


def make_claimed(payload: object, payload_type: type | None = None) -> ClaimedJob[object]:
    encoded = msgspec.Raw(msgspec.msgpack.encode(payload))
    wire = WireClaimedJob(job_id="j", type="t", payload=encoded, attempt=2, max_attempts=3)
    return ClaimedJob(wire, "w", payload_type)


def test_a_claimed_job_shows_its_lease() -> None:
    job = make_claimed({"n": 1})
    assert (job.job_id, job.worker_id, job.attempt, job.max_attempts) == ("j", "w", 2, 3)
    assert repr(job) == "<ClaimedJob j 't' attempt 2>"


def test_a_payload_is_decoded_to_its_type() -> None:
    assert make_claimed({"1": 2}, dict[int, int]).payload == {1: 2}
    assert make_claimed([1]).payload == [1]
    with pytest.raises(msgspec.ValidationError):
        _ = make_claimed("x", int).payload


@pytest.mark.parametrize(
    ("mine", "wire"),
    [
        (JobDetails, JobView),
        (JobDetails, ListedJobView),
        (JobFailure, JobErrorView),
        (ErrorSummary, ErrorSummaryView),
        (JobPage, ListJobsResult),
        (Changed, ChangeJobsResult),
        (DeadGroups, ListDeadGroupsResult),
        (DeadGroup, DeadGroupView),
    ],
)
def test_nothing_that_the_broker_sends_is_left_out(
    mine: type[msgspec.Struct], wire: type[msgspec.Struct]
) -> None:
    sent = {field.encode_name for field in msgspec.structs.fields(wire)}
    seen = {field.encode_name for field in msgspec.structs.fields(mine)}
    assert sent <= seen


def test_a_jobs_result_is_converted_only_when_it_has_one() -> None:
    job = JobDetails(id="j", status="unclaimed", payload="1")
    assert job.with_types(str, int).result is None

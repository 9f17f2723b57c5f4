"""From params to requests of the core: what each method asks for, and every bound."""

from __future__ import annotations

import random
from typing import Any

import pytest
from msgspec import Raw

from osqueue.core.errors import BrokerProtocolError, InvalidRequest
from osqueue.core.job import JobError
from osqueue.core.limits import DELAY_MS_MAX, Limits
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    ClaimJobs,
    CloseClient,
    CompleteJobs,
    Completion,
    CountJobs,
    DeleteJob,
    DeleteJobs,
    FailJob,
    HeartbeatJobs,
    JobFilter,
    JobSelection,
    Lease,
    ListDeadGroups,
    ListJobs,
    ListWorkers,
    NewJob,
    PauseQueue,
    ReadJob,
    ReadLineage,
    ReadStats,
    RedriveDead,
    RepeatKey,
    Request,
    ResumeQueue,
    RetryJob,
    RetryJobs,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.retry_policy import RetryPolicy
from osqueue.protocol.codec import Encoding
from osqueue.protocol.messages import METHODS, WireRequest
from osqueue.server.dispatch import ANSWERED_HERE
from osqueue.server.requests import (
    BUILDERS,
    JOB_BYTES_IN_REPLY,
    RequestBuilder,
    RequestContext,
    cut_budgets,
)
from osqueue.settings import Settings
from tests.protocol.samples import raw

NOW_MS = 1_706_000_000_000
STEADY_MS = 5_000
SETTINGS = Settings()
LIMITS = SETTINGS.limits


def build(
    method: str,
    params: object = None,
    *,
    client_id: str = "",
    allows_wait: bool = True,
    encoding: Encoding = Encoding.JSON,
    **fields: Any,
) -> Request:
    builder = RequestBuilder(SETTINGS, random.Random(1))
    context = RequestContext(
        encoding=encoding,
        now_ms=NOW_MS,
        steady_ms=STEADY_MS,
        client_id=client_id,
        allows_wait=allows_wait,
    )
    wire = WireRequest(method, params=raw({} if params is None else params, encoding), **fields)
    return builder.build(wire, context)


def claim(**fields: Any) -> ClaimJobs:
    return ClaimJobs(**{"worker_id": "w", "byte_budget": LIMITS.frame_bytes_max, **fields})


HELD = {"jobId": "j", "workerId": "w", "attempt": 2}
LEASE = Lease("j", 2)
FILTER: dict[str, Any] = {
    "status": "dead", "type": "t", "text": "x", "errorType": "E", "errorMessage": "m"
}  # fmt: skip
WANTED = JobFilter(status="dead", type="t", text="x", error_type="E", error_message="m")
CASES: list[tuple[str, dict[str, Any], Request]] = [
    (
        "submitJob",
        {
            "jobId": "j", "payload": [1], "type": "t", "maxAttempts": 5, "priority": -100,
            "uniqueKey": "u", "resultTtlMs": 1, "delayMs": 7, "retry": {"baseMs": 5, "capMs": 9},
        },
        SubmitJobs(
            jobs=[
                NewJob(
                    id="j", payload=Raw(b"[1]"), type="t", max_attempts=5, priority=-100,
                    unique_key="u", result_ttl_ms=1, delay_ms=7, retry=RetryPolicy(5, 2.0, 9),
                )
            ]
        ),
    ),
    (
        "submitJobs",
        {"jobs": [{"jobId": "a"}, {"jobId": "b", "runAt": NOW_MS + 5}]},
        SubmitJobs(
            jobs=[
                NewJob(id="a", payload=Raw(b"null")),
                NewJob(id="b", payload=Raw(b"null"), run_at=NOW_MS + 5),
            ]
        ),
    ),
    ("claimJob", {"workerId": "w", "types": ["t", ""]}, claim(types=["t", ""])),
    ("claimJob", {"workerId": "w", "types": []}, claim()),
    (
        "claimJobs",
        {"workerId": "w", "limit": 10, "waitMs": 100, "leaseMs": 2_000, "claimId": "c"},
        claim(limit=10, wait_until_ms=STEADY_MS + 100, lease_ms=2_000, claim_id="c"),
    ),
    (
        "heartbeat",
        HELD,
        HeartbeatJobs(worker_id="w", leases=[LEASE], arrived_ms=STEADY_MS),
    ),
    (
        "heartbeatJobs",
        {"workerId": "w", "jobs": [{"jobId": "j", "attempt": 2}, {"jobId": "k"}]},
        HeartbeatJobs(worker_id="w", leases=[LEASE, Lease("k")], arrived_ms=STEADY_MS),
    ),
    (
        "completeJob",
        {"jobId": "j", "workerId": "w", "result": None},
        CompleteJobs(
            worker_id="w",
            completions=[Completion(lease=Lease("j"), result=Raw(b"null"))],
            is_single=True,
        ),
    ),
    (
        "completeJobs",
        {
            "workerId": "w",
            "jobs": [{"jobId": "j", "attempt": 2, "submit": [{"jobId": "next"}]}],
            "claim": {"limit": 3, "types": ["t"], "workerId": "w"},
        },
        CompleteJobs(
            worker_id="w",
            completions=[
                Completion(lease=LEASE, submit=[NewJob(id="next", payload=Raw(b"null"))])
            ],
            claim=claim(limit=3, types=["t"]),
        ),
    ),
    (
        "failJob",
        {**HELD, "error": {"type": "E", "message": "m"}, "retryInMs": 0, "final": True},
        FailJob(
            worker_id="w", lease=LEASE, error=JobError("E", "m"), retry_in_ms=0, is_final=True
        ),
    ),
    ("snoozeJob", {**HELD, "delayMs": 1_000}, SnoozeJob(worker_id="w", lease=LEASE, delay_ms=1000)),
    ("cancelJob", {"jobId": "j"}, CancelJob(job_id="j")),
    ("deleteJob", {"jobId": "j", "queue": "queue"}, DeleteJob(job_id="j")),
    ("retryJob", {"jobId": "j"}, RetryJob(job_id="j")),
    ("redriveDead", {}, RedriveDead()),
    (
        "redriveDead",
        {"type": "", "limit": 5},
        RedriveDead(selection=JobSelection(filter=JobFilter(type=""), limit=5)),
    ),
    ("redriveDead", {"jobIds": ["j"]}, RedriveDead(selection=JobSelection(job_ids=["j"]))),
    ("cancelJobs", {"filter": {}}, CancelJobs()),
    (
        "cancelJobs",
        {"jobIds": ["j", "k"], "limit": 1},
        CancelJobs(selection=JobSelection(job_ids=["j", "k"], limit=1)),
    ),
    ("deleteJobs", {"filter": FILTER}, DeleteJobs(selection=JobSelection(filter=WANTED))),
    (
        "retryJobs",
        {"filter": {}, "dryRun": True, "cursor": "17"},
        CountJobs(change=RetryJobs(selection=JobSelection(after_order=17))),
    ),
    ("listDeadGroups", {}, ListDeadGroups()),
    ("listDeadGroups", {"type": "", "limit": 5}, ListDeadGroups(type="", limit=5)),
    ("getJob", {"jobId": "j", "waitMs": 0}, ReadJob(job_id="j")),
    ("listJobs", {}, ListJobs(byte_budget=LIMITS.frame_bytes_max)),
    (
        "listJobs",
        {"status": "dead", "type": "t", "limit": 5, "cursor": "17"},
        ListJobs(
            filter=JobFilter(status="dead", type="t"),
            limit=5,
            after_order=17,
            byte_budget=LIMITS.frame_bytes_max,
        ),
    ),
    (
        "listJobs",
        {**FILTER, "order": "desc", "cursor": "-17", "payloads": False},
        ListJobs(
            filter=WANTED,
            is_descending=True,
            after_order=17,
            byte_budget=LIMITS.frame_bytes_max,
            with_payloads=False,
        ),
    ),
    (
        "listJobs",
        {"order": "asc", "offset": 500, "payloads": True},
        ListJobs(offset=500, byte_budget=LIMITS.frame_bytes_max),
    ),
    ("getStats", {}, ReadStats()),
    ("listWorkers", {}, ListWorkers(limit=100)),
    ("listWorkers", {"limit": 7}, ListWorkers(limit=7)),
    ("getHistory", {}, ReadLineage(seconds=300)),
    ("getHistory", {"seconds": 600}, ReadLineage(seconds=600)),
    ("pauseQueue", {"type": "t"}, PauseQueue(type="t")),
    ("resumeQueue", {}, ResumeQueue()),
]  # fmt: skip


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(("method", "params", "request_made"), CASES)
def test_method_becomes_the_request(
    method: str, params: dict[str, Any], request_made: Request, encoding: Encoding
) -> None:
    assert build(method, params, encoding=encoding) == request_made


def test_lists_of_a_frame_hold_ten_full_ones_together() -> None:
    limits = Limits(list_items_max=3)
    builder = RequestBuilder(Settings(storage_backend="memory", limits=limits), random.Random(1))
    context = RequestContext(encoding=Encoding.JSON, now_ms=NOW_MS, steady_ms=STEADY_MS)
    wire = WireRequest("submitJobs", params=Raw(b'{"jobs": [{}, {}, {}]}'))
    for _ in range(10):
        builder.build(wire, context)
    with pytest.raises(InvalidRequest, match="have 33 jobs by now; the limit is 10 times 3"):
        builder.build(wire, context)


def test_dry_run_needs_no_sequence_and_has_none() -> None:
    context = RequestContext(
        encoding=Encoding.JSON, now_ms=NOW_MS, steady_ms=STEADY_MS, client_id="c"
    )
    params = Raw(b'{"filter": {}, "dryRun": true}')
    wire = WireRequest("deleteJobs", params=params, sequence=7)
    made = RequestBuilder(Settings(storage_backend="memory"), random.Random(1)).build(wire, context)
    assert made == CountJobs(change=DeleteJobs())


def test_every_method_that_the_core_serves_has_a_case() -> None:
    assert {method for method, _, _ in CASES} | {"closeClient"} == BUILDERS.keys()
    assert METHODS.keys() - BUILDERS.keys() == ANSWERED_HERE


JOB: dict[str, Any] = {"jobId": "j"}
CLAIM = {"workerId": "w"}
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("submitJob", {"jobId": "a b"}, "jobId is 'a b'"),
    ("listJobs", {"cursor": "-17"}, "cursor comes from a list in the other order"),
    ("listJobs", {"cursor": "17", "order": "desc"}, "cursor comes from a list in the other"),
    ("listJobs", {"cursor": "17", "offset": 1}, "offset and cursor exclude each other"),
    ("listJobs", {"text": "x", "offset": 1}, "offset goes with status and type only"),
    ("listJobs", {"offset": -1}, "offset is -1; it must be from 0"),
    ("listJobs", {"order": "up"}, "Invalid enum value 'up'"),
    ("listJobs", {"text": "t" * 257}, "text is 257 bytes"),
    ("listJobs", {"errorMessage": "m" * 201}, "errorMessage is 201 characters; .* by 200"),
    ("cancelJobs", {}, "jobIds or filter: one of them says which"),
    ("cancelJobs", {"jobIds": [], "filter": {}}, "jobIds or filter: one of them says which"),
    ("deleteJobs", {"jobIds": ["j"] * 10_001}, r"jobIds has 10001 items.*\(list_items_max\)"),
    ("deleteJobs", {"jobIds": ["j", "a b"]}, r"jobIds\[1\] is 'a b'"),
    ("retryJobs", {"jobIds": ["j"], "cursor": "1"}, "cursor and jobIds exclude each other"),
    ("retryJobs", {"filter": {"type": "t" * 257}}, "filter.type is 257 bytes"),
    ("retryJobs", {"filter": {}, "limit": 0}, "limit is 0; it must be from 1"),
    ("redriveDead", {"jobIds": ["j"], "type": "t"}, "jobIds and type, text, errorType, err"),
    ("listDeadGroups", {"limit": 1_001}, "limit is 1001; it must be from 1 to 1000"),
    ("listWorkers", {"limit": 1_001}, "limit is 1001; it must be from 1 to 1000"),
    ("getHistory", {"seconds": 0}, "seconds is 0; it must be from 1 to 600"),
    ("submitJob", {"type": "t" * 257}, "type is 257 bytes"),
    (
        "submitJob",
        {"maxAttempts": 0},
        r"maxAttempts is 0; it must be from 1 to 1000 \(attempts_max",
    ),
    ("submitJob", {"maxAttempts": 10**30}, "maxAttempts is 1000"),
    ("submitJob", {"maxAttempts": 1.5}, "Expected `int"),
    ("submitJob", {"priority": 101}, "priority is 101; it must be from -100 to 100"),
    ("submitJob", {"uniqueKey": ""}, "uniqueKey is empty"),
    ("submitJob", {"resultTtlMs": -1}, "resultTtlMs is -1"),
    ("submitJob", {"delayMs": -1}, "delayMs is -1"),
    ("submitJob", {"delayMs": 1, "runAt": 1}, "runAt and delayMs exclude each other"),
    ("submitJob", {"runAt": NOW_MS * 1_000}, "runAt is 1706000000000000"),
    ("submitJob", {"retry": {"factor": 0}}, "retry.factor is 0"),
    ("submitJob", {"retry": {"base": 0}}, "unknown field `base`"),
    ("submitJob", {"queue": "other"}, "queue is 'other'; this broker serves only 'queue'"),
    ("submitJobs", {}, "missing required field `jobs`"),
    ("submitJobs", {"jobs": [JOB] * 10_001}, "jobs has 10001 items"),
    ("submitJobs", {"jobs": [JOB, {"priority": 900}]}, r"^jobs\[1\].priority is 900"),
    ("submitJobs", {"jobs": [JOB, {"payload": 2**64}]}, r"^jobs\[1\].payload holds an integer"),
    ("claimJob", {}, "missing required field `workerId`"),
    ("claimJob", {"workerId": ""}, "workerId is empty"),
    ("claimJobs", {**CLAIM, "limit": 0}, r"limit is 0; it must be from 1 to 1000 \(claim_jobs_max"),
    ("claimJobs", {**CLAIM, "limit": 1_001}, "limit is 1001"),
    ("claimJobs", {**CLAIM, "waitMs": 60_001}, r"waitMs is 60001.*\(wait_ms_max\)"),
    ("claimJobs", {**CLAIM, "leaseMs": 999}, "leaseMs is 999; it must be from 1000 to 86400000"),
    ("claimJobs", {**CLAIM, "claimId": "c" * 257}, "claimId is 257 bytes"),
    ("claimJobs", {**CLAIM, "types": ["t", "x" * 300]}, r"types\[1\] is 300 bytes"),
    ("claimJobs", {**CLAIM, "types": [""] * 10_001}, "types has 10001 items"),
    ("heartbeat", {**HELD, "attempt": 0}, "attempt is 0"),
    ("heartbeatJobs", {**CLAIM, "jobs": [{"jobId": ""}]}, r"jobs\[0\].jobId is ''"),
    (
        "heartbeatJobs",
        {**CLAIM, "jobs": [{"jobId": "j", "attempt": -1}]},
        r"jobs\[0\].attempt is -1",
    ),
    ("heartbeatJobs", {**CLAIM, "jobs": [JOB] * 10_001}, "jobs has 10001 items"),
    ("completeJob", {**HELD, "result": "x" * 300_000}, "result is 300002 bytes"),
    ("completeJobs", {**CLAIM, "jobs": [JOB] * 10_001}, "jobs has 10001 items"),
    (
        "completeJobs",
        {**CLAIM, "jobs": [{**JOB, "submit": [{"jobId": "n", "priority": 500}]}]},
        r"^jobs\[0\].submit\[0\].priority is 500",
    ),
    (
        "completeJobs",
        {**CLAIM, "jobs": [{**JOB, "submit": [JOB] * 5_001}] * 2},
        "submit of all jobs together has 10002 items",
    ),
    ("completeJobs", {**CLAIM, "jobs": [], "claim": {"limit": 0}}, r"^claim.limit is 0"),
    ("completeJobs", {**CLAIM, "jobs": [], "claim": {"workerId": "v"}}, "claim.workerId is not"),
    ("failJob", HELD, "missing required field `error`"),
    (
        "failJob",
        {**HELD, "error": {"type": "E", "message": ""}, "retryInMs": DELAY_MS_MAX + 1},
        "retryInMs is",
    ),
    ("snoozeJob", {**HELD, "delayMs": 999}, "delayMs is 999; it must be from 1000"),
    ("cancelJob", {}, "missing required field `jobId`"),
    ("redriveDead", {"limit": 0}, "limit is 0"),
    ("redriveDead", {"type": "x" * 300}, "type is 300 bytes"),
    ("getJob", {**JOB, "waitMs": 60_001}, "waitMs is 60001; it must be from 0 to 60000"),
    ("listJobs", {"status": "lost"}, "Invalid enum value 'lost'"),
    ("listJobs", {"limit": 1_001}, "limit is 1001; it must be from 1 to 1000"),
    ("listJobs", {"cursor": "1-"}, "cursor is none that"),
    ("listJobs", {"type": "x" * 300}, "type is 300 bytes"),
    ("pauseQueue", {"type": "x" * 300}, "type is 300 bytes"),
]


@pytest.mark.parametrize(("method", "params", "problem"), WRONG)
def test_field_out_of_bounds_is_refused_by_name(
    method: str, params: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InvalidRequest, match=problem):
        build(method, params)


def test_unknown_method_is_the_forerunners_error() -> None:
    with pytest.raises(BrokerProtocolError, match=r"^Unsupported WS method: flyJob$"):
        build("flyJob")


def test_broker_makes_the_job_id_that_the_caller_left_open() -> None:
    request = build("submitJobs", {"jobs": [{}, {}]})
    assert isinstance(request, SubmitJobs)
    first, second = (job.id for job in request.jobs)
    assert first != second
    assert int(first.replace("-", "")[:12], 16) == NOW_MS
    assert request.jobs[0].max_attempts == SETTINGS.max_attempts


def test_sequence_needs_a_client_and_job_ids() -> None:
    with pytest.raises(InvalidRequest, match="sequence needs a client id"):
        build("submitJob", JOB, sequence=1)
    for method, params in (
        ("submitJob", {}),
        ("submitJobs", {"jobs": [JOB, {}]}),
        ("completeJobs", {**CLAIM, "jobs": [{**JOB, "submit": [{}]}]}),
    ):
        with pytest.raises(InvalidRequest, match="jobId is missing"):
            build(method, params, client_id="c", sequence=1)


@pytest.mark.parametrize(
    ("sequence", "floor"), [(0, None), (-1, None), (2**53, None), (5, 6), (5, 0)]
)
def test_sequence_is_bounded(sequence: int, floor: int | None) -> None:
    with pytest.raises(InvalidRequest, match=r"(sequence|firstIncomplete) is"):
        build("submitJob", JOB, client_id="c", sequence=sequence, first_incomplete=floor)


def test_sequence_marks_mutations_only() -> None:
    request = build("submitJob", JOB, client_id="c", sequence=5, first_incomplete=3)
    assert isinstance(request, SubmitJobs)
    assert request.repeat == RepeatKey("c", 5, 3)
    request = build("retryJob", JOB, client_id="c", sequence=5)
    assert isinstance(request, RetryJob)
    assert request.repeat == RepeatKey("c", 5, 0)
    beat = build("heartbeat", HELD, client_id="c", sequence=5)
    assert isinstance(beat, HeartbeatJobs)
    assert beat.repeat is None


def test_closing_client_names_itself() -> None:
    assert build("closeClient", client_id="c") == CloseClient(client_id="c")
    with pytest.raises(InvalidRequest, match="closeClient needs the client id"):
        build("closeClient")


def test_nothing_waits_where_waiting_is_not_allowed() -> None:
    assert build("claimJobs", {**CLAIM, "waitMs": 0}, allows_wait=False) == claim()
    with pytest.raises(InvalidRequest, match="in a batch over HTTP nothing may wait"):
        build("claimJobs", {**CLAIM, "waitMs": 1}, allows_wait=False)


def test_budgets_share_one_reply_frame() -> None:
    limits = Limits(frame_bytes_max=1_000_000, payload_bytes_max=10_000)
    single = claim(limit=1_000)
    cut_budgets([single], limits)
    assert single.limit == 1_000_000 // 2 // JOB_BYTES_IN_REPLY
    assert single.byte_budget + single.limit * JOB_BYTES_IN_REPLY == 1_000_000
    following = CompleteJobs(worker_id="w", completions=[], claim=claim(limit=5))
    requests = [following, ListJobs(), ReadStats(), *(claim() for _ in range(10_000))]
    cut_budgets(requests, limits)
    assert following.claim is not None
    assert (following.claim.limit, following.claim.byte_budget) == (1, 1)

"""One sample of every message, each with every field set; their bytes are in `golden/`.

`python -m tests.protocol.samples` writes the golden files anew: a difference is a decision about
compatibility, and belongs into the changelog.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from osqueue.core.retry_policy import RetryPolicy
from osqueue.protocol.codec import Encoding, encode_message
from osqueue.protocol.figures import (
    BucketsView,
    CommitView,
    HeldJobView,
    HistoryResult,
    ListWorkersResult,
    StatsResult,
    StorageCounts,
    TakeoverView,
    TotalsView,
    TypeCount,
    WorkerView,
)
from osqueue.protocol.messages import WireError, WireErrorReply, WireReply, WireRequest
from osqueue.protocol.params import (
    ChangeJobsParams,
    ClaimJobParams,
    ClaimJobsParams,
    CompleteJobParams,
    CompleteJobsParams,
    CompletionParams,
    ErrorParams,
    FailJobParams,
    FollowingClaimParams,
    GetHistoryParams,
    GetJobParams,
    HeartbeatJobsParams,
    HeartbeatParams,
    HelloParams,
    JobFilterParams,
    JobParams,
    LeaseParams,
    ListDeadGroupsParams,
    ListJobsParams,
    ListWorkersParams,
    NewJobParams,
    Params,
    PauseQueueParams,
    QueueParams,
    ReadParams,
    RedriveDeadParams,
    RetryParams,
    SnoozeJobParams,
    SubmitJobParams,
    SubmitJobsParams,
    SubscribeParams,
    WithdrawClaimParams,
)
from osqueue.protocol.results import (
    CancelJobResult,
    ChangeJobsResult,
    ClaimedJobView,
    ClaimJobResult,
    ClaimJobsResult,
    CommitEvent,
    CompleteJobsResult,
    DeadGroupView,
    EmptyResult,
    ErrorSummary,
    FailJobResult,
    HeartbeatJobsResult,
    HeartbeatResult,
    HelloResult,
    JobChangeView,
    JobErrorView,
    JobView,
    LeaderEvent,
    ListDeadGroupsResult,
    ListedJobView,
    ListJobsResult,
    Result,
    SnoozeJobResult,
    SubmitJobResult,
    SubmitJobsResult,
    ThrottleStatsResult,
)

__all__ = ["EVENTS", "FRAMES", "GOLDEN", "PARAMS", "RESULTS", "golden_text", "raw"]

GOLDEN = Path(__file__).parent / "golden"
AT_MS = 1_706_000_000_000
JOB_ID = "0190b2c4-9f3a-7c17-8be2-d40c55a1b2c3"


def raw(value: object, encoding: Encoding) -> Raw:
    """A value as a message in that encoding carries it."""
    return Raw(encode_message(value, encoding))


def PARAMS(encoding: Encoding) -> dict[str, Params]:  # noqa: N802 (a table, of each encoding)
    """Params by method."""
    payload = raw({"path": "/tmp/ä", "sizes": [1, 2.5, None, True]}, encoding)
    new_job: dict[str, Any] = {
        "payload": payload,
        "type": "email:send",
        "max_attempts": 5,
        "job_id": JOB_ID,
        "delay_ms": 1_000,
        "priority": 10,
        "unique_key": "user-7",
        "result_ttl_ms": 60_000,
        "retry": RetryParams(base_ms=500, factor=3.0, cap_ms=30_000),
    }
    claim: dict[str, Any] = {
        "worker_id": "worker-1",
        "types": ["email:send"],
        "lease_ms": 20_000,
        "claim_id": "claim-1",
    }
    held: dict[str, Any] = {"job_id": JOB_ID, "worker_id": "worker-1", "attempt": 2}
    job = JobParams(job_id=JOB_ID, queue="queue")
    return {
        "submitJob": SubmitJobParams(**new_job, queue="queue"),
        "submitJobs": SubmitJobsParams(jobs=[NewJobParams(**new_job), NewJobParams(run_at=AT_MS)]),
        "claimJob": ClaimJobParams(**claim, wait_ms=5_000),
        "claimJobs": ClaimJobsParams(**claim, wait_ms=5_000, limit=10),
        "heartbeat": HeartbeatParams(**held),
        "heartbeatJobs": HeartbeatJobsParams(
            worker_id="worker-1", jobs=[LeaseParams(job_id=JOB_ID, attempt=2)]
        ),
        "completeJob": CompleteJobParams(**held, result=payload),
        "completeJobs": CompleteJobsParams(
            worker_id="worker-1",
            jobs=[
                CompletionParams(
                    job_id=JOB_ID, attempt=2, result=payload, submit=[NewJobParams(**new_job)]
                )
            ],
            claim=FollowingClaimParams(**claim, limit=10),
        ),
        "failJob": FailJobParams(
            **held,
            error=ErrorParams(type="ValueError", message="no", traceback="line 1"),
            retry_in_ms=100,
            final=True,
        ),
        "snoozeJob": SnoozeJobParams(**held, delay_ms=5_000),
        "cancelJob": job,
        "deleteJob": job,
        "retryJob": job,
        **selections(),
        "listDeadGroups": ListDeadGroupsParams(type="email:send", limit=10, confirm=True),
        "getJob": GetJobParams(job_id=JOB_ID, wait_ms=1_000, confirm=True),
        "listWorkers": ListWorkersParams(limit=10, confirm=True),
        "getStats": ReadParams(confirm=True),
        "getHistory": GetHistoryParams(seconds=60, confirm=True),
        "getThrottleStats": QueueParams(),
        "pauseQueue": PauseQueueParams(type="email:send"),
        "resumeQueue": PauseQueueParams(type="email:send"),
        "withdrawClaim": WithdrawClaimParams(worker_id="worker-1", claim_id="claim-1"),
        "closeClient": QueueParams(),
        "subscribe": SubscribeParams(events=["stats", "jobs"]),
        "hello": HelloParams(client_id="c0ffee", token="secret", protocol=1),
    }


def failed_fields() -> dict[str, str]:
    """A filter, but for the status."""
    return {
        "type": "email:send",
        "text": "ann",
        "error_type": "ValueError",
        "error_message": "no",
    }


def selections() -> dict[str, Params]:
    """Params of what lists and changes many jobs."""
    failed = failed_fields()
    named = ChangeJobsParams(job_ids=[JOB_ID], limit=10, dry_run=True)
    wanted = JobFilterParams(status="dead", **failed)
    filtered = ChangeJobsParams(filter=wanted, limit=10, dry_run=True, cursor="17")
    return {
        "listJobs": ListJobsParams(
            status="dead",
            **failed,
            confirm=True,
            order="desc",
            limit=10,
            cursor="-17",
            offset=20,
            payloads=False,
        ),
        "cancelJobs": named,
        "deleteJobs": filtered,
        "retryJobs": filtered,
        "redriveDead": RedriveDeadParams(
            **failed, job_ids=[JOB_ID], limit=10, dry_run=True, cursor="17"
        ),
    }


def RESULTS(encoding: Encoding) -> dict[str, Result]:  # noqa: N802 (a table, of each encoding)
    """Results by method."""
    payload = raw({"n": [1, "ä"]}, encoding)
    claimed = ClaimedJobView(JOB_ID, "email:send", payload, 2, 5, AT_MS, 20_000)
    listed: dict[str, Any] = {
        "id": JOB_ID,
        "status": "in_progress",
        "payload": payload,
        "type": "email:send",
        "created_at": AT_MS,
        "attempts": 2,
        "max_attempts": 5,
        "worker_id": "worker-1",
        "heartbeat": AT_MS,
        "run_at": AT_MS,
        "ready_at": AT_MS,
        "started_at": AT_MS,
        "priority": 10,
        "unique_key": "user-7",
        "cancel_requested": True,
        "ended_at": AT_MS,
    }
    return {
        "submitJob": SubmitJobResult(JOB_ID, True),
        "submitJobs": SubmitJobsResult([JOB_ID], [0]),
        "claimJob": ClaimJobResult(JOB_ID, "email:send", payload, 2, 5, AT_MS, 20_000),
        "claimJobs": ClaimJobsResult([claimed]),
        "heartbeat": HeartbeatResult(True),
        "heartbeatJobs": HeartbeatJobsResult([JOB_ID], ["lost-1"], [JOB_ID]),
        "completeJob": EmptyResult(),
        "completeJobs": CompleteJobsResult([JOB_ID], [], [claimed]),
        "failJob": FailJobResult("scheduled", AT_MS),
        "snoozeJob": SnoozeJobResult(AT_MS),
        "cancelJob": CancelJobResult("cancelRequested"),
        "deleteJob": EmptyResult(),
        "retryJob": EmptyResult(),
        "cancelJobs": ChangeJobsResult(3, 1),
        "deleteJobs": ChangeJobsResult(3, 0, "17"),
        "retryJobs": ChangeJobsResult(0, 0),
        "redriveDead": ChangeJobsResult(3, 0, "17"),
        "listDeadGroups": ListDeadGroupsResult(
            [DeadGroupView("email:send", "ValueError", "no", 2, AT_MS, AT_MS, JOB_ID)], 1, 2
        ),
        "getJob": JobView(
            **listed,
            lease_ms=20_000,
            result_ttl_ms=60_000,
            retry=RetryPolicy(500, 3.0, 30_000),
            errors=[JobErrorView("ValueError", "no", "line 1", 1, AT_MS, AT_MS, "worker-1")],
            result=payload,
        ),
        "listJobs": ListJobsResult(
            [ListedJobView(**listed, last_error=ErrorSummary("ValueError", "no"))],
            1,
            0,
            1,
            42,
            "127.0.0.1:8080",
            "17",
            1,
        ),
        "getThrottleStats": ThrottleStatsResult(throttling=False),
        "pauseQueue": EmptyResult(),
        "resumeQueue": EmptyResult(),
        "withdrawClaim": EmptyResult(),
        "closeClient": EmptyResult(),
        "subscribe": EmptyResult(),
        "hello": HelloResult(
            "9f3ac17be2d40c55", 7, "127.0.0.1:8080", {"frameBytesMax": 8_388_608}, ["read"]
        ),
        **figures(),
    }


def figures() -> dict[str, Result]:
    """Results that are counts and times."""
    commit = CommitView("7-1234-9f3ac17be2d40c55", AT_MS, 10, 4_096, 12, "landed")
    return {
        "getStats": StatsResult(
            total=4,
            unclaimed=1,
            in_progress=1,
            completed_total=42,
            broker_address="127.0.0.1:8080",
            scheduled=1,
            completed=0,
            dead=1,
            paused=False,
            paused_types=["email:send"],
            next_created_at=AT_MS,
            epoch=7,
            commit_id="7-1234-9f3ac17be2d40c55",
            storage=StorageCounts(1, 2, 3, 4, "memory store of this process", 5, 6, 7),
            now=AT_MS,
            broker_name="9f3ac17be2d40c55",
            heartbeat_interval_ms=3_000,
            broker_timeout_ms=10_000,
            oldest_unclaimed_at=AT_MS,
            next_run_at=AT_MS,
            workers=9,
            dead_by_type=[TypeCount("email:send", 1)],
            document_bytes=4_096,
            totals=TotalsView(AT_MS, 1, 2, 3, 4, 5),
            last_commit=commit,
        ),
        "listWorkers": ListWorkersResult(
            [
                WorkerView(
                    worker_id="worker-1",
                    first_seen_at=AT_MS,
                    last_seen_at=AT_MS,
                    is_polling=True,
                    types=["email:send"],
                    claimed=3,
                    completed=1,
                    failed=1,
                    held=1,
                    jobs=[HeldJobView(JOB_ID, "email:send", 2, AT_MS, 30_000, 20_000, True)],
                )
            ],
            1,
            AT_MS,
        ),
        "getHistory": HistoryResult(
            now=AT_MS,
            bucket_ms=1_000,
            begin=AT_MS,
            buckets=BucketsView(
                [1], [2], [3], [4], [5], [6], [7], [8], [9], [10], [11], [12], [None]
            ),
            commits=[commit],
            takeovers=[TakeoverView(7, "9f3ac17be2d40c55", AT_MS)],
        ),
    }


def FRAMES(encoding: Encoding) -> dict[str, msgspec.Struct]:  # noqa: N802 (as above)
    """Requests and replies."""
    return {
        "request": WireRequest(
            "submitJob", raw("a-1", encoding), raw({"payload": 1}, encoding), 5, 3
        ),
        "reply": WireReply(raw(["any", 1], encoding), True, SubmitJobResult(JOB_ID)),
        "errorReply": WireErrorReply(
            raw(None, encoding),
            False,
            WireError(
                tag="NotLeader",
                message="another broker leads",
                advice="ask the leader",
                retry_after_ms=1_000,
                epoch=8,
                broker_address="10.0.0.8:8080",
            ),
        ),
    }


def EVENTS(encoding: Encoding) -> dict[str, Result]:  # noqa: N802 (as above)
    """The data of events that no method returns too."""
    return {
        "jobsEvent": JobChangeView(
            JOB_ID, "dead", "email:send", 3, AT_MS, "worker-1", AT_MS, "ValueError"
        ),
        "commitEvent": CommitEvent("7-1234-9f3ac17be2d40c55", 10, 4_096, 12, AT_MS),
        "leaderEvent": LeaderEvent(8, "10.0.0.8:8080"),
    }


def golden_text(name: str) -> dict[str, str]:
    """What the golden file of a message holds: the JSON as text, MessagePack as hexadecimal."""
    return msgspec.json.decode((GOLDEN / f"{name}.json").read_bytes(), type=dict[str, str])


def all_samples(encoding: Encoding) -> dict[str, msgspec.Struct]:
    """Every sample, by the name of its golden file."""
    return {
        **{f"{name}_params": sample for name, sample in PARAMS(encoding).items()},
        **{f"{name}_result": sample for name, sample in RESULTS(encoding).items()},
        **FRAMES(encoding),
        **EVENTS(encoding),
    }


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    in_msgpack = all_samples(Encoding.MSGPACK)
    for name, sample in all_samples(Encoding.JSON).items():
        text = {
            "json": encode_message(sample, Encoding.JSON).decode(),
            "msgpack": encode_message(in_msgpack[name], Encoding.MSGPACK).hex(),
        }
        written = msgspec.json.format(msgspec.json.encode(text), indent=2)
        (GOLDEN / f"{name}.json").write_bytes(written + b"\n")

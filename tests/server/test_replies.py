"""From outcomes to results, field by field."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET, Raw

from osqueue.core.errors import JobNotHeld
from osqueue.core.job import Job, JobError
from osqueue.core.outcomes import (
    ClaimedJob,
    DeadGroup,
    DeadGroupsListed,
    JobCancelled,
    JobFailed,
    JobRead,
    JobsChanged,
    JobsClaimed,
    JobsCompleted,
    JobsExtended,
    JobsListed,
    JobSnoozed,
    JobsSubmitted,
)
from osqueue.protocol.codec import Encoding, encode_message
from osqueue.protocol.messages import METHODS
from osqueue.server.replies import RENDERERS, Renderer
from osqueue.server.requests import BUILDERS
from tests.server.harness import Served

CLAIMED = ClaimedJob("j", "t", Raw(b'{"a":[1,"\xc3\xa4"]}'), 2, 3, 1_000, 30_000)
CLAIMED_VIEW = {
    "jobId": "j", "type": "t", "payload": {"a": [1, "ä"]}, "attempt": 2, "maxAttempts": 3,
    "createdAt": 1_000, "leaseMs": 30_000,
}  # fmt: skip
CASES = [
    ("submitJob", JobsSubmitted(["j"]), {"jobId": "j"}),
    ("submitJob", JobsSubmitted(["j"], [0]), {"jobId": "j", "duplicate": True}),
    ("submitJobs", JobsSubmitted(["j", "k"], [1]), {"jobIds": ["j", "k"], "duplicates": [1]}),
    ("claimJob", JobsClaimed([]), {}),
    ("claimJob", JobsClaimed([CLAIMED]), CLAIMED_VIEW),
    ("claimJobs", JobsClaimed([CLAIMED]), {"jobs": [CLAIMED_VIEW]}),
    ("heartbeat", JobsExtended(["j"], [], []), {}),
    ("heartbeat", JobsExtended(["j"], [], ["j"]), {"cancelRequested": True}),
    (
        "heartbeatJobs",
        JobsExtended(["j"], ["k"], ["j"]),
        {"held": ["j"], "lost": ["k"], "cancelRequested": ["j"]},
    ),
    ("completeJob", JobsCompleted(["j"], []), {}),
    ("completeJobs", JobsCompleted(["j"], ["k"]), {"completed": ["j"], "lost": ["k"]}),
    (
        "completeJobs",
        JobsCompleted([], [], JobsClaimed([CLAIMED])),
        {"completed": [], "lost": [], "jobs": [CLAIMED_VIEW]},
    ),
    ("failJob", JobFailed("dead", 0), {"status": "dead"}),
    ("cancelJobs", JobsChanged(3), {"count": 3, "skipped": 0}),
    ("redriveDead", JobsChanged(3, 1, 17), {"count": 3, "skipped": 1, "cursor": "17"}),
    (
        "listDeadGroups",
        DeadGroupsListed([DeadGroup("t", "E", "m", 2, 5, 9, "j")], 1, 2),
        {
            "groups": [
                {
                    "type": "t",
                    "errorType": "E",
                    "errorMessage": "m",
                    "count": 2,
                    "firstAt": 5,
                    "lastAt": 9,
                    "jobId": "j",
                }
            ],
            "total": 1,
            "dead": 2,
        },
    ),
    ("failJob", JobFailed("scheduled", 5), {"status": "scheduled", "runAt": 5}),
    ("snoozeJob", JobSnoozed(5), {"runAt": 5}),
    ("cancelJob", JobCancelled(True), {"status": "gone"}),
    ("cancelJob", JobCancelled(False), {"status": "cancelRequested"}),
]


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(("method", "outcome", "result"), CASES)
async def test_outcome_becomes_the_result(
    served: Served, method: str, outcome: object, result: object, encoding: Encoding
) -> None:
    rendered = Renderer(served.broker, encoding).render(method, outcome)  # type: ignore[arg-type]
    assert type(rendered) is METHODS[method].result
    module = msgspec.json if encoding is Encoding.JSON else msgspec.msgpack
    assert module.decode(encode_message(rendered, encoding)) == result


@pytest.mark.parametrize(
    ("method", "outcome"),
    [("heartbeat", JobsExtended([], ["j"], [])), ("completeJob", JobsCompleted([], ["j"]))],
)
async def test_single_job_that_is_lost_is_an_error(
    served: Served, method: str, outcome: JobsExtended | JobsCompleted
) -> None:
    with pytest.raises(JobNotHeld, match="does not hold job j"):
        Renderer(served.broker, Encoding.JSON).render(method, outcome)


async def test_job_is_shown_with_all_that_is_known(served: Served) -> None:
    job = Job(
        id="j",
        status="completed",
        payload=Raw(b"1"),
        attempts=2,
        errors=(JobError("E", "m", "trace", 1, 5, 4, "w"),),
        started_at=6,
        result=Raw(b"[2]"),
        result_ttl_ms=9,
        ended_at=7,
    )
    view = Renderer(served.broker, Encoding.MSGPACK).render("getJob", JobRead(job))
    assert msgspec.msgpack.decode(encode_message(view, Encoding.MSGPACK)) == {
        "id": "j", "status": "completed", "payload": 1, "type": "", "createdAt": 0,
        "attempts": 2, "maxAttempts": 3, "resultTtlMs": 9, "endedAt": 7, "result": [2],
        "startedAt": 6, "heartbeat": 0,
        "errors": [
            {"type": "E", "message": "m", "traceback": "trace", "attempt": 1, "at": 5,
             "startedAt": 4, "workerId": "w"}
        ],
    }  # fmt: skip
    job.result = UNSET
    view = Renderer(served.broker, Encoding.JSON).render("getJob", JobRead(job))
    assert "result" not in msgspec.json.decode(encode_message(view, Encoding.JSON))


async def test_list_carries_counts_and_cursor(served: Served) -> None:
    stats = await served.server.front_door.dispatcher.read_stats()
    job = Job(id="j", status="unclaimed", payload=Raw(b"1"), errors=[JobError("E", "m")])
    page = Renderer(served.broker, Encoding.JSON).render("listJobs", JobsListed([job], stats, 17))
    shown = msgspec.json.decode(encode_message(page, Encoding.JSON))
    assert (shown["cursor"], shown["total"]) == ("17", 0)
    assert shown["brokerAddress"] == served.broker.advertised_address
    assert "errors" not in shown["jobs"][0]
    assert shown["jobs"][0]["lastError"] == {"type": "E", "message": "m"}
    assert "matched" not in shown


async def test_list_without_payloads_in_descending_order(served: Served) -> None:
    stats = await served.server.front_door.dispatcher.read_stats()
    job = Job(id="j", status="unclaimed", payload=Raw(b""))
    outcome = JobsListed([job], stats, 17, 3, is_descending=True)
    page = Renderer(served.broker, Encoding.MSGPACK).render("listJobs", outcome)
    shown = msgspec.msgpack.decode(encode_message(page, Encoding.MSGPACK))
    assert (shown["cursor"], shown["matched"]) == ("-17", 3)
    assert not {"payload", "lastError"} & shown["jobs"][0].keys()


async def test_stats_count_what_the_store_was_asked(served: Served) -> None:
    stats = await served.server.front_door.dispatcher.read_stats()
    shown = Renderer(served.broker, Encoding.JSON).render("getStats", stats)
    storage = msgspec.json.decode(encode_message(shown, Encoding.JSON))["storage"]
    assert storage["writes"] == served.broker.statistics.writes > 0
    assert (storage["description"], storage["conflicts"]) == ("memory store of this process", 0)


async def test_stats_show_the_last_commit_once_there_is_one(served: Served) -> None:
    dispatcher = served.server.front_door.dispatcher
    shown = Renderer(served.broker, Encoding.JSON).render("getStats", await dispatcher.read_stats())
    assert "lastCommit" not in msgspec.json.decode(encode_message(shown, Encoding.JSON))
    await served.request("POST", "/v1/jobs", {"payload": 1})
    stats = await dispatcher.read_stats()
    shown = Renderer(served.broker, Encoding.JSON).render("getStats", stats)
    wire = msgspec.json.decode(encode_message(shown, Encoding.JSON))
    assert wire["lastCommit"]["commitId"] == stats.commit_id
    assert wire["lastCommit"]["outcome"] == "landed"
    assert wire["lastCommit"]["bytes"] == wire["documentBytes"]
    assert (wire["totals"]["submitted"], wire["totals"]["completed"]) == (1, 0)
    assert wire["totals"]["since"] <= wire["oldestUnclaimedAt"] <= wire["now"]


async def test_workers_are_listed_with_what_they_hold(served: Served) -> None:
    submitted = await served.request("POST", "/v1/jobs", {"payload": 1, "type": "t"})
    await served.request("POST", "/v1/jobs/claim", {"workerId": "w1", "types": ["t"]})
    listed = (await served.request("GET", "/v1/workers?limit=5")).json()
    [worker] = listed["workers"]
    [job] = worker.pop("jobs")
    assert (worker["workerId"], worker["types"], worker["held"]) == ("w1", ["t"], 1)
    assert (job["jobId"], job["attempt"]) == (submitted.json()["jobId"], 1)
    assert 0 < job["leaseLeftMs"] <= job["leaseMs"]
    assert listed["total"] == 1


def test_every_method_that_is_built_is_rendered() -> None:
    assert RENDERERS.keys() == BUILDERS.keys()

"""subscribe and the wait of getJob, on a real socket."""

from __future__ import annotations

from typing import Any

import pytest

from osqueue.core.errors import InvalidRequest
from osqueue.server.events import check_event_names
from tests.server.harness import Served, WebSocketClient


async def collect(client: WebSocketClient, wanted: str) -> dict[str, Any]:
    """The next event of a name."""
    while True:
        message = await client.receive()
        if isinstance(message, dict) and message.get("event") == wanted:
            return message


async def test_subscriber_is_answered_first_and_then_told_who_leads_and_the_counts(
    served: Served,
) -> None:
    client = await served.open_websocket()
    await client.send_json({"id": 1, "method": "subscribe", "params": {"events": ["leader"]}})
    assert await client.receive() == {"id": 1, "ok": True, "result": {}}
    event = await client.receive()
    assert event["event"] == "leader"
    assert event["data"]["epoch"] == 1
    await client.send_json({"id": 2, "method": "subscribe", "params": {"events": ["stats"]}})
    stats = await collect(client, "stats")
    assert stats["data"]["total"] == 0
    await client.aclose()


async def test_subscriber_sees_a_job_from_submit_to_completion(served: Served) -> None:
    watcher = await served.open_websocket()
    await watcher.send_json(
        {"id": 1, "method": "subscribe", "params": {"events": ["jobs", "commit"]}}
    )
    assert (await watcher.receive())["ok"]
    worker = await served.open_websocket()
    submitted = await worker.call("submitJob", {"payload": 1, "type": "test"})
    job_id = submitted["result"]["jobId"]
    event = await collect(watcher, "jobs")
    [change] = event["data"]
    submitted_at = change.pop("at")
    assert change == {"id": job_id, "status": "unclaimed", "type": "test", "attempts": 0}
    await worker.call("claimJob", {"workerId": "w1"})
    event = await collect(watcher, "jobs")
    assert event["data"][0]["status"] == "in_progress"
    assert event["data"][0]["workerId"] == "w1"
    assert event["data"][0]["at"] == event["data"][0]["startedAt"] >= submitted_at
    await worker.call("completeJob", {"workerId": "w1", "jobId": job_id})
    commit = await collect(watcher, "commit")
    assert commit["data"]["mutations"] == 1
    assert commit["data"].keys() == {"commitId", "mutations", "bytes", "milliseconds", "at"}
    event = await collect(watcher, "jobs")
    [change] = event["data"]
    assert change.pop("at") >= change.pop("startedAt") >= submitted_at
    assert change == {
        "id": job_id, "status": "completed", "type": "test", "attempts": 1, "workerId": "w1"
    }  # fmt: skip
    await worker.aclose()
    await watcher.aclose()


async def test_events_have_the_encoding_of_their_subscription(served: Served) -> None:
    client = await served.open_websocket()
    await client.send_msgpack({"id": 1, "method": "subscribe", "params": {"events": ["leader"]}})
    opcode, _ = await client.receive_frame()
    assert opcode == 2
    opcode, _ = await client.receive_frame()
    assert opcode == 2
    await client.aclose()


async def test_unknown_event_is_refused_by_name(served: Served) -> None:
    client = await served.open_websocket()
    reply = await client.call("subscribe", {"events": ["weather"]})
    assert reply["error"]["_tag"] == "InvalidRequest"
    assert "'weather'" in reply["error"]["message"]
    await client.aclose()
    with pytest.raises(InvalidRequest, match="stats, jobs, commit, leader, history"):
        check_event_names(["weather"])


async def test_wait_for_a_job_is_answered_when_it_ends(served: Served) -> None:
    client = await served.open_websocket()
    submitted = await client.call("submitJob", {"payload": 1, "resultTtlMs": 60_000})
    job_id = submitted["result"]["jobId"]
    waiting = {"jobId": job_id, "waitMs": 60_000}
    await client.send_json({"id": "wait", "method": "getJob", "params": waiting})
    await client.call("claimJob", {"workerId": "w1"})
    done = {"workerId": "w1", "jobId": job_id, "result": {"sum": 3}}
    await client.send_json({"id": "done", "method": "completeJob", "params": done})
    replies = {reply["id"]: reply for reply in [await client.receive(), await client.receive()]}
    assert replies["done"]["ok"]
    assert replies["wait"]["result"]["status"] == "completed"
    assert replies["wait"]["result"]["result"] == {"sum": 3}
    await client.aclose()


async def test_wait_for_a_job_that_is_not_kept_ends_as_not_found(served: Served) -> None:
    client = await served.open_websocket()
    job_id = (await client.call("submitJob", {"payload": 1}))["result"]["jobId"]
    waiting = {"jobId": job_id, "waitMs": 60_000}
    await client.send_json({"id": "wait", "method": "getJob", "params": waiting})
    await client.send_json({"id": "cancel", "method": "cancelJob", "params": {"jobId": job_id}})
    replies = {reply["id"]: reply for reply in [await client.receive(), await client.receive()]}
    assert replies["cancel"]["ok"]
    assert replies["wait"]["error"]["_tag"] == "JobNotFound"
    await client.aclose()


async def test_wait_that_runs_out_shows_the_job_as_it_is(served: Served) -> None:
    client = await served.open_websocket()
    job_id = (await client.call("submitJob", {"payload": 1}))["result"]["jobId"]
    reply = await client.call("getJob", {"jobId": job_id, "waitMs": 1})
    assert reply["result"]["status"] == "unclaimed"
    await client.aclose()

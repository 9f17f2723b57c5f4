"""WebSocket: the forerunner's shapes, encodings, many calls at once, bounds, and how it ends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio

from osqueue.core.limits import Limits
from osqueue.server import websocket as websocket_module
from osqueue.server.websocket import short
from osqueue.settings import Settings
from tests.server.harness import Served, make_frame


async def test_forerunners_messages(served: Served) -> None:
    client = await served.open_websocket()
    assert client.status == 101
    submitted = await client.call("submitJob", {"payload": {"task": "x"}, "type": "test"})
    assert submitted.keys() == {"id", "ok", "result"}
    job_id = submitted["result"]["jobId"]
    # Its client decodes a number there, of every job.
    [listed] = (await client.call("listJobs", {}))["result"]["jobs"]
    assert listed["heartbeat"] == 0
    assert (await client.call("getJob", {"jobId": job_id}))["result"]["heartbeat"] == 0
    claimed = await client.call("claimJob", {"workerId": "w1", "types": ["test"]})
    assert (claimed["result"]["jobId"], claimed["result"]["payload"]) == (job_id, {"task": "x"})
    held = {"workerId": "w1", "jobId": job_id}
    assert (await client.call("heartbeat", held))["result"] == {}
    [listed] = (await client.call("listJobs", {}))["result"]["jobs"]
    assert listed["heartbeat"] > 0
    assert (await client.call("completeJob", held))["result"] == {}
    lost = await client.call("completeJob", held)
    assert (lost["ok"], lost["error"]["_tag"]) == (False, "JobNotHeld")
    assert (await client.call("getStats"))["result"]["completedTotal"] == 1
    assert (await client.call("listJobs", {}))["result"]["jobs"] == []
    await client.aclose()


@pytest.mark.parametrize(
    ("frame", "reply_id", "message"),
    [
        (b"not json", None, "Malformed frame"),
        (b"7", None, "Malformed request"),
        (b'{"id":"ws-1","method":"fly","params":{}}', "ws-1", "Unsupported WS method: fly"),
        (b'{"id":3}', 3, "Malformed request"),
    ],
)  # fmt: skip
async def test_malformed_message_is_answered_and_the_connection_stays(
    served: Served, frame: bytes, reply_id: object, message: str
) -> None:
    client = await served.open_websocket()
    await client.send_frame(1, frame)
    reply = await client.receive()
    assert (reply["id"], reply["ok"], reply["error"]["_tag"]) == (
        reply_id, False, "BrokerProtocolError",
    )  # fmt: skip
    assert reply["error"]["message"].startswith(message)
    assert (await client.call("getStats"))["ok"]
    await client.aclose()


async def test_reply_has_the_encoding_of_its_request(served: Served) -> None:
    client = await served.open_websocket()
    await client.send_msgpack({"id": b"raw", "method": "submitJob", "params": {"payload": 1}})
    opcode, payload = await client.receive_frame()
    assert opcode == 2
    assert msgspec.msgpack.decode(payload)["id"] == b"raw"
    await client.send_json({"id": 2, "method": "getStats"})
    opcode, payload = await client.receive_frame()
    assert (opcode, msgspec.json.decode(payload)["id"]) == (1, 2)
    await client.send_frame(2, b"")
    assert (await client.receive())["error"]["_tag"] == "BrokerProtocolError"
    await client.aclose()


async def test_frame_of_many_requests_is_answered_by_a_frame(served: Served) -> None:
    client = await served.open_websocket()
    calls = [{"id": n, "method": "submitJob", "params": {"payload": n}} for n in range(1_000)]
    await client.send_msgpack([*calls, {"id": 1_000, "method": "flyJob"}])
    replies = await client.receive()
    assert [reply["id"] for reply in replies] == [*range(1_001)]
    assert [reply["ok"] for reply in replies] == [True] * 1_000 + [False]
    await client.send_msgpack([])
    assert (await client.call("getStats"))["result"]["total"] == 1_000
    await client.aclose()


async def test_long_poll_holds_up_nobody(served: Served) -> None:
    client = await served.open_websocket()
    wait = {"id": "wait", "method": "claimJobs", "params": {"workerId": "w", "waitMs": 30_000}}
    await client.send_json([wait, {"id": "beside", "method": "getStats"}])
    assert [reply["id"] for reply in await client.receive()] == ["beside"]
    await client.send_json({"id": "submit", "method": "submitJob", "params": {"jobId": "j"}})
    replies: list[Any] = [await client.receive(), await client.receive()]
    by_id = {reply["id"]: reply for reply in (r[0] if isinstance(r, list) else r for r in replies)}
    assert by_id.keys() == {"wait", "submit"}
    assert [job["jobId"] for job in by_id["wait"]["result"]["jobs"]] == ["j"]
    await client.aclose()


async def test_client_that_leaves_gives_its_long_poll_up(served: Served) -> None:
    client = await served.open_websocket()
    await client.send_json({"method": "claimJobs", "params": {"workerId": "w", "waitMs": 30_000}})
    await trio.testing.wait_all_tasks_blocked(0.05)
    await client.aclose()
    await trio.testing.wait_all_tasks_blocked(0.05)
    assert served.server.front_door.websockets.connection_count == 0
    await served.request("POST", "/v1/jobs", {"jobId": "j"})
    claimed = await served.request("POST", "/v1/jobs/claim", {"workerId": "v"})
    assert claimed.json()["jobId"] == "j"


async def test_waiting_claims_of_a_connection_are_bounded(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_module, "WAITING_CLAIMS_MAX", 2)
    client = await served.open_websocket()
    wait = {"method": "claimJobs", "params": {"workerId": "w", "waitMs": 30_000}}
    await client.send_json([{"id": number, **wait} for number in range(3)])
    [reply] = await client.receive()
    assert (reply["id"], reply["error"]["_tag"]) == (2, "QueueFull")
    await client.aclose()


async def test_page_from_elsewhere_and_strange_host_are_refused(served: Served) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        client = await served.open_websocket(**headers)
        assert client.status == 403
        await client.aclose()
    client = await served.open_websocket(Origin=f"http://{served.server.address}")
    assert client.status == 101
    await client.aclose()


async def test_fragments_pings_and_close_are_answered(served: Served) -> None:
    client = await served.open_websocket()
    await client.send_frame(1, b'{"id":1,"met', is_final=False)
    await client.send_frame(9, b"ping")
    assert await client.receive_frame() == (10, b"ping")
    await client.send_frame(0, b'hod":"getStats"}')
    assert (await client.receive())["id"] == 1
    await client.send_frame(8, b"\x03\xe8bye")
    assert (await client.receive_close())[0] == 1000
    await client.aclose()


async def test_drain_answers_what_is_in_flight_and_says_goodbye(served: Served) -> None:
    client = await served.open_websocket()
    wait = {"id": 1, "method": "claimJobs", "params": {"workerId": "w", "waitMs": 30_000}}
    await client.send_json(wait)
    await trio.testing.wait_all_tasks_blocked(0.05)
    served.server.begin_drain("going down for a new version")
    assert (await client.receive())["result"] == {"jobs": []}
    assert await client.receive_close() == (1012, "going down for a new version")
    await client.aclose()
    late = await served.open_websocket()
    assert late.status == 503
    await late.aclose()


async def test_lost_lead_closes_the_connections(served: Served) -> None:
    client = await served.open_websocket()
    await served.broker.drain()
    assert await client.receive_close() == (1012, "this broker has lost the lead")
    await client.aclose()


async def test_message_that_is_too_large_in_utf8_is_1009(served: Served) -> None:
    client = await served.open_websocket()
    await client.send_frame(1, "ä".encode() * (8_388_608 // 2 + 1))
    assert (await client.receive_close())[0] == 1009
    await client.aclose()


class TestSlowReader:
    @pytest.fixture
    def settings(self) -> Settings:
        limits = Limits(payload_bytes_max=16_384, frame_bytes_max=65_536)
        return Settings(
            broker_port=0, storage_backend="memory", write_deadline_ms=500, limits=limits
        )

    async def test_patient_server_answers_a_client_that_reads_late(self, served: Served) -> None:
        client = await served.open_websocket()
        await client.call("submitJob", {"jobId": "j", "payload": "x" * 16_000})
        count = 200
        message = msgspec.json.encode({"id": 1, "method": "getJob", "params": {"jobId": "j"}})
        await client.stream.send_all(make_frame(1, message) * count)
        await trio.testing.wait_all_tasks_blocked(0.05)
        for _ in range(count):
            assert (await client.receive())["ok"]
        await client.aclose()


def test_reason_is_cut_between_characters() -> None:
    assert short("ä" * 100) == "ä" * 60
    assert short("x" + "ä" * 100) == "x" + "ä" * 59

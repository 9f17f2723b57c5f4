"""HTTP: the forerunner's shapes, statuses, headers, bodies, batches, and clients that leave."""

from __future__ import annotations

import random

import msgspec
import pytest
import trio

from osqueue.clocks import SystemClock
from osqueue.core.limits import Limits
from osqueue.settings import Settings
from storage_adapters.memory import MemoryStore
from storage_adapters.throttled import Throttle
from tests.broker.scripted_store import Put, ScriptedStore
from tests.server.harness import Served, serve

UTF_16 = {"Content-Type": 'application/json; charset="UTF-16"'}
MSGPACK = {"Content-Type": "application/msgpack"}


def post(path: str, body: bytes, *headers: bytes) -> bytes:
    """A request as the forerunner's clients send it, byte by byte."""
    lines = [
        b"POST %s HTTP/1.1" % path.encode(),
        b"Host: localhost:8080",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Connection: close",
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def test_forerunners_main_job(served: Served) -> None:
    submitted = await served.send(
        post("/v1/jobs", b'{"payload":{"task":"x"},"type":"test","maxAttempts":3}')
    )
    assert submitted.status == 200
    assert submitted.headers["content-type"] == "application/json"
    assert submitted.json().keys() == {"jobId"}
    job_id = submitted.json()["jobId"]

    listed = await served.send(
        b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".replace(b"x", b"localhost")
    )
    stats = {"total": 1, "unclaimed": 1, "inProgress": 0, "completedTotal": 0}
    assert {**listed.json(), **stats} == listed.json()
    [job] = listed.json()["jobs"]
    assert (job["id"], job["status"], job["payload"]) == (job_id, "unclaimed", {"task": "x"})
    assert (job["type"], job["attempts"], job["maxAttempts"]) == ("test", 0, 3)

    claimed = await served.send(post("/v1/jobs/claim", b'{"workerId":"w1","types":["test"]}'))
    assert claimed.status == 200
    assert claimed.json()["jobId"] == job_id
    assert (claimed.json()["type"], claimed.json()["payload"]) == ("test", {"task": "x"})
    nothing = await served.send(post("/v1/jobs/claim", b'{"workerId":"w1"}'))
    assert (nothing.status, nothing.body) == (200, b"{}")

    path = f"/v1/jobs/{job_id}"
    heartbeat = await served.send(post(f"{path}/heartbeat", b'{"workerId":"w1"}'))
    assert (heartbeat.status, heartbeat.body) == (204, b"")
    assert "content-length" not in heartbeat.headers
    completed = await served.send(post(f"{path}/complete", b'{"workerId":"w1"}'))
    assert (completed.status, completed.body) == (204, b"")
    again = await served.send(post(f"{path}/complete", b'{"workerId":"w1"}'))
    assert (again.status, again.json()["_tag"]) == (409, "JobNotHeld")
    assert again.json()["advice"] == "drop the work"

    counted = await served.request("GET", "/v1/stats")
    assert {
        **counted.json(),
        **stats,
        "total": 0,
        "unclaimed": 0,
        "completedTotal": 1,
    } == counted.json()
    assert counted.json()["brokerAddress"] == served.broker.advertised_address


async def test_forerunners_probes_and_state(served: Served) -> None:
    health = await served.request("GET", "/healthz")
    assert (health.status, health.body) == (200, b'{"status":"ok"}')
    assert (await served.request("GET", "/readyz")).status == 200
    await served.request("POST", "/v1/jobs", {"payload": [1], "jobId": "j"})
    state = await served.request("GET", "/state")
    assert (state.status, state.headers["content-type"]) == (200, "application/json")
    assert [job["id"] for job in state.json()["jobs"]] == ["j"]
    assert state.json()["format"] == 1
    head = await served.request("HEAD", "/healthz")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "15")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/j",
        "/v1/jobs/j?waitMs=1&",
        "/v1/jobs?",
        "/v1/stats",
        "/v1/workers",
        "/v1/history",
        "/v1/dead/groups",
        "/state",
    ],
)
async def test_read_that_is_to_be_confirmed_is_answered_with_a_write(
    served: Served, path: str
) -> None:
    await served.request("POST", "/v1/jobs", {"jobId": "j"})
    counts = served.broker.statistics
    before = counts.writes
    path = path if "?" in path else f"{path}?"
    for confirm, writes_count in (("confirm=false", 0), ("confirm=true", 1)):
        answer = await served.request("GET", path + confirm)
        assert answer.status == 200
        assert counts.writes - before == writes_count
    refused = await served.request("GET", f"{path}confirm=maybe")
    assert (refused.status, refused.json()["_tag"]) == (400, "InvalidRequest")


async def test_throttle_stats_without_a_throttle(served: Served) -> None:
    answer = await served.request("GET", "/v1/throttle-stats")
    assert (answer.status, answer.json()) == (200, {"throttling": False})


async def test_throttle_stats_are_those_of_the_throttle(
    nursery: trio.Nursery, settings: Settings, seeded_random: random.Random
) -> None:
    throttle = Throttle(writes_per_day=2)
    throttle.write_held(0)
    throttle.write_begins(SystemClock().now_ms(), 1_200)
    throttle.read_begins(0)
    served = await serve(nursery, settings, seeded_random, throttle=throttle)
    answer = await served.request("GET", "/v1/throttle-stats")
    assert answer.json() == {
        "totalReads": 1,
        "totalWrites": 1,
        "throttledReads": 0,
        "throttledWrites": 1,
        "totalReadDelayMs": 0,
        "totalWriteDelayMs": 1_200,
        "dailyWriteCount": 1,
        "dailyBudgetExceeded": False,
    }
    nursery.cancel_scope.cancel()


async def test_messagepack_in_and_out(served: Served) -> None:
    body = msgspec.msgpack.encode({"payload": {"a": 1}, "jobId": "j"})
    submitted = await served.request("POST", "/v1/jobs", raw=body, headers=MSGPACK)
    assert submitted.headers["content-type"] == "application/msgpack"
    assert msgspec.msgpack.decode(submitted.body) == {"jobId": "j"}
    job = await served.request("GET", "/v1/jobs/j", headers={"Accept": "application/vnd.msgpack"})
    assert msgspec.msgpack.decode(job.body)["payload"] == {"a": 1}
    in_json = await served.request(
        "POST",
        "/v1/jobs/claim",
        raw=msgspec.msgpack.encode({"workerId": "w"}),
        headers={**MSGPACK, "Accept": "application/json"},
    )
    assert in_json.json()["payload"] == {"a": 1}
    refused = await served.request("POST", "/v1/jobs", raw=b"\xc1", headers=MSGPACK)
    assert (refused.status, msgspec.msgpack.decode(refused.body)["_tag"]) == (400, "InvalidRequest")


async def test_claim_with_limit_answers_with_a_list(served: Served) -> None:
    for number in range(3):
        await served.request("POST", "/v1/jobs", {"payload": number})
    answer = await served.request("POST", "/v1/jobs/claim", {"workerId": "w", "limit": 2})
    assert [job["payload"] for job in answer.json()["jobs"]] == [0, 1]


async def test_heartbeat_of_a_cancelled_job_says_so(served: Served) -> None:
    await served.request("POST", "/v1/jobs", {"jobId": "j"})
    await served.request("POST", "/v1/jobs/claim", {"workerId": "w"})
    cancelled = await served.request("POST", "/v1/jobs/j/cancel")
    assert cancelled.json() == {"status": "cancelRequested"}
    heartbeat = await served.request("POST", "/v1/jobs/j/heartbeat", {"workerId": "w"})
    assert (heartbeat.status, heartbeat.json()) == (200, {"cancelRequested": True})


async def test_delete_and_query(served: Served) -> None:
    await served.request("POST", "/v1/jobs", {"jobId": "j", "type": "t"})
    listed = await served.request("GET", "/v1/jobs?type=t&limit=1&status=unclaimed")
    assert [job["id"] for job in listed.json()["jobs"]] == ["j"]
    assert (await served.request("DELETE", "/v1/jobs/j")).status == 204
    assert (await served.request("GET", "/v1/jobs/j")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "tag"),
    [
        ("POST", "/v1/jobs", b'{"priority":900}', {}, 400, "InvalidRequest"),
        ("POST", "/v1/jobs", b"{", {}, 400, "InvalidRequest"),
        ("POST", "/v1/jobs", b'{"payload":"\xff"}', {}, 400, "InvalidRequest"),
        ("POST", "/v1/jobs", b"[]", {}, 400, "InvalidRequest"),
        ("POST", "/v1/batch", b"{", {}, 400, "BrokerProtocolError"),
        ("GET", "/v1/nothing", b"", {}, 404, "InvalidRequest"),
        ("GET", "/v1/jobs/nobody", b"", {}, 404, "JobNotFound"),
        ("GET", "/v1/jobs?limit=x", b"", {}, 400, "InvalidRequest"),
        ("PUT", "/v1/jobs", b"", {}, 405, "InvalidRequest"),
        ("POST", "/healthz", b"", {}, 405, "InvalidRequest"),
        ("POST", "/v1/jobs", b"a=1", {"Content-Type": "text/plain"}, 415, "InvalidRequest"),
        ("POST", "/v1/batch", b"[]", {"Content-Type": "text/csv"}, 415, "InvalidRequest"),
        ("POST", "/v1/jobs", "{}".encode("utf-16"), UTF_16, 415, "InvalidRequest"),
        ("POST", "/v1/batch", "[]".encode("utf-16"), UTF_16, 415, "InvalidRequest"),
        ("POST", "/v1/jobs", b"", {}, 400, "InvalidRequest"),
        ("POST", "/v1/jobs", b" null\n", {}, 400, "InvalidRequest"),
        ("GET", "/nothing", b"", {}, 404, "InvalidRequest"),
        ("GET", "/assets/nothing.js", b"", {"Accept": "*/*"}, 404, "InvalidRequest"),
        ("POST", "/", b"{}", {"Accept": "application/json"}, 405, "InvalidRequest"),
        ("GET", "/v1/stats", b"", {"Host": "evil.example"}, 403, "Forbidden"),
        ("GET", "/", b"", {"Host": "evil.example"}, 403, "Forbidden"),
        ("POST", "/v1/jobs", b"{}", {"Origin": "https://evil.example"}, 403, "Forbidden"),
        ("OPTIONS", "/v1/jobs", b"", {"Origin": "https://evil.example"}, 403, "Forbidden"),
        ("POST", "/v1/jobs", b"{}", {"Osqueue-Sequence": "x"}, 400, "InvalidRequest"),
        ("POST", "/v1/jobs", b"{}", {"Osqueue-Sequence": "1"}, 400, "InvalidRequest"),
        ("POST", "/v1/jobs", b"{}", {"Osqueue-Client-Id": "c" * 300}, 400, "InvalidRequest"),
        ("POST", "/v1/jobs", b"x" * 9_000_000, {}, 413, "InvalidRequest"),
    ],
)
async def test_error_has_its_status_and_its_object(
    served: Served,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    tag: str,
) -> None:
    answer = await served.request(method, path, raw=body, headers=headers)
    assert (answer.status, answer.json()["_tag"]) == (status, tag)
    assert answer.json()["message"]
    assert answer.json()["advice"]
    assert await served.is_honestly_served()


async def test_charset_is_named_and_utf_8_is_taken(served: Served) -> None:
    refused = await served.request("POST", "/v1/jobs", raw=b"{}", headers=UTF_16)
    assert "charset 'utf-16'; JSON must be in utf-8" in refused.json()["message"]
    utf_8 = {"Content-Type": "application/json;odata=x; Charset=UTF-8"}
    assert (await served.request("POST", "/v1/jobs", raw=b"{}", headers=utf_8)).status == 200


async def test_null_means_absent_in_every_optional_field(served: Served) -> None:
    job = {"payload": None, "type": None, "maxAttempts": None, "retry": {"capMs": None}}
    assert (await served.request("POST", "/v1/jobs", job)).status == 200
    assert (await served.request("POST", "/v1/jobs", {**job, "retry": None})).status == 200
    claim = {"workerId": "w", "types": None, "limit": None, "leaseMs": None, "claimId": None}
    claimed = await served.request("POST", "/v1/jobs/claim", claim)
    # Without a limit it is claimJob, whose answer is one job.
    assert claimed.json().keys() >= {"jobId", "attempt"}
    done = {"jobId": claimed.json()["jobId"], "attempt": None, "submit": None}
    completed = await served.request(
        "POST", "/v1/jobs/complete", {"workerId": "w", "jobs": [done], "claim": {"limit": None}}
    )
    [second] = completed.json()["jobs"]
    failure = {"workerId": "w", "error": {"type": "E", "message": "m"}, "final": None}
    failed = await served.request("POST", f"/v1/jobs/{second['jobId']}/fail", failure)
    assert failed.json()["status"] in ("scheduled", "unclaimed")
    wanted = {"filter": None, "jobIds": None, "dryRun": None, "limit": None}
    assert (await served.request("POST", "/v1/dead/redrive", wanted)).json()["count"] == 0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("status=foo", "it may be scheduled, unclaimed, in_progress, completed, dead"),
        ("order=up", "it may be asc, desc"),
    ],
)
async def test_wrong_choice_names_the_right_ones(served: Served, query: str, words: str) -> None:
    answer = await served.request("GET", f"/v1/jobs?{query}")
    assert answer.status == 400
    assert words in answer.json()["message"]


async def test_405_names_what_is_allowed(served: Served) -> None:
    assert (await served.request("PUT", "/v1/jobs")).headers["allow"] == "GET, POST"


async def test_own_page_and_cors(served: Served) -> None:
    own = {"Origin": f"http://{served.server.address}"}
    answer = await served.request("POST", "/v1/jobs", {}, headers=own)
    assert answer.headers["access-control-allow-origin"] == own["Origin"]
    preflight = await served.request("OPTIONS", "/v1/jobs", headers=own)
    assert preflight.status == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]


async def test_batch_answers_each_call(served: Served) -> None:
    batch = [
        {"id": 1, "method": "submitJob", "params": {"payload": 1, "jobId": "a"}},
        {"id": "x", "method": "completeJob", "params": {"workerId": "w", "jobId": "a"}},
        {"id": None, "method": "hello"},
        7,
        {"id": 5, "method": "claimJobs", "params": {"workerId": "w", "waitMs": 5}},
    ]
    answer = await served.request("POST", "/v1/batch", batch)
    assert answer.status == 200
    assert [(reply["id"], reply["ok"]) for reply in answer.json()] == [
        (1, True), ("x", False), (None, False), (None, False), (5, False),
    ]  # fmt: skip
    single = await served.request("POST", "/v1/batch", {"id": 1, "method": "getStats"})
    assert single.json()["result"]["total"] == 1
    assert (await served.request("POST", "/v1/batch", [])).json() == []


async def test_repeat_over_http_is_recognised(served: Served) -> None:
    headers = {
        "Osqueue-Client-Id": "c",
        "Osqueue-Sequence": "1",
        "Osqueue-First-Incomplete": "1",
    }
    for _ in range(2):
        answer = await served.request("POST", "/v1/jobs", {"jobId": "a"}, headers=headers)
        assert answer.json() == {"jobId": "a"}
        claimed = await served.request("POST", "/v1/jobs/claim", {"workerId": "w"})
        await served.request("POST", "/v1/jobs/a/complete", {"workerId": "w"})
    assert claimed.json() == {}, "the second submit was the first"
    closed = await served.request("POST", "/v1/client/close", headers={"Osqueue-Client-Id": "c"})
    assert closed.status == 204


async def test_long_poll_is_served_by_a_submit(served: Served) -> None:
    answers = []

    async def wait() -> None:
        body = {"workerId": "w", "limit": 1, "waitMs": 30_000}
        answers.append(await served.request("POST", "/v1/jobs/claim", body))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked(0.05)
        await served.request("POST", "/v1/jobs", {"jobId": "j"})
    assert [job["jobId"] for job in answers[0].json()["jobs"]] == ["j"]


async def test_client_that_leaves_a_long_poll_takes_no_job(served: Served) -> None:
    stream = await served.connect()
    await stream.send_all(post("/v1/jobs/claim", b'{"workerId":"gone","waitMs":30000}'))
    await trio.testing.wait_all_tasks_blocked(0.05)
    await stream.aclose()
    await trio.testing.wait_all_tasks_blocked(0.05)
    await served.request("POST", "/v1/jobs", {"jobId": "j"})
    claimed = await served.request("POST", "/v1/jobs/claim", {"workerId": "w"})
    assert claimed.json()["jobId"] == "j"


async def test_client_that_leaves_within_its_body_is_forgotten(served: Served) -> None:
    stream = await served.connect()
    await stream.send_all(post("/v1/jobs", b'{"payload":1}')[:-5])
    await stream.aclose()
    assert await served.is_honestly_served()


async def test_slow_body_is_408(served: Served) -> None:
    served.server.intake.stall_s = 0.05
    with trio.fail_after(3):
        answer = await served.send(post("/v1/jobs", b'{"payload":1}')[:-5])
    assert (answer.status, answer.json()["_tag"]) == (408, "InvalidRequest")


async def test_draining_broker_refuses_but_is_alive(served: Served) -> None:
    served.server.begin_drain("test")
    refused = await served.request("POST", "/v1/jobs", {})
    assert (refused.status, refused.json()["_tag"]) == (503, "Unavailable")
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["retryAfterMs"] == 1_000
    assert (await served.request("GET", "/healthz")).status == 200
    ready = await served.request("GET", "/readyz")
    assert (ready.status, ready.json()["_tag"]) == (503, "NotLeader")


async def test_readiness_tells_an_operator_that_the_clock_is_off(
    seeded_random: random.Random,
) -> None:
    settings = Settings(broker_port=0, storage_backend="memory")
    store = MemoryStore()
    store.clock_offset_ms = 6_000
    async with trio.open_nursery() as nursery:
        served = await serve(nursery, settings, seeded_random, store=store)
        ready = await served.request("GET", "/readyz")
        refused = await served.request("POST", "/v1/jobs", {})
        nursery.cancel_scope.cancel()
    assert ready.status == 503
    clock = "its clock is 6000 ms behind the store's, at most 5000 are allowed; set the clock"
    told = f"This broker does not lead, or is stopping; {clock}"
    assert ready.json()["message"] == told
    assert refused.json()["message"] == f"this broker does not lead: {clock}"


async def test_readiness_of_a_stalled_leader_tells_what_stalls(
    seeded_random: random.Random,
) -> None:
    settings = Settings(
        broker_port=0,
        storage_backend="memory",
        broker_heartbeat_interval_ms=20,
        broker_heartbeat_timeout_ms=60,
        lease_ms=1_000,
    )
    store = ScriptedStore()
    async with trio.open_nursery() as nursery:
        served = await serve(nursery, settings, seeded_random, store=store)
        assert served.broker.stall == ""
        store.always = Put.REFUSE
        with trio.fail_after(3):
            while "its log says why" not in served.broker.stall:
                await trio.lowlevel.checkpoint()
        ready = await served.request("GET", "/readyz")
        nursery.cancel_scope.cancel()
    assert (ready.status, ready.json()["_tag"]) == (503, "Unavailable")
    message = ready.json()["message"]
    assert message.startswith("This broker leads, but is stalled: no write of it has landed for ")
    assert message.endswith(" ms: the store does not take its writes, its log says why")


class TestSmallQueue:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(broker_port=0, storage_backend="memory", limits=Limits(jobs_max=1))

    async def test_full_queue_is_429_and_says_when_to_come_back(self, served: Served) -> None:
        await served.request("POST", "/v1/jobs", {})
        full = await served.request("POST", "/v1/jobs", {})
        assert (full.status, full.json()["_tag"]) == (429, "QueueFull")
        assert int(full.headers["retry-after"]) >= 1

"""The WebSocket transport against scripted brokers: gathering, repeating, finding the leader."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import AsyncIterator
from functools import partial

import msgspec
import pytest
import trio
import trio.testing

from osqueue.client import Client
from osqueue.client.calls import Calls
from osqueue.client.route import BrokerUrl, Route
from osqueue.client.transports.traffic import Traffic
from osqueue.client.transports.websocket_transport import WebSocketTransport
from osqueue.clocks import TrioClock
from osqueue.core.errors import (
    BrokerProtocolError,
    InvalidRequest,
    JobNotHeld,
    NotLeader,
    OutcomeUnknown,
    QueueFull,
    Unavailable,
)
from tests.client.brokers.scripted_broker import (
    HELLO,
    Answer,
    Asked,
    Drop,
    ScriptedBroker,
    Silence,
    submitted,
)
from tests.server.harness import make_frame

__all__: list[str] = []

TEST_S = 20.0
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@pytest.fixture(autouse=True)
async def limit_time() -> AsyncIterator[None]:
    with trio.fail_after(TEST_S):
        yield


@pytest.fixture
async def client(scripted: ScriptedBroker) -> AsyncIterator[Client]:
    async with Client(scripted.url, random=random.Random(1)) as client:
        yield client


async def test_concurrent_calls_travel_in_few_frames(
    scripted: ScriptedBroker, client: Client
) -> None:
    async def call() -> None:
        for _ in range(2):
            await client.submit({"x": 1})

    async with trio.open_nursery() as nursery:
        for _ in range(1_000):
            nursery.start_soon(call)
    assert len(scripted.asked) == 2_000
    assert len(scripted.frames) <= 20
    assert sorted(asked["sequence"] for asked in scripted.asked) == list(range(1, 2_001))


async def test_every_mutation_carries_the_floor(scripted: ScriptedBroker, client: Client) -> None:
    for _ in range(3):
        await client.submit()
    assert [asked["firstIncomplete"] for asked in scripted.asked] == [1, 2, 3]


async def test_claims_reads_and_heartbeats_carry_no_sequence(
    scripted: ScriptedBroker, client: Client
) -> None:
    scripted.answer = lambda asked: {"jobs": []}
    await client.claim("w")
    await client.heartbeat_many("w", [])
    await client.stats()
    assert not any("sequence" in asked for asked in scripted.asked)


async def test_the_greeting_names_the_client_on_every_connection(
    scripted: ScriptedBroker, client: Client
) -> None:
    scripted.answers = [Drop]
    await client.submit()
    names = {asked["params"]["clientId"] for asked in scripted.greetings}
    assert len(scripted.greetings) == 2
    assert len(names) == 1


async def test_after_a_lost_connection_the_same_request_is_sent_again(
    scripted: ScriptedBroker, client: Client
) -> None:
    await client.submit()
    scripted.answers = [Drop]
    submitted = await client.submit({"x": 1}, type="t")
    first, second = scripted.asked[1:]
    assert {**first, "id": 0} == {**second, "id": 0}
    assert submitted.job_id == first["params"]["jobId"]


async def test_a_claim_is_repeated_with_the_same_claim_id(
    scripted: ScriptedBroker, client: Client
) -> None:
    scripted.answers = [Drop, {"jobs": []}]
    await client.claim("w", wait_ms=1_000)
    first, second = scripted.asked
    assert first["params"] == second["params"]
    assert first["params"]["claimId"]


async def test_a_refusal_after_a_lost_connection_is_unknown(
    scripted: ScriptedBroker, client: Client
) -> None:
    scripted.answers = [Drop, QueueFull("full")]
    with pytest.raises(OutcomeUnknown):
        await client.submit()


async def test_outcome_unknown_is_repeated_until_ok(
    scripted: ScriptedBroker, client: Client
) -> None:
    scripted.answers = [OutcomeUnknown("the broker steps down"), OutcomeUnknown("again")]
    await client.submit()
    assert {asked["sequence"] for asked in scripted.asked} == {1}
    assert len(scripted.asked) == 3


async def test_unavailable_is_repeated_until_ok(scripted: ScriptedBroker, client: Client) -> None:
    scripted.answers = [Unavailable("no"), Unavailable("no")]
    await client.submit()
    assert len(scripted.asked) == 3


async def test_queue_full_is_raised_with_its_wait(scripted: ScriptedBroker, client: Client) -> None:
    scripted.answers = [QueueFull("full", retry_after_ms=1_234)]
    with pytest.raises(QueueFull) as raised:
        await client.submit()
    assert raised.value.retry_after_ms == 1_234
    assert len(scripted.asked) == 1


async def test_refusals_reach_their_callers_alone(scripted: ScriptedBroker, client: Client) -> None:
    def answer(asked: Asked) -> Answer:
        if asked["params"].get("type") == "bad":
            return InvalidRequest("type is bad")
        return submitted(asked)

    scripted.answer = answer

    async def call_bad() -> None:
        with pytest.raises(InvalidRequest, match="type is bad"):
            await client.submit(type="bad")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.submit)
        nursery.start_soon(call_bad)
        nursery.start_soon(client.submit)


async def test_the_leader_that_is_named_is_asked(
    scripted: ScriptedBroker, client: Client, nursery: trio.Nursery
) -> None:
    leader = ScriptedBroker()
    await nursery.start(leader.run)
    scripted.answer = lambda asked: NotLeader("no", epoch=4, broker_address=leader.address)
    await client.submit()
    await client.submit()
    assert len(scripted.asked) == 1
    assert [asked["sequence"] for asked in leader.asked] == [1, 2]


async def test_without_a_named_leader_the_next_broker_is_asked(
    scripted: ScriptedBroker, nursery: trio.Nursery
) -> None:
    other = ScriptedBroker()
    await nursery.start(other.run)
    scripted.answer = lambda asked: NotLeader("no", epoch=4)
    async with Client([scripted.url, other.url]) as client:
        await client.submit()
    assert len(other.asked) == 2, "the submit and the goodbye"


async def test_a_broker_that_does_not_lead_yet_is_asked_again(
    scripted: ScriptedBroker, client: Client
) -> None:
    scripted.answers = [NotLeader("starting")] * 3
    await client.submit()
    assert len(scripted.asked) == 4


async def test_answers_under_way_are_awaited_before_leaving_a_broker(
    scripted: ScriptedBroker, client: Client
) -> None:
    def answer(asked: Asked) -> Answer:
        return NotLeader("no") if asked["params"].get("type") == "late" else Silence

    async def call_early() -> None:
        with pytest.raises(JobNotHeld):
            await client.submit(type="early")

    scripted.answer = answer
    async with trio.open_nursery() as nursery:
        nursery.start_soon(call_early)
        await scripted.has_asked.wait()
        scripted.has_asked = trio.Event()
        nursery.start_soon(partial(client.submit, type="late"))
        await scripted.has_asked.wait()
        scripted.answer = submitted
        await scripted.send(scripted.asked[0], JobNotHeld("a clean refusal"))
    assert [asked["params"]["type"] for asked in scripted.asked] == ["early", "late", "late"]


async def test_a_killed_and_restarted_broker_is_found_within_a_second(
    scripted: ScriptedBroker, client: Client, nursery: trio.Nursery
) -> None:
    await client.submit()
    scripted.has_asked = trio.Event()
    scripted.answer = lambda asked: Silence
    async with trio.open_nursery() as calls:
        calls.start_soon(client.submit)
        await scripted.has_asked.wait()
        scripted.kill()
        restarted = ScriptedBroker(port=scripted.port)
        await nursery.start(restarted.run)
        started_at = trio.current_time()
    assert trio.current_time() - started_at < 1.0
    assert [asked["sequence"] for asked in restarted.asked] == [2]


async def test_no_broker_at_all_ends_as_unavailable(unused_port: int) -> None:
    async with Client(f"http://127.0.0.1:{unused_port}", timeout_s=0.3) as client:
        with pytest.raises(Unavailable, match=f"127.0.0.1:{unused_port}"):
            await client.submit()


async def test_a_broker_that_never_answers_ends_as_unknown(scripted: ScriptedBroker) -> None:
    scripted.answer = lambda asked: Silence
    async with Client(scripted.url, timeout_s=0.3) as client:
        with pytest.raises(OutcomeUnknown):
            await client.submit()
        with pytest.raises(Unavailable):
            await client.stats()


async def test_a_request_beyond_the_brokers_limit_is_refused_here(nursery: trio.Nursery) -> None:
    scripted = ScriptedBroker(limits={"frameBytesMax": 2_000, "frameRequestsMax": 3})
    await nursery.start(scripted.run)
    async with Client(scripted.url) as client:
        with pytest.raises(InvalidRequest, match="too large"):
            await client.submit("x" * 3_000)
        async with trio.open_nursery() as calls:
            for _ in range(10):
                calls.start_soon(client.submit, "x" * 100)
    assert max(scripted.frames) <= 3


async def test_a_broker_of_another_version_refuses_the_client(scripted: ScriptedBroker) -> None:
    scripted.hello = BrokerProtocolError("protocol is 1; this broker speaks version 2")
    async with Client(scripted.url) as client:
        with pytest.raises(BrokerProtocolError, match="version 2"):
            await client.submit()


async def test_a_server_that_speaks_no_websocket_is_not_waited_for(nursery: trio.Nursery) -> None:
    async def refuse(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, refuse, listeners)
    port = listeners[0].socket.getsockname()[1]
    async with Client(f"http://127.0.0.1:{port}", timeout_s=0.3) as client:
        with pytest.raises(Unavailable, match="404"):
            await client.submit()


async def test_a_silent_broker_is_left(nursery: trio.Nursery) -> None:
    came_back = trio.Event()
    greeted_at: list[float] = []

    async def greet_and_fall_silent(stream: trio.SocketStream) -> None:
        if greeted_at:
            came_back.set()
        head = bytes(await stream.receive_some())
        key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest())
        await stream.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        await stream.receive_some()
        reply = msgspec.msgpack.encode({"id": 0, "ok": True, "result": HELLO})
        await stream.send_all(make_frame(0x2, reply, is_masked=False))
        greeted_at.append(trio.current_time())
        async for _ in stream:
            pass

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, greet_and_fall_silent, listeners)
    port = listeners[0].socket.getsockname()[1]
    seeded = random.Random(1)
    calls = Calls(lambda call: None, timeout_ms=1_000, random=seeded)
    route = Route([BrokerUrl.parse(f"http://127.0.0.1:{port}")], seeded)
    traffic = Traffic(calls, route, None, client_id="c", clock=TrioClock())
    nursery.start_soon(WebSocketTransport(traffic, silence_s=0.1).run)
    await came_back.wait()
    assert trio.current_time() - greeted_at[0] >= 0.2
    nursery.cancel_scope.cancel()


async def test_a_connection_that_ends_before_the_greeting_is_left_at_once(
    nursery: trio.Nursery, scripted: ScriptedBroker
) -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.aclose()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, hang_up, listeners)
    port = listeners[0].socket.getsockname()[1]
    async with Client([f"http://127.0.0.1:{port}", scripted.url]) as client:
        with trio.fail_after(1):
            await client.submit()

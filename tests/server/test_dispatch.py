"""Frames through the dispatcher to a real broker: mixing, waiting, hello, draining, bounds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio

from osqueue.core.errors import NotLeader, Unavailable
from osqueue.core.limits import Limits
from osqueue.core.outcomes import Outcome
from osqueue.protocol.codec import Encoding, decode_frame, encode_message
from osqueue.server.dispatch import Caller, Dispatcher, Reply, Ticket
from osqueue.settings import Settings
from tests.server.harness import Served


@pytest.fixture
def dispatcher(served: Served) -> Dispatcher:
    return served.server.front_door.dispatcher


async def ask(
    dispatcher: Dispatcher, frame: object, caller: Caller | None = None
) -> list[dict[str, Any]]:
    """The replies to a frame in the order of its tickets."""
    body = msgspec.msgpack.encode(frame)
    decoded = decode_frame(body, Encoding.MSGPACK, dispatcher.limits)
    replies: list[Reply] = []
    for ticket in dispatcher.read(decoded, caller or Caller(is_websocket=True)):
        replies += await dispatcher.answer(ticket)
    return [msgspec.msgpack.decode(encode_message(reply, Encoding.MSGPACK)) for reply in replies]


def call(number: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"id": number, "method": method, "params": params}


async def test_each_call_of_a_frame_succeeds_or_fails_alone(dispatcher: Dispatcher) -> None:
    replies = await ask(
        dispatcher,
        [
            call(1, "submitJob", payload=1, jobId="a"),
            call(2, "submitJob", priority=900),
            call([3], "flyJob"),
            {"id": 4},
            call(None, "cancelJob", jobId="nobody"),
            call(6, "submitJob", payload=2, jobId="b"),
            call(7, "getThrottleStats"),
        ],
    )
    outcomes = [(reply["id"], reply.get("error", {}).get("_tag")) for reply in replies]
    assert outcomes == [
        (1, None),
        (2, "InvalidRequest"),
        ([3], "BrokerProtocolError"),
        (4, "BrokerProtocolError"),
        (None, "JobNotFound"),
        (6, None),
        (7, None),
    ]
    assert replies[2]["error"]["message"] == "Unsupported WS method: flyJob"
    assert replies[6]["result"] == {"throttling": False}
    assert (await dispatcher.read_stats()).total == 2


async def test_frame_is_one_ticket_but_for_claims_that_wait(dispatcher: Dispatcher) -> None:
    frame = [
        call(1, "claimJobs", workerId="w", waitMs=100),
        call(2, "submitJob"),
        call(3, "claimJobs", workerId="w", waitMs=0),
        call(4, "claimJob", workerId="w", waitMs=5),
    ]
    decoded = decode_frame(msgspec.msgpack.encode(frame), Encoding.MSGPACK, dispatcher.limits)
    tickets = dispatcher.read(decoded, Caller())
    assert [len(ticket.calls) for ticket in tickets] == [2, 1, 1]
    assert [ticket.is_waiting for ticket in tickets] == [False, True, True]
    [only] = dispatcher.read(
        decode_frame(msgspec.msgpack.encode(frame[0]), Encoding.MSGPACK, dispatcher.limits),
        Caller(),
    )
    assert only.is_waiting


async def test_empty_frame_has_no_ticket(dispatcher: Dispatcher) -> None:
    assert await ask(dispatcher, []) == []


async def test_both_spellings_of_an_operation_agree(dispatcher: Dispatcher) -> None:
    await ask(dispatcher, [call(n, "submitJob", payload=n, jobId=f"j{n}") for n in range(4)])
    one, many = await ask(
        dispatcher, [call(1, "claimJob", workerId="w"), call(2, "claimJobs", workerId="w", limit=3)]
    )
    assert (one["result"]["jobId"], one["result"]["payload"]) == ("j0", 0)
    assert [job["jobId"] for job in many["result"]["jobs"]] == ["j1", "j2", "j3"]
    assert one["result"].keys() == many["result"]["jobs"][0].keys()
    replies = await ask(
        dispatcher,
        [
            call(1, "heartbeat", workerId="w", jobId="j0"),
            call(2, "heartbeat", workerId="v", jobId="j0"),
            call(3, "heartbeatJobs", workerId="w", jobs=[{"jobId": "j1"}, {"jobId": "no"}]),
        ],
    )
    assert [reply.get("result", reply.get("error", {}).get("_tag")) for reply in replies] == [
        {}, "JobNotHeld", {"held": ["j1"], "lost": ["no"], "cancelRequested": []},
    ]  # fmt: skip
    replies = await ask(
        dispatcher,
        [
            call(1, "completeJob", workerId="w", jobId="j0", attempt=1),
            call(2, "completeJob", workerId="w", jobId="j1", attempt=2),
            call(3, "completeJobs", workerId="w", jobs=[{"jobId": "j2"}, {"jobId": "no"}]),
        ],
    )
    assert [reply.get("result", reply.get("error", {}).get("_tag")) for reply in replies] == [
        {}, "JobNotHeld", {"completed": ["j2"], "lost": ["no"]},
    ]  # fmt: skip


async def test_completions_with_follow_ups_and_the_next_claim(dispatcher: Dispatcher) -> None:
    await ask(dispatcher, call(1, "submitJob", jobId="a"))
    await ask(dispatcher, call(1, "claimJob", workerId="w"))
    [reply] = await ask(
        dispatcher,
        call(
            1,
            "completeJobs",
            workerId="w",
            jobs=[{"jobId": "a", "attempt": 1, "submit": [{"jobId": "b", "payload": "next"}]}],
            claim={"limit": 5},
        ),
    )
    assert reply["result"]["completed"] == ["a"]
    assert [job["payload"] for job in reply["result"]["jobs"]] == ["next"]


async def test_the_other_methods_reach_the_core(dispatcher: Dispatcher) -> None:
    async def result(method: str, **params: Any) -> Any:
        [reply] = await ask(dispatcher, call(1, method, **params))
        return reply.get("result", reply.get("error", {}).get("_tag"))

    failure = {"type": "E", "message": "m"}
    await result("submitJob", jobId="a", type="t")
    await result("claimJob", workerId="w")
    assert await result("snoozeJob", jobId="a", workerId="w", delayMs=5_000)
    assert await result("retryJob", jobId="a") == {}
    await result("claimJob", workerId="w")
    failed = await result("failJob", jobId="a", workerId="w", error=failure, final=True)
    assert failed == {"status": "dead"}
    job = await result("getJob", jobId="a")
    assert (job["status"], job["errors"][0]["message"]) == ("dead", "m")
    assert await result("redriveDead", type="t") == {"count": 1, "skipped": 0}
    assert await result("pauseQueue") == {}
    assert await result("claimJob", workerId="w") == {}
    assert (await result("getStats"))["paused"] is True
    assert await result("resumeQueue") == {}
    assert await result("cancelJob", jobId="a") == {"status": "gone"}
    await result("submitJob", jobId="b")
    assert await result("deleteJob", jobId="b") == {}
    assert await result("getJob", jobId="b") == "JobNotFound"


async def test_pages_of_a_list_follow_their_cursor(dispatcher: Dispatcher) -> None:
    await ask(dispatcher, call(1, "submitJobs", jobs=[{"jobId": f"j{n}"} for n in range(5)]))
    cursor, seen = None, []
    while True:
        [reply] = await ask(dispatcher, call(1, "listJobs", limit=2, cursor=cursor))
        seen += [job["id"] for job in reply["result"]["jobs"]]
        cursor = reply["result"].get("cursor")
        if cursor is None:
            break
    assert seen == ["j0", "j1", "j2", "j3", "j4"]


async def test_hello_names_the_client_for_the_rest_of_its_frame(
    served: Served, dispatcher: Dispatcher
) -> None:
    caller = Caller(is_websocket=True)
    submit = {**call(2, "submitJob", jobId="a", payload=1), "sequence": 1, "firstIncomplete": 1}
    hello, first = await ask(
        dispatcher, [call(1, "hello", clientId="c", protocol=1), submit], caller
    )
    assert hello["result"]["brokerName"] == served.broker.name
    assert hello["result"]["limits"]["frameBytesMax"] == dispatcher.limits.frame_bytes_max
    assert hello["result"]["scopes"] == ["read", "work", "submit", "admin"]
    assert first["result"] == {"jobId": "a"}
    claimed, completed, repeated = (
        await ask(dispatcher, call(3, "claimJob", workerId="w"))
        + await ask(dispatcher, call(4, "completeJob", workerId="w", jobId="a"))
        + await ask(dispatcher, submit, caller)
    )
    assert (claimed["ok"], completed["ok"], repeated["result"]) == (True, True, {"jobId": "a"})
    assert (await dispatcher.read_stats()).total == 0, "the repeat was recognised"
    [closed] = await ask(dispatcher, call(5, "closeClient"), caller)
    assert closed["ok"]


async def test_what_is_not_served_says_so(dispatcher: Dispatcher) -> None:
    replies = await ask(
        dispatcher,
        [
            call(1, "hello", protocol=2),
            call(2, "hello", clientId=""),
            call(3, "subscribe", events=["weather"]),
        ],
    )
    assert [reply["error"]["_tag"] for reply in replies] == [
        "BrokerProtocolError", "InvalidRequest", "InvalidRequest",
    ]  # fmt: skip
    assert replies[0]["error"]["message"] == "protocol is 2; this broker speaks version 1"
    for method in ("hello", "subscribe"):
        [reply] = await ask(dispatcher, call(1, method), Caller())
        assert reply["error"]["message"] == f"{method} exists on the WebSocket only"


async def test_drain_answers_waits_and_refuses_the_rest(dispatcher: Dispatcher) -> None:
    replies: list[dict[str, Any]] = []

    async def wait() -> None:
        replies.extend(await ask(dispatcher, call(1, "claimJobs", workerId="w", waitMs=60_000)))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked(0.05)
            dispatcher.begin_drain("test")
    assert replies == [{"id": 1, "ok": True, "result": {"jobs": []}}]
    assert dispatcher.is_draining
    [reply] = await ask(dispatcher, call(1, "submitJob"))
    assert reply["error"]["_tag"] == "Unavailable"
    with pytest.raises(Unavailable, match="stopping: test"):
        await dispatcher.read_document()
    with pytest.raises(Unavailable):
        await dispatcher.read_stats()


class SmallFrames:
    """Settings with frames so small that replies reach their limit."""

    @pytest.fixture
    def settings(self) -> Settings:
        limits = Limits(payload_bytes_max=4_000, frame_bytes_max=20_000)
        return Settings(broker_port=0, storage_backend="memory", limits=limits)


class TestSmallFrames(SmallFrames):
    async def test_reads_beyond_the_reply_limit_are_refused(self, dispatcher: Dispatcher) -> None:
        await ask(dispatcher, call(1, "submitJob", jobId="a", payload="x" * 3_900))
        replies = await ask(dispatcher, [call(n, "getJob", jobId="a") for n in range(10)])
        assert [reply["ok"] for reply in replies] == [True] * 5 + [False] * 5
        assert "frame_bytes_max" in replies[-1]["error"]["message"]

    async def test_claims_and_lists_return_fewer(self, dispatcher: Dispatcher) -> None:
        jobs = [{"jobId": f"j{n}", "payload": "x" * 3_000} for n in range(6)]
        for job in jobs:
            await ask(dispatcher, call(1, "submitJob", **job))
        claimed, page = await ask(
            dispatcher,
            [call(1, "claimJobs", workerId="w", limit=6), call(2, "listJobs")],
        )
        assert 0 < len(claimed["result"]["jobs"]) < 6
        assert 0 < len(page["result"]["jobs"]) < 6
        assert page["result"]["cursor"]


async def test_broker_that_does_not_lead_refuses_everything(
    served: Served, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def submit(requests: list[object], **_: bool) -> list[Outcome]:
        return [NotLeader("no", epoch=3, broker_address="b:1") for _ in requests]

    monkeypatch.setattr(served.broker, "submit", submit)
    [reply] = await ask(dispatcher, call(1, "getStats"))
    assert reply["error"] == {
        "_tag": "NotLeader", "message": "no", "advice": "ask the leader", "epoch": 3,
        "brokerAddress": "b:1",
    }  # fmt: skip
    with pytest.raises(NotLeader):
        await dispatcher.read_document()


@pytest.mark.parametrize("is_one_frame", [True, False])
async def test_withdrawn_claim_is_answered_with_nothing_and_takes_nothing(
    dispatcher: Dispatcher, is_one_frame: bool
) -> None:
    claim = call(1, "claimJobs", workerId="w", claimId="c", waitMs=60_000)
    other = call(2, "claimJobs", workerId="w", claimId="d", waitMs=60_000)
    withdrawal = call(3, "withdrawClaim", workerId="w", claimId="c")
    answered: dict[int, object] = {}
    caller = Caller()

    async def answer(frame: object) -> None:
        body = msgspec.msgpack.encode(frame)
        decoded = decode_frame(body, Encoding.MSGPACK, dispatcher.limits)
        for ticket in dispatcher.read(decoded, caller):
            nursery.start_soon(answer_ticket, ticket)

    async def answer_ticket(ticket: Ticket) -> None:
        for reply in await dispatcher.answer(ticket):
            packed = msgspec.msgpack.decode(encode_message(reply, Encoding.MSGPACK))
            answered[packed["id"]] = packed["result"]

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            await answer([claim, other, withdrawal] if is_one_frame else [claim, other])
            if not is_one_frame:
                await answer(withdrawal)
            while len(answered) < 2:
                await trio.lowlevel.checkpoint()
            assert answered == {1: {"jobs": []}, 3: {}}
            [submitted] = await ask(dispatcher, call(4, "submitJob", payload=1))
            while 2 not in answered:
                await trio.lowlevel.checkpoint()
    [job] = answered[2]["jobs"]  # type: ignore[index]
    assert (job["jobId"], job["attempt"]) == (submitted["result"]["jobId"], 1)


async def test_withdrawal_of_nothing_is_ok_and_one_without_a_claim_is_refused(
    dispatcher: Dispatcher,
) -> None:
    [known, unnamed] = await ask(
        dispatcher,
        [call(1, "withdrawClaim", workerId="w", claimId="c"), call(2, "withdrawClaim")],
    )
    assert known["result"] == {}
    assert "workerId" in unnamed["error"]["message"]

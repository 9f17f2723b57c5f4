"""Delivering answers, and turning to the next broker, without a network."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable

import trio
import trio.testing

from osqueue.client.calls import Call, Calls
from osqueue.client.route import BrokerUrl, Route
from osqueue.client.transports.frames import Reply
from osqueue.client.transports.traffic import WAKE_SLICE, Traffic, describe_trouble
from osqueue.clocks import TrioClock
from osqueue.core.errors import NotLeader
from osqueue.protocol.messages import WireError

__all__: list[str] = []

BROKER = BrokerUrl.parse("http://127.0.0.1:1")


def make_traffic(on_settled: Callable[[Call], None]) -> Traffic:
    seeded = random.Random(1)
    calls = Calls(on_settled, timeout_ms=1_000, random=seeded)
    return Traffic(calls, Route([BROKER], seeded), None, client_id="c", clock=TrioClock())


def send(traffic: Traffic, count: int) -> list[Call]:
    for _ in range(count):
        traffic.calls.add("submitJob", b"\x80", now_ms=0, is_sequenced=True)
    return traffic.calls.take_frame(
        now_ms=0, bytes_wanted=10**9, bytes_max=10**9, requests_max=10**6, with_waiting=True
    )


async def test_answers_settle_their_calls(autojump_clock: trio.testing.MockClock) -> None:
    settled: list[Call] = []
    traffic = make_traffic(settled.append)
    sent = send(traffic, 600)
    replies = [Reply(id=call.call_id, ok=True) for call in reversed(sent)]
    assert await traffic.deliver(replies) is None
    assert settled == sent[::-1]


async def test_those_woken_first_are_sent_before_the_next_ones_run(
    autojump_clock: trio.testing.MockClock,
) -> None:
    wakers: defaultdict[int, trio.Event] = defaultdict(trio.Event)
    traffic = make_traffic(lambda call: wakers[call.call_id].set())
    sent = send(traffic, 2 * WAKE_SLICE)
    happened: list[str] = []

    async def call_again(call: Call, name: str) -> None:
        await wakers[call.call_id].wait()
        happened.append(name)
        traffic.outbox.ring()

    async def write() -> None:
        await traffic.outbox.wait()
        happened.append("frame")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        nursery.start_soon(call_again, sent[0], "first slice")
        nursery.start_soon(call_again, sent[-1], "second slice")
        await trio.testing.wait_all_tasks_blocked()
        await traffic.deliver([Reply(id=call.call_id, ok=True) for call in sent])
    assert happened == ["first slice", "frame", "second slice"]


async def test_a_not_leader_among_the_answers_is_reported(
    autojump_clock: trio.testing.MockClock,
) -> None:
    traffic = make_traffic([].append)
    (call,) = send(traffic, 1)
    error = WireError(tag="NotLeader", message="no", epoch=4, broker_address="10.0.0.2:80")
    found = await traffic.deliver([Reply(id=call.call_id, ok=False, error=error)])
    assert isinstance(found, NotLeader)
    traffic.refused(found)
    assert (await traffic.next_broker()).address == "10.0.0.2:80"


async def test_events_and_unreadable_frames_settle_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    settled: list[Call] = []
    traffic = make_traffic(settled.append)
    send(traffic, 1)
    error = WireError(tag="BrokerProtocolError", message="malformed")
    await traffic.deliver([Reply(event="stats"), Reply(ok=False, error=error)])
    assert settled == []


async def test_a_repeat_that_is_due_later_rings_the_clock(
    autojump_clock: trio.testing.MockClock,
) -> None:
    traffic = make_traffic([].append)
    (call,) = send(traffic, 1)
    error = WireError(tag="Unavailable", message="no")
    await traffic.deliver([Reply(id=call.call_id, ok=False, error=error)])
    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(traffic.clock.wait)
            await trio.testing.wait_all_tasks_blocked()
            traffic.clock.ring()


async def test_tries_wait_longer_and_longer(autojump_clock: trio.testing.MockClock) -> None:
    traffic = make_traffic([].append)
    for _ in range(200):
        await traffic.next_broker()
        traffic.failed(BROKER, "refused")
    assert 20 < trio.current_time() < 200


def test_trouble_is_told_by_the_first_error_that_says_something() -> None:
    silent = OSError()
    assert describe_trouble(silent) == "OSError"
    silent.__context__ = ValueError("why")
    assert describe_trouble(silent) == "ValueError: why"
    assert describe_trouble(OSError("itself")) == "OSError: itself"

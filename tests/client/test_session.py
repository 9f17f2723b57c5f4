"""Waiting, giving up and the end, on a scripted broker."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
import trio

from osqueue.client import Client
from osqueue.core.errors import OutcomeUnknown, QueueFull, Unavailable
from osqueue.settings import Settings
from tests.broker.scripted_store import Put, ScriptedStore
from tests.client.brokers.scripted_broker import Drop, ScriptedBroker, Silence
from tests.server.harness import serve

__all__: list[str] = []


@pytest.fixture(autouse=True)
async def limit_time() -> AsyncIterator[None]:
    with trio.fail_after(10):
        yield


def methods(scripted: ScriptedBroker) -> list[str]:
    return [asked["method"] for asked in scripted.asked]


async def test_a_client_with_every_attempt_answered_says_so(scripted: ScriptedBroker) -> None:
    async with Client(scripted.url) as client:
        await client.submit()
    assert methods(scripted) == ["submitJob", "closeClient"]


async def test_a_client_that_only_read_says_nothing(scripted: ScriptedBroker) -> None:
    async with Client(scripted.url) as client:
        await client.stats()
    assert methods(scripted) == ["getStats"]


async def test_a_client_with_an_unanswered_attempt_says_nothing(scripted: ScriptedBroker) -> None:
    scripted.answers = [Drop]
    async with Client(scripted.url) as client:
        await client.submit()
    assert methods(scripted) == ["submitJob", "submitJob"]


async def test_a_cancelled_mutation_pins_the_floor_until_it_is_answered(
    scripted: ScriptedBroker,
) -> None:
    scripted.answers = [Silence]
    async with Client(scripted.url) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.submit)
            await scripted.has_asked.wait()
            nursery.cancel_scope.cancel()
        await client.submit()
        await scripted.send(scripted.asked[0], {"jobId": "x"})
        await client.stats()
        await client.submit()
    floors = [asked.get("firstIncomplete") for asked in scripted.asked]
    assert floors[:4] == [1, 1, None, 3]


async def test_a_mutation_cancelled_before_it_was_sent_never_is(unused_port: int) -> None:
    async with Client(f"http://127.0.0.1:{unused_port}") as client, trio.open_nursery() as nursery:
        with trio.move_on_after(0.05):
            await client.submit()
        scripted = ScriptedBroker(port=unused_port)
        await nursery.start(scripted.run)
        await client.submit({"n": 2})
        assert [asked["params"].get("payload") for asked in scripted.asked] == [{"n": 2}]
        scripted.kill()


async def test_a_call_after_the_end_is_refused(scripted: ScriptedBroker) -> None:
    async with Client(scripted.url) as client:
        await client.submit()
    with pytest.raises(trio.ClosedResourceError):
        await client.submit()


async def test_callers_in_flight_are_told_of_the_end(scripted: ScriptedBroker) -> None:
    scripted.answer = lambda asked: Silence
    ends: list[str] = []
    async with trio.open_nursery() as nursery, Client(scripted.url) as client:

        async def mutate() -> None:
            with pytest.raises(OutcomeUnknown, match="closed"):
                await client.submit()
            ends.append("mutation")

        async def read() -> None:
            with pytest.raises(Unavailable, match="closed"):
                await client.stats()
            ends.append("read")

        nursery.start_soon(mutate)
        nursery.start_soon(read)
        while len(scripted.asked) < 2:
            scripted.has_asked = trio.Event()
            await scripted.has_asked.wait()
    assert sorted(ends) == ["mutation", "read"]


@pytest.mark.slow
async def test_why_a_broker_cannot_write_reaches_the_caller(
    nursery: trio.Nursery, seeded_random: random.Random
) -> None:
    store = ScriptedStore()
    settings = Settings(
        broker_port=0,
        storage_backend="memory",
        broker_heartbeat_interval_ms=100,
        broker_heartbeat_timeout_ms=500,
    )
    served = await serve(nursery, settings, seeded_random, store=store)
    store.always = Put.DENY
    async with Client(f"http://{served.server.address}", timeout_s=1) as client:
        # A refusal may be that of a copy of the write, so nobody can say that it was not applied.
        with pytest.raises(OutcomeUnknown) as caught:
            await client.submit()
    assert "until its credentials or permissions are fixed, its log says" in caught.value.message
    nursery.cancel_scope.cancel()


async def test_leaving_takes_a_second_at_most_whatever_the_broker_does(
    scripted: ScriptedBroker,
) -> None:
    async with Client(scripted.url) as client:
        await client.submit()
        scripted.answer = lambda asked: Silence
        started_at = trio.current_time()
    assert trio.current_time() - started_at < 1.5


async def test_leaving_without_a_broker_takes_no_time(unused_port: int) -> None:
    started_at = trio.current_time()
    async with Client(f"http://127.0.0.1:{unused_port}"):
        pass
    assert trio.current_time() - started_at < 0.5


async def test_a_refused_goodbye_does_not_matter(scripted: ScriptedBroker) -> None:
    async with Client(scripted.url) as client:
        await client.submit()
        scripted.answer = lambda asked: QueueFull("no")
    assert methods(scripted)[-1] == "closeClient"


async def test_the_client_id_is_random_and_repeats_with_the_seed(scripted: ScriptedBroker) -> None:
    for seed in (1, 1, 2):
        async with Client(scripted.url, random=random.Random(seed)) as client:
            await client.stats()
    first, second, third = (asked["params"]["clientId"] for asked in scripted.greetings)
    assert first == second != third


async def test_where_no_more_calls_may_wait_the_end_of_a_job_is_looked_for(
    scripted: ScriptedBroker,
) -> None:
    job = {"id": "j", "status": "in_progress"}
    scripted.answers = [QueueFull("no"), job, QueueFull("no"), {**job, "status": "completed"}]
    async with Client(scripted.url) as client:
        assert await client.wait("j") is None
    waits = [asked["params"].get("waitMs") for asked in scripted.asked]
    assert waits == [30_000, 0, 30_000, 0]

"""Subscriptions: against a real broker, a scripted one, and by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from osqueue.client import (
    Client,
    CommitEvent,
    Event,
    Gap,
    History,
    HistoryEvent,
    JobChange,
    JobsEvent,
    LeaderEvent,
    NewJob,
    Stats,
    StatsEvent,
    Subscription,
)
from osqueue.client.events import (
    COMMITS_KEPT_MAX,
    HISTORIES_KEPT_MAX,
    JOBS_KEPT_MAX,
    Subscriptions,
    check_names,
)
from osqueue.core.errors import Forbidden, InvalidRequest, NotLeader
from tests.client.brokers.flaky_proxy import FlakyProxy
from tests.client.brokers.scripted_broker import Answer, Asked, Drop, ScriptedBroker

__all__: list[str] = []

STATS: Answer = {"total": 0, "unclaimed": 0, "inProgress": 0, "completedTotal": 0}


@pytest.fixture(autouse=True)
async def limit_time() -> AsyncIterator[None]:
    with trio.fail_after(15):
        yield


async def until(events: Subscription, kind: type[Any]) -> Any:
    """The next event of a kind."""
    async for event in events:
        if isinstance(event, kind):
            return event
    raise AssertionError("a subscription does not end by itself")


def encoded(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.msgpack.encode(value))


async def test_a_real_broker_tells_what_happens(broker_url: str) -> None:
    async with (
        Client(broker_url) as client,
        client.subscribe(["stats", "jobs", "commit", "leader"]) as events,
    ):
        leader = await until(events, LeaderEvent)
        assert (leader.epoch, bool(leader.broker_address)) == (1, True)
        submitted = await client.submit(type="t")
        commit = await until(events, CommitEvent)
        assert commit.mutations >= 1
        assert commit.bytes > 0
        while not (await until(events, StatsEvent)).stats.total:
            pass
        (job,) = await client.claim("w")
        await client.complete(job)
        changes: list[JobChange] = []
        while not changes or changes[-1].status != "completed":
            changes += (await until(events, JobsEvent)).jobs
    assert {(change.id, change.type) for change in changes} == {(submitted.job_id, "t")}


async def test_each_subscription_gets_what_it_asked_for(broker_url: str) -> None:
    async with Client(broker_url) as client, client.subscribe(["jobs"]) as jobs:
        async with client.subscribe(["commit"]) as commits:
            await client.submit()
            assert isinstance(await anext(commits), CommitEvent)
        await client.submit()
        found = [await anext(jobs)]
        while sum(len(event.jobs) for event in found if isinstance(event, JobsEvent)) < 2:
            found.append(await anext(jobs))
        # The second subscription was told anew, for both.
        assert found[0] == Gap("resubscribed")
        assert {type(event) for event in found[1:]} == {JobsEvent}
        with pytest.raises(trio.ClosedResourceError, match="left"):
            await anext(commits)


async def test_a_new_connection_is_subscribed_again_and_the_reader_is_told(
    proxy: FlakyProxy,
) -> None:
    async with Client(proxy.url) as client, client.subscribe(["jobs"]) as events:
        proxy.cut()
        assert await anext(events) == Gap("resubscribed")
        await client.submit()
        assert isinstance(await anext(events), JobsEvent)


async def test_a_broker_that_does_not_lead_is_left(
    scripted: ScriptedBroker, broker_url: str
) -> None:
    address = broker_url.removeprefix("http://")
    refusal = NotLeader("no", epoch=7, broker_address=address)
    scripted.answer = lambda asked: {} if asked["method"] == "subscribe" else refusal
    async with Client(scripted.url) as client, client.subscribe(["stats"]) as events:
        assert isinstance(await anext(events), StatsEvent)


async def test_nothing_is_told_when_nothing_is_wanted(scripted: ScriptedBroker) -> None:
    def answer(asked: Asked) -> Answer:
        return {} if asked["method"] == "subscribe" else STATS

    scripted.answer = answer
    async with Client(scripted.url) as client:
        async with client.subscribe(["stats", "jobs"]), client.subscribe(["jobs"]):
            pass
        await client.stats()
        scripted.answers = [Drop]
        await client.stats()
    told = [asked["params"]["events"] for asked in scripted.asked if asked["method"] == "subscribe"]
    assert told == [["jobs", "stats"], []]


async def test_a_refusal_is_raised_on_entering(scripted: ScriptedBroker) -> None:
    scripted.answers = [Forbidden("no")]
    async with Client(scripted.url) as client:
        with pytest.raises(Forbidden):
            async with client.subscribe(["stats"]):
                pass


async def test_a_refusal_after_a_new_connection_is_raised_from_the_iteration(
    scripted: ScriptedBroker,
) -> None:
    def answer(asked: Asked) -> Answer:
        return Forbidden("no") if asked["method"] == "subscribe" else STATS

    scripted.answers = [{}, STATS, Drop]
    scripted.answer = answer
    async with Client(scripted.url) as client, client.subscribe(["stats"]) as events:
        await client.stats()
        with pytest.raises(Forbidden):
            await anext(events)


async def test_leaving_the_client_ends_the_iteration(scripted: ScriptedBroker) -> None:
    scripted.answers = [{}, STATS]
    async with Client(scripted.url) as client:
        subscription = client.subscribe(["stats"])
        await subscription.__aenter__()
    with pytest.raises(trio.ClosedResourceError, match="client is closed"):
        await anext(subscription)


async def test_a_cancelled_entry_leaves_nothing_behind(unused_port: int) -> None:
    async with Client(f"http://127.0.0.1:{unused_port}", timeout_s=1) as client:
        with trio.move_on_after(0.01):
            async with client.subscribe(["stats"]):
                raise AssertionError("there is no broker")


async def test_http_carries_no_events(broker_url: str) -> None:
    async with Client(broker_url, transport="http") as client:
        with pytest.raises(InvalidRequest, match="WebSocket"):
            client.subscribe(["stats"])


@pytest.mark.parametrize("wrong", [[], ["stat"], "stats"])
async def test_events_that_do_not_exist_are_refused(wrong: Any) -> None:
    if wrong == "stats":
        assert check_names(wrong) == {"stats"}
    else:
        with pytest.raises(ValueError, match="stats, jobs, commit, leader, history"):
            check_names(wrong)


class Reader:
    """A subscription whose broker is a test."""

    def __init__(self, *, has_agreed: bool = True) -> None:
        self.subscriptions = Subscriptions()
        names = check_names(["stats", "jobs", "commit", "leader", "history"])
        self.subscription = Subscription(self.subscriptions, names)
        self.subscriptions.add(self.subscription)
        if has_agreed:
            self.subscription.agreed()

    def put(self, name: str, value: object, *, missed: int = 0) -> None:
        self.subscriptions.take(name, encoded(value), missed=missed)

    async def read(self) -> list[Event]:
        """All that there is."""
        found: list[Event] = []
        while True:
            with trio.move_on_after(1):
                found.append(await anext(self.subscription))
                continue
            return found


def changed(job_id: str, status: str = "unclaimed") -> dict[str, object]:
    return {"id": job_id, "status": status, "type": "t", "attempts": 1}


async def test_a_slow_reader_gets_the_newest_of_everything(
    autojump_clock: trio.testing.MockClock,
) -> None:
    reader = Reader()
    for epoch in (1, 2):
        reader.put("leader", {"epoch": epoch, "brokerAddress": "a:1"})
        reader.put("stats", {"total": epoch})
        reader.put("commit", {"commitId": f"1-{epoch}", "mutations": 1})
    reader.put("jobs", [changed("a"), changed("b")])
    reader.put("jobs", [changed("a", "completed")])
    assert await reader.read() == [
        LeaderEvent(2, "a:1"),
        StatsEvent(Stats(total=2)),
        CommitEvent("1-1", 1),
        JobsEvent([JobChange("b", "unclaimed", "t", 1), JobChange("a", "completed", "t", 1)]),
        CommitEvent("1-2", 1),
    ]


async def test_a_real_broker_tells_its_figures_by_the_second(broker_url: str) -> None:
    async with Client(broker_url) as client, client.subscribe(["history"]) as events:
        first = await anext(events)
        assert isinstance(first, HistoryEvent)
        assert [takeover.epoch for takeover in first.history.takeovers] == [1]
        await client.submit({}, type="t")
        submitted = 0
        while submitted == 0:
            news = await anext(events)
            assert isinstance(news, HistoryEvent)
            submitted += sum(news.history.buckets.submitted)
        assert submitted == 1


async def test_seconds_of_figures_wait_for_a_slow_reader_to_a_bound(
    autojump_clock: trio.testing.MockClock,
) -> None:
    reader = Reader()
    for second in (1, 2):
        reader.put("history", {"from": second})
    assert await reader.read() == [HistoryEvent(History(begin=second)) for second in (1, 2)]
    for second in range(HISTORIES_KEPT_MAX + 1):
        reader.put("history", {"from": second})
    gap, *histories = await reader.read()
    assert gap == Gap("fell behind")
    assert len(histories) == HISTORIES_KEPT_MAX
    reader.put("history", {"from": 1})
    reader.subscription.resubscribed()
    assert await reader.read() == [Gap("resubscribed")]


async def test_a_reader_that_falls_behind_is_told(
    autojump_clock: trio.testing.MockClock,
) -> None:
    reader = Reader()
    for number in range(JOBS_KEPT_MAX + 5):
        reader.put("jobs", [changed(str(number))])
    gap, jobs = await reader.read()
    assert gap == Gap("fell behind")
    assert isinstance(jobs, JobsEvent)
    assert [change.id for change in (jobs.jobs[0], jobs.jobs[-1])] == ["5", str(JOBS_KEPT_MAX + 4)]
    for number in range(COMMITS_KEPT_MAX + 1):
        reader.put("commit", {"commitId": str(number)})
    gap, *commits = await reader.read()
    assert gap == Gap("fell behind")
    assert len(commits) == COMMITS_KEPT_MAX


async def test_what_the_broker_had_to_drop_is_a_gap_too(
    autojump_clock: trio.testing.MockClock,
) -> None:
    reader = Reader()
    reader.put("jobs", [changed("a")], missed=3)
    reader.put("unheard of", None)
    gap, jobs = await reader.read()
    assert gap == Gap("fell behind")
    assert isinstance(jobs, JobsEvent)


async def test_nothing_that_is_older_than_a_gap_comes_after_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    # Found by the simulated shells (seed 383): a slow reader took old changes for new ones.
    reader = Reader()
    for happens in (
        reader.subscription.resubscribed,
        lambda: reader.put("jobs", [changed("b")], missed=1),
    ):
        reader.put("jobs", [changed("a")])
        happens()
        reader.put("jobs", [changed("b")])
        gap, jobs = await reader.read()
        assert isinstance(gap, Gap)
        assert jobs == JobsEvent([JobChange("b", "unclaimed", "t", 1)])
    reader.put("commit", {"commitId": "1-1"})
    reader.put("leader", {"epoch": 1})
    reader.subscription.resubscribed()
    # Who leads is told as it is: the newest replaces what was there.
    assert await reader.read() == [Gap("resubscribed"), LeaderEvent(1)]


async def test_what_came_before_a_broker_agreed_is_not_told_after_another_did(
    autojump_clock: trio.testing.MockClock,
) -> None:
    # Found by the simulated shells (seed 517): the first broker was left before it had agreed.
    reader = Reader(has_agreed=False)
    reader.put("jobs", [changed("a")], missed=1)
    reader.put("commit", {"commitId": "1-1"})
    reader.subscription.resubscribed()
    reader.subscription.agreed()
    reader.put("jobs", [changed("b")])
    assert await reader.read() == [JobsEvent([JobChange("b", "unclaimed", "t", 1)])]


async def test_an_event_that_is_none_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        Reader().put("stats", [])


async def test_many_jobs_are_told_of_in_few_events(broker_url: str) -> None:
    async with Client(broker_url) as client, client.subscribe(["jobs"]) as events:
        await client.submit_many([NewJob() for _ in range(1_000)])
        seen = 0
        while seen < 1_000:
            seen += len((await until(events, JobsEvent)).jobs)

"""The feed: coalesced, paced, bounded, and idle while nobody watches."""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from osqueue.broker.change_feed import (
    COMMITS_KEPT_MAX,
    JOBS_KEPT_MAX,
    PACE_S,
    STATS_PACE_S,
    ChangeFeed,
    Leader,
)
from osqueue.core.outcomes import JobChange
from osqueue.core.writes.effects import CommitSummary

EVERYTHING = ("stats", "jobs", "commit", "leader")


def make_commit(number: int = 1) -> CommitSummary:
    return CommitSummary(f"1-{number}-{'a' * 16}", 1, 1_000, 5)


def make_change(job_id: str = "j1", status: str = "unclaimed") -> JobChange:
    return JobChange(job_id, status, "email", "", 0)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def watched() -> list[bool]:
    """What the feed has said of being watched."""
    return []


@pytest.fixture
def feed(watched: list[bool]) -> ChangeFeed:
    return ChangeFeed(watched.append)


async def test_changes_of_one_job_are_delivered_as_the_newest(
    feed: ChangeFeed, autojump_clock: MockClock
) -> None:
    with feed.subscribe(EVERYTHING) as subscription:
        feed.publish(make_commit(1), [make_change("j1"), make_change("j2")])
        feed.publish(make_commit(2), [make_change("j1", "in_progress")])
        delivery = await subscription.next_events()
    assert [(change.id, change.status) for change in delivery.jobs] == [
        ("j2", "unclaimed"),
        ("j1", "in_progress"),
    ]
    assert len(delivery.commits) == 2
    assert delivery.has_new_stats


async def test_only_what_was_asked_for_is_delivered(
    feed: ChangeFeed, autojump_clock: MockClock
) -> None:
    with feed.subscribe(["leader"]) as subscription:
        feed.publish(make_commit(), [make_change()])
        feed.publish_leader(Leader(7, "10.0.0.7:8080"))
        delivery = await subscription.next_events()
    assert delivery.leader == Leader(7, "10.0.0.7:8080")
    assert not delivery.jobs
    assert not delivery.commits
    assert not delivery.has_new_stats


async def test_counts_come_at_most_four_times_a_second(
    feed: ChangeFeed, autojump_clock: MockClock
) -> None:
    times: list[float] = []
    with feed.subscribe(["stats"]) as subscription:
        for number in range(3):
            feed.publish(make_commit(number), [])
            assert (await subscription.next_events()).has_new_stats
            times.append(trio.current_time())
    assert [later - earlier for earlier, later in pairwise(times)] == (
        pytest.approx([STATS_PACE_S] * 2)
    )


async def test_jobs_do_not_wait_for_the_pace_of_counts(
    feed: ChangeFeed, autojump_clock: MockClock
) -> None:
    with feed.subscribe(["stats", "jobs"]) as subscription:
        feed.publish(make_commit(), [make_change("j1")])
        assert (await subscription.next_events()).has_new_stats
        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish_later, feed, PACE_S * 1.5)
            # Counts are due in a quarter of a second, the job before that.
            feed.publish(make_commit(), [])
            delivery = await subscription.next_events()
        assert [change.id for change in delivery.jobs] == ["later"]
        assert not delivery.has_new_stats
        assert trio.current_time() - started == pytest.approx(PACE_S * 1.5)
        assert (await subscription.next_events()).has_new_stats


async def publish_later(feed: ChangeFeed, delay_s: float) -> None:
    await trio.sleep(delay_s)
    feed.publish(make_commit(), [make_change("later")])


async def test_slow_reader_is_told_what_it_missed_and_memory_is_bounded(
    feed: ChangeFeed, autojump_clock: MockClock
) -> None:
    with feed.subscribe(EVERYTHING) as subscription:
        for number in range(COMMITS_KEPT_MAX + 10):
            changes = [make_change(f"{number}-{index}") for index in range(50)]
            feed.publish(make_commit(number), changes)
        delivery = await subscription.next_events()
    assert len(delivery.jobs) == JOBS_KEPT_MAX
    assert delivery.jobs_missed == (COMMITS_KEPT_MAX + 10) * 50 - JOBS_KEPT_MAX
    assert len(delivery.commits) == COMMITS_KEPT_MAX
    assert delivery.jobs[-1].id == f"{COMMITS_KEPT_MAX + 9}-49"


def test_feed_says_when_somebody_watches_jobs_and_when_nobody_does(
    feed: ChangeFeed, watched: list[bool]
) -> None:
    with feed.watch_end("j1"), feed.watch_end("j1"):
        assert watched == [True]
    assert watched == [True, False]


async def test_commits_alone_do_not_make_the_queue_note_jobs(
    feed: ChangeFeed, watched: list[bool]
) -> None:
    with feed.subscribe(["commit", "stats"]):
        assert not feed.is_watched
    with feed.subscribe(["jobs"]):
        assert feed.is_watched
    assert watched == [True, False]


@pytest.mark.parametrize("status", ["completed", "dead", "gone"])
def test_end_of_a_job_wakes_its_watchers_only(feed: ChangeFeed, status: str) -> None:
    with feed.watch_end("j1") as first, feed.watch_end("j2") as second:
        feed.publish(make_commit(), [make_change("j1", "in_progress")])
        assert not first.is_set()
        feed.publish(make_commit(), [make_change("j1", status)])
        assert first.is_set()
        assert not second.is_set()


def test_change_of_leader_wakes_everybody_who_waits_for_a_job(feed: ChangeFeed) -> None:
    with feed.watch_end("j1") as may_have_ended:
        feed.publish_leader(Leader(2, ""))
        assert may_have_ended.is_set()

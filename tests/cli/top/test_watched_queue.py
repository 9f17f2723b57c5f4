"""What is made of events: the newest of each, and throughput."""

from __future__ import annotations

from osqueue.cli.top.watched_queue import CHANGES_KEPT, Lost, Rates, WatchedQueue
from osqueue.client import (
    CommitEvent,
    Gap,
    JobChange,
    JobsEvent,
    LeaderEvent,
    Stats,
    StatsEvent,
)


def counts(queue: WatchedQueue, now: float, **of_jobs: int) -> None:
    queue.take(StatsEvent(Stats(**of_jobs)), now)


def test_newest_of_each_kind_is_known() -> None:
    queue = WatchedQueue()
    for epoch in (1, 2):
        queue.take(LeaderEvent(epoch), 10.0)
        queue.take(CommitEvent(f"{epoch}-1-a"), 10.0 + epoch)
    counts(queue, 13.0, dead=4)
    assert queue.leader == LeaderEvent(2)
    assert (queue.commit, queue.commit_at) == (CommitEvent("2-1-a"), 12.0)
    assert queue.stats == Stats(dead=4)


def test_first_counts_are_no_throughput() -> None:
    queue = WatchedQueue()
    counts(queue, 100.0, total=50, completed_total=1_000)
    assert queue.rates(100.0) == Rates()


def test_throughput_is_the_mean_over_the_window_and_ends() -> None:
    queue = WatchedQueue()
    counts(queue, 100.0, total=10, completed_total=5)
    counts(queue, 102.0, total=20, completed_total=15)
    assert queue.rates(102.0) == Rates(submitted=10.0, completed=5.0)
    assert queue.rates(105.0) == Rates(submitted=4.0, completed=2.0)
    assert queue.rates(107.0) == Rates()


def test_kept_results_count_once_and_their_end_not_at_all() -> None:
    queue = WatchedQueue()
    counts(queue, 0.0, total=1)
    counts(queue, 4.0, total=3, completed=2, completed_total=2)
    assert queue.rates(5.0) == Rates(submitted=0.4, completed=0.4)
    queue.take(JobsEvent([JobChange("1", "gone", attempts=1)]), 5.0)
    counts(queue, 5.0, total=2, completed=1, completed_total=2)
    assert queue.rates(5.0) == Rates(submitted=0.4, completed=0.4)


def test_cancelled_jobs_were_submitted_all_the_same() -> None:
    queue = WatchedQueue()
    counts(queue, 0.0, total=0)
    queue.take(JobsEvent([JobChange("1", "gone"), JobChange("2", "gone", "", 1, "worker")]), 5.0)
    counts(queue, 5.0, total=0)
    assert queue.rates(5.0).submitted == 0.4


def test_removed_dead_letters_are_no_negative_throughput() -> None:
    queue = WatchedQueue()
    counts(queue, 0.0, total=9)
    counts(queue, 5.0, total=1)
    assert queue.rates(5.0) == Rates()


def test_reports_of_workers_are_failures_and_redrives_are_none() -> None:
    queue = WatchedQueue()
    counts(queue, 0.0)
    failed = [JobChange(str(n), status, "", 1, "worker") for n, status in enumerate(["dead"] * 3)]
    others = [
        JobChange("4", "scheduled", "", 1, "worker"),
        JobChange("5", "unclaimed", "", 2),
        JobChange("6", "in_progress", "", 2, "worker"),
        JobChange("7", "completed", "", 2, "worker"),
    ]
    queue.take(JobsEvent(failed + others), 4.0)
    assert queue.rates(5.0) == Rates(failed=0.8)


def test_gap_begins_throughput_anew() -> None:
    queue = WatchedQueue()
    counts(queue, 0.0, completed_total=0)
    counts(queue, 1.0, completed_total=5)
    queue.take(Gap("resubscribed"), 2.0)
    counts(queue, 2.0, completed_total=1_000)
    assert queue.rates(2.0) == Rates()
    assert queue.gaps == 1


def test_trouble_lasts_until_there_is_news() -> None:
    queue = WatchedQueue()
    queue.take(Lost("no broker"), 1.0)
    assert queue.trouble == "no broker"
    queue.take(LeaderEvent(2), 2.0)
    assert queue.trouble == ""


def test_newest_changes_stand_first_once_a_job_and_are_bounded() -> None:
    queue = WatchedQueue()
    queue.take(JobsEvent([JobChange("1", "unclaimed"), JobChange("2", "unclaimed")]), 1.0)
    queue.take(JobsEvent([JobChange("1", "in_progress")]), 2.0)
    assert list(queue.changes.values()) == [
        (2.0, JobChange("1", "in_progress")),
        (1.0, JobChange("2", "unclaimed")),
    ]
    queue.take(JobsEvent([JobChange(str(n), "dead") for n in range(CHANGES_KEPT + 9)]), 3.0)
    assert len(queue.changes) == CHANGES_KEPT
    assert next(iter(queue.changes)) == str(CHANGES_KEPT + 8)

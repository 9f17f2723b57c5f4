"""Who is next: by priority, then submission, within types, without pauses."""

import random
from collections.abc import Collection

from osqueue.core.job import Job
from osqueue.core.tables.ready_jobs import ReadyJobs
from tests.builders import make_job


def make_ready(*jobs: Job) -> ReadyJobs:
    ready = ReadyJobs()
    for job in jobs:
        ready.add(job)
    return ready


def drain(ready: ReadyJobs, *jobs: Job, types: Collection[str] = ()) -> list[int]:
    """The orders of the jobs as they are handed out."""
    by_id = {job.id: job for job in jobs}
    orders: list[int] = []
    while (job_id := ready.next_id(types, ())) is not None:
        orders.append(by_id[job_id].order)
        ready.remove(by_id[job_id])
    return orders


def test_next_job_of_none_is_none() -> None:
    assert ReadyJobs().next_id((), ()) is None
    assert ReadyJobs().next_id(("a",), ()) is None


def test_next_job_is_of_the_highest_priority_then_the_oldest() -> None:
    jobs = [make_job(1), make_job(2, priority=5), make_job(3, priority=-5), make_job(4, priority=5)]
    assert drain(make_ready(*jobs), *jobs) == [2, 4, 1, 3]
    assert drain(ReadyJobs(jobs), *jobs) == [2, 4, 1, 3]


def test_next_job_is_of_the_wanted_types_only() -> None:
    jobs = [make_job(1, type="a"), make_job(2, type="b", priority=1), make_job(3, type="c")]
    assert drain(make_ready(*jobs), *jobs, types=("a", "b", "unknown")) == [2, 1]


def test_next_job_of_the_type_without_a_name_is_found_by_it() -> None:
    jobs = [make_job(1, type="a"), make_job(2, type="")]
    assert drain(make_ready(*jobs), *jobs, types=("",)) == [2]


def test_next_job_is_not_of_a_paused_type() -> None:
    ready = make_ready(make_job(1, type="a"), make_job(2, type="b"))
    assert ready.next_id((), {"a"}) == "job-2"
    assert ready.next_id(("a",), {"a"}) is None
    assert ready.next_id((), {"a", "b"}) is None


def test_job_added_again_is_in_its_own_place() -> None:
    jobs = [make_job(1), make_job(2), make_job(3)]
    ready = make_ready(*jobs)
    ready.remove(jobs[0])
    ready.add(jobs[0])
    assert drain(ready, *jobs) == [1, 2, 3]


def test_job_removed_is_not_claimable() -> None:
    jobs = [make_job(1, type="a"), make_job(2, type="a")]
    ready = make_ready(*jobs)
    ready.remove(jobs[0])
    assert "job-1" not in ready
    assert ready.next_id(("a",), ()) == "job-2"
    assert ready.count_of("a") == len(ready) == 1


def test_types_are_those_of_claimable_jobs() -> None:
    jobs = [make_job(1, type="a"), make_job(2, type="b")]
    ready = make_ready(*jobs)
    ready.remove(jobs[1])
    assert set(ready.types()) == {"a"}
    assert ready.count_of("b") == 0


def test_jobs_coming_and_going_leave_nothing_behind() -> None:
    ready = make_ready(make_job(1, type="a"), make_job(2, type="b"))
    jobs = [make_job(order, type="a") for order in range(10, 5_000)]
    for job in jobs:
        ready.add(job)
        ready.remove(job)
    entries = ready._all, ready._by_type["a"]  # pyright: ignore[reportPrivateUsage]
    assert max(map(len, entries)) < 1_100
    assert ready.next_id((), ()) == "job-1"


def test_jobs_at_random_come_as_a_sorted_list_gives_them(seeded_random: random.Random) -> None:
    ready, waiting = ReadyJobs(), list[Job]()
    away = [
        make_job(order, type=seeded_random.choice("abc"), priority=seeded_random.randrange(3))
        for order in range(1, 60)
    ]
    for _ in range(5_000):
        if away and seeded_random.random() < 0.5:
            job = away.pop(seeded_random.randrange(len(away)))
            ready.add(job)
            waiting.append(job)
        elif waiting:
            job = waiting.pop(seeded_random.randrange(len(waiting)))
            ready.remove(job)
            away.append(job)
        types = seeded_random.choice(["", "a", "ab", "abc"])
        paused = seeded_random.choice(["", "", "b"])
        fitting = [
            job for job in waiting if (not types or job.type in types) and job.type not in paused
        ]
        expected = min(fitting, key=lambda job: (-job.priority, job.order), default=None)
        assert ready.next_id(types, paused) == (expected and expected.id)

"""Whole workers against a real broker: every end that a job can take."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec
import pytest
import trio
import trio.testing

from osqueue.client import Client, Failure, JobDead, JobDetails, NewJob, Stats
from osqueue.worker import CallNext, Dead, Job, Snooze, Worker

__all__: list[str] = []


class Email(msgspec.Struct):
    to: str


async def until_stats(client: Client, is_wanted: Callable[[Stats], object]) -> Stats:
    """Ask until the counts are as wanted; every question is a round trip."""
    while not is_wanted(stats := await client.stats()):
        pass
    return stats


async def until_empty(client: Client) -> None:
    """Ask until nothing is left."""
    await until_stats(client, lambda stats: not stats.total)


async def until_status(client: Client, job_id: str, status: str) -> JobDetails:
    """Ask until the job has come so far."""
    while (job := await client.get_job(job_id)).status != status:
        pass
    return job


async def test_jobs_are_run_and_their_results_kept(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)

    @worker.handler("email:send")
    async def send(email: Email) -> str:
        return f"sent to {email.to}"

    await nursery.start(worker.run)
    submitted = await client.submit(Email("a@b"), type="email:send", result_ttl_ms=60_000)
    job = await until_status(client, submitted.job_id, "completed")
    assert job.result == "sent to a@b"


async def test_many_jobs_are_run_once_each_within_the_concurrency(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url, concurrency=7, prefetch=5)
    done: list[int] = []
    running = 0
    most = 0

    @worker.handler
    async def count(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(0.001)
        done.append(number)
        running -= 1

    await client.submit_many(NewJob(payload=number, type="count") for number in range(300))
    await nursery.start(worker.run)
    await until_empty(client)
    assert sorted(done) == list(range(300))
    assert most == 7
    assert (await client.stats()).completed_total == 300


async def test_a_plain_function_runs_in_a_thread(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)
    threads: list[str] = []

    @worker.handler("t")
    def work(payload: object, job: Job) -> None:
        threads.append(threading.current_thread().name)
        assert job.attempt == 1

    await nursery.start(worker.run)
    await client.submit(type="t")
    await until_empty(client)
    assert threads
    assert threads != [threading.main_thread().name]


async def test_types_without_a_handler_are_never_claimed(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)

    @worker.handler("mine")
    async def work() -> None: ...

    await nursery.start(worker.run)
    other = await client.submit(type="other")
    await client.submit(type="mine")
    await until_stats(client, lambda stats: stats.completed_total)
    assert (await client.get_job(other.job_id)).attempts == 0


async def test_an_exception_is_kept_and_the_job_retried(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)

    @worker.handler("t")
    async def work(payload: object, job: Job) -> None:
        if job.attempt < 3:
            raise ValueError(f"attempt {job.attempt}")
        assert job.is_last_attempt

    await nursery.start(worker.run)
    submitted = await client.submit(type="t", result_ttl_ms=60_000)
    job = await until_status(client, submitted.job_id, "completed")
    assert [error.message for error in job.errors] == ["attempt 1", "attempt 2"]
    assert "test_worker.py" in job.errors[0].traceback


async def test_a_payload_that_does_not_fit_is_a_dead_letter(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)

    @worker.handler("t")
    async def work(email: Email) -> None: ...

    await nursery.start(worker.run)
    submitted = await client.submit({"to": 1}, type="t")
    job = await until_status(client, submitted.job_id, "dead")
    assert job.attempts == 1
    assert job.errors[0].type == "ValidationError"


async def test_a_result_that_is_too_large_is_a_dead_letter_and_spoils_no_other(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)
    both = trio.Event()

    @worker.handler("t")
    async def work(size: int) -> str:
        if size:
            both.set()
        await both.wait()
        return "x" * size

    await nursery.start(worker.run)
    await client.submit_many([NewJob(payload=0, type="t"), NewJob(payload=300_000, type="t")])
    stats = await until_stats(client, lambda stats: stats.completed_total + stats.dead == 2)
    assert (stats.completed_total, stats.dead) == (1, 1)


async def test_a_time_limit_fails_the_attempt(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)

    @worker.handler("t", time_limit_s=0.05)
    async def work() -> None:
        await trio.sleep_forever()

    await nursery.start(worker.run)
    submitted = await client.submit(type="t", max_attempts=1)
    job = await until_status(client, submitted.job_id, "dead")
    assert job.errors[0].type == "TimeLimitExceeded"


async def test_heartbeats_keep_a_long_job(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)

    @worker.handler("t")
    async def work() -> None:
        await trio.sleep(2.5)

    await nursery.start(worker.run)
    submitted = await client.submit(type="t", result_ttl_ms=60_000)
    job = await until_status(client, submitted.job_id, "completed")
    assert job.attempts == 1


async def test_a_cancelled_job_stops_its_handler(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)
    started, stopped = trio.Event(), trio.Event()

    @worker.handler("t")
    async def work() -> None:
        started.set()
        try:
            await trio.sleep_forever()
        finally:
            stopped.set()

    await nursery.start(worker.run)
    submitted = await client.submit(type="t")
    await started.wait()
    assert await client.cancel(submitted.job_id) == "cancelRequested"
    await stopped.wait()
    await until_empty(client)
    assert (await client.stats()).completed_total == 0


async def test_a_drained_worker_finishes_what_it_holds_and_gives_back_the_rest(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url, concurrency=1, prefetch=2)
    started, go_on = trio.Event(), trio.Event()

    @worker.handler("t")
    async def work() -> None:
        started.set()
        await go_on.wait()

    await client.submit_many([NewJob(type="t") for _ in range(3)])
    async with trio.open_nursery() as running:
        running.start_soon(worker.run)
        await started.wait()
        worker.stop()
        await trio.testing.wait_all_tasks_blocked()
        go_on.set()
    stats = await client.stats()
    assert (stats.completed_total, stats.in_progress, stats.total) == (1, 0, 2)
    assert {job.max_attempts - job.attempts async for job in client.iterate_jobs()} == {3}


async def test_a_drain_that_takes_too_long_gives_the_jobs_back(
    broker_url: str, client: Client
) -> None:
    worker = Worker(broker_url, drain_timeout_s=0.05)
    started = trio.Event()
    leave = threading.Event()

    @worker.handler("task")
    async def task() -> None:
        started.set()
        await trio.sleep_forever()

    @worker.handler("thread")
    def thread() -> None:
        leave.wait(10)

    await client.submit_many([NewJob(type="thread"), NewJob(type="task")])
    async with trio.open_nursery() as running:
        running.start_soon(worker.run)
        await started.wait()
        worker.stop()
    leave.set()
    stats = await client.stats()
    assert (stats.completed_total, stats.in_progress, stats.scheduled) == (0, 0, 2)


async def test_a_threads_result_counts_for_nothing_once_its_lease_is_lost(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url, concurrency=1)
    started, stopping = trio.Event(), trio.Event()
    leave = threading.Event()
    runs: list[int] = []

    @worker.handler("t")
    def work(number: int, job: Job) -> None:
        runs.append(number)
        trio.from_thread.run_sync(started.set)
        while number == 1 and not job.should_stop:
            leave.wait(0.01)
        trio.from_thread.run_sync(stopping.set)
        leave.wait(10)

    await nursery.start(worker.run)
    submitted = await client.submit(1, type="t")
    await started.wait()
    await client.cancel(submitted.job_id)
    second = await client.submit(2, type="t")
    await stopping.wait()
    assert (await client.get_job(second.job_id)).status == "unclaimed", "the slot is kept"
    leave.set()
    await until_empty(client)
    assert runs == [1, 2]
    assert (await client.stats()).completed_total == 1


async def test_a_worker_without_handlers_says_so() -> None:
    with pytest.raises(ValueError, match="no handlers"):
        await Worker().run()


@pytest.mark.parametrize(
    "wrong", [{"concurrency": 0}, {"prefetch": -1}, {"wait_ms": 0}, {"time_limit_s": 0}]
)
def test_settings_are_checked(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Worker(**wrong)  # type: ignore[arg-type]


async def test_follow_ups_are_submitted_with_the_completion_and_have_its_results(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)

    @worker.handler("first")
    async def first(payload: object, job: Job) -> str:
        if job.attempt == 1:
            job.submit("never", type="second")
            raise ValueError("no")
        return job.submit("now", type="second", result_ttl_ms=60_000)

    @worker.handler("second")
    def second(payload: str, job: Job) -> str:
        return f"{payload}, attempt {job.attempt}"

    submitted = await client.submit(type="first", result_ttl_ms=60_000)
    await nursery.start(worker.run)
    follow_up = await client.wait(submitted.job_id, result_type=str)
    assert await client.wait(follow_up) == "now, attempt 1"
    stats = await client.stats()
    assert (stats.completed_total, stats.total) == (2, 2)


async def test_a_follow_up_that_is_refused_makes_its_job_a_dead_letter(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)

    @worker.handler("t")
    async def work(payload: object, job: Job) -> None:
        job.submit(priority=1_000)

    submitted = await client.submit(type="t")
    await nursery.start(worker.run)
    with pytest.raises(JobDead, match="priority"):
        await client.wait(submitted.job_id)


async def test_snoozed_and_dead_jobs_are_what_their_handlers_say(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)

    @worker.handler("snooze")
    async def snooze() -> None:
        raise Snooze(60_000)

    @worker.handler("dead")
    async def dead() -> None:
        raise Dead("there is no such customer")

    snoozed = await client.submit(type="snooze")
    died = await client.submit(type="dead")
    await nursery.start(worker.run)
    job = await until_status(client, snoozed.job_id, "scheduled")
    assert job.max_attempts - job.attempts == 3
    with pytest.raises(JobDead, match="after 1 attempts; the last error: Dead: there is no such"):
        await client.wait(died.job_id)


def test_middleware_that_is_not_async_is_refused() -> None:
    with pytest.raises(TypeError, match="async"):
        Worker().middleware(lambda job, call_next: call_next())


async def test_middleware_and_hooks_are_registered_by_decorators(
    broker_url: str, client: Client, nursery: trio.Nursery
) -> None:
    worker = Worker(broker_url)
    told: list[object] = []
    is_told = trio.Event()

    @worker.middleware
    async def bracket(job: Job, call_next: CallNext) -> str:
        return f"[{await call_next()}]"

    @worker.on_claimed
    async def claimed(job: Job) -> None:
        told.append(job.payload)

    @worker.on_completed
    def completed(job: Job, result: object) -> None:
        told.append(result)
        is_told.set()

    @worker.on_failed
    def failed(job: Job, error: Exception, failure: Failure) -> None:
        raise AssertionError("nothing failed")

    @worker.handler
    async def work(number: int) -> int:
        return number

    await nursery.start(worker.run)
    submitted = await client.submit(7, type="work", result_ttl_ms=60_000)
    assert await client.wait(submitted.job_id) == "[7]"
    # The worker hears of the same commit, perhaps a moment later.
    await is_told.wait()
    assert told == [7, "[7]"]

"""Every method of the client against a real broker, over both transports."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
import trio

from osqueue.client import Client, JobDead, NewJob
from osqueue.core.errors import (
    InvalidRequest,
    JobNotFound,
    QueueError,
    WrongStatus,
)
from osqueue.core.retry_policy import RetryPolicy

__all__: list[str] = []


class Email(msgspec.Struct):
    to: str
    at: datetime


async def test_a_job_goes_from_submit_to_complete(client: Client) -> None:
    submitted = await client.submit({"n": 1}, type="t")
    assert not submitted.duplicate
    (job,) = await client.claim("w", types=["t"])
    assert (job.job_id, job.type, job.attempt, job.payload) == (
        submitted.job_id,
        "t",
        1,
        {"n": 1},
    )
    assert job.max_attempts == 3
    assert job.lease_ms >= 30_000
    await client.complete(job)
    stats = await client.stats()
    assert (stats.total, stats.completed_total) == (0, 1)


async def test_a_payload_without_a_json_form_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="JSON"):
        await client.submit(object())
    with pytest.raises(InvalidRequest):
        await client.submit("\udc80")
    with pytest.raises(InvalidRequest):
        await client.submit(float("nan"))


async def test_a_unique_key_makes_a_duplicate(client: Client) -> None:
    first = await client.submit(unique_key="k")
    second = await client.submit(unique_key="k")
    assert second.duplicate
    assert second.job_id == first.job_id


async def test_many_jobs_are_submitted_together_or_not_at_all(client: Client) -> None:
    submitted = await client.submit_many(NewJob(payload=n, job_id=f"job-{n}") for n in range(3))
    assert submitted.job_ids == ["job-0", "job-1", "job-2"]
    with pytest.raises(InvalidRequest, match="1"):
        await client.submit_many([NewJob(), NewJob(priority=1_000)])
    again = await client.submit_many([NewJob(job_id="job-1"), NewJob()])
    assert again.duplicates == [0]
    assert (await client.stats()).total == 4


async def test_every_field_of_a_job_arrives(client: Client) -> None:
    retry = RetryPolicy(base_ms=10, factor=1.5, cap_ms=100)
    submitted = await client.submit(
        [1],
        type="t",
        max_attempts=5,
        job_id="mine",
        delay_ms=60_000,
        priority=-7,
        unique_key="k",
        result_ttl_ms=9,
        retry=retry,
    )
    job = await client.get_job(submitted.job_id)
    assert (job.id, job.status, job.type, job.max_attempts) == ("mine", "scheduled", "t", 5)
    assert (job.priority, job.unique_key, job.payload) == (-7, "k", [1])
    assert job.run_at >= job.created_at + 50_000


async def test_jobs_are_cancelled_and_deleted(client: Client) -> None:
    await client.submit_many([NewJob(job_id=f"job-{n}") for n in range(3)])
    (job,) = await client.claim("w")
    assert await client.cancel("job-1") == "gone"
    assert await client.cancel(job.job_id) == "cancelRequested"
    assert await client.heartbeat(job) is True
    with pytest.raises(WrongStatus):
        await client.delete(job.job_id)
    await client.delete("job-2")
    with pytest.raises(JobNotFound):
        await client.get_job("job-2")
    assert (await client.fail(job, ValueError("stopped"))).status == "gone"


async def test_jobs_are_listed_page_by_page(client: Client) -> None:
    await client.submit_many([NewJob(payload=n, type="ab"[n % 2]) for n in range(5)])
    page = await client.list_jobs(type="a", limit=2)
    assert [job.payload for job in page.jobs] == [0, 2]
    assert page.total == 5
    rest = await client.list_jobs(type="a", limit=2, cursor=page.cursor)
    assert [job.payload for job in rest.jobs] == [4]
    assert [job.payload async for job in client.iterate_jobs()] == [0, 1, 2, 3, 4]


async def test_a_paused_queue_gives_nothing(client: Client) -> None:
    await client.submit()
    await client.pause()
    assert (await client.stats()).paused
    assert await client.claim("w") == []
    await client.resume()
    assert len(await client.claim("w")) == 1


async def test_health_is_the_brokers_readiness(client: Client) -> None:
    assert await client.health()


async def test_many_callers_get_each_their_own_answer(client: Client) -> None:
    async def call(number: int) -> None:
        submitted = await client.submit(number, job_id=f"job-{number}")
        assert submitted.job_id == f"job-{number}"
        assert (await client.get_job(submitted.job_id)).payload == number

    async with trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(call, number)


async def test_errors_say_what_to_do(client: Client) -> None:
    with pytest.raises(QueueError) as raised:
        await client.cancel("nothing")
    assert raised.value.advice == "drop the work"


async def test_waiting_gives_the_result_of_the_job(client: Client, nursery: trio.Nursery) -> None:
    email = Email("a@b.c", datetime(2026, 1, 2, tzinfo=UTC))
    submitted = await client.submit(result_ttl_ms=60_000)

    async def work() -> None:
        (job,) = await client.claim("w")
        await client.complete(job, email)

    nursery.start_soon(work)
    assert await client.wait(submitted.job_id, result_type=Email) == email
    assert (await client.wait(submitted.job_id, timeout_s=0))["to"] == "a@b.c"
    with pytest.raises(msgspec.ValidationError):
        await client.wait(submitted.job_id, result_type=int)


async def test_waiting_for_a_job_that_dies_tells_why(client: Client, nursery: trio.Nursery) -> None:
    submitted = await client.submit(max_attempts=1)

    async def work() -> None:
        (job,) = await client.claim("w")
        await client.fail(job, ValueError("no"))

    nursery.start_soon(work)
    with pytest.raises(JobDead, match="dead after 1 attempts; the last error: ValueError: no") as e:
        await client.wait(submitted.job_id)
    assert [error.message for error in e.value.errors] == ["no"]
    assert (e.value.job.id, e.value.advice) == (submitted.job_id, "redrive it, or drop the work")


async def test_waiting_for_a_job_that_is_not_kept_finds_nothing(
    client: Client, nursery: trio.Nursery
) -> None:
    submitted = await client.submit()

    async def work() -> None:
        (job,) = await client.claim("w")
        await client.complete(job)

    nursery.start_soon(work)
    with pytest.raises(JobNotFound):
        await client.wait(submitted.job_id)
    with pytest.raises(JobNotFound):
        await client.wait("nothing")


@pytest.mark.parametrize("timeout_s", [0, 0.05])
async def test_waiting_ends_at_its_time_limit(client: Client, timeout_s: float) -> None:
    submitted = await client.submit()
    with pytest.raises(TimeoutError, match="its status is unclaimed"):
        await client.wait(submitted.job_id, timeout_s=timeout_s)


async def test_more_can_wait_than_there_are_long_polls(client: Client) -> None:
    results: list[int] = []

    async def wait(job_id: str) -> None:
        results.append(await client.wait(job_id))

    async with trio.open_nursery() as nursery:
        jobs = [NewJob(payload=n, result_ttl_ms=60_000) for n in range(20)]
        for job_id in (await client.submit_many(jobs)).job_ids:
            nursery.start_soon(wait, job_id)
        for job in await client.claim("w", limit=20):
            await client.complete(job, job.payload)
    assert sorted(results) == list(range(20))


async def test_a_broker_without_limits_for_its_store_says_so(client: Client) -> None:
    stats = await client.throttle_stats()
    assert (stats.throttling, stats.total_writes) == (False, 0)

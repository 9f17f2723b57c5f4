"""Every method of the client against a real broker, over both transports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Literal

import msgspec
import pytest
import trio

from osqueue.client import Claim, Client, Completion, JobError, Lease, NewJob
from osqueue.core.errors import (
    InvalidRequest,
    JobNotFound,
    JobNotHeld,
    QueueError,
    WrongStatus,
)
from osqueue.core.retry_policy import RetryPolicy

__all__: list[str] = []


class Email(msgspec.Struct):
    to: str
    at: datetime


@pytest.fixture(params=["websocket", "http"])
async def client(request: pytest.FixtureRequest, broker_url: str) -> AsyncIterator[Client]:
    transport: Literal["websocket", "http"] = request.param
    with trio.fail_after(20):
        async with Client(broker_url, transport=transport) as client:
            yield client


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


async def test_typed_payloads_and_results_come_back_as_they_went(client: Client) -> None:
    email = Email("a@b.c", datetime(2026, 1, 2, tzinfo=UTC))
    submitted = await client.submit(email, result_ttl_ms=60_000)
    (job,) = await client.claim("w", payload_type=Email)
    assert job.payload == email
    assert job.payload_as(dict) == {"to": "a@b.c", "at": "2026-01-02T00:00:00Z"}
    await client.complete(job, email)
    found = await client.get_job(submitted.job_id, payload_type=Email, result_type=Email)
    assert (found.status, found.payload, found.result) == ("completed", email, email)


async def test_a_payload_of_the_wrong_type_is_found_on_access(client: Client) -> None:
    await client.submit({"to": 1})
    (job,) = await client.claim("w", payload_type=Email)
    with pytest.raises(msgspec.ValidationError):
        _ = job.payload
    assert job.payload_as(dict) == {"to": 1}


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


async def test_a_claim_waits_for_a_job(client: Client) -> None:
    async with trio.open_nursery() as nursery:

        async def work() -> None:
            (job,) = await client.claim("w", wait_ms=10_000)
            assert job.payload == "late"
            nursery.cancel_scope.cancel()

        nursery.start_soon(work)
        await client.stats()
        await client.submit("late")
        await trio.sleep_forever()


async def test_a_claim_that_finds_nothing_is_empty(client: Client) -> None:
    assert await client.claim("w", wait_ms=1) == []


async def test_heartbeats_tell_what_is_held_and_what_is_lost(client: Client) -> None:
    await client.submit()
    (job,) = await client.claim("w")
    assert await client.heartbeat(job) is False
    stale = Lease(job_id=job.job_id, worker_id="w", attempt=7)
    found = await client.heartbeat_many("w", [job, stale])
    assert (found.held, found.lost) == ([job.job_id], [job.job_id])
    with pytest.raises(JobNotHeld):
        await client.heartbeat(stale)


async def test_a_lost_lease_completes_nothing(client: Client) -> None:
    await client.submit()
    (job,) = await client.claim("w")
    with pytest.raises(JobNotHeld):
        await client.complete(Lease(job_id=job.job_id, worker_id="other"))
    assert (await client.get_job(job.job_id)).status == "in_progress"


async def test_completions_come_with_follow_ups_and_the_next_claim(client: Client) -> None:
    await client.submit_many([NewJob(payload=n) for n in range(3)])
    jobs = await client.claim("w", limit=2)
    found = await client.complete_many(
        "w",
        [
            Completion(jobs[0], "done", submit=[NewJob(payload="next")]),
            Completion(Lease(job_id=jobs[1].job_id, worker_id="w", attempt=9)),
        ],
        claim=Claim(limit=10),
    )
    assert (found.completed, found.lost) == ([jobs[0].job_id], [jobs[1].job_id])
    assert [job.payload for job in found.jobs] == [2, "next"]


async def test_a_failed_job_is_retried_and_then_dead(client: Client) -> None:
    await client.submit(max_attempts=2)
    (job,) = await client.claim("w")
    failure = await client.fail(job, ValueError("no"), retry_in_ms=0)
    assert failure.status == "unclaimed"
    (job,) = await client.claim("w")
    failure = await client.fail(job, JobError(type="Mine", message="again"))
    assert failure.status == "dead"
    found = await client.get_job(job.job_id)
    assert [(error.type, error.message) for error in found.errors] == [
        ("ValueError", "no"),
        ("Mine", "again"),
    ]
    assert await client.redrive() == 1
    assert (await client.stats()).dead == 0


async def test_a_final_failure_is_dead_at_once(client: Client) -> None:
    await client.submit()
    (job,) = await client.claim("w")
    assert (await client.fail(job, ValueError("no"), final=True)).status == "dead"
    await client.retry(job.job_id)
    assert len(await client.claim("w")) == 1


async def test_a_snoozed_job_waits_without_spending_an_attempt(client: Client) -> None:
    await client.submit()
    (job,) = await client.claim("w")
    run_at = await client.snooze(job, 60_000)
    found = await client.get_job(job.job_id)
    assert (found.status, found.run_at, found.max_attempts) == ("scheduled", run_at, 4)


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


async def test_a_cancelled_claim_gives_its_jobs_back(client: Client) -> None:
    with trio.move_on_after(0.05):
        await client.claim("gone", wait_ms=10_000)
    submitted = await client.submit()
    with trio.fail_after(5):
        (job,) = await client.claim("w", wait_ms=5_000)
    assert job.job_id == submitted.job_id
    assert job.attempt < job.max_attempts


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

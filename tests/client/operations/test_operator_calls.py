"""Looking after a queue through the client: lists, changes of many jobs, figures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from osqueue.client import Client, JobError, JobFilter
from osqueue.core.errors import InvalidRequest
from osqueue.core.fates import bulk

__all__: list[str] = []


@pytest.fixture
async def client(broker_url: str) -> AsyncIterator[Client]:
    async with Client(broker_url) as client:
        yield client


async def submit(client: Client, count: int) -> list[str]:
    return [
        (await client.submit({"n": number}, type="ab"[number % 2])).job_id
        for number in range(count)
    ]


async def test_workers_and_history_tell_what_goes_on(client: Client) -> None:
    await client.submit(1, type="t")
    [job] = await client.claim("worker-1", types=["t"])
    page = await client.workers(limit=5)
    [worker] = page.workers
    assert (worker.worker_id, worker.held, worker.jobs[0].job_id) == ("worker-1", 1, job.job_id)
    history = await client.history(seconds=60)
    assert [commit.outcome for commit in history.commits] == ["landed"] * len(history.commits)
    assert len(history.buckets.commits) == len(history.buckets.wait_ms_p99)
    assert [takeover.epoch for takeover in history.takeovers] == [1]
    stats = await client.stats()
    assert (stats.totals.submitted, stats.totals.claimed, stats.workers) == (1, 1, 1)
    assert stats.last_commit is not None
    assert stats.last_commit.commit_id == stats.commit_id


async def test_every_read_can_be_confirmed_by_the_store(client: Client) -> None:
    job_id = (await client.submit(1)).job_id
    before = (await client.stats()).storage.writes
    await client.get_job(job_id, confirm=True)
    await client.list_jobs(confirm=True)
    await client.dead_groups(confirm=True)
    await client.workers(confirm=True)
    await client.history(confirm=True)
    assert (await client.stats(confirm=True)).storage.writes >= before + 6


async def test_lists_are_filtered_ordered_and_windowed(client: Client) -> None:
    job_ids = await submit(client, 6)
    page = await client.list_jobs(type="b", order="desc", limit=2, payloads=False)
    assert [job.id for job in page.jobs] == [job_ids[5], job_ids[3]]
    assert (page.matched, page.jobs[0].payload) == (3, None)
    page = await client.list_jobs(type="b", order="desc", cursor=page.cursor)
    assert [job.id for job in page.jobs] == [job_ids[1]]
    page = await client.list_jobs(offset=4)
    assert [job.id for job in page.jobs] == job_ids[4:]
    found = [job.id async for job in client.iterate_jobs(text='"n":3', order="desc")]
    assert found == [job_ids[3]]


async def test_many_are_changed_until_none_is_left(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHANGED_JOBS_MAX", 2)
    job_ids = await submit(client, 10)
    assert await client.cancel_many([job_ids[0], "nobody"]) == 1
    assert await client.delete_many(wanted=JobFilter(type="b"), dry_run=True) == 5
    assert await client.delete_many(wanted=JobFilter(type="b"), limit=3) == 3
    assert await client.cancel_many(wanted=JobFilter()) == 6
    assert (await client.stats()).total == 0


async def test_scheduled_jobs_are_retried_at_once(client: Client) -> None:
    await client.submit(1, delay_ms=60_000)
    assert await client.retry_many(wanted=JobFilter(status="scheduled")) == 1
    assert (await client.stats()).unclaimed == 1


async def test_which_jobs_must_be_said(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="jobIds or filter"):
        await client.delete_many()


async def test_dead_letters_are_redriven_by_their_group(client: Client) -> None:
    await submit(client, 3)
    for job in await client.claim("w", limit=3):
        await client.fail(job, JobError(type="E", message=f"no {job.type}\nmore"), final=True)
    found = await client.dead_groups(limit=1)
    [group] = found.groups
    assert (group.type, group.error_message, group.count) == ("a", "no a", 2)
    assert (found.total, found.dead) == (2, 3)
    [job] = (await client.list_jobs(status="dead", type="b")).jobs
    assert job.last_error is not None
    assert job.last_error.message == "no b"
    matching = {"error_type": group.error_type, "error_message": group.error_message}
    assert await client.redrive(**matching, dry_run=True) == 2
    assert await client.redrive(**matching, limit=1) == 1
    assert await client.redrive([job.id]) == 1
    assert await client.redrive(text="no a") == 1
    assert (await client.stats()).dead == 0

"""Functions that are told of jobs, and what becomes of what they raise."""

from __future__ import annotations

import pytest
import structlog.testing
import trio

from osqueue.client import Failure
from osqueue.worker.hooks import Extensions
from osqueue.worker.job import Job
from tests.worker.builders import make_claimed

__all__: list[str] = []


async def test_plain_and_async_hooks_are_called_in_order() -> None:
    extensions = Extensions()
    told: list[object] = []

    async def tell(job: Job, result: object) -> None:
        await trio.lowlevel.checkpoint()
        told.append(("async", job.job_id, result))

    extensions.on_completed.append(tell)
    extensions.on_completed.append(lambda job, result: told.append(("plain", result)))
    await extensions.completed(Job(make_claimed()), 7)
    assert told == [("async", "j", 7), ("plain", 7)]


@pytest.mark.parametrize("is_async", [True, False])
async def test_what_a_hook_raises_is_logged_and_stops_no_other(is_async: bool) -> None:
    extensions = Extensions()
    told: list[str] = []

    async def raise_later(job: Job, *about: object) -> None:
        raise ValueError("no")

    def raise_now(job: Job, *about: object) -> None:
        raise ValueError("no")

    extensions.on_failed += [
        raise_later if is_async else raise_now,
        lambda job, error, failure: told.append(failure.status),
    ]
    with structlog.testing.capture_logs() as logs:
        await extensions.failed(Job(make_claimed()), ValueError(), Failure(status="dead"))
    assert told == ["dead"]
    [entry] = logs
    assert (entry["event"], entry["kind"], entry["job_id"]) == ("hook failed", "on_failed", "j")
    assert entry["exc_info"]

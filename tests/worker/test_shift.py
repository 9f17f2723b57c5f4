"""How a run claims, keeps its slots and drains, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import structlog
import trio
import trio.testing

from osqueue.core.errors import Forbidden, OutcomeUnknown, QueueError, Unavailable
from osqueue.worker.handlers import Handler, Registry
from osqueue.worker.hooks import Extensions
from osqueue.worker.job import Job
from osqueue.worker.outcomes import Snooze
from osqueue.worker.settings import WorkerSettings
from osqueue.worker.shift import Shift
from tests.worker.builders import make_claimed
from tests.worker.fake_client import FakeClient

__all__: list[str] = []

Clock = trio.testing.MockClock


def make_jobs(count: int) -> list[Any]:
    return [make_claimed(number, job_id=f"job-{number}") for number in range(count)]


class Run:
    """A shift at work on a fake queue."""

    def __init__(self, **settings: Any) -> None:
        self.client = FakeClient()
        self.settings = WorkerSettings(**settings)
        self.extensions = Extensions()
        self.drain = trio.Event()
        self.ended = trio.Event()

    async def work(self, function: Callable[..., Awaitable[object]]) -> None:
        registry = Registry()
        registry.add("t", Handler(function, payload_type=None, time_limit_s=None))
        async with trio.open_nursery() as nursery:
            client: Any = self.client
            shift = Shift(
                client,
                "w",
                registry,
                self.settings,
                nursery,
                extensions=self.extensions,
                run_in_thread=None,
                random=random.Random(1),
            )
            await shift.run(self.drain)
        self.ended.set()


async def work_a_second(payload: object) -> None:
    await trio.sleep(1)


async def test_as_much_is_claimed_as_there_is_room_for(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run(concurrency=3, prefetch=2)
    run.client.waiting = make_jobs(20)
    nursery.start_soon(run.work, work_a_second)
    await trio.sleep(0.5)
    assert run.client.named("claim") == [5]
    assert len(run.client.waiting) == 15
    nursery.cancel_scope.cancel()


async def test_a_report_brings_the_next_jobs_and_no_poll_is_needed(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run(concurrency=2)
    run.client.waiting = make_jobs(6)
    nursery.start_soon(run.work, work_a_second)
    await trio.sleep(4)
    assert run.client.named("claim") == [2, 2]
    assert [limit for _, limit in run.client.named("complete_many")] == [2, 2, 2]
    assert run.client.waiting == []
    nursery.cancel_scope.cancel()


async def test_the_log_says_once_for_each_claim_that_no_broker_answers(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run(wait_ms=5_000)
    with structlog.testing.capture_logs() as logs:
        nursery.start_soon(run.work, work_a_second)
        await trio.sleep(100)
        assert logs == [], "polls that are answered are no silence"
        run.client.answers_after_s = 300.0
        await trio.sleep(250)
    (warning,) = logs
    assert warning["event"] == "no broker has answered, asked again"
    assert (warning["log_level"], warning["silence_s"]) == ("warning", 15.0)
    assert "osqueue stats" in warning["advice"]
    nursery.cancel_scope.cancel()


async def test_a_waiting_poll_takes_what_comes(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run(concurrency=2, wait_ms=5_000)
    nursery.start_soon(run.work, work_a_second)
    await trio.sleep(12)
    assert len(run.client.named("claim")) == 3
    run.client.add(*make_jobs(1))
    await trio.sleep(2)
    assert [ids for ids, _ in run.client.named("complete_many")] == [["job-0"]]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("error", [Unavailable("no"), OutcomeUnknown("no")])
async def test_a_broker_that_is_away_is_asked_again(
    nursery: trio.Nursery, error: QueueError, autojump_clock: Clock
) -> None:
    run = Run()
    run.client.refusals = [error, error]
    run.client.waiting = make_jobs(1)
    nursery.start_soon(run.work, work_a_second)
    await trio.sleep(5)
    assert len(run.client.named("complete_many")) == 1
    nursery.cancel_scope.cancel()


async def test_a_refusal_for_good_ends_the_worker(autojump_clock: Clock) -> None:
    run = Run()
    run.client.refusals = [Forbidden("no")]
    with pytest.RaisesGroup(Forbidden):
        await run.work(work_a_second)


async def test_a_job_that_comes_again_stops_its_older_attempt(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run(concurrency=2)
    stopped: list[int] = []

    async def linger(number: int) -> None:
        try:
            await trio.sleep(1 if number == 2 else 100)
        except trio.Cancelled:
            stopped.append(number)
            raise

    run.client.waiting = [make_claimed(1, job_id="same", attempt=1)]
    nursery.start_soon(run.work, linger)
    await trio.sleep(0.5)
    run.client.add(make_claimed(2, job_id="same", attempt=2))
    await trio.sleep(5)
    assert stopped == [1]
    assert [ids for ids, _ in run.client.named("complete_many")] == [["same"]]
    nursery.cancel_scope.cancel()


async def test_a_type_without_a_handler_is_a_dead_letter(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run()
    job = make_claimed(job_id="odd")
    job = msgspec.structs.replace(job, wire=msgspec.structs.replace(job.wire, type="other"))
    run.client.waiting = [job]
    nursery.start_soon(run.work, work_a_second)
    await trio.sleep(1)
    assert [(job_id, final) for job_id, _, final in run.client.named("fail")] == [("odd", True)]
    nursery.cancel_scope.cancel()


async def test_a_drain_ends_when_everything_is_reported(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run(concurrency=1, prefetch=2, drain_timeout_s=10)
    run.client.waiting = make_jobs(5)
    nursery.start_soon(run.work, work_a_second)
    await trio.sleep(0.5)
    run.drain.set()
    await run.ended.wait()
    assert trio.current_time() < 2
    assert run.client.named("complete_many") == [(["job-0"], None)]
    assert {job_id for job_id, _ in run.client.named("snooze")} == {"job-1", "job-2"}
    assert len(run.client.waiting) == 2


async def test_a_drain_gives_back_what_a_report_on_its_way_brings(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run(concurrency=1)
    run.client.waiting = make_jobs(2)
    nursery.start_soon(run.work, work_a_second)
    await trio.sleep(1.15)
    run.drain.set()
    await run.ended.wait()
    assert run.client.named("complete_many") == [(["job-0"], 1)]
    assert run.client.named("snooze") == [("job-1", 1_000)]


async def test_a_drain_gives_back_what_does_not_end_in_time(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run(drain_timeout_s=3)
    run.client.waiting = make_jobs(2)

    async def linger(number: int) -> None:
        await trio.sleep(100 if number else 1)

    nursery.start_soon(run.work, linger)
    await trio.sleep(0.5)
    run.drain.set()
    await run.ended.wait()
    assert [ids for ids, _ in run.client.named("complete_many")] == [["job-0"]]
    assert run.client.named("snooze") == [("job-1", 1_000)]


async def test_held_jobs_have_heartbeats_until_they_end(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run()
    run.client.waiting = make_jobs(2)

    async def work(number: int) -> None:
        await trio.sleep(2.5 + number)

    nursery.start_soon(run.work, work)
    await trio.sleep(10)
    assert run.client.named("heartbeat_many") == [
        ["job-0", "job-1"],
        ["job-0", "job-1"],
        ["job-1"],
    ]
    nursery.cancel_scope.cancel()


async def test_a_lease_is_kept_until_its_report_is_answered(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run(wait_ms=100)
    run.client.answers_after_s = 2.5
    run.client.waiting = make_jobs(1)

    async def end_at_once(number: int) -> None:
        await trio.lowlevel.checkpoint()

    nursery.start_soon(run.work, end_at_once)
    await trio.sleep(10)
    assert [ids for ids, _ in run.client.named("complete_many")] == [["job-0"]]
    assert run.client.named("heartbeat_many") == [["job-0"], ["job-0"]]
    nursery.cancel_scope.cancel()


async def test_a_job_whose_lease_is_lost_is_stopped_and_not_reported(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run()
    run.client.lost_leases = {"job-0"}
    run.client.waiting = make_jobs(2)

    async def work(number: int) -> None:
        await trio.sleep(2)

    nursery.start_soon(run.work, work)
    await trio.sleep(5)
    assert [ids for ids, _ in run.client.named("complete_many")] == [["job-1"]]
    assert run.client.named("snooze") == run.client.named("fail") == []
    nursery.cancel_scope.cancel()


async def test_hooks_hear_of_what_became_of_jobs(
    nursery: trio.Nursery, autojump_clock: Clock
) -> None:
    run = Run()
    run.client.waiting = make_jobs(3)
    told: list[object] = []
    run.extensions.on_claimed.append(lambda job: told.append(f"claimed {job.job_id}"))
    run.extensions.on_completed.append(lambda job, result: told.append((job.job_id, result)))
    run.extensions.on_failed.append(
        lambda job, error, failure: told.append((job.job_id, str(error), failure.status))
    )

    async def work(number: int, job: Job) -> str:
        await trio.sleep(number)
        if number == 1:
            raise ValueError("no")
        if number == 2:
            raise Snooze(7_000)
        job.submit("next", type="after")
        return "done"

    nursery.start_soon(run.work, work)
    await trio.sleep(5)
    assert sorted(map(str, told[:3])) == ["claimed job-0", "claimed job-1", "claimed job-2"]
    assert told[3:] == [("job-0", "done"), ("job-1", "no", "dead")]
    assert run.client.named("snooze") == [("job-2", 7_000)]
    assert [job.type for job in run.client.submitted] == ["after"]
    nursery.cancel_scope.cancel()

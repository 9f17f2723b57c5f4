"""The queue for the tests of handlers: that it is quick, true, and says what is wrong."""

from __future__ import annotations

import re
import socket
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from osqueue.client import Client, JobDead, NewJob
from osqueue.core.errors import InvalidRequest
from osqueue.settings import Settings
from osqueue.testing import open_test_queue
from osqueue.worker import Dead, Job, Snooze, Worker

__all__: list[str] = []

Clock = trio.testing.MockClock
GUIDE = Path(__file__).parents[1] / "docs" / "testing-handlers.md"


class Email(msgspec.Struct):
    to: str


def make_worker(**settings: Any) -> Worker:
    worker = Worker(**settings)

    @worker.handler("email:send")
    async def send(email: Email) -> str:
        await trio.sleep(60)
        return f"sent to {email.to}"

    @worker.handler("count")
    def count(number: int, job: Job) -> int:
        if number:
            job.submit(number - 1, type="count")
        return number

    @worker.handler("fail")
    async def fail(failures: int, job: Job) -> None:
        if job.attempt <= failures:
            raise ValueError(f"attempt {job.attempt}")

    return worker


async def test_handlers_run_until_there_is_nothing_left(autojump_clock: Clock) -> None:
    async with open_test_queue(make_worker()) as queue:
        await queue.client.submit(Email("a@b"), type="email:send")
        await queue.client.submit(3, type="count")
        queue.assert_enqueued("email:send", payload=Email("a@b"), count=1)
        await queue.run_until_idle()
        [sent] = queue.completed("email:send")
        assert (sent.result, sent.payload, sent.attempts) == ("sent to a@b", {"to": "a@b"}, 1)
        assert [job.result for job in queue.completed("count")] == [3, 2, 1, 0]
        assert queue.jobs() == queue.enqueued() == queue.dead() == []
        assert (await queue.client.stats()).completed_total == 5


async def test_events_are_refused_and_the_refusal_says_what_to_look_at(
    autojump_clock: Clock,
) -> None:
    async with open_test_queue(make_worker()) as queue:
        with pytest.raises(InvalidRequest, match=r"in osqueue\.testing .* jobs\(\), completed\(\)"):
            queue.client.subscribe(["stats"])


async def test_nothing_runs_before_it_is_told_to(autojump_clock: Clock) -> None:
    async with open_test_queue(make_worker()) as queue:
        await queue.client.submit(0, type="count")
        await trio.sleep(1_000)
        assert not queue.completed()
        await queue.run_until_idle()
        await queue.client.submit(0, type="count")
        await trio.sleep(1_000)
        assert len(queue.completed()) == 1
        await queue.run_until_idle()
        assert len(queue.completed()) == 2


async def test_neither_sockets_nor_threads_are_used(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a test of handlers needs no network")

    worker = make_worker()
    threads: set[threading.Thread] = set()

    @worker.handler("thread")
    def work() -> None:
        threads.add(threading.current_thread())

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
    async with open_test_queue(worker) as queue:
        assert await queue.client.health()
        await queue.client.submit(type="thread")
        await queue.run_until_idle()
    assert threads == {threading.current_thread()}


async def test_retries_wait_until_they_are_asked_for(autojump_clock: Clock) -> None:
    async with open_test_queue(make_worker()) as queue:
        await queue.client.submit(2, type="fail")
        await queue.run_until_idle()
        [job] = queue.jobs("fail", status="scheduled")
        assert [error.message for error in job.errors] == ["attempt 1"]
        await queue.run_until_idle(with_scheduled=True)
        assert [job.attempts for job in queue.completed("fail")] == [3]


async def test_dead_letters_say_why(autojump_clock: Clock) -> None:
    async with open_test_queue(make_worker(), settings=memory(max_attempts=2)) as queue:
        submitted = await queue.client.submit(9, type="fail")
        await queue.client.submit({"to": 1}, type="email:send")
        await queue.run_until_idle(with_scheduled=True)
        failed, misfit = queue.dead()
        assert queue.dead("fail") == [failed]
        assert [error.message for error in failed.errors] == ["attempt 1", "attempt 2"]
        assert misfit.errors[0].type == "ValidationError"
        with pytest.raises(JobDead):
            await queue.client.wait(submitted.job_id)


async def test_time_passes_as_the_clock_says(autojump_clock: Clock) -> None:
    async with open_test_queue(make_worker(), now_ms=1_000_000) as queue:
        await queue.client.submit(0, type="count", delay_ms=3_600_000)
        await queue.run_until_idle()
        queue.assert_enqueued("count")
        await trio.sleep(3_600)
        await queue.run_until_idle()
        [job] = queue.completed()
        assert 1_000_000 <= job.created_at < 1_010_000
        assert queue.now_ms() - job.created_at >= 3_600_000


async def test_delayed_jobs_are_waited_for_when_that_is_asked_for(autojump_clock: Clock) -> None:
    async with open_test_queue(make_worker()) as queue:
        await queue.client.submit(0, type="count", run_at=queue.now_ms() + 600_000)
        await queue.run_until_idle(with_scheduled=True)
        assert queue.completed("count")


async def test_snoozed_and_given_up_jobs_are_seen(autojump_clock: Clock) -> None:
    worker = Worker()

    @worker.handler
    async def decide(payload: str, job: Job) -> str:
        if payload == "never":
            raise Dead("no")
        if job.attempt == 1:
            raise Snooze(600_000)
        return payload

    async with open_test_queue(worker) as queue:
        await queue.client.submit_many(
            NewJob(payload=payload, type="decide") for payload in ("later", "never")
        )
        await queue.run_until_idle()
        assert [job.payload for job in queue.enqueued()] == ["later"]
        assert [job.payload for job in queue.dead()] == ["never"]
        await queue.run_until_idle(with_scheduled=True, timeout_s=700)
        assert [job.result for job in queue.completed()] == ["later"]


async def test_hooks_have_run_when_the_queue_is_idle_and_so_has_what_they_submit(
    autojump_clock: Clock,
) -> None:
    worker = make_worker()
    async with open_test_queue(worker) as queue:

        @worker.on_completed
        async def follow(job: Job, result: object) -> None:
            await trio.sleep(5)
            if job.type == "email:send":
                await queue.client.submit(1, type="count")

        await queue.client.submit(Email("a"), type="email:send")
        await queue.run_until_idle()
        assert [job.type for job in queue.completed()] == ["email:send", "count", "count"]


async def test_jobs_without_a_handler_and_paused_ones_are_nothing_to_wait_for(
    autojump_clock: Clock,
) -> None:
    async with open_test_queue(make_worker()) as queue:
        await queue.client.submit(type="other")
        await queue.client.submit(0, type="count")
        await queue.client.pause(type="count")
        await queue.run_until_idle()
        assert len(queue.enqueued()) == 2
        await queue.client.resume(type="count")
        await queue.client.pause()
        await queue.run_until_idle()
        assert len(queue.enqueued()) == 2
        await queue.client.resume()
        await queue.run_until_idle()
        assert [job.type for job in queue.enqueued()] == ["other"]


async def test_jobs_that_the_test_itself_completes_are_seen_as_well(
    autojump_clock: Clock,
) -> None:
    async with open_test_queue() as queue:
        kept = await queue.client.submit([1], type="t", result_ttl_ms=60_000)
        (job,) = await queue.client.claim("w")
        await queue.client.complete(job, "done")
        [completed] = queue.completed("t")
        [stored] = queue.jobs(status="completed")
        assert (completed.id, completed.result, completed.payload) == (kept.job_id, "done", [1])
        assert (stored.id, stored.result) == (kept.job_id, "done")
        await trio.sleep(61)
        await queue.client.submit()
        assert queue.jobs(status="completed") == []
        assert queue.completed("t") == [completed]


async def test_a_handler_that_never_ends_is_named(autojump_clock: Clock) -> None:
    worker = Worker()

    @worker.handler
    async def linger() -> None:
        await trio.sleep_forever()

    async with open_test_queue(worker) as queue:
        await queue.client.submit("x", type="linger")
        with pytest.raises(TimeoutError, match="not idle after 100 s: 'linger' in_progress 'x'"):
            await queue.run_until_idle(timeout_s=100)


async def test_assertions_name_what_is_there_instead(autojump_clock: Clock) -> None:
    async with open_test_queue() as queue:
        with pytest.raises(AssertionError, match="not enqueued: 't'; what is: nothing"):
            queue.assert_enqueued("t")
        queue.assert_not_enqueued("t")
        await queue.client.submit({"n": 1}, type="t", delay_ms=1_000)
        await queue.client.submit({"n": 2}, type="t")
        assert len(queue.assert_enqueued("t")) == 2
        [job] = queue.assert_enqueued("t", payload={"n": 2}, count=1)
        assert job.status == "unclaimed"
        with pytest.raises(AssertionError, match="'t' with payload 7; what is: 't' scheduled"):
            queue.assert_enqueued("t", payload=7)
        with pytest.raises(AssertionError, match="not 3 times enqueued"):
            queue.assert_enqueued("t", count=3)
        with pytest.raises(AssertionError, match="enqueued all the same"):
            queue.assert_not_enqueued("t", payload={"n": 1})
        queue.assert_not_enqueued("t", payload={"n": 3})
        queue.assert_enqueued("u", count=0)


async def test_the_rules_of_the_queue_hold(autojump_clock: Clock) -> None:
    async with open_test_queue() as queue:
        with pytest.raises(InvalidRequest, match="priority"):
            await queue.client.submit(priority=1_000)
        with pytest.raises(InvalidRequest):
            await queue.client.submit("x" * 300_000)
        first = await queue.client.submit(unique_key="k")
        assert (await queue.client.submit(unique_key="k")).job_id == first.job_id


async def test_it_works_in_real_time_too() -> None:
    async with open_test_queue(make_worker()) as queue:
        await queue.client.submit(2, type="count")
        await queue.run_until_idle()
        assert len(queue.completed()) == 3


async def test_what_a_test_raises_comes_out_as_it_is(autojump_clock: Clock) -> None:
    with pytest.raises(AssertionError, match="mine"):
        async with open_test_queue(make_worker()):
            raise AssertionError("mine")


async def test_a_queue_is_entered_once_and_before_it_is_used(autojump_clock: Clock) -> None:
    queue = open_test_queue()
    for use in (lambda: queue.client, queue.now_ms):
        with pytest.raises(RuntimeError, match="enter the queue first"):
            use()
    async with queue:
        with pytest.raises(RuntimeError, match="nobody to run jobs"):
            await queue.run_until_idle()
        with pytest.raises(RuntimeError, match="once"):
            await queue.__aenter__()


async def test_two_queues_that_are_opened_at_the_same_time_are_alike(
    autojump_clock: Clock,
) -> None:
    async def submit() -> str:
        async with open_test_queue(now_ms=1) as queue:
            await queue.client.submit(job_id="j")
            return (await queue.client.stats()).commit_id

    assert await submit() == await submit()


async def test_a_worker_leaves_no_claim_behind_that_takes_a_job(autojump_clock: Clock) -> None:
    async with open_test_queue(make_worker()) as queue:
        await queue.client.submit(0, type="count")
        await queue.run_until_idle()
        later = await queue.client.submit(0, type="count")
        await trio.sleep(60)
        assert (await queue.client.get_job(later.job_id)).attempts == 0


def memory(**settings: Any) -> Settings:
    return Settings(storage_backend="memory", **settings)


def guide_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)


async def test_the_example_of_the_guide_runs(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, tests, *others = guide_blocks()
    module = types.ModuleType("shop")
    monkeypatch.setitem(sys.modules, "shop", module)
    exec(compile(shop, "shop.py", "exec"), module.__dict__)
    names: dict[str, Any] = {}
    exec(compile(tests, "test_shop.py", "exec"), names)
    found: list[Callable[..., Any]] = [
        function for name, function in names.items() if name.startswith("test_")
    ]
    assert len(found) >= 3
    for function in found:
        await function(autojump_clock)
    for number, block in enumerate(others):
        compile(block, f"block {number}", "exec")


async def test_the_client_is_the_public_one(autojump_clock: Clock) -> None:
    async with open_test_queue() as queue:
        assert isinstance(queue.client, Client)
        assert queue.client.is_connected

"""Who fills the queue and looks into it: producers with a client, and one who waits for results."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio

from osqueue.client import Client, JobDead, NewJob
from osqueue.core.errors import JobNotFound
from osqueue.core.retry_policy import RetryPolicy
from tests.simulation.checkers.views import Violation
from tests.simulation.shells.asking import Cancelled, ask

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["produce"]

TYPES = ("a", "b")
KEEP_MS = 120_000
ANSWER_S = 3.0
"""How much longer than its time-out a call may take, on a machine that is never busy."""
WAIT_S = 8.0


async def produce(world: World, number: int) -> None:
    """One producer, with one client after another."""
    while world.is_busy:
        async with world.client() as client:
            producer = _Producer(world, client, f"p{number}")
            calls = world.random.randint(5, 40)
            while world.is_busy and calls:
                calls -= 1
                await world.rest()
                await producer.call_once()


class _Producer:
    """Calls of one client."""

    def __init__(self, world: World, client: Client, name: str) -> None:
        self._world = world
        self._client = client
        self._name = name
        self._bound_s = world.plan.client_timeout_s + ANSWER_S
        self._calls: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (6, self._submit),
            (2, self._submit_many),
            (3, self._submit_and_wait),
            (1, self._cancel),
            (1, self._delete),
            (1, self._retry),
            (1, self._redrive),
            (1, self._pause),
            (2, self._read),
            (1, self._list),
            (1, self._stats),
        ]

    async def call_once(self) -> None:
        weights = [weight for weight, _ in self._calls]
        [(_, call)] = self._world.random.choices(self._calls, weights)
        await call()

    def _make_job(self) -> dict[str, Any]:
        """The arguments of one submit."""
        random = self._world.random
        made: dict[str, Any] = {
            "payload": {"behaviour": self._world.draw_behaviour(), "filler": "x" * 40},
            "type": random.choice(TYPES),
            "job_id": self._world.new_job_id(self._name),
        }
        if random.random() < 0.2:
            made["delay_ms"] = random.randint(1, 3_000)
        if random.random() < 0.2:
            made["priority"] = random.randint(-2, 2)
        if random.random() < 0.15:
            made["unique_key"] = f"key-{random.randint(1, 3)}"
        if random.random() < 0.2:
            made["retry"] = RetryPolicy(50, 1.5, 500)
        made["max_attempts"] = random.randint(1, 4)
        return made

    async def _submit(self) -> None:
        job = self._make_job()
        payload = job.pop("payload")
        answer = await self._ask("submit", lambda: self._client.submit(payload, **job))
        if answer is not None:
            self._world.ledger.submitted(answer.job_id)
            if answer.job_id != job["job_id"] and not job.get("unique_key"):
                raise Violation("answers", f"{job['job_id']} was answered as {answer.job_id}")

    async def _submit_many(self) -> None:
        jobs = [NewJob(**self._make_job()) for _ in range(self._world.random.randint(2, 5))]
        answer = await self._ask("submit_many", lambda: self._client.submit_many(jobs))
        for job_id in [] if answer is None else answer.job_ids:
            self._world.ledger.submitted(job_id)

    async def _submit_and_wait(self) -> None:
        job = {**self._make_job(), "result_ttl_ms": KEEP_MS}
        job.pop("unique_key", None)
        payload, job_id = job.pop("payload"), job["job_id"]
        answer = await self._ask("submit", lambda: self._client.submit(payload, **job))
        if answer is None:
            return
        self._world.ledger.submitted(job_id)
        await self._ask("wait", lambda: self._wait(job_id), more_s=WAIT_S + 2)

    async def _wait(self, job_id: str) -> None:
        ledger = self._world.ledger
        try:
            result = await self._client.wait(job_id, timeout_s=WAIT_S)
        except JobDead:
            self._world.reached("wait: dead")
        except TimeoutError:
            self._world.reached("wait: not in time")
        except JobNotFound:
            if job_id not in ledger.removals_asked:
                raise Violation("no job is lost", f"{job_id} is kept, but not found") from None
        else:
            self._world.reached("wait: result")
            if result["jobId"] != job_id:
                raise Violation("answers", f"{job_id} has the result {result}")
            ledger.settled(job_id, result["attempt"], ("completed",))

    async def _cancel(self) -> None:
        job_id = self._world.some_job_id()
        self._world.ledger.removals_asked.add(job_id)
        await self._ask("cancel", lambda: self._client.cancel(job_id))

    async def _delete(self) -> None:
        job_id = self._world.some_job_id()
        self._world.ledger.removals_asked.add(job_id)
        await self._ask("delete", lambda: self._client.delete(job_id))

    async def _retry(self) -> None:
        await self._ask("retry", lambda: self._client.retry(self._world.some_job_id()))

    async def _redrive(self) -> None:
        await self._ask("redrive", lambda: self._client.redrive(limit=3))

    async def _pause(self) -> None:
        kind = self._world.random.choice([None, *TYPES])
        await self._ask("pause", lambda: self._client.pause(type=kind))
        await self._world.rest()
        await self._ask("resume", lambda: self._client.resume(type=kind))

    async def _read(self) -> None:
        job_id, wait_ms = self._world.some_job_id(), self._world.random.choice([0, 0, 2_000])
        answer = await self._ask(
            "get_job",
            lambda: self._client.get_job(job_id, wait_ms=wait_ms),
            more_s=wait_ms / 1_000,
        )
        if answer is not None:
            self._world.ledger.job_seen(job_id, answer.status, answer.attempts, where="get_job")

    async def _list(self) -> None:
        answer = await self._ask("list_jobs", lambda: self._client.list_jobs(limit=20))
        for job in [] if answer is None else answer.jobs:
            self._world.ledger.job_seen(job.id, job.status, job.attempts, where="list_jobs")

    async def _stats(self) -> None:
        stats = await self._ask("stats", self._client.stats)
        if stats is not None:
            self._world.check_stats(stats, where="stats")

    async def _ask(
        self, what: str, call: Callable[[], Awaitable[Any]], *, more_s: float = 0.0
    ) -> Any:
        """What was answered; None where it was an error, or nobody waited for it."""
        bound_s = self._bound_s + more_s
        answer = await ask(self._world, f"client.{what}", call, bound_s=bound_s)
        return None if isinstance(answer, Cancelled | Exception) else answer


async def resume_all(world: World) -> None:
    """End what pauses were left by callers that were cancelled."""
    async with world.client(timeout_s=60.0) as client:
        await client.resume()
        for kind in TYPES:
            await client.resume(type=kind)
    await trio.lowlevel.checkpoint()

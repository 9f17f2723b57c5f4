"""Who takes jobs: the real `Worker`, and programs that claim and settle by themselves."""

from __future__ import annotations

import random as random_module
from typing import TYPE_CHECKING, Any

import trio

from osqueue.client import Claim, ClaimedJob, Client, Completion, JobError, NewJob
from osqueue.core.errors import JobNotHeld, QueueError
from osqueue.worker import Dead, Job, Snooze, Worker
from tests.simulation.checkers.views import Violation
from tests.simulation.shells.asking import Cancelled, ask
from tests.simulation.shells.producers import ANSWER_S, TYPES

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["claim_by_hand", "work"]

DRAIN_S = 2.0
STOP_S = 5.0 + 1.0 + 1.0
"""What a stopping worker may take beyond its drain: reports, goodbye, and a little."""


class _Worker(Worker):
    """A worker whose name the world gives: the machine's name and process differ between runs."""

    name = ""

    def _make_worker_id(self) -> str:
        return self.name


async def work(world: World, number: int) -> None:
    """One worker after another, each for a while; the last one until the end."""
    generation = 0
    while not world.is_over:
        generation += 1
        worker = _make_worker(world, f"w{number}.{generation}")
        async with trio.open_nursery() as nursery:
            ended = trio.Event()
            nursery.start_soon(_end_worker, world, worker, nursery.cancel_scope, ended)
            await worker.run()
            ended.set()
            nursery.cancel_scope.cancel()


async def _end_worker(
    world: World, worker: _Worker, scope: trio.CancelScope, ended: trio.Event
) -> None:
    life_s = world.random.uniform(1.0, 12.0)
    with trio.move_on_after(life_s):
        await world.calm.wait()
    if world.is_calm:
        await world.over.wait()
    elif world.strikes("worker crashes"):
        world.note(f"{worker.name} crashes")
        scope.cancel()
        return
    world.note(f"{worker.name} stops")
    worker.stop()
    with trio.move_on_after(DRAIN_S + STOP_S):
        await ended.wait()
    if not ended.is_set():
        raise Violation("stops in time", f"{worker.name} still runs {DRAIN_S + STOP_S} s later")


def _make_worker(world: World, name: str) -> _Worker:
    random = world.random
    worker = _Worker(
        world.broker_urls,
        concurrency=random.randint(1, 3),
        prefetch=random.choice([0, 0, 2]),
        wait_ms=random.choice([200, 2_000, 20_000]),
        drain_timeout_s=DRAIN_S,
        random=random_module.Random(random.getrandbits(64)),
    )
    worker.name = name

    async def handle(payload: dict[str, Any], job: Job) -> dict[str, Any]:
        return await run_job(world, name, payload, job)

    for kind in TYPES:
        worker.handler(kind)(handle)
    return worker


async def run_job(world: World, name: str, payload: dict[str, Any], job: Job) -> dict[str, Any]:
    """What a handler does: by its payload, it succeeds, fails, takes long, or hangs for a while."""
    world.ledger.claimed(job.job_id, job.attempt, name, by=name)
    world.reached(f"handler {payload['behaviour']}")
    match payload["behaviour"]:
        case "quick":
            await trio.lowlevel.checkpoint()
        case "slow":
            await trio.sleep(world.random.uniform(0.1, 3.0))
        case "long":
            # Longer than a lease: heartbeats keep it. While faults strike, at most.
            await trio.sleep(world.plan.settings.lease_ms * 2.5 / 1_000)
        case "fails":
            await trio.sleep(world.random.uniform(0.0, 0.3))
            raise ValueError("as its payload says")
        case "snoozes":
            # Every other attempt, so that it ends some time.
            if job.attempt % 2:
                raise Snooze(1_000)
        case "dies":
            raise Dead("as its payload says")
        case "is followed":
            job_id = world.new_job_id("follow")
            world.ledger.follow_ups[job_id] = (job.job_id, job.attempt)
            job.submit({"behaviour": "quick"}, type=TYPES[0], job_id=job_id)
        case behaviour:
            raise AssertionError(behaviour)
    world.ledger.completions_asked.add((job.job_id, job.attempt))
    return {"jobId": job.job_id, "attempt": job.attempt}


async def claim_by_hand(world: World, number: int) -> None:
    """A program that claims with a client, and settles in every way."""
    while world.is_busy:
        async with world.client() as client:
            hand = _Hand(world, client, f"h{number}")
            rounds = world.random.randint(3, 15)
            while world.is_busy and rounds:
                rounds -= 1
                await world.rest()
                await hand.claim_once()


class _Hand:
    """Claims and settlements of one client."""

    def __init__(self, world: World, client: Client, name: str) -> None:
        self._world = world
        self._client = client
        self._name = name
        self._bound_s = world.plan.client_timeout_s + ANSWER_S

    async def claim_once(self) -> None:
        world = self._world
        worker_id = world.new_worker_id(self._name)
        wait_ms = world.random.choice([0, 500, 5_000])
        limit = world.random.randint(1, 3)
        answer = await ask(
            world,
            "client.claim",
            lambda: self._client.claim(worker_id, types=TYPES, limit=limit, wait_ms=wait_ms),
            bound_s=self._bound_s + wait_ms / 1_000,
        )
        if isinstance(answer, list):
            await self._settle(worker_id, answer, depth=2)

    async def _settle(self, worker_id: str, jobs: list[ClaimedJob[Any]], *, depth: int) -> None:
        world = self._world
        for job in jobs:
            world.ledger.claimed(job.job_id, job.attempt, worker_id, by=worker_id)
        if not jobs:
            return
        await world.rest()
        if world.random.random() < 0.3 and depth:
            await self._complete_many(worker_id, jobs, depth=depth - 1)
            return
        for job in jobs:
            how = world.random.choice(["complete", "complete", "fail", "snooze", "beat", "leave"])
            match how:
                case "complete":
                    await self._complete(job)
                case "fail":
                    await self._fail(job)
                case "snooze":
                    if await self._ask("snooze", job, self._client.snooze(job, 1_000)):
                        world.ledger.settled(job.job_id, job.attempt, ("scheduled", "gone"))
                case "beat":
                    await self._ask("heartbeat", job, self._client.heartbeat(job))
                    await self._complete(job)
                case _:
                    world.reached("a claimed job is left")

    async def _complete(self, job: ClaimedJob[Any]) -> None:
        world = self._world
        world.ledger.completions_asked.add((job.job_id, job.attempt))
        result = {"jobId": job.job_id, "attempt": job.attempt}
        if await self._ask("complete", job, self._client.complete(job, result)):
            world.ledger.settled(job.job_id, job.attempt, ("completed", "gone"))

    async def _fail(self, job: ClaimedJob[Any]) -> None:
        error = JobError(type="Failed", message="by hand")
        is_final = self._world.random.random() < 0.2
        failing = self._client.fail(job, error, final=is_final)
        answer = await self._ask("fail", job, failing)
        if answer:
            self._world.ledger.settled(job.job_id, job.attempt, (answer[0].status,))

    async def _complete_many(
        self, worker_id: str, jobs: list[ClaimedJob[Any]], *, depth: int
    ) -> None:
        world = self._world
        follow_ups = [
            NewJob(
                payload={"behaviour": "quick"},
                type=world.random.choice(TYPES),
                job_id=world.new_job_id("follow"),
            )
        ]
        completions = [
            Completion(job, {"jobId": job.job_id, "attempt": job.attempt}, submit=follow_ups[:1])
            if job is jobs[0]
            else Completion(job, {"jobId": job.job_id, "attempt": job.attempt})
            for job in jobs
        ]
        for job in jobs:
            world.ledger.completions_asked.add((job.job_id, job.attempt))
        world.ledger.follow_ups[follow_ups[0].job_id or ""] = (jobs[0].job_id, jobs[0].attempt)
        answer = await ask(
            world,
            "client.complete_many",
            lambda: self._client.complete_many(
                worker_id, completions, claim=Claim(types=TYPES, limit=2)
            ),
            bound_s=self._bound_s,
        )
        if isinstance(answer, Cancelled | QueueError):
            return
        attempts = {job.job_id: job.attempt for job in jobs}
        for job_id in answer.completed:
            world.ledger.settled(job_id, attempts[job_id], ("completed", "gone"))
            if job_id == jobs[0].job_id:
                world.ledger.submitted(follow_ups[0].job_id or "")
        await self._settle(worker_id, answer.jobs, depth=depth)

    async def _ask(self, what: str, job: ClaimedJob[Any], call: Any) -> tuple[Any] | None:
        """The answer in a tuple; None where it was an error, or nobody waited for it."""
        answer = await ask(self._world, f"client.{what}", lambda: call, bound_s=self._bound_s)
        if isinstance(answer, JobNotHeld):
            self._world.reached(f"{what}: not held")
        return None if isinstance(answer, Cancelled | Exception) else (answer,)

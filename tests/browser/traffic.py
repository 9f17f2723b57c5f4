"""A busy shop, so that there is something to see: `python -m tests.browser.traffic URL`.

It submits in waves, works with three workers, fails a few jobs, and goes on until it is killed.
"""

from __future__ import annotations

import math
import random
import sys
from itertools import count
from typing import Any

import trio

from osqueue.client import Client
from osqueue.client.requests import JobError, NewJob
from osqueue.client.results import ClaimedJob

__all__ = ["WORKERS"]

WORKERS = ("shop-7f2a", "shop-91c4", "shop-c30e")
TYPES = ("email:send", "email:send", "invoice:render", "thumbnail:make")
TICK_S = 0.2
JOBS_A_TICK = 5
WAVE_TICKS = 60
HELD_MAX = 8
WORK_S = (0.15, 0.9)
FAILING = 0.03
REFUSED = JobError(type="SmtpRefused", message="451 4.7.1 greylisted, try again later")


async def produce(client: Client, chance: random.Random) -> None:
    """Submit in waves that take twelve seconds."""
    for tick in count():
        height = 1 + 0.7 * math.sin(tick * 2 * math.pi / WAVE_TICKS)
        jobs = [
            NewJob(payload={"order": 48_300 + tick, "line": line}, type=chance.choice(TYPES))
            for line in range(max(round(JOBS_A_TICK * height * chance.uniform(0.6, 1.4)), 1))
        ]
        await client.submit_many(jobs)
        await trio.sleep(TICK_S)


async def work(client: Client, name: str, chance: random.Random) -> None:
    """Claim whatever there is, some at a time."""
    room = trio.Semaphore(HELD_MAX)
    async with trio.open_nursery() as nursery:
        while True:
            async with room:
                free = room.value + 1
            for job in await client.claim(name, limit=free, wait_ms=5_000):
                await room.acquire()
                nursery.start_soon(run, client, job, chance, room)


async def run(
    client: Client, job: ClaimedJob[Any], chance: random.Random, room: trio.Semaphore
) -> None:
    """Take as long as such a job does, and report."""
    await trio.sleep(chance.uniform(*WORK_S))
    if chance.random() < FAILING:
        await client.fail(job, REFUSED, retry_in_ms=5_000)
    else:
        await client.complete(job)
    room.release()


async def main(url: str) -> None:
    """All of it at once."""
    chance = random.Random(48_211)
    async with Client(url) as client, trio.open_nursery() as nursery:
        for name in WORKERS:
            nursery.start_soon(work, client, name, chance)
        nursery.start_soon(produce, client, chance)


if __name__ == "__main__":
    trio.run(main, sys.argv[1])

"""When heartbeats are sent, and what their answers do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import trio
import trio.testing

from osqueue.client import ClaimedJob, Heartbeats
from osqueue.client.transports.bell import Bell
from osqueue.core.errors import Unavailable
from osqueue.worker.heartbeats import keep_leases
from tests.worker.builders import make_claimed

__all__: list[str] = []


class FakeClient:
    """Answers heartbeats as it is told, and remembers when they came."""

    def __init__(self) -> None:
        self.answer: Heartbeats | Exception | None = Heartbeats()
        self.sent: list[tuple[float, list[str]]] = []

    async def heartbeat_many(self, worker_id: str, jobs: Iterable[Any]) -> Heartbeats:
        self.sent.append((trio.current_time(), [job.job_id for job in jobs]))
        if self.answer is None:
            await trio.sleep_forever()
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None
        return self.answer


class Keeper:
    """The heartbeats of some jobs."""

    def __init__(self, jobs: list[ClaimedJob[Any]]) -> None:
        self.client = FakeClient()
        self.jobs = jobs
        self.has_held = Bell()
        self.lost: list[ClaimedJob[Any]] = []
        self.cancelled: list[ClaimedJob[Any]] = []

    async def run_for(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await keep_leases(
                self.client,  # type: ignore[arg-type]
                "w",
                held=lambda: self.jobs,
                has_held=self.has_held,
                on_lost=self.lost.append,
                on_cancel_requested=self.cancelled.append,
            )


async def test_one_message_for_all_jobs_at_a_third_of_the_lease(
    autojump_clock: trio.testing.MockClock,
) -> None:
    keeper = Keeper([make_claimed(job_id="a"), make_claimed(job_id="b", lease_ms=60_000)])
    await keeper.run_for(2.5)
    assert keeper.client.sent == [(1.0, ["a", "b"]), (2.0, ["a", "b"])]


async def test_without_jobs_there_is_nothing_to_say(
    autojump_clock: trio.testing.MockClock,
) -> None:
    keeper = Keeper([])
    await keeper.run_for(100)
    assert keeper.client.sent == []


async def test_the_first_job_starts_the_heartbeats(autojump_clock: trio.testing.MockClock) -> None:
    keeper = Keeper([])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run_for, 11.5)
        await trio.sleep(10)
        keeper.jobs.append(make_claimed())
        keeper.has_held.ring()
    assert keeper.client.sent == [(11.0, ["j"])]


async def test_lost_and_cancelled_jobs_are_told_apart(
    autojump_clock: trio.testing.MockClock,
) -> None:
    lost, cancelled = make_claimed(job_id="a"), make_claimed(job_id="b")
    keeper = Keeper([lost, cancelled])
    keeper.client.answer = Heartbeats(held=["b"], lost=["a"], cancel_requested=["b"])
    await keeper.run_for(1.5)
    assert (keeper.lost, keeper.cancelled) == ([lost], [cancelled])


async def test_silence_and_refusals_are_no_reason_to_stop(
    autojump_clock: trio.testing.MockClock,
) -> None:
    keeper = Keeper([make_claimed()])
    keeper.client.answer = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.run_for, 10)
        await trio.sleep(4.5)
        keeper.client.answer = Unavailable("no")
    assert len(keeper.client.sent) >= 6
    assert keeper.lost == []

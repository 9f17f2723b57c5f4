"""How reports are gathered, and what refusals do, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
import trio
import trio.testing

from osqueue.client import Claim
from osqueue.client.transports.bell import Bell
from osqueue.core.errors import InvalidRequest, JobNotHeld, OutcomeUnknown
from osqueue.worker.handlers import Failed
from osqueue.worker.settlements import Settlements
from tests.worker.builders import make_claimed
from tests.worker.fake_client import FakeClient

__all__: list[str] = []

Clock = trio.testing.MockClock

RESULT = msgspec.Raw(b"\xc0")
A, B, C = (make_claimed(job_id=name) for name in "abc")


class Desk:
    """Settlements at work, and the claims that they make."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.client = FakeClient()
        self.changed = Bell()
        self.claims: list[Claim | None] = []
        self.claimed: list[tuple[list[str], int]] = []
        self.settlements = Settlements(
            self.client,  # type: ignore[arg-type]
            "w",
            nursery,
            next_claim=lambda: self.claims.pop(0) if self.claims else None,
            on_claimed=lambda jobs, limit: self.claimed.append(
                ([job.job_id for job in jobs], limit)
            ),
            changed=self.changed,
        )
        nursery.start_soon(self.settlements.run)

    async def settle(self) -> None:
        while not self.settlements.is_idle:
            await self.changed.wait()


@pytest.fixture
async def desk(nursery: trio.Nursery) -> AsyncIterator[Desk]:
    yield Desk(nursery)
    nursery.cancel_scope.cancel()


async def test_what_is_done_meanwhile_goes_into_the_next_report(
    desk: Desk, autojump_clock: Clock
) -> None:
    desk.settlements.complete(A, RESULT)
    await trio.testing.wait_all_tasks_blocked()
    desk.settlements.complete(B, RESULT)
    desk.settlements.complete(C, RESULT)
    await desk.settle()
    assert desk.client.named("complete_many") == [(["a"], None), (["b", "c"], None)]


async def test_the_claim_rides_along_and_is_always_given_back(
    desk: Desk, autojump_clock: Clock
) -> None:
    desk.claims = [Claim(limit=2), Claim(limit=3)]
    desk.client.waiting = [B]
    desk.settlements.complete(A, RESULT)
    await desk.settle()
    desk.client.refusals = [OutcomeUnknown("no")]
    desk.settlements.complete(B, RESULT)
    await desk.settle()
    assert desk.claimed == [(["b"], 2), ([], 3)]


async def test_a_refused_report_is_repeated_job_by_job(desk: Desk, autojump_clock: Clock) -> None:
    too_large = InvalidRequest("jobs[1].result is too large")
    desk.client.refusals = [too_large, too_large]
    desk.settlements.complete(A, RESULT)
    desk.settlements.complete(B, RESULT)
    await desk.settle()
    assert desk.client.named("complete") == ["a", "b"]
    assert desk.client.named("fail") == [("a", str(too_large), True)]


async def test_what_is_not_held_any_more_is_dropped(desk: Desk, autojump_clock: Clock) -> None:
    desk.client.lost = {"a"}
    desk.settlements.complete(A, RESULT)
    desk.client.refusals = [JobNotHeld("no"), JobNotHeld("no")]
    desk.settlements.fail(B, Failed(ValueError("no")))
    desk.settlements.give_back(C)
    await desk.settle()
    assert len(desk.client.calls) == 3


async def test_failures_are_reported_beside_each_other(desk: Desk, autojump_clock: Clock) -> None:
    started_at = trio.current_time()
    desk.settlements.fail(A, Failed(ValueError("one")))
    desk.settlements.fail(B, Failed(ValueError("two"), is_final=True))
    assert not desk.settlements.is_idle
    assert not desk.settlements.will_claim
    await desk.settle()
    assert sorted(desk.client.named("fail")) == [("a", "one", False), ("b", "two", True)]
    assert trio.current_time() - started_at < 0.2

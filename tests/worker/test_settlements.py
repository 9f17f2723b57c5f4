"""How reports are gathered, and what refusals do, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from osqueue.client import Claim, ClaimedJob, Failure, NewJob
from osqueue.client.transports.bell import Bell
from osqueue.core.errors import InvalidRequest, JobNotHeld, OutcomeUnknown, QueueFull
from osqueue.worker.outcomes import Failed, Succeeded
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
        self.told: list[tuple[str, str]] = []
        """What hooks would hear."""
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

    def complete(self, job: ClaimedJob[Any], *submit: NewJob) -> None:
        async def tell_completed() -> None:
            self.told.append((job.job_id, "completed"))

        async def tell_failed(error: Exception, failure: Failure) -> None:
            self.told.append((job.job_id, failure.status))

        succeeded = Succeeded(RESULT, submit=submit)
        self.settlements.complete(job, succeeded, tell_completed, tell_failed)

    def fail(self, job: ClaimedJob[Any], failed: Failed) -> None:
        async def tell_failed(error: Exception, failure: Failure) -> None:
            assert error is failed.error
            self.told.append((job.job_id, failure.status))

        self.settlements.fail(job, failed, tell_failed)

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
    desk.complete(A)
    await trio.testing.wait_all_tasks_blocked()
    desk.complete(B)
    desk.complete(C)
    await desk.settle()
    assert desk.client.named("complete_many") == [(["a"], None), (["b", "c"], None)]


async def test_the_claim_rides_along_and_is_always_given_back(
    desk: Desk, autojump_clock: Clock
) -> None:
    desk.claims = [Claim(limit=2), Claim(limit=3)]
    desk.client.waiting = [B]
    desk.complete(A)
    await desk.settle()
    desk.client.refusals = [OutcomeUnknown("no")]
    desk.complete(B)
    await desk.settle()
    assert desk.claimed == [(["b"], 2), ([], 3)]


async def test_a_refused_report_is_repeated_job_by_job(desk: Desk, autojump_clock: Clock) -> None:
    too_large = InvalidRequest("jobs[1].result is too large")
    desk.client.refusals = [too_large, too_large]
    desk.complete(A)
    desk.complete(B)
    await desk.settle()
    calls = desk.client.named("complete_many")
    assert calls == [(["a", "b"], None), (["a"], None), (["b"], None)]
    assert desk.client.named("fail") == [("a", str(too_large), True)]
    assert desk.told == [("a", "dead"), ("b", "completed")]


async def test_what_is_not_held_any_more_is_dropped(desk: Desk, autojump_clock: Clock) -> None:
    desk.client.lost = {"a"}
    desk.complete(A)
    await desk.settle()
    # Reports of failures run beside each other: the refusals are theirs in any order.
    desk.client.refusals = [JobNotHeld("no"), JobNotHeld("no")]
    desk.fail(B, Failed(ValueError("no")))
    desk.settlements.give_back(C)
    await desk.settle()
    assert len(desk.client.calls) == 3
    assert desk.told == []


async def test_failures_are_reported_beside_each_other(desk: Desk, autojump_clock: Clock) -> None:
    started_at = trio.current_time()
    desk.fail(A, Failed(ValueError("one")))
    desk.fail(B, Failed(ValueError("two"), is_final=True))
    assert not desk.settlements.is_idle
    assert not desk.settlements.will_claim
    await desk.settle()
    assert sorted(desk.client.named("fail")) == [("a", "one", False), ("b", "two", True)]
    assert trio.current_time() - started_at < 0.2
    assert sorted(desk.told) == [("a", "dead"), ("b", "dead")]


async def test_follow_ups_go_with_their_completion(desk: Desk, autojump_clock: Clock) -> None:
    desk.complete(A, make_follow_up(1), make_follow_up(2))
    await desk.settle()
    assert desk.client.named("complete_many") == [(["a"], None)]
    assert [job.type for job in desk.client.submitted] == ["1", "2"]
    assert desk.told == [("a", "completed")]


async def test_completions_whose_follow_ups_find_no_room_wait_and_hold_up_no_other(
    desk: Desk, autojump_clock: Clock
) -> None:
    desk.client.full = {"b"}
    desk.complete(A)
    desk.complete(B, make_follow_up(1))
    desk.complete(C)
    await trio.sleep(0.5)
    assert sorted(desk.told) == [("a", "completed"), ("c", "completed")]
    assert (desk.settlements.unsettled, desk.settlements.waiting_count) == ([B], 1)
    assert not desk.settlements.is_idle
    assert not desk.settlements.will_claim
    desk.client.full.clear()
    await desk.settle()
    assert desk.told[-1] == ("b", "completed")
    assert desk.client.named("fail") == []
    assert desk.settlements.unsettled == []


async def test_call_refused_for_want_of_room_is_made_again(
    desk: Desk, autojump_clock: Clock
) -> None:
    desk.client.refusals = [QueueFull("no"), QueueFull("no")]
    desk.complete(A, make_follow_up(1))
    desk.complete(B)
    await desk.settle()
    calls = [job_ids for job_ids, _ in desk.client.named("complete_many")]
    assert calls == [["a", "b"], ["b"], ["a", "b"]]
    assert sorted(desk.told) == [("a", "completed"), ("b", "completed")]


async def test_what_finds_no_room_until_the_end_is_given_back(
    desk: Desk, autojump_clock: Clock
) -> None:
    desk.client.refusals = [InvalidRequest("no"), QueueFull("no")]
    desk.complete(A, make_follow_up(1))
    await trio.sleep(0.5)
    desk.settlements.give_back_waiting()
    await desk.settle()
    assert desk.client.named("snooze") == [("a", 1_000)]
    assert desk.settlements.unsettled == []


async def test_leases_are_kept_until_the_report_is_answered(
    desk: Desk, autojump_clock: Clock
) -> None:
    desk.complete(A)
    desk.fail(B, Failed(ValueError("no")))
    desk.settlements.give_back(C)
    await trio.testing.wait_all_tasks_blocked()
    assert desk.settlements.unsettled == [A, B, C]
    await desk.settle()
    assert desk.settlements.unsettled == []


@pytest.mark.parametrize(("payload", "count"), [(b"x" * 700_000, 1), (b"", 3_000)])
async def test_what_would_be_too_much_for_one_call_becomes_two(
    desk: Desk, autojump_clock: Clock, payload: bytes, count: int
) -> None:
    follow_ups = [make_follow_up(n, msgspec.msgpack.encode(payload)) for n in range(count)]
    for job in (A, B, C):
        desk.complete(job, *follow_ups)
    await desk.settle()
    calls = [job_ids for job_ids, _ in desk.client.named("complete_many")]
    assert calls == ([["a", "b"], ["c"]] if payload else [["a"], ["b"], ["c"]])


async def test_a_snooze_takes_as_long_as_was_asked_for(desk: Desk, autojump_clock: Clock) -> None:
    desk.settlements.snooze(A, 5_000)
    await desk.settle()
    assert desk.client.named("snooze") == [("a", 5_000)]


def make_follow_up(number: int, payload: bytes = b"\xc0") -> NewJob:
    return NewJob(type=str(number), payload=msgspec.Raw(payload))

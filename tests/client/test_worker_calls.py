"""What workers ask of a queue, against a real broker, over both transports."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
import trio

from osqueue.client import Claim, Client, Completion, JobError, Lease, NewJob
from osqueue.client.calls import Call
from osqueue.client.transports.traffic import Traffic
from osqueue.core.errors import JobNotHeld

__all__: list[str] = []


class Email(msgspec.Struct):
    to: str
    at: datetime


async def test_typed_payloads_and_results_come_back_as_they_went(client: Client) -> None:
    email = Email("a@b.c", datetime(2026, 1, 2, tzinfo=UTC))
    submitted = await client.submit(email, result_ttl_ms=60_000)
    (job,) = await client.claim("w", payload_type=Email)
    assert job.payload == email
    assert job.payload_as(dict) == {"to": "a@b.c", "at": "2026-01-02T00:00:00Z"}
    await client.complete(job, email)
    found = await client.get_job(submitted.job_id, payload_type=Email, result_type=Email)
    assert (found.status, found.payload, found.result) == ("completed", email, email)


async def test_a_payload_of_the_wrong_type_is_found_on_access(client: Client) -> None:
    await client.submit({"to": 1})
    (job,) = await client.claim("w", payload_type=Email)
    with pytest.raises(msgspec.ValidationError):
        _ = job.payload
    assert job.payload_as(dict) == {"to": 1}


async def test_a_claim_waits_for_a_job(client: Client) -> None:
    async with trio.open_nursery() as nursery:

        async def work() -> None:
            (job,) = await client.claim("w", wait_ms=10_000)
            assert job.payload == "late"
            nursery.cancel_scope.cancel()

        nursery.start_soon(work)
        await client.stats()
        await client.submit("late")
        await trio.sleep_forever()


async def test_a_claim_that_finds_nothing_is_empty(client: Client) -> None:
    assert await client.claim("w", wait_ms=1) == []


async def test_heartbeats_tell_what_is_held_and_what_is_lost(client: Client) -> None:
    await client.submit()
    (job,) = await client.claim("w")
    assert await client.heartbeat(job) is False
    stale = Lease(job_id=job.job_id, worker_id="w", attempt=7)
    found = await client.heartbeat_many("w", [job, stale])
    assert (found.held, found.lost) == ([job.job_id], [job.job_id])
    with pytest.raises(JobNotHeld):
        await client.heartbeat(stale)


async def test_a_lost_lease_completes_nothing(client: Client) -> None:
    await client.submit()
    (job,) = await client.claim("w")
    with pytest.raises(JobNotHeld):
        await client.complete(Lease(job_id=job.job_id, worker_id="other"))
    assert (await client.get_job(job.job_id)).status == "in_progress"


async def test_completions_come_with_follow_ups_and_the_next_claim(client: Client) -> None:
    await client.submit_many([NewJob(payload=n) for n in range(3)])
    jobs = await client.claim("w", limit=2)
    found = await client.complete_many(
        "w",
        [
            Completion(jobs[0], "done", submit=[NewJob(payload="next")]),
            Completion(Lease(job_id=jobs[1].job_id, worker_id="w", attempt=9)),
        ],
        claim=Claim(limit=10),
    )
    assert (found.completed, found.lost) == ([jobs[0].job_id], [jobs[1].job_id])
    assert [job.payload for job in found.jobs] == [2, "next"]


async def test_a_failed_job_is_retried_and_then_dead(client: Client) -> None:
    await client.submit(max_attempts=2)
    (job,) = await client.claim("w")
    failure = await client.fail(job, ValueError("no"), retry_in_ms=0)
    assert failure.status == "unclaimed"
    (job,) = await client.claim("w")
    failure = await client.fail(job, JobError(type="Mine", message="again"))
    assert failure.status == "dead"
    found = await client.get_job(job.job_id)
    assert [(error.type, error.message) for error in found.errors] == [
        ("ValueError", "no"),
        ("Mine", "again"),
    ]
    assert await client.redrive() == 1
    assert (await client.stats()).dead == 0


async def test_a_final_failure_is_dead_at_once(client: Client) -> None:
    await client.submit()
    (job,) = await client.claim("w")
    assert (await client.fail(job, ValueError("no"), final=True)).status == "dead"
    await client.retry(job.job_id)
    assert len(await client.claim("w")) == 1


async def test_a_snoozed_job_waits_without_spending_an_attempt(client: Client) -> None:
    await client.submit()
    (job,) = await client.claim("w")
    run_at = await client.snooze(job, 60_000)
    found = await client.get_job(job.job_id)
    assert (found.status, found.run_at, found.max_attempts) == ("scheduled", run_at, 4)


async def test_a_cancelled_claim_gives_its_jobs_back(client: Client) -> None:
    with trio.move_on_after(0.05):
        await client.claim("gone", wait_ms=10_000)
    submitted = await client.submit()
    with trio.fail_after(5):
        (job,) = await client.claim("w", wait_ms=5_000)
    assert job.job_id == submitted.job_id
    assert job.attempt < job.max_attempts


class AnswersOnClosing:
    """A transport whose broker answers claims at the last moment, while the goodbye is said."""

    long_polls_max = 8
    has_events = False

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._sent: list[Call] = []

    async def run(self) -> None:
        self._traffic.is_connected = True
        while True:
            self._sent += self._traffic.calls.take_frame(
                now_ms=self._traffic.steady_ms(),
                bytes_wanted=1_000,
                bytes_max=1_000,
                requests_max=10,
                with_waiting=True,
            )
            await self._traffic.outbox.wait()

    async def close(self) -> None:
        job = {"jobId": "j", "attempt": 1, "maxAttempts": 3, "createdAt": 1, "leaseMs": 1}
        for call in self._sent:
            result = msgspec.Raw(msgspec.msgpack.encode({"jobs": [{**job, "payload": None}]}))
            self._traffic.calls.answered_ok(call.call_id, result)
        await trio.lowlevel.checkpoint()


async def test_a_cancelled_claim_that_is_answered_during_the_goodbye_harms_nobody(
    autojump_clock: trio.testing.MockClock,
) -> None:
    # Found by the simulated shells (seed 129): a worker that was told to stop crashed.
    with trio.fail_after(5):
        async with Client("http://broker:1", transport=AnswersOnClosing) as client:
            with trio.move_on_after(0.05):
                await client.claim("gone", wait_ms=10_000)


class AnswersWithdrawals:
    """A transport whose broker has given a job to a claim by the time that it is withdrawn."""

    long_polls_max = 8
    has_events = False

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self.methods: list[str] = []

    async def run(self) -> None:
        calls = self._traffic.calls
        self._traffic.is_connected = True
        claims: list[Call] = []
        job = {"jobId": "j", "attempt": 1, "maxAttempts": 3, "createdAt": 1, "leaseMs": 1}
        claimed = msgspec.Raw(msgspec.msgpack.encode({"jobs": [{**job, "payload": None}]}))
        while True:
            frame = calls.take_frame(
                now_ms=self._traffic.steady_ms(),
                bytes_wanted=1_000,
                bytes_max=1_000,
                requests_max=10,
                with_waiting=True,
            )
            if not frame:
                await self._traffic.outbox.wait()
            for call in frame:
                self.methods.append(call.method)
                if call.method == "claimJobs":
                    claims.append(call)
                    continue
                if call.method == "withdrawClaim":
                    calls.answered_ok(claims.pop().call_id, claimed)
                calls.answered_ok(call.call_id, msgspec.Raw(b"\x80"))

    async def close(self) -> None:
        self.methods.append("close")
        await trio.lowlevel.checkpoint()


async def test_a_cancelled_claim_is_withdrawn_and_its_jobs_given_back_before_the_goodbye(
    autojump_clock: trio.testing.MockClock,
) -> None:
    transports: list[AnswersWithdrawals] = []

    def connect(traffic: Traffic) -> AnswersWithdrawals:
        transports.append(AnswersWithdrawals(traffic))
        return transports[-1]

    began_at = trio.current_time()
    async with Client("http://broker:1", transport=connect) as client:
        with trio.move_on_after(0.05):
            await client.claim("gone", wait_ms=10_000)
    assert trio.current_time() - began_at < 0.1, "nothing is waited for that is answered"
    assert transports[0].methods == [
        "claimJobs",
        "withdrawClaim",
        "snoozeJob",
        "closeClient",
        "close",
    ]


async def test_a_withdrawn_claim_is_answered_at_once_and_takes_nothing(client: Client) -> None:
    with trio.fail_after(5):
        with trio.move_on_after(0.05):
            await client.claim("gone", wait_ms=60_000)
        while any(worker.is_polling for worker in (await client.workers()).workers):
            pass  # The withdrawal may be behind this on another connection.
        submitted = await client.submit()
        [job] = await client.claim("w")
    assert (job.job_id, job.attempt) == (submitted.job_id, 1)

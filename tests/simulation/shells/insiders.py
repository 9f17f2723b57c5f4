"""Who calls within a broker's process: `Broker.submit`, its waits, and the dispatcher.

They outlive the process that they call, so that a crash finds them waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import trio

from osqueue.broker.broker import Broker
from osqueue.core.errors import QueueError
from osqueue.core.mutations import (
    CancelJob,
    ClaimJobs,
    CompleteJobs,
    Completion,
    HeartbeatJobs,
    Lease,
    ListJobs,
    NewJob,
    ReadJob,
    ReadStats,
    Request,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.outcomes import (
    ClaimedJob,
    JobRead,
    JobsClaimed,
    JobsCompleted,
    JobsListed,
    JobSnoozed,
    JobsSubmitted,
    Outcome,
    QueueStats,
)
from osqueue.protocol.codec import Encoding, decode_frame
from osqueue.protocol.messages import WireReply
from osqueue.server.dispatch import Caller, Dispatcher, Ticket
from tests.simulation.checkers.views import Violation
from tests.simulation.shells.asking import Cancelled, ask
from tests.simulation.shells.producers import TYPES

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["call_inside"]

SETTLE_S = 60.0
"""What a leader may take to settle or to step down, beside what a call may wait: it gives a write
up after its timeout, which a slow store has raised."""


async def call_inside(world: World, number: int) -> None:
    """Calls to the brokers that run, one after another."""
    insider = _Insider(world, f"i{number}")
    while world.is_busy:
        await world.rest()
        server = world.some_server()
        if server is None:
            continue
        if world.random.random() < 0.4:
            await insider.dispatch(server.front_door.dispatcher)
        elif world.random.random() < 0.3:
            await insider.wait(server.broker)
        else:
            await insider.submit(server.broker)


class _Insider:
    """One caller."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    # The broker itself.

    async def submit(self, broker: Broker) -> None:
        """A few requests in one batch, and what follows from its claims."""
        random = self._world.random
        worker_id = self._world.new_worker_id(self._name)
        wait_ms = random.choice([0, 0, 300, 3_000])
        makers: list[Callable[[], Request]] = [
            self._submit_jobs,
            lambda: ClaimJobs(
                worker_id=worker_id,
                types=list(TYPES),
                limit=random.randint(1, 3),
                wait_until_ms=broker.steady_ms() + wait_ms if wait_ms else 0,
            ),
            ReadStats,
            lambda: ReadJob(job_id=self._world.some_job_id()),
            lambda: ListJobs(limit=10),
            self._cancel_job,
        ]
        requests = [make() for make in random.sample(makers, random.randint(1, 3))]
        outcomes = await self._ask(broker, requests, worker_id, wait_ms)
        for outcome in outcomes or ():
            if isinstance(outcome, JobsClaimed):
                await self._settle(broker, worker_id, outcome.jobs)

    def _submit_jobs(self) -> Request:
        world = self._world
        jobs = [
            NewJob(
                id=world.new_job_id(self._name),
                payload=msgspec.Raw(msgspec.json.encode({"behaviour": world.draw_behaviour()})),
                type=world.random.choice(TYPES),
                max_attempts=world.random.randint(1, 3),
            )
            for _ in range(world.random.randint(1, 3))
        ]
        return SubmitJobs(jobs=jobs)

    def _cancel_job(self) -> Request:
        job_id = self._world.some_job_id()
        self._world.ledger.removals_asked.add(job_id)
        return CancelJob(job_id=job_id)

    async def _settle(self, broker: Broker, worker_id: str, jobs: Sequence[ClaimedJob]) -> None:
        world = self._world
        if not jobs or world.random.random() < 0.2:
            return
        await world.rest()
        leases = [Lease(job.job_id, job.attempt) for job in jobs]
        how = world.random.choice(["complete", "complete", "beat", "snooze"])
        if how == "snooze":
            requests: list[Request] = [
                SnoozeJob(worker_id=worker_id, lease=lease, delay_ms=1_000) for lease in leases
            ]
        elif how == "beat":
            requests = [
                HeartbeatJobs(worker_id=worker_id, leases=leases, arrived_ms=broker.steady_ms())
            ]
        else:
            world.ledger.completions_asked.update((job.job_id, job.attempt) for job in jobs)
            completions = [Completion(lease=lease, result=self._result(lease)) for lease in leases]
            requests = [CompleteJobs(worker_id=worker_id, completions=completions)]
        outcomes = await self._ask(broker, requests, worker_id, 0)
        for index, outcome in enumerate(outcomes or ()):
            if isinstance(outcome, JobsCompleted):
                attempts = {lease.job_id: lease.attempt for lease in leases}
                for job_id in outcome.completed:
                    world.ledger.settled(job_id, attempts[job_id] or 0, ("completed", "gone"))
            elif isinstance(outcome, JobSnoozed):
                lease = leases[index]
                world.ledger.settled(lease.job_id, lease.attempt or 0, ("scheduled", "gone"))

    def _result(self, lease: Lease) -> msgspec.Raw:
        return msgspec.Raw(msgspec.json.encode({"jobId": lease.job_id, "attempt": lease.attempt}))

    async def _ask(
        self, broker: Broker, requests: list[Request], worker_id: str, wait_ms: int
    ) -> list[Outcome] | None:
        bound_s = SETTLE_S + wait_ms / 1_000
        answer = await ask(
            self._world, "broker.submit", lambda: broker.submit(requests), bound_s=bound_s
        )
        if isinstance(answer, Cancelled):
            if any(isinstance(request, ClaimJobs) for request in requests):
                self._world.ledger.cancelled_claims.add(worker_id)
            return None
        assert not isinstance(answer, QueueError), "a broker's refusals are outcomes"
        if len(answer) != len(requests):
            raise Violation("answers", f"{len(requests)} requests, {len(answer)} outcomes")
        for request, outcome in zip(requests, answer, strict=True):
            self._check(request, outcome, worker_id)
        return answer

    def _check(self, request: Request, outcome: Outcome, worker_id: str) -> None:
        world = self._world
        match outcome:
            case JobsSubmitted():
                for job_id in outcome.job_ids:
                    world.ledger.submitted(job_id)
            case JobsClaimed():
                for job in outcome.jobs:
                    world.ledger.claimed(job.job_id, job.attempt, worker_id, by=worker_id)
            case JobRead():
                job = outcome.job
                world.ledger.job_seen(job.id, job.status, job.attempts, where="ReadJob")
            case JobsListed():
                for job in outcome.jobs:
                    world.ledger.job_seen(job.id, job.status, job.attempts, where="ListJobs")
            case QueueStats():
                world.check_stats(outcome, where="ReadStats")
            case QueueError():
                world.reached(f"outcome {type(outcome).__name__}")
            case _:
                world.reached(f"outcome of {type(request).__name__}")

    async def wait(self, broker: Broker) -> None:
        """Wait for the end of some job."""
        wait_ms = self._world.random.choice([100, 1_000, 4_000])
        job_id = self._world.some_unfinished_id()
        outcome = await ask(
            self._world,
            "broker.wait_until_ended",
            lambda: broker.wait_until_ended(job_id, broker.steady_ms() + wait_ms),
            bound_s=SETTLE_S + wait_ms / 1_000,
        )
        if isinstance(outcome, JobRead):
            job = outcome.job
            self._world.ledger.job_seen(job.id, job.status, job.attempts, where="wait_until_ended")

    # The dispatcher.

    async def dispatch(self, dispatcher: Dispatcher) -> None:
        """A frame of calls, as a front end hands it on, each ticket waited for at the same time."""
        world = self._world
        worker_id = world.new_worker_id(self._name)
        job_id = world.new_job_id(self._name)
        wait_ms = world.random.choice([0, 200, 3_000])
        calls: list[dict[str, Any]] = [
            {
                "method": "submitJob",
                "params": {"jobId": job_id, "type": "a", "payload": {"behaviour": "quick"}},
            },
            {
                "method": "getJob",
                "params": {"jobId": world.some_unfinished_id(), "waitMs": wait_ms},
            },
            {"method": "getStats", "params": {}},
            {
                "method": "claimJobs",
                "params": {"workerId": worker_id, "limit": 2, "waitMs": wait_ms},
            },
            {"method": "nonsense", "params": {}},
        ]
        chosen = world.random.sample(calls, world.random.randint(1, len(calls)))
        body = msgspec.json.encode([{"id": n, **call} for n, call in enumerate(chosen)])
        frame = decode_frame(body, Encoding.JSON, dispatcher.limits)
        bound_s = SETTLE_S + wait_ms / 1_000

        async def answer(ticket: Ticket) -> None:
            replies = await ask(
                world, "dispatcher.answer", lambda: dispatcher.answer(ticket), bound_s=bound_s
            )
            if not isinstance(replies, list):
                if any(call.method == "claimJobs" for call in ticket.calls):
                    world.ledger.cancelled_claims.add(worker_id)
                return
            for reply in replies:
                self._check_reply(reply, job_id, worker_id)

        async with trio.open_nursery() as nursery:
            for ticket in dispatcher.read(frame, Caller()):
                nursery.start_soon(answer, ticket)

    def _check_reply(self, reply: Any, job_id: str, worker_id: str) -> None:
        world = self._world
        if not isinstance(reply, WireReply):
            world.reached(f"reply {reply.error.tag}")
            return
        result = msgspec.json.decode(msgspec.json.encode(reply.result))
        if "jobs" in result:
            for job in result["jobs"]:
                world.ledger.claimed(job["jobId"], job["attempt"], worker_id, by=worker_id)
        elif result.get("jobId") == job_id:
            world.ledger.submitted(job_id)
        elif "commitId" in result:
            world.ledger.commit_seen(result["commitId"], where="getStats")
        elif "status" in result:
            world.ledger.job_seen(
                result["id"], result["status"], result["attempts"], where="getJob"
            )

"""Who uses the queue: producers, workers good and bad, an operator.

An actor's task is a generator: it yields milliseconds to sleep, or a call to wait for, and gets
the outcome of the call back.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import msgspec

from osqueue.core.errors import JobNotHeld, QueueError
from osqueue.core.job import JobError
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    ChangeJobs,
    ClaimJobs,
    CompleteJobs,
    Completion,
    DeleteJob,
    DeleteJobs,
    FailJob,
    HeartbeatJobs,
    JobFilter,
    JobSelection,
    Lease,
    ListJobs,
    NewJob,
    PauseQueue,
    ReadJob,
    ReadStats,
    RedriveDead,
    Request,
    ResumeQueue,
    RetryJob,
    RetryJobs,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.outcomes import (
    ClaimedJob,
    JobsClaimed,
    JobsCompleted,
    JobsExtended,
    Outcome,
)
from tests.simulation.cast.clients import SimulatedClient
from tests.simulation.cast.processes import Machine, Process

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["Operator", "Producer", "WorkerProcess"]

Task = Generator[Any, Any, None]
TYPES = ("mail", "image")


class Actor(Process):
    """A process with a client, and tasks."""

    def __init__(self, world: World, name: str, *, is_plain: bool = False) -> None:
        super().__init__(world, Machine(world.random))
        self.name = name
        self.is_plain = is_plain
        self.boots = 0
        self.client = self.make_client()
        self._life = object()

    def __repr__(self) -> str:
        return self.name

    def make_client(self) -> SimulatedClient:
        """A new client object, with an id of its own."""
        self.boots += 1
        timeout_ms = self.world.plan.client_timeout_ms
        name = f"{self.name}.{self.boots}"
        return SimulatedClient(self, name, timeout_ms=timeout_ms, is_plain=self.is_plain)

    def spawn(self, task: Task) -> None:
        """Run a task from now on."""
        self.world.after(0, self, self._advance, self._life, task, None)

    def end_tasks(self) -> None:
        """None of the tasks goes on."""
        self._life = object()

    def mend(self) -> None:
        """Go on, if paused."""
        self.go_on()

    def ask(
        self, request: Request, *, wait_ms: int = 0, is_numbered: bool | None = None
    ) -> _Asking:
        """Call with this process's client; yield it."""
        return _Asking(request, wait_ms, is_numbered)

    def _advance(self, life: object, task: Task, value: object) -> None:
        while life is self._life:
            try:
                wanted = task.send(value)
            except StopIteration:
                return
            if isinstance(wanted, _Asking):
                self.client.call(
                    wanted.request,
                    lambda outcome: self.world.after(0, self, self._advance, life, task, outcome),
                    wait_ms=wanted.wait_ms,
                    is_numbered=wanted.is_numbered,
                )
                return
            self.world.after(wanted, self, self._advance, life, task, None)
            return


class _Asking(msgspec.Struct):
    request: Any
    wait_ms: int
    is_numbered: bool | None


class Producer(Actor):
    """Submits jobs until the faults stop, several submits at a time."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name, is_plain=world.random.random() < 0.2)
        self._count = 0
        for _ in range(self.random.choice([1, 1, 3])):
            self.spawn(self._produce())
        if self.random.random() < 0.3:
            self.spawn(self._change_clients())

    def _produce(self) -> Task:
        world, random = self.world, self.random
        while not world.is_calm:
            yield random.randint(1, 2 * world.plan.job_wait_ms)
            if world.is_calm:
                return
            jobs = [self.new_job() for _ in range(random.choice([1, 1, 2, 3]))]
            if random.random() < 0.1:
                # Its caller is cancelled: what became of it nobody will know.
                record = self.client.call(SubmitJobs(jobs=jobs))
                yield random.randint(0, 60)
                self.client.abandon(record)
            else:
                yield self.ask(SubmitJobs(jobs=jobs))

    def _change_clients(self) -> Task:
        while not self.world.is_calm:
            yield self.random.randint(3_000, 20_000)
            if not self.client.open_count:
                self.client.say_goodbye()
                self.client = self.make_client()

    def new_job(self) -> NewJob:
        """A job with an id of its own."""
        random = self.random
        self._count += 1
        return make_job(f"{self.name}-{self._count}", random)


def make_job(job_id: str, random: Any) -> NewJob:
    """A job with whatever fields chance gives it."""
    kind = random.random()
    return NewJob(
        id=job_id,
        payload=msgspec.Raw(b'"%b"' % job_id.encode()),
        type=random.choice(TYPES),
        max_attempts=random.randint(1, 4),
        delay_ms=random.randint(1, 5_000) if kind < 0.15 else 0,
        priority=random.choice([0, 0, 0, 5, -5]),
        unique_key=random.choice(["k1", "k2"]) if 0.15 < kind < 0.3 else "",
        result_ttl_ms=random.randint(1, 8_000) if 0.3 < kind < 0.45 else 0,
    )


class WorkerProcess(Actor):
    """Claims and works, in good and in bad ways, until the world closes."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.worker_id = ""
        self._follow_ups = 0
        self._claims = 0
        self._busy = 0
        self._begin()

    def restart(self) -> None:
        """The process dies, and another one takes its place."""
        self.world.note(f"{self} crashes")
        self.client.close()
        self.end_tasks()
        self.client = self.make_client()
        self._begin()

    def _begin(self) -> None:
        self.worker_id = f"{self.name}.{self.boots}"
        self._busy = 0
        self.spawn(self._work())

    def _work(self) -> Task:
        world, random = self.world, self.random
        while not world.is_closing:
            if self._busy >= 3:
                yield 100
                continue
            if random.random() < 0.1 and not world.is_calm:
                yield from self._claim_impatiently()
                continue
            outcome: Outcome = yield self.ask(
                self._claim(), wait_ms=random.choice([0, 1_500, 4_000])
            )
            if isinstance(outcome, JobsClaimed):
                self._take(outcome.jobs)
            empty_handed = not isinstance(outcome, JobsClaimed) or not outcome.jobs
            yield random.randint(200, 700) if empty_handed else random.randint(1, 30)

    def _claim_impatiently(self) -> Task:
        """Claim, and be cancelled; what comes all the same is given back."""

        def told(outcome: Outcome) -> None:
            if isinstance(outcome, JobsClaimed):
                self._take(outcome.jobs)

        def orphaned(outcome: Outcome) -> None:
            if isinstance(outcome, JobsClaimed):
                for job in outcome.jobs:
                    self.client.call(self._snoozing(job, 0))

        record = self.client.call(self._claim(), told, wait_ms=self.random.choice([0, 2_000]))
        yield self.random.randint(1, 200)
        self.client.abandon(record, orphaned)

    def _snoozing(self, job: ClaimedJob, delay_ms: int) -> SnoozeJob:
        lease = Lease(job.job_id, job.attempt)
        return SnoozeJob(worker_id=self.worker_id, lease=lease, delay_ms=delay_ms)

    def _claim(self) -> ClaimJobs:
        random = self.random
        self._claims += 1
        return ClaimJobs(
            worker_id=self.worker_id,
            types=[] if self.world.is_calm else random.choice([[], [], ["mail"], list(TYPES)]),
            limit=random.randint(1, 3),
            lease_ms=random.choice([0, 0, 1_000]),
            claim_id=f"{self.worker_id}/c{self._claims}",
        )

    def _take(self, jobs: list[ClaimedJob]) -> None:
        for job in jobs:
            self._busy += 1
            self.spawn(self._handle(job))

    def _handle(self, job: ClaimedJob) -> Task:
        random, is_calm = self.random, self.world.is_calm
        lease_ms = job.lease_ms
        held = _Held()
        kind = "good" if is_calm else random.choices(_WAYS, _WEIGHTS)[0]
        duration_ms = random.choice([5, 50, 400, 100 if is_calm else lease_ms])
        if kind == "tardy":
            # A heartbeat at the last moment, perhaps while a write is in flight.
            yield int(lease_ms * random.uniform(0.93, 1.0))
            self._beat(job, held)
            yield lease_ms // 4
        elif kind == "stalls":
            # Beyond its lease, without a word.
            yield int(lease_ms * random.uniform(0.9, 1.6))
        else:
            ends = self.world.now + duration_ms
            while (left := ends - self.world.now) > 0 and not held.is_over:
                yield min(left, lease_ms // 3)
                self._beat(job, held)
        self._busy -= 1
        if kind == "vanishes" or (held.is_lost and kind != "stubborn"):
            return
        if held.is_cancelled and kind != "stubborn":
            yield self.ask(self._failing(job, is_final=True))
            return
        yield from self._report(job, kind)

    def _beat(self, job: ClaimedJob, held: _Held) -> None:
        def told(outcome: Outcome) -> None:
            if isinstance(outcome, JobsExtended):
                held.is_lost |= job.job_id in outcome.lost
                held.is_cancelled |= job.job_id in outcome.cancel_requested

        beat = HeartbeatJobs(worker_id=self.worker_id, leases=[Lease(job.job_id, job.attempt)])
        self.client.call(beat, told)

    def _report(self, job: ClaimedJob, kind: str) -> Task:
        random = self.random
        if kind == "fails":
            yield self.ask(self._failing(job, is_final=random.random() < 0.2))
        elif kind == "snoozes":
            yield self.ask(self._snoozing(job, random.choice([0, 1_000, 3_000])))
        else:
            claim = self._claim() if random.random() < 0.4 and self._busy < 2 else None
            outcome: Outcome = yield self.ask(self._completing(job, claim))
            if isinstance(outcome, JobsCompleted) and outcome.claimed is not None:
                self._take(outcome.claimed.jobs)
            elif isinstance(outcome, QueueError) and not isinstance(outcome, JobNotHeld):
                # Refused for lack of room, say: without the jobs that follow.
                if kind != "stubborn":
                    return
                yield self.ask(self._completing(job, None, is_plain=True))

    def _failing(self, job: ClaimedJob, *, is_final: bool) -> FailJob:
        self._follow_ups += 1
        return FailJob(
            worker_id=self.worker_id,
            lease=Lease(job.job_id, job.attempt),
            error=JobError("Failed", f"{self.worker_id}/f{self._follow_ups}"),
            is_final=is_final,
        )

    def _completing(
        self, job: ClaimedJob, claim: ClaimJobs | None, *, is_plain: bool = False
    ) -> CompleteJobs:
        random = self.random
        follow_ups: list[NewJob] = []
        if not self.world.is_calm and random.random() < 0.15 and not is_plain:
            self._follow_ups += 1
            job_id = f"{self.worker_id}-next{self._follow_ups}"
            follow_ups.append(make_job(job_id, random))
        lease = Lease(job.job_id, job.attempt)
        return CompleteJobs(
            worker_id=self.worker_id,
            completions=[Completion(lease=lease, submit=follow_ups, result=msgspec.Raw(b"1"))],
            claim=claim,
            is_single=claim is None,
        )


_WAYS = ("good", "fails", "snoozes", "stalls", "stubborn", "vanishes", "tardy")
_WEIGHTS = (60, 15, 6, 8, 6, 5, 5)


class _Held:
    """What a handler has been told of its lease."""

    def __init__(self) -> None:
        self.is_lost = False
        self.is_cancelled = False

    @property
    def is_over(self) -> bool:
        return self.is_lost or self.is_cancelled


class Operator(Actor):
    """Looks at the queue and interferes; at the end sees to it that everything runs."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.is_done = False
        """Everything was resumed and redriven."""
        self._cursor = -1
        self.spawn(self._meddle())

    def mend(self) -> None:
        """Resume and redrive, however often that must be said."""
        super().mend()
        self.spawn(self._mend())

    def _meddle(self) -> Task:
        world, random = self.world, self.random
        while not world.is_calm:
            yield random.randint(1, 4_000)
            if world.is_calm:
                return
            request = self._anything()
            outcome = yield self.ask(request)
            if isinstance(request, PauseQueue):
                yield random.randint(100, 3_000)
                yield self.ask(ResumeQueue(type=random.choice([None, request.type])))
            elif isinstance(request, ListJobs) and not isinstance(outcome, QueueError):
                self._cursor = outcome.next_after_order or -1

    def _anything(self) -> Request:
        random = self.random
        jobs = self.world.observer.ledger.jobs
        job_id = random.choice(sorted(jobs)) if jobs and random.random() < 0.9 else "nobody"
        kind = random.choices(_DEEDS, _DEED_WEIGHTS)[0]
        match kind:
            case "cancel":
                return CancelJob(job_id=job_id)
            case "delete":
                return DeleteJob(job_id=job_id)
            case "retry":
                return RetryJob(job_id=job_id)
            case "redrive":
                wanted = JobFilter(type=random.choice([None, *TYPES]))
                return RedriveDead(
                    selection=JobSelection(filter=wanted, limit=random.choice([0, 1]))
                )
            case "many":
                return self._change_many(sorted(jobs))
            case "pause":
                return PauseQueue(type=random.choice([None, *TYPES]))
            case "stats":
                return ReadStats()
            case "job":
                return ReadJob(job_id=job_id)
            case _:
                return ListJobs(limit=random.choice([2, 5, 100]), after_order=self._cursor)

    def _change_many(self, job_ids: list[str]) -> ChangeJobs:
        """Cancel, delete or retry jobs by their ids, or a few that pass a filter."""
        random = self.random
        kind = random.choice([CancelJobs, DeleteJobs, RetryJobs])
        limit = random.choice([0, 1, 2])
        if random.random() < 0.6:
            named = [random.choice([*job_ids, "nobody"]) for _ in range(random.randint(1, 4))]
            return kind(selection=JobSelection(job_ids=named, limit=limit))
        status = random.choice([None, "dead", "scheduled"])
        wanted = JobFilter(status=status, type=random.choice([None, *TYPES]))
        return kind(selection=JobSelection(filter=wanted, limit=max(limit, 1)))

    def _mend(self) -> Task:
        for request in (ResumeQueue(), RedriveDead()):
            outcome: Outcome | None = None
            while outcome is None or isinstance(outcome, QueueError):
                # Without a number: there may be no room in the table of clients.
                outcome = yield self.ask(request, is_numbered=False)
                yield 50
        self.is_done = True


_DEEDS = ("stats", "job", "list", "cancel", "delete", "retry", "redrive", "pause", "many")
_DEED_WEIGHTS = (5, 2, 2, 2, 2, 1, 2, 2, 3)

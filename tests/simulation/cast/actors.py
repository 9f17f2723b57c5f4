"""Who uses the queue: producers, workers good and bad, an operator.

An actor's task is a generator: it yields milliseconds to sleep, or a call to wait for, and gets
the outcome of the call back.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import msgspec

from osqueue.core.errors import JobNotHeld, QueueError, QueueFull
from osqueue.core.mutations import (
    CancelJob,
    ClaimJobs,
    CompleteJobs,
    Completion,
    DeleteJob,
    FailJob,
    HeartbeatJobs,
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
from tests.simulation.cast.wishes import (
    TYPES,
    make_error,
    make_filter,
    make_job,
    make_list,
    make_many,
    make_result,
)

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["Operator", "Producer", "WorkerProcess"]

Task = Generator[Any, Any, None]


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
        self._count += 1
        return make_job(f"{self.name}-{self._count}", self.random, now_ms=self.now_ms())


class WorkerProcess(Actor):
    """Claims and works, in good and in bad ways, until the world closes."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.worker_id = ""
        self._follow_ups = 0
        self._claims = 0
        self._busy = 0
        self._gathers = self.random.random() < 0.3
        """It reports what is done in batches."""
        self._done: dict[str, Completion] = {}
        """By job id, what the next batch reports."""
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
        self._done = {}
        self.spawn(self._work())
        if self._gathers:
            self.spawn(self._report_batches())

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
            lease_ms=random.choice([0, 0, 1_000, 3 * self.world.plan.timeout_ms]),
            claim_id=f"{self.worker_id}/c{self._claims}",
            byte_budget=random.choice([0, 0, 0, 40, 900]),
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
        elif self._gathers and kind != "stubborn":
            self._done[job.job_id] = self._completion(job)
        else:
            claim = self._claim() if random.random() < 0.4 and self._busy < 2 else None
            outcome: Outcome = yield self.ask(self._completing([self._completion(job)], claim))
            if isinstance(outcome, JobsCompleted) and outcome.claimed is not None:
                self._take(outcome.claimed.jobs)
            elif isinstance(outcome, QueueError) and not isinstance(outcome, JobNotHeld):
                # Refused for lack of room, say: without the jobs that follow.
                if kind != "stubborn":
                    return
                yield self.ask(self._completing([self._completion(job, is_plain=True)], None))

    def _report_batches(self) -> Task:
        """Complete what was done meanwhile, in one request, as busy workers do."""
        random = self.random
        while not self.world.is_closing or self._busy or self._done:
            yield random.randint(20, 250)
            if not self._done:
                continue
            done, self._done = self._done, {}
            claim = self._claim() if random.random() < 0.5 and self._busy < 2 else None
            completing = self._completing(list(done.values()), claim, is_single=False)
            outcome: Outcome = yield self.ask(completing)
            full = outcome.full if isinstance(outcome, JobsCompleted) else []
            if isinstance(outcome, JobsCompleted) and outcome.claimed is not None:
                self._take(outcome.claimed.jobs)
            if isinstance(outcome, QueueFull):
                full = list(done)
            for job_id in full:
                # No room for the jobs that follow: without them.
                plain = msgspec.structs.replace(done[job_id], submit=[])
                self._done.setdefault(job_id, plain)

    def _failing(self, job: ClaimedJob, *, is_final: bool) -> FailJob:
        self._follow_ups += 1
        return FailJob(
            worker_id=self.worker_id,
            lease=Lease(job.job_id, job.attempt),
            error=make_error(f"{self.worker_id}/f{self._follow_ups}", self.random),
            retry_in_ms=self.random.choice([None, None, 0, 300, 2_500]),
            is_final=is_final,
        )

    def _completion(self, job: ClaimedJob, *, is_plain: bool = False) -> Completion:
        random = self.random
        follow_ups: list[NewJob] = []
        if not self.world.is_calm and random.random() < 0.15 and not is_plain:
            for _ in range(random.choice([1, 1, 2])):
                self._follow_ups += 1
                job_id = f"{self.worker_id}-next{self._follow_ups}"
                follow_ups.append(make_job(job_id, random, now_ms=self.now_ms()))
        result = make_result(f"{job.job_id}/{job.attempt}", random)
        return Completion(lease=Lease(job.job_id, job.attempt), submit=follow_ups, result=result)

    def _completing(
        self, done: list[Completion], claim: ClaimJobs | None, *, is_single: bool = True
    ) -> CompleteJobs:
        return CompleteJobs(
            worker_id=self.worker_id,
            completions=done,
            claim=claim,
            is_single=is_single and claim is None,
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
                if request.is_descending:
                    continue
                self._cursor = outcome.next_after_order or -1

    def _anything(self) -> Request:
        random = self.random
        jobs = self.world.observer.ledger.jobs
        kind = random.choices(_DEEDS, _DEED_WEIGHTS)[0]
        # Mostly jobs of which it can be done.
        statuses = _MEANT.get(kind, ()) if random.random() < 0.8 else ()
        meant = sorted(job.id for job in jobs.values() if job.status in statuses) or sorted(jobs)
        job_id = random.choice(meant) if meant and random.random() < 0.9 else "nobody"
        match kind:
            case "cancel":
                return CancelJob(job_id=job_id)
            case "delete":
                return DeleteJob(job_id=job_id)
            case "retry":
                return RetryJob(job_id=job_id)
            case "redrive":
                wanted = make_filter(random)
                return RedriveDead(
                    selection=JobSelection(filter=wanted, limit=random.choice([0, 1]))
                )
            case "many":
                return make_many(random, sorted(jobs))
            case "pause":
                return PauseQueue(type=random.choice([None, *TYPES]))
            case "stats":
                return ReadStats(is_confirmed=random.random() < _CONFIRMED_SHARE)
            case "job":
                return ReadJob(job_id=job_id, is_confirmed=random.random() < _CONFIRMED_SHARE)
            case _:
                wanted = make_list(random, self._cursor)
                is_confirmed = random.random() < _CONFIRMED_SHARE
                return msgspec.structs.replace(wanted, is_confirmed=is_confirmed)

    def _mend(self) -> Task:
        for request in (ResumeQueue(), RedriveDead()):
            outcome: Outcome | None = None
            while outcome is None or isinstance(outcome, QueueError):
                # Without a number: there may be no room in the table of clients.
                outcome = yield self.ask(request, is_numbered=False)
                yield 50
        self.is_done = True


_CONFIRMED_SHARE = 0.3
"""Of reads: so many ask to be confirmed by the store."""
_DEEDS = ("stats", "job", "list", "cancel", "delete", "retry", "redrive", "pause", "many")
_DEED_WEIGHTS = (5, 2, 2, 2, 2, 3, 2, 2, 4)
_MEANT = {"delete": ("dead", "completed"), "retry": ("dead", "scheduled")}

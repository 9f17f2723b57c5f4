"""Random lives of a queue, against a model so naive that its rules can be seen.

The model keeps jobs in one list, in order of submission. After every step both must tell the same
of every job, and the queue's invariants must hold; a failover writes and loads the queue.
"""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from osqueue.core.document import encode_document, load_document
from osqueue.core.errors import QueueError
from osqueue.core.fates.bulk import count_jobs
from osqueue.core.job import JobError
from osqueue.core.limits import QueueRules
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    ChangeJobs,
    ClaimJobs,
    CompleteJobs,
    Completion,
    DeleteJob,
    DeleteJobs,
    ExpireJobs,
    FailJob,
    HeartbeatJobs,
    JobFilter,
    JobSelection,
    Lease,
    Mutation,
    PauseQueue,
    RedriveDead,
    ResumeQueue,
    RetryJob,
    RetryJobs,
    SnoozeJob,
    StartDueJobs,
    SubmitJobs,
)
from osqueue.core.outcomes import (
    JobFailed,
    JobsChanged,
    JobsClaimed,
    JobsCompleted,
    JobsSubmitted,
    Outcome,
)
from tests.builders import NOW_MS, make_header, make_new_job, make_repeat, make_state

LEASE_MS = 30_000
WAITING = ("scheduled", "unclaimed")
KEY_HOLDERS = ("scheduled", "unclaimed", "in_progress")
job_ids = st.sampled_from([f"job-{number}" for number in range(8)])
workers = st.sampled_from(["worker-1", "worker-2"])
kinds = st.sampled_from(["", "a", "b"])
CHANGES: list[type[ChangeJobs]] = [CancelJobs, DeleteJobs, RetryJobs, RedriveDead]
selections = st.builds(
    JobSelection,
    job_ids=st.none() | st.lists(job_ids, max_size=3),
    filter=st.builds(
        JobFilter,
        status=st.sampled_from([None, "dead", "scheduled", "unclaimed"]),
        type=st.none() | kinds,
        text=st.sampled_from(["", "job-3", "b-5"]),
    ),
    limit=st.integers(0, 2),
)


class NaiveJob(msgspec.Struct):
    """What the model knows of a job."""

    id: str
    kind: str
    priority: int
    key: str
    ttl_ms: int
    run_at: int
    status: str
    attempts: int = 0
    max_attempts: int = 2
    worker: str = ""
    lease_end: int = 0
    cancelled: bool = False
    kept_until: int = 0

    def leave_worker(self, status: str) -> None:
        """Nobody holds it any more."""
        self.status, self.worker, self.cancelled = status, "", False


class QueueLife(RuleBasedStateMachine):
    """Everything that can happen to a queue."""

    def __init__(self) -> None:
        super().__init__()
        self.state = make_state(rules=QueueRules(max_attempts=2))
        self.now_ms = NOW_MS
        self.jobs: list[NaiveJob] = []
        self.paused: set[str | None] = set()
        self.sequence = 0
        self.last: tuple[Mutation, Outcome] | None = None

    def apply(self, mutation: Mutation) -> Outcome:
        """Apply to the queue; one clock serves as both."""
        outcome = self.state.apply(mutation, now_ms=self.now_ms, steady_ms=self.now_ms)
        self.state.settle_claims(self.now_ms)
        return outcome

    def apply_sequenced(self, mutation: Mutation) -> Outcome:
        """Apply with a sequence, to be repeated later."""
        self.sequence += 1
        mutation.repeat = make_repeat(self.sequence)
        outcome = self.apply(mutation)
        if not isinstance(outcome, QueueError):
            self.last = (mutation, outcome)
        return outcome

    def named(self, job_id: str) -> NaiveJob | None:
        """The model's job of that id."""
        return next((job for job in self.jobs if job.id == job_id), None)

    def holding(self, job_id: str, worker: str) -> NaiveJob | None:
        """The model's job where that worker holds it."""
        job = self.named(job_id)
        return job if job and job.status == "in_progress" and job.worker == worker else None

    def hand_out(self, job: NaiveJob, worker: str) -> None:
        """The model's beginning of an attempt."""
        job.status, job.worker, job.attempts = "in_progress", worker, job.attempts + 1
        job.lease_end = self.now_ms + LEASE_MS

    def release(self, job: NaiveJob, delay_ms: int = 0) -> None:
        """The model's end of an attempt that did not complete."""
        if job.cancelled:
            self.jobs.remove(job)
        elif job.attempts >= job.max_attempts:
            job.leave_worker("dead")
        else:
            job.leave_worker("scheduled" if delay_ms else "unclaimed")
            job.run_at = self.now_ms + delay_ms if delay_ms else 0

    @rule(
        job_id=job_ids,
        fields=st.fixed_dictionaries(
            {
                "type": kinds,
                "priority": st.integers(-1, 1),
                "unique_key": st.sampled_from(["", "k"]),
                "result_ttl_ms": st.sampled_from([0, 40_000]),
                "delay_ms": st.sampled_from([0, 5_000]),
            }
        ),
    )
    def submit(self, job_id: str, fields: dict[str, Any]) -> None:
        new_job = make_new_job(id=job_id, max_attempts=2, **fields)
        key, delay_ms = fields["unique_key"], fields["delay_ms"]
        queued = self.named(job_id) or next(
            (job for job in self.jobs if key and job.key == key and job.status in KEY_HOLDERS), None
        )
        outcome = self.apply_sequenced(SubmitJobs(jobs=[new_job]))
        assert outcome == JobsSubmitted([queued.id if queued else job_id], [0] if queued else [])
        if not queued:
            status = "scheduled" if delay_ms else "unclaimed"
            run_at = self.now_ms + delay_ms if delay_ms else 0
            self.jobs.append(
                NaiveJob(
                    job_id,
                    fields["type"],
                    fields["priority"],
                    key,
                    fields["result_ttl_ms"],
                    run_at,
                    status,
                )
            )

    @rule(worker=workers, types=st.lists(kinds, max_size=2), limit=st.integers(1, 3))
    def claim(self, worker: str, types: list[str], limit: int) -> None:
        fitting = [
            job
            for job in self.jobs
            if job.status == "unclaimed" and (not types or job.kind in types)
            if not self.paused & {None, job.kind}
        ]
        expected = sorted(fitting, key=lambda job: -job.priority)[:limit]
        outcome = self.apply_sequenced(ClaimJobs(worker_id=worker, types=types, limit=limit))
        assert isinstance(outcome, JobsClaimed)
        for job in expected:
            self.hand_out(job, worker)
        assert [(job.job_id, job.attempt) for job in outcome.jobs] == [
            (job.id, job.attempts) for job in expected
        ]

    @rule(job_id=job_ids, worker=workers)
    def complete(self, job_id: str, worker: str) -> None:
        job = self.holding(job_id, worker)
        done = Completion(lease=Lease(job_id, job.attempts if job else None))
        outcome = self.apply_sequenced(CompleteJobs(worker_id=worker, completions=[done]))
        assert outcome == JobsCompleted([job_id] if job else [], [] if job else [job_id])
        if job and job.ttl_ms:
            job.leave_worker("completed")
            job.kept_until = self.now_ms + job.ttl_ms
        elif job:
            self.jobs.remove(job)

    @rule(job_id=job_ids, worker=workers, delay_ms=st.sampled_from([0, 5_000]), final=st.booleans())
    def fail(self, job_id: str, worker: str, delay_ms: int, final: bool) -> None:
        job = self.holding(job_id, worker)
        outcome = self.apply_sequenced(
            FailJob(
                worker_id=worker,
                lease=Lease(job_id),
                error=JobError("E", "m"),
                retry_in_ms=delay_ms,
                is_final=final,
            )
        )
        assert isinstance(outcome, JobFailed) == (job is not None)
        if job:
            job.attempts += 99 * final
            self.release(job, delay_ms)
            job.attempts -= 99 * final

    @rule(job_id=job_ids, worker=workers)
    def snooze(self, job_id: str, worker: str) -> None:
        job = self.holding(job_id, worker)
        self.apply(SnoozeJob(worker_id=worker, lease=Lease(job_id), delay_ms=5_000))
        if job:
            job.max_attempts += 1
            self.release(job, 5_000)

    @rule(job_id=job_ids, worker=workers)
    def heartbeat(self, job_id: str, worker: str) -> None:
        self.apply(HeartbeatJobs(worker_id=worker, leases=[Lease(job_id)]))
        if job := self.holding(job_id, worker):
            job.lease_end = self.now_ms + LEASE_MS

    @rule(elapsed_ms=st.sampled_from([1, 5_000, 20_000, 40_000]))
    def time_passes(self, elapsed_ms: int) -> None:
        self.now_ms += elapsed_ms
        self.apply(StartDueJobs())
        self.apply(ExpireJobs())
        for job in list(self.jobs):
            if job.status == "scheduled" and job.run_at <= self.now_ms:
                job.status, job.run_at = "unclaimed", 0
            elif job.status == "in_progress" and job.lease_end <= self.now_ms:
                self.release(job)
            elif job.status == "completed" and job.kept_until <= self.now_ms:
                self.jobs.remove(job)

    @rule(job_id=job_ids)
    def cancel(self, job_id: str) -> None:
        self.apply(CancelJob(job_id=job_id))
        job = self.named(job_id)
        if job and job.status in WAITING:
            self.jobs.remove(job)
        elif job and job.status == "in_progress":
            job.cancelled = True

    @rule(job_id=job_ids)
    def delete(self, job_id: str) -> None:
        self.apply(DeleteJob(job_id=job_id))
        if (job := self.named(job_id)) and job.status != "in_progress":
            self.jobs.remove(job)

    @rule(job_id=job_ids)
    def retry(self, job_id: str) -> None:
        self.apply(RetryJob(job_id=job_id))
        if (job := self.named(job_id)) and job.status == "scheduled":
            job.status, job.run_at = "unclaimed", 0
        elif job and job.status == "dead":
            self.revive(job)

    @rule(change=st.sampled_from(CHANGES), selection=selections)
    def change_many(self, change: type[ChangeJobs], selection: JobSelection) -> None:
        counted = count_jobs(self.state.table, change(selection=selection))
        outcome = self.apply_sequenced(change(selection=selection))
        assert outcome == counted
        wanted, named = selection.filter, selection.job_ids
        if named is None:
            jobs = [
                job
                for job in self.jobs
                if wanted.status in (None, job.status) and wanted.type in (None, job.kind)
                if wanted.text in job.id
            ]
        else:
            jobs = [job for job_id in dict.fromkeys(named) if (job := self.named(job_id))]
        count = 0
        for job in jobs:
            if not selection.limit or count < selection.limit:
                count += self.change(change, job)
        assert isinstance(outcome, JobsChanged)
        assert outcome.count == count

    def change(self, change: type[ChangeJobs], job: NaiveJob) -> bool:
        """The model's change of one of many jobs; whether its status allows it."""
        if change is CancelJobs and job.status in WAITING:
            self.jobs.remove(job)
        elif change is CancelJobs and job.status == "in_progress":
            job.cancelled = True
        elif change is DeleteJobs and job.status != "in_progress":
            self.jobs.remove(job)
        elif change is RetryJobs and job.status == "scheduled":
            job.status, job.run_at = "unclaimed", 0
        elif change in (RetryJobs, RedriveDead) and job.status == "dead":
            return self.revive(job)
        else:
            return False
        return True

    def revive(self, job: NaiveJob) -> bool:
        """The model's redrive of one job."""
        if any(job.key and o.key == job.key and o.status in KEY_HOLDERS for o in self.jobs):
            return False
        job.status, job.max_attempts = "unclaimed", max(job.max_attempts, job.attempts + 2)
        return True

    @rule(kind=st.sampled_from([None, "", "a"]), pauses=st.booleans())
    def pause_or_resume(self, kind: str | None, pauses: bool) -> None:
        if pauses:
            self.apply(PauseQueue(type=kind))
            self.paused.add(kind)
        else:
            self.apply(ResumeQueue(type=kind))
            self.paused = self.paused - {kind} if kind is not None else set()

    @precondition(lambda self: self.last is not None)
    @rule()
    def repeat(self) -> None:
        assert self.last is not None
        mutation, outcome = self.last
        answer = self.apply(mutation)
        if isinstance(outcome, JobsClaimed) and outcome.jobs:
            assert isinstance(answer, JobsClaimed)
            assert all(job in outcome.jobs for job in answer.jobs)
        elif not isinstance(outcome, JobsClaimed):
            assert answer == outcome
        else:
            # A claim that found nothing was not recorded: its repeat is a first attempt.
            assert isinstance(mutation, ClaimJobs)
            assert isinstance(answer, JobsClaimed)
            self.last = None
            for claimed in answer.jobs:
                job = self.named(claimed.job_id)
                assert job is not None
                self.hand_out(job, mutation.worker_id)

    @rule()
    def write(self) -> None:
        encode_document(make_header(), {}, self.state)

    @rule()
    def fail_over(self) -> None:
        chunks = encode_document(make_header(), {}, self.state)
        loaded = load_document(b"".join(chunks), self.state.rules, random.Random(1)).state
        assert encode_document(make_header(), {}, loaded) is not None
        assert loaded.clients.entry("client-1") == self.state.clients.entry("client-1")
        self.state = loaded
        self.state.renew_leases(self.now_ms)
        for job in self.jobs:
            job.lease_end = self.now_ms + LEASE_MS

    @invariant()
    def agrees(self) -> None:
        self.state.check_invariants()
        stored = [
            (job.id, job.status, job.worker_id, job.run_at, job.cancel_requested)
            for job in self.state.table.blocks.after(-1)
        ]
        assert stored == [
            (job.id, job.status, job.worker, job.run_at, job.cancelled) for job in self.jobs
        ]
        for job in self.jobs:
            found = self.state.table.by_id[job.id]
            assert (found.attempts, found.max_attempts) == (job.attempts, job.max_attempts)


QueueLife.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestQueueLife = pytest.mark.slow(QueueLife.TestCase)

"""The queue itself: what each mutation does, and what its repeat is answered.

Rules of this file: synchronous and deterministic; times and randomness are arguments; a refusal
changes nothing; whatever changes the document sets `has_changed`, and what merely rides along with
the next write (heartbeats, floors) does not. Mutations come from `group_commit.py`, in the order of
its batches. How attempts end, and what operators do, stands in `fates/`.

Two clocks: `now_ms` (wall) for what is stored, `steady_ms` for leases, which are never stored.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from osqueue.core.errors import QueueError, QueueFull
from osqueue.core.fates.administering import (
    cancel_job,
    close_client,
    delete_job,
    pause_queue,
    resume_queue,
    retry_job,
)
from osqueue.core.fates.bulk import change_jobs
from osqueue.core.fates.settling import (
    complete_jobs,
    expire_jobs,
    fail_job,
    give_back_jobs,
    snooze_job,
    start_due_jobs,
)
from osqueue.core.job import Job
from osqueue.core.limits import QueueRules
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    ClaimJobs,
    CloseClient,
    CompleteJobs,
    DeleteJob,
    DeleteJobs,
    ExpireJobs,
    FailJob,
    GiveBackJobs,
    HeartbeatJobs,
    Mutation,
    NewJob,
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
    ClaimedJob,
    JobsClaimed,
    JobsCompleted,
    JobsExtended,
    JobsSubmitted,
    Outcome,
)
from osqueue.core.tables.client_table import ClientTable
from osqueue.core.tables.job_table import JobTable
from osqueue.core.tables.refusals import JOB_OVERHEAD_BYTES, estimate_bytes, refuse_submit
from osqueue.core.tables.repeat_answers import read_answer, store_answer
from osqueue.core.tables.sequence_contents import SequenceContents, refuse_reuse
from osqueue.core.tables.tally import Tally
from osqueue.core.tables.totals import Totals
from osqueue.core.tables.worker_table import WorkerTable

__all__ = ["QueueState"]


class QueueState:
    """All jobs, their indexes, and what may be done to them."""

    def __init__(
        self,
        rules: QueueRules,
        random: random_module.Random,
        *,
        table: JobTable | None = None,
        totals: Totals | None = None,
        clients: ClientTable | None = None,
        paused_types: Iterable[str] = (),
    ) -> None:
        """Take the tables over. Held jobs have no running lease until `renew_leases`."""
        self.rules = rules
        self.table = table or JobTable()
        self.totals = totals or Totals()
        self.clients = clients or ClientTable()
        self.contents = SequenceContents()
        self.paused_types = set(paused_types)
        self.workers = WorkerTable()
        self.tally = Tally()
        """What was done since the last commit; taken by whoever commits."""
        self.lease_ms_min = 0
        """Twice the broker's timeout in force; shorter leases are raised to it."""
        self.added_bytes = 0
        """About what the document has gained since it was last encoded."""
        self.random = random

    @property
    def has_changed(self) -> bool:
        """Whether something was applied that must be written; cleared by whoever writes."""
        return self.table.has_changed

    @has_changed.setter
    def has_changed(self, has_changed: bool) -> None:
        self.table.has_changed = has_changed

    @property
    def document_bytes(self) -> int:
        """About what the document takes: exact when it is encoded, then an estimate of growth."""
        return self.table.blocks.encoded_bytes + self.clients.encoded_bytes + self.added_bytes

    def apply(self, mutation: Mutation, now_ms: int, steady_ms: int) -> Outcome:
        """Apply one mutation, or answer its repeat. A refusal is returned, and changed nothing."""
        applier = _APPLIERS[type(mutation)]
        self.table.now_ms = now_ms
        repeat = mutation.repeat
        if repeat is None:
            return applier(self, mutation, now_ms, steady_ms)
        answer = self.answer_repeat(mutation)
        if answer is not None:
            return answer
        is_recorded = True
        full = self.clients.refuse_entry(repeat.client_id, self.rules.limits.client_entries_max)
        if full is not None:
            if not isinstance(mutation, (CompleteJobs, FailJob)):
                return full
            is_recorded = False
        outcome = applier(self, mutation, now_ms, steady_ms)
        if type(outcome) is JobsClaimed:
            if outcome.jobs:
                self.clients.record(repeat, self.totals.leadership_ms)
                self.contents.note(repeat, mutation)
        elif is_recorded and not isinstance(outcome, QueueError):
            answer = store_answer(mutation, outcome)
            self.clients.record(repeat, self.totals.leadership_ms, answer)
            self.contents.note(repeat, mutation)
            self.table.has_changed = True
        return outcome

    def answer_repeat(self, mutation: Mutation) -> Outcome | None:
        """The first answer again, or why the sequence cannot be applied; None where it is new."""
        repeat = mutation.repeat
        if repeat is None:
            return None
        entry = self.clients.find(repeat, self.totals.leadership_ms)
        if entry is None or isinstance(entry, QueueError):
            return entry
        if self.contents.differs(repeat, mutation):
            return refuse_reuse(repeat)
        if isinstance(mutation, ClaimJobs):
            return self._still_held(mutation.worker_id, mutation.repeat_id)
        answer = read_answer(mutation, entry.answers.get(repeat.sequence))
        if not isinstance(answer, JobsCompleted) or not isinstance(mutation, CompleteJobs):
            return answer
        if mutation.claim is None:
            return answer
        # What the first attempt claimed, never more: nobody may be waiting for this answer.
        claimed = self._still_held(mutation.worker_id, mutation.claim_repeat_id)
        return msgspec.structs.replace(answer, claimed=claimed)

    def settle_claims(self, steady_ms: int) -> None:
        """The write that holds the newest claims has succeeded: their leases run from now."""
        self.table.settle_claims(steady_ms)

    def renew_leases(self, steady_ms: int) -> None:
        """Give every held job one full lease: after a takeover, an outage, a suspension."""
        for job in self.table.by_id.values():
            if job.is_held:
                self.table.extend_lease(job, steady_ms, self.lease_ms_min)

    def has_job_for(self, claim: ClaimJobs) -> bool:
        """Whether a claim would get a job, one that it holds already included."""
        if self.table.holds_claim(claim.worker_id, claim.repeat_id):
            return True
        return self._next_job_id(claim) is not None

    def refuses(self, mutation: Mutation) -> bool:
        """Whether it surely needs no write: its sequence was answered, or its lease is lost."""
        if mutation.repeat is not None and self.clients.has_answered(mutation.repeat):
            return True
        if isinstance(mutation, FailJob | SnoozeJob):
            return self.table.find_held(mutation.worker_id, mutation.lease) is None
        return False

    def next_expiry_ms(self) -> int | None:
        """Steady time of the next lease to run out, or None."""
        return self.table.leases.next_ms()

    def next_due_ms(self) -> int | None:
        """Wall time when the next scheduled job or kept result falls due, or None."""
        times = (self.table.due.next_ms(), self.table.kept_results.next_ms())
        return min((at for at in times if at is not None), default=None)

    def enqueue_all(self, new_jobs: Iterable[NewJob], now_ms: int) -> JobsSubmitted:
        """Enqueue jobs, those left out whose id or unique key is queued already."""
        job_ids: list[str] = []
        duplicates: list[int] = []
        for index, new_job in enumerate(new_jobs):
            queued_id = self.table.find_queued(new_job)
            if queued_id is None:
                self._enqueue(new_job, now_ms)
            else:
                duplicates.append(index)
            job_ids.append(queued_id or new_job.id)
        self.tally.submitted += len(job_ids) - len(duplicates)
        return JobsSubmitted(job_ids, duplicates)

    def claim_under(self, repeat_id: str, claim: ClaimJobs, now_ms: int) -> JobsClaimed:
        """The jobs still held under the repeat id, otherwise the next ones."""
        worker = self.workers.heard_of(claim.worker_id, now_ms)
        worker.types = claim.types
        if repeat_id and self.table.holds_claim(claim.worker_id, repeat_id):
            return self._still_held(claim.worker_id, repeat_id)
        claimed: list[ClaimedJob] = []
        payload_bytes = 0
        while len(claimed) < claim.limit:
            job_id = self._next_job_id(claim)
            if job_id is None:
                break
            job = self.table.by_id[job_id]
            payload_bytes += len(job.payload)
            if claimed and claim.byte_budget and payload_bytes > claim.byte_budget:
                break
            self._hand_out(job, claim, repeat_id, now_ms)
            claimed.append(ClaimedJob.of(job))
        worker.claimed += len(claimed)
        return JobsClaimed(claimed)

    def refuse_growth(
        self, new_jobs: Sequence[NewJob], ended: Job | None = None
    ) -> QueueFull | None:
        """Why the queue cannot take these jobs, which follow from the ended one, or None."""
        gone = [] if ended is None or ended.result_ttl_ms else [ended]
        return refuse_submit(
            self.table,
            self.rules.limits,
            new_jobs,
            stored_bytes=self.document_bytes,
            added_bytes=estimate_bytes(new_jobs) - estimate_bytes(gone),
            ended_count=len(gone),
            are_follow_ups=ended is not None,
        )

    def take_tally(self) -> Tally:
        """What was done since it was last taken."""
        tally, self.tally = self.tally, Tally()
        longest_id = self.table.ready.longest_id()
        if longest_id is not None:
            tally.oldest_unclaimed_at = self.table.by_id[longest_id].waiting_since
        return tally

    def check_invariants(self) -> None:
        """Assert what must hold between any two mutations; O(jobs)."""
        self.table.check_invariants()
        for job in self.table.by_id.values():
            assert 0 < job.order < self.totals.next_order, job

    def _enqueue(self, new_job: NewJob, now_ms: int) -> None:
        run_at = now_ms + new_job.delay_ms if new_job.delay_ms else new_job.run_at
        is_scheduled = run_at > now_ms
        job = Job(
            id=new_job.id,
            status="scheduled" if is_scheduled else "unclaimed",
            type=new_job.type,
            payload=new_job.payload,
            created_at=now_ms,
            max_attempts=new_job.max_attempts,
            order=self.totals.next_order,
            priority=new_job.priority,
            run_at=run_at if is_scheduled else 0,
            unique_key=new_job.unique_key,
            result_ttl_ms=new_job.result_ttl_ms,
            retry=new_job.retry,
        )
        self.totals.next_order += 1
        self.table.add(job)
        self.added_bytes += len(job.payload) + JOB_OVERHEAD_BYTES

    def _still_held(self, worker_id: str, repeat_id: str) -> JobsClaimed:
        held = self.table.claimed_under(worker_id, repeat_id)
        return JobsClaimed([ClaimedJob.of(job) for job in held], is_repeat=bool(held))

    def _next_job_id(self, claim: ClaimJobs) -> str | None:
        if self.totals.paused:
            return None
        return self.table.ready.next_id(claim.types, self.paused_types)

    def _hand_out(self, job: Job, claim: ClaimJobs, repeat_id: str, now_ms: int) -> None:
        self.tally.waits_ms.append(now_ms - (job.ready_at or job.created_at))
        job.attempts += 1
        job.worker_id = claim.worker_id
        job.claim_id = repeat_id
        job.lease_ms = max(claim.lease_ms or self.rules.lease_ms, self.lease_ms_min)
        job.heartbeat = now_ms
        self.table.move(job, "in_progress")


def _submit_jobs(state: QueueState, mutation: SubmitJobs, now_ms: int, _: int) -> Outcome:
    refusal = state.refuse_growth(mutation.jobs)
    if refusal is not None and not all(map(state.table.find_queued, mutation.jobs)):
        return refusal
    return state.enqueue_all(mutation.jobs, now_ms)


def _claim_jobs(state: QueueState, mutation: ClaimJobs, now_ms: int, _: int) -> JobsClaimed:
    return state.claim_under(mutation.repeat_id, mutation, now_ms)


def _heartbeat_jobs(
    state: QueueState, mutation: HeartbeatJobs, now_ms: int, steady_ms: int
) -> JobsExtended:
    held: list[str] = []
    lost: list[str] = []
    cancel_requested: list[str] = []
    state.workers.heard_of(mutation.worker_id, now_ms)
    since_ms = mutation.arrived_ms or steady_ms
    for lease in mutation.leases:
        job = state.table.find_held(mutation.worker_id, lease)
        if job is None:
            lost.append(lease.job_id)
            continue
        held.append(job.id)
        if job.cancel_requested:
            cancel_requested.append(job.id)
        job.heartbeat = now_ms
        state.table.extend_lease(job, since_ms, state.lease_ms_min)
        state.table.blocks.touch(job)
    return JobsExtended(held, lost, cancel_requested)


_APPLIERS: dict[type[Mutation], Callable[[QueueState, Any, int, int], Outcome]] = {
    SubmitJobs: _submit_jobs,
    ClaimJobs: _claim_jobs,
    HeartbeatJobs: _heartbeat_jobs,
    CompleteJobs: complete_jobs,
    FailJob: fail_job,
    SnoozeJob: snooze_job,
    GiveBackJobs: give_back_jobs,
    ExpireJobs: expire_jobs,
    StartDueJobs: start_due_jobs,
    CancelJob: cancel_job,
    DeleteJob: delete_job,
    RetryJob: retry_job,
    CancelJobs: change_jobs,
    DeleteJobs: change_jobs,
    RetryJobs: change_jobs,
    RedriveDead: change_jobs,
    PauseQueue: pause_queue,
    ResumeQueue: resume_queue,
    CloseClient: close_client,
}

"""The queue itself: every line that decides a job's fate.

Rules of this file: synchronous and deterministic; times and randomness are arguments; a refusal
changes nothing; whatever changes the document sets `has_changed`, and what merely rides along with
the next write (heartbeats, floors) does not. Mutations come from `group_commit.py`, in the order of
its batches.

Two clocks: `now_ms` (wall) for what is stored, `steady_ms` for leases, which are never stored.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from osqueue.core.errors import QueueError, WrongStatus
from osqueue.core.job import Job, JobError
from osqueue.core.limits import TEXT_CUT_RATIO, QueueRules
from osqueue.core.mutations import (
    CancelJob,
    ClaimJobs,
    CloseClient,
    CompleteJobs,
    DeleteJob,
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
    SnoozeJob,
    StartDueJobs,
    SubmitJobs,
)
from osqueue.core.outcomes import (
    ClaimedJob,
    ClientClosed,
    DeadRedriven,
    JobCancelled,
    JobDeleted,
    JobFailed,
    JobRetried,
    JobsClaimed,
    JobsCompleted,
    JobsExtended,
    JobSnoozed,
    JobsSubmitted,
    Outcome,
    QueuePaused,
    QueueResumed,
)
from osqueue.core.tables.client_table import ClientTable
from osqueue.core.tables.job_table import JobTable, stored_bytes
from osqueue.core.tables.refusals import cut_text, refuse_lost, refuse_missing, refuse_submit
from osqueue.core.tables.repeat_answers import read_answer, store_answer
from osqueue.core.tables.totals import Totals

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
        self.paused_types = set(paused_types)
        self.has_changed = False
        """Whether something was applied that must be written."""
        self.lease_ms_min = 0
        """Twice the broker's timeout in force; shorter leases are raised to it."""
        self._random = random
        self._appliers: dict[type[Mutation], Callable[[Any, int, int], Outcome]] = {
            SubmitJobs: self._submit,
            ClaimJobs: self._claim,
            HeartbeatJobs: self._heartbeat,
            CompleteJobs: self._complete,
            FailJob: self._fail,
            SnoozeJob: self._snooze,
            GiveBackJobs: self._give_back,
            ExpireJobs: self._expire,
            StartDueJobs: self._start_due,
            CancelJob: self._cancel,
            DeleteJob: self._delete,
            RetryJob: self._retry,
            RedriveDead: self._redrive,
            PauseQueue: self._pause,
            ResumeQueue: self._resume,
            CloseClient: self._close_client,
        }

    def apply(self, mutation: Mutation, *, now_ms: int, steady_ms: int) -> Outcome:
        """Apply one mutation, or answer its repeat. A refusal is returned, and changed nothing."""
        applier = self._appliers[type(mutation)]
        repeat = mutation.repeat
        if repeat is None:
            return applier(mutation, now_ms, steady_ms)
        answer = self.answer_repeat(mutation, now_ms=now_ms, steady_ms=steady_ms)
        if answer is not None:
            return answer
        is_recorded = True
        full = self.clients.refuse_entry(repeat.client_id, self.rules.limits.client_entries_max)
        if full is not None:
            if not isinstance(mutation, CompleteJobs | FailJob):
                return full
            is_recorded = False
        outcome = applier(mutation, now_ms, steady_ms)
        if isinstance(outcome, JobsClaimed):
            if outcome.jobs:
                self.clients.record(repeat, self.totals.leadership_ms)
        elif is_recorded and not isinstance(outcome, QueueError):
            self.clients.record(repeat, self.totals.leadership_ms, store_answer(outcome))
            self.has_changed = True
        return outcome

    def answer_repeat(self, mutation: Mutation, *, now_ms: int, steady_ms: int) -> Outcome | None:
        """The first answer again, or why the sequence cannot be applied; None where it is new."""
        repeat = mutation.repeat
        if repeat is None:
            return None
        entry = self.clients.find(repeat, self.totals.leadership_ms)
        if entry is None:
            return self.clients.refuse(repeat)
        if isinstance(mutation, ClaimJobs):
            held = self.table.claimed_under(mutation.worker_id, mutation.repeat_id)
            return JobsClaimed([ClaimedJob.of(job) for job in held])
        answer = read_answer(mutation, entry.answers.get(str(repeat.sequence)))
        if isinstance(mutation, CompleteJobs) and mutation.claim is not None:
            assert isinstance(answer, JobsCompleted)
            claimed = self._claim(mutation.claim, now_ms, steady_ms)
            return msgspec.structs.replace(answer, claimed=claimed)
        return answer

    def settle_claims(self, steady_ms: int) -> None:
        """The write that holds the newest claims has succeeded: their leases run from now."""
        self.table.settle_claims(steady_ms)

    def renew_leases(self, steady_ms: int) -> None:
        """Give every held job one full lease: after a takeover, an outage, a suspension."""
        self.table.renew_leases(steady_ms, self.lease_ms_min)

    def has_job_for(self, claim: ClaimJobs) -> bool:
        """Whether a claim would get a job, one that it holds already included."""
        if self.table.claimed_under(claim.worker_id, claim.repeat_id):
            return True
        return self._next_job_id(claim) is not None

    def refuses(self, mutation: Mutation) -> bool:
        """Whether it surely needs no write: its sequence was answered before, or its lease is lost."""
        repeat = mutation.repeat
        if repeat is not None and self.clients.has_answered(repeat):
            claim = mutation.claim if isinstance(mutation, CompleteJobs) else None
            return claim is None or not self.has_job_for(claim)
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

    def check_invariants(self) -> None:
        """Assert what must hold between any two mutations; O(jobs)."""
        self.table.check_invariants()
        for job in self.table.by_id.values():
            assert 0 < job.order < self.totals.next_order, job

    def _submit(self, mutation: SubmitJobs, now_ms: int, _: int) -> Outcome:
        refusal = refuse_submit(self.table, self.rules.limits, mutation.jobs)
        return refusal or self._enqueue_all(mutation.jobs, now_ms)

    def _enqueue_all(self, new_jobs: list[NewJob], now_ms: int) -> JobsSubmitted:
        job_ids: list[str] = []
        duplicates: list[int] = []
        for index, new_job in enumerate(new_jobs):
            queued_id = self.table.find_queued(new_job)
            if queued_id is None:
                self._enqueue(new_job, now_ms)
            else:
                duplicates.append(index)
            job_ids.append(queued_id or new_job.id)
        return JobsSubmitted(job_ids, duplicates)

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
        self.has_changed = True

    def _claim(self, mutation: ClaimJobs, now_ms: int, _: int) -> JobsClaimed:
        held = self.table.claimed_under(mutation.worker_id, mutation.repeat_id)
        if held:
            return JobsClaimed([ClaimedJob.of(job) for job in held])
        claimed: list[ClaimedJob] = []
        payload_bytes = 0
        while len(claimed) < mutation.limit:
            job_id = self._next_job_id(mutation)
            if job_id is None:
                break
            job = self.table.by_id[job_id]
            payload_bytes += len(bytes(job.payload))
            if claimed and mutation.byte_budget and payload_bytes > mutation.byte_budget:
                break
            self._hand_out(job, mutation, now_ms)
            claimed.append(ClaimedJob.of(job))
        return JobsClaimed(claimed)

    def _next_job_id(self, claim: ClaimJobs) -> str | None:
        if self.totals.paused:
            return None
        return self.table.ready.next_id(claim.types, self.paused_types)

    def _hand_out(self, job: Job, claim: ClaimJobs, now_ms: int) -> None:
        self.table.move(job, "in_progress")
        job.attempts += 1
        job.worker_id = claim.worker_id
        job.claim_id = claim.repeat_id
        job.lease_ms = max(claim.lease_ms or self.rules.lease_ms, self.lease_ms_min)
        job.heartbeat = now_ms
        self.table.place(job)
        self.table.start_lease_at_settlement(job)
        self.has_changed = True

    def _heartbeat(self, mutation: HeartbeatJobs, now_ms: int, steady_ms: int) -> JobsExtended:
        held: list[str] = []
        lost: list[str] = []
        cancel_requested: list[str] = []
        since_ms = mutation.arrived_ms or steady_ms
        for lease in mutation.leases:
            job = self.table.find_held(mutation.worker_id, lease)
            if job is None:
                lost.append(lease.job_id)
                continue
            held.append(job.id)
            if job.cancel_requested:
                cancel_requested.append(job.id)
            job.heartbeat = now_ms
            self.table.leases.set(job.id, since_ms + job.lease_ms)
            self.table.touch(job)
        return JobsExtended(held, lost, cancel_requested)

    def _complete(self, mutation: CompleteJobs, now_ms: int, steady_ms: int) -> Outcome:
        worker_id = mutation.worker_id
        is_held = [self.table.find_held(worker_id, done.lease) for done in mutation.completions]
        if mutation.is_single and is_held[0] is None:
            return refuse_lost(worker_id, mutation.completions[0].lease)
        follow_ups = [
            new_job
            for job, done in zip(is_held, mutation.completions, strict=True)
            if job is not None
            for new_job in done.submit
        ]
        if (
            follow_ups
            and (refusal := refuse_submit(self.table, self.rules.limits, follow_ups)) is not None
        ):
            return refusal
        completed: list[str] = []
        lost: list[str] = []
        for done in mutation.completions:
            job = self.table.find_held(worker_id, done.lease)
            if job is None:
                lost.append(done.lease.job_id)
                continue
            self._finish(job, done.result, now_ms)
            self._enqueue_all(done.submit, now_ms)
            completed.append(job.id)
        claimed = mutation.claim and self._claim(mutation.claim, now_ms, steady_ms)
        return JobsCompleted(completed, lost, claimed)

    def _finish(self, job: Job, result: msgspec.Raw | None, now_ms: int) -> None:
        self.has_changed = True
        self.totals.completed_total += 1
        if not job.result_ttl_ms:
            self.table.remove(job)
            return
        self.table.move(job, "completed")
        job.ended_at = now_ms
        self.table.stored_bytes -= stored_bytes(job)
        job.result = None if self._is_cutting_text() else result
        self.table.stored_bytes += stored_bytes(job)
        self.table.place(job)

    def _fail(self, mutation: FailJob, now_ms: int, _: int) -> Outcome:
        job = self.table.find_held(mutation.worker_id, mutation.lease)
        if job is None:
            return refuse_lost(mutation.worker_id, mutation.lease)
        self._add_error(job, mutation.error, now_ms)
        if mutation.is_final and not job.cancel_requested:
            self._bury(job, now_ms)
            return JobFailed("dead", 0)
        delay_ms = mutation.retry_in_ms
        if delay_ms is None:
            policy = job.retry or self.rules.retry
            delay_ms = policy.delay_ms(job.attempts, self._random)
        return self._return(job, now_ms, delay_ms)

    def _snooze(self, mutation: SnoozeJob, now_ms: int, _: int) -> Outcome:
        job = self.table.find_held(mutation.worker_id, mutation.lease)
        if job is None:
            return refuse_lost(mutation.worker_id, mutation.lease)
        job.max_attempts += 1
        return JobSnoozed(self._return(job, now_ms, mutation.delay_ms).run_at)

    def _give_back(self, mutation: GiveBackJobs, now_ms: int, _: int) -> JobsExtended:
        held: list[str] = []
        lost: list[str] = []
        for lease in mutation.leases:
            job = self.table.find_held(mutation.worker_id, lease)
            if job is None:
                lost.append(lease.job_id)
                continue
            job.max_attempts += 1
            self._return(job, now_ms, 0)
            held.append(job.id)
        return JobsExtended(held, lost, [])

    def _expire(self, _: ExpireJobs, now_ms: int, steady_ms: int) -> JobsExtended:
        expired = self.table.leases.due(steady_ms)
        for job_id in expired:
            job = self.table.by_id[job_id]
            text = f"worker {job.worker_id} was not heard of for its lease of {job.lease_ms} ms"
            self._add_error(job, JobError("LeaseExpired", text), now_ms)
            self._return(job, now_ms, 0)
        for job_id in self.table.kept_results.due(now_ms):
            self._discard(self.table.by_id[job_id])
        return JobsExtended([], expired, [])

    def _start_due(self, _: StartDueJobs, now_ms: int, __: int) -> JobsExtended:
        started = self.table.due.due(now_ms)
        for job_id in started:
            self._make_claimable(self.table.by_id[job_id])
        return JobsExtended(started, [], [])

    def _return(self, job: Job, now_ms: int, delay_ms: int) -> JobFailed:
        """A worker no longer holds the job: it waits for its next attempt, is dead, or gone."""
        if job.cancel_requested:
            self._discard(job)
            return JobFailed("gone", 0)
        if job.attempts >= job.max_attempts:
            self._bury(job, now_ms)
            return JobFailed("dead", 0)
        if not delay_ms:
            self._make_claimable(job)
            return JobFailed("unclaimed", now_ms)
        self.table.move(job, "scheduled")
        job.run_at = now_ms + delay_ms
        self.table.place(job)
        self.has_changed = True
        return JobFailed("scheduled", job.run_at)

    def _bury(self, job: Job, now_ms: int) -> None:
        self.table.move(job, "dead")
        job.ended_at = now_ms
        self.has_changed = True

    def _revive(self, job: Job) -> None:
        job.max_attempts = max(job.max_attempts, job.attempts + self.rules.max_attempts)
        job.ended_at = 0
        self._make_claimable(job)

    def _make_claimable(self, job: Job) -> None:
        self.table.move(job, "unclaimed")
        self.table.place(job)
        self.has_changed = True

    def _discard(self, job: Job) -> None:
        self.table.remove(job)
        self.has_changed = True

    def _add_error(self, job: Job, error: JobError, now_ms: int) -> None:
        limits = self.rules.limits
        text_max = 0 if self._is_cutting_text() else limits.error_text_bytes_max
        error = JobError(
            type=error.type,
            message=cut_text(error.message, text_max),
            traceback=cut_text(error.traceback, text_max),
            attempt=job.attempts,
            at=now_ms,
        )
        self.table.stored_bytes -= stored_bytes(job)
        job.errors = [*job.errors, error][-limits.errors_kept_max :]
        self.table.stored_bytes += stored_bytes(job)

    def _is_cutting_text(self) -> bool:
        return self.table.stored_bytes > self.rules.limits.document_bytes_max * TEXT_CUT_RATIO

    def _cancel(self, mutation: CancelJob, _: int, __: int) -> Outcome:
        job = self.table.by_id.get(mutation.job_id)
        if job is None:
            return refuse_missing(mutation.job_id)
        if job.status in ("completed", "dead"):
            return WrongStatus(f"job {job.id} is {job.status}: there is nothing to cancel")
        if not job.is_held:
            self._discard(job)
            return JobCancelled(is_gone=True)
        if not job.cancel_requested:
            job.cancel_requested = True
            self.table.touch(job)
            self.has_changed = True
        return JobCancelled(is_gone=False)

    def _delete(self, mutation: DeleteJob, _: int, __: int) -> Outcome:
        job = self.table.by_id.get(mutation.job_id)
        if job is None:
            return refuse_missing(mutation.job_id)
        if job.is_held:
            return WrongStatus(f"job {job.id} is held by worker {job.worker_id}: cancel it instead")
        self._discard(job)
        return JobDeleted()

    def _retry(self, mutation: RetryJob, _: int, __: int) -> Outcome:
        job = self.table.by_id.get(mutation.job_id)
        if job is None:
            return refuse_missing(mutation.job_id)
        if job.status == "dead":
            if self.table.is_key_taken(job):
                return WrongStatus(f"job {job.id}: its unique key {job.unique_key!r} is taken")
            self._revive(job)
        elif job.status == "scheduled":
            self._make_claimable(job)
        else:
            return WrongStatus(f"job {job.id} is {job.status}, not dead or scheduled")
        return JobRetried()

    def _redrive(self, mutation: RedriveDead, _: int, __: int) -> Outcome:
        count = 0
        for job in list(self.table.blocks.after(-1)) if self.table.counts["dead"] else []:
            if mutation.limit and count >= mutation.limit:
                break
            if job.status != "dead" or mutation.type not in (None, job.type):
                continue
            if self.table.is_key_taken(job):
                continue
            self._revive(job)
            count += 1
        return DeadRedriven(count)

    def _pause(self, mutation: PauseQueue, _: int, __: int) -> Outcome:
        if mutation.type is None:
            self.has_changed |= not self.totals.paused
            self.totals.paused = True
        else:
            self.has_changed |= mutation.type not in self.paused_types
            self.paused_types.add(mutation.type)
        return QueuePaused()

    def _resume(self, mutation: ResumeQueue, _: int, __: int) -> Outcome:
        if mutation.type is None:
            self.has_changed |= self.totals.paused or bool(self.paused_types)
            self.totals.paused = False
            self.paused_types.clear()
        else:
            self.has_changed |= mutation.type in self.paused_types
            self.paused_types.discard(mutation.type)
        self.table.newly_ready_types.update(self.table.ready.types())
        return QueueResumed()

    def _close_client(self, mutation: CloseClient, _: int, __: int) -> Outcome:
        # It rides along: an entry that stays a while longer harms nobody.
        self.clients.remove(mutation.client_id)
        return ClientClosed()

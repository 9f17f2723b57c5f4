"""From outcomes of the core to the results that methods return."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from osqueue.broker.history import BUCKET_MS, summarize
from osqueue.core.errors import JobNotHeld
from osqueue.core.job import Job
from osqueue.core.outcomes import (
    ClaimedJob,
    DeadGroupsListed,
    JobCancelled,
    JobFailed,
    JobRead,
    JobsChanged,
    JobsClaimed,
    JobsCompleted,
    JobsExtended,
    JobsListed,
    JobSnoozed,
    JobsSubmitted,
    LineageRead,
    ListedWorker,
    Outcome,
    QueueStats,
    WorkersListed,
)
from osqueue.protocol.codec import Encoding
from osqueue.protocol.figures import (
    HeldJobView,
    HistoryResult,
    ListWorkersResult,
    StatsResult,
    StorageCounts,
    TotalsView,
    TypeCount,
    WorkerView,
)
from osqueue.protocol.payloads import encode_payload
from osqueue.protocol.results import (
    CancelJobResult,
    ChangeJobsResult,
    ClaimedJobView,
    ClaimJobResult,
    ClaimJobsResult,
    CompleteJobsResult,
    DeadGroupView,
    EmptyResult,
    ErrorSummary,
    FailJobResult,
    HeartbeatJobsResult,
    HeartbeatResult,
    JobErrorView,
    JobView,
    ListDeadGroupsResult,
    ListedJobView,
    ListJobsResult,
    Result,
    SnoozeJobResult,
    SubmitJobResult,
    SubmitJobsResult,
)
from osqueue.server.queries.history import render_commit, render_history

if TYPE_CHECKING:
    from osqueue.broker.broker import Broker

__all__ = ["Renderer"]


class Renderer:
    """Makes results in one encoding; the broker is asked only for what no outcome holds."""

    def __init__(self, broker: Broker, encoding: Encoding) -> None:
        self.broker = broker
        self.encoding = encoding

    def render(self, method: str, outcome: Outcome) -> Result:
        """Make the result of a method from the outcome of its request.

        Raises:
            JobNotHeld: a heartbeat for one job, which the worker does not hold.
        """
        return RENDERERS[method](self, outcome)

    def job_submitted(self, outcome: JobsSubmitted) -> SubmitJobResult:
        return SubmitJobResult(outcome.job_ids[0], bool(outcome.duplicates))

    def jobs_submitted(self, outcome: JobsSubmitted) -> SubmitJobsResult:
        return SubmitJobsResult(outcome.job_ids, outcome.duplicates)

    def job_claimed(self, outcome: JobsClaimed) -> ClaimJobResult:
        if not outcome.jobs:
            return ClaimJobResult()
        view = self._claimed(outcome.jobs[0])
        return ClaimJobResult(
            job_id=view.job_id,
            type=view.type,
            payload=view.payload,
            attempt=view.attempt,
            max_attempts=view.max_attempts,
            created_at=view.created_at,
            lease_ms=view.lease_ms,
        )

    def jobs_claimed(self, outcome: JobsClaimed) -> ClaimJobsResult:
        return ClaimJobsResult([self._claimed(job) for job in outcome.jobs])

    def _claimed(self, job: ClaimedJob) -> ClaimedJobView:
        return ClaimedJobView(
            job.job_id,
            job.type,
            encode_payload(job.payload, self.encoding),
            job.attempt,
            job.max_attempts,
            job.created_at,
            job.lease_ms,
        )

    def job_extended(self, outcome: JobsExtended) -> HeartbeatResult:
        if outcome.lost:
            raise JobNotHeld(f"The worker does not hold job {outcome.lost[0]}")
        return HeartbeatResult(bool(outcome.cancel_requested))

    def jobs_extended(self, outcome: JobsExtended) -> HeartbeatJobsResult:
        return HeartbeatJobsResult(outcome.held, outcome.lost, outcome.cancel_requested)

    def job_completed(self, outcome: JobsCompleted) -> EmptyResult:
        if outcome.lost:
            raise JobNotHeld(f"The worker does not hold job {outcome.lost[0]}")
        return EmptyResult()

    def jobs_completed(self, outcome: JobsCompleted) -> CompleteJobsResult:
        result = CompleteJobsResult(outcome.completed, outcome.lost)
        if outcome.full:
            result.full = outcome.full
        if outcome.claimed is not None:
            result.jobs = [self._claimed(job) for job in outcome.claimed.jobs]
        return result

    def job_failed(self, outcome: JobFailed) -> FailJobResult:
        return FailJobResult(outcome.status, outcome.run_at)

    def job_snoozed(self, outcome: JobSnoozed) -> SnoozeJobResult:
        return SnoozeJobResult(outcome.run_at)

    def job_cancelled(self, outcome: JobCancelled) -> CancelJobResult:
        return CancelJobResult("gone" if outcome.is_gone else "cancelRequested")

    def jobs_changed(self, outcome: JobsChanged) -> ChangeJobsResult:
        next_order = outcome.next_after_order
        cursor = "" if next_order is None else str(next_order)
        return ChangeJobsResult(outcome.count, outcome.skipped, cursor)

    def nothing(self, outcome: Outcome) -> EmptyResult:
        return EmptyResult()

    def job_read(self, outcome: JobRead) -> JobView:
        job = outcome.job
        view = JobView(
            **self._common(job),
            lease_ms=job.lease_ms,
            result_ttl_ms=job.result_ttl_ms,
            retry=job.retry,
            errors=[
                JobErrorView(
                    error.type,
                    error.message,
                    error.traceback,
                    error.attempt,
                    error.at,
                    error.started_at,
                    error.worker_id,
                )
                for error in job.errors
            ],
        )
        if job.result is not UNSET:
            view.result = encode_payload(job.result, self.encoding)
        return view

    def _common(self, job: Job) -> dict[str, Any]:
        """The fields that lists and single jobs both show, by their names."""
        return {
            "id": job.id,
            "status": job.status,
            "payload": encode_payload(job.payload, self.encoding) if len(job.payload) else UNSET,
            "type": job.type,
            "created_at": job.created_at,
            "attempts": job.attempts,
            "max_attempts": job.max_attempts,
            "worker_id": job.worker_id,
            "heartbeat": job.heartbeat,
            "run_at": job.run_at,
            "ready_at": job.ready_at,
            "started_at": job.started_at,
            "priority": job.priority,
            "unique_key": job.unique_key,
            "cancel_requested": job.cancel_requested,
            "ended_at": job.ended_at,
        }

    def jobs_listed(self, outcome: JobsListed) -> ListJobsResult:
        next_order = outcome.next_after_order
        sign = "-" if outcome.is_descending else ""
        return ListJobsResult(
            jobs=[self._listed(job) for job in outcome.jobs],
            total=outcome.stats.total,
            unclaimed=outcome.stats.unclaimed,
            in_progress=outcome.stats.in_progress,
            completed_total=outcome.stats.completed_total,
            broker_address=self.broker.advertised_address,
            cursor="" if next_order is None else f"{sign}{next_order}",
            matched=UNSET if outcome.matched is None else outcome.matched,
        )

    def _listed(self, job: Job) -> ListedJobView:
        view = ListedJobView(**self._common(job))
        if job.errors:
            view.last_error = ErrorSummary(*job.error_group)
        return view

    def dead_groups_listed(self, outcome: DeadGroupsListed) -> ListDeadGroupsResult:
        groups = [DeadGroupView(**msgspec.structs.asdict(group)) for group in outcome.groups]
        return ListDeadGroupsResult(groups, outcome.total, outcome.dead)

    def stats(self, outcome: QueueStats) -> StatsResult:
        counts = self.broker.statistics
        result = StatsResult(
            total=outcome.total,
            unclaimed=outcome.unclaimed,
            in_progress=outcome.in_progress,
            completed_total=outcome.completed_total,
            scheduled=outcome.scheduled,
            completed=outcome.completed,
            dead=outcome.dead,
            paused=outcome.paused,
            paused_types=outcome.paused_types,
            next_created_at=outcome.next_created_at,
            epoch=outcome.epoch,
            commit_id=outcome.commit_id,
            broker_address=self.broker.advertised_address,
            storage=StorageCounts(
                reads=counts.reads,
                writes=counts.writes,
                bytes_read=counts.bytes_read,
                bytes_written=counts.bytes_written,
                description=self.broker.store_description,
                commits=counts.commits,
                conflicts=counts.conflicts,
                unknown_outcomes=counts.unknown_outcomes,
            ),
            now=self.broker.now_ms(),
            broker_name=self.broker.name,
            heartbeat_interval_ms=self.broker.heartbeat_interval_ms,
            broker_timeout_ms=self.broker.broker_timeout_ms,
            oldest_unclaimed_at=outcome.oldest_unclaimed_at,
            next_run_at=outcome.next_run_at,
            workers=outcome.workers,
            dead_by_type=[TypeCount(kind, count) for kind, count in outcome.dead_by_type],
            document_bytes=outcome.document_bytes,
            totals=TotalsView(**msgspec.structs.asdict(counts.totals)),
        )
        if counts.last_commit is not None:
            result.last_commit = render_commit(summarize(counts.last_commit))
        return result

    def workers_listed(self, outcome: WorkersListed) -> ListWorkersResult:
        return ListWorkersResult(
            workers=[self._worker(worker) for worker in outcome.workers],
            total=outcome.total,
            now=outcome.now_ms,
        )

    def _worker(self, worker: ListedWorker) -> WorkerView:
        fields = msgspec.structs.asdict(worker)
        fields["jobs"] = [HeldJobView(**msgspec.structs.asdict(job)) for job in worker.jobs]
        return WorkerView(**fields)

    def lineage_read(self, outcome: LineageRead) -> HistoryResult:
        first_second = self.broker.now_ms() // BUCKET_MS - outcome.seconds
        attempts = list(self.broker.statistics.history.attempts)
        return render_history(self.broker, first_second, attempts, outcome.terms)


RENDERERS: dict[str, Callable[[Renderer, Any], Result]] = {
    "submitJob": Renderer.job_submitted,
    "submitJobs": Renderer.jobs_submitted,
    "claimJob": Renderer.job_claimed,
    "claimJobs": Renderer.jobs_claimed,
    "heartbeat": Renderer.job_extended,
    "heartbeatJobs": Renderer.jobs_extended,
    "completeJob": Renderer.job_completed,
    "completeJobs": Renderer.jobs_completed,
    "failJob": Renderer.job_failed,
    "snoozeJob": Renderer.job_snoozed,
    "cancelJob": Renderer.job_cancelled,
    "deleteJob": Renderer.nothing,
    "retryJob": Renderer.nothing,
    "cancelJobs": Renderer.jobs_changed,
    "deleteJobs": Renderer.jobs_changed,
    "retryJobs": Renderer.jobs_changed,
    "redriveDead": Renderer.jobs_changed,
    "listDeadGroups": Renderer.dead_groups_listed,
    "getJob": Renderer.job_read,
    "listJobs": Renderer.jobs_listed,
    "listWorkers": Renderer.workers_listed,
    "getStats": Renderer.stats,
    "getHistory": Renderer.lineage_read,
    "pauseQueue": Renderer.nothing,
    "resumeQueue": Renderer.nothing,
    "closeClient": Renderer.nothing,
}
"""What makes the result of each method that becomes a request of the core."""

"""Every job with its indexes, kept in step: what is claimable, held, due, unique.

It knows how to find and move jobs; why a job moves is decided in `queue_state.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from osqueue.core.job import STATUSES, Job, JobStatus, change_status
from osqueue.core.mutations import Lease, NewJob
from osqueue.core.outcomes import JobChange
from osqueue.core.tables.deadlines import Deadlines
from osqueue.core.tables.job_blocks import JobBlocks
from osqueue.core.tables.ready_jobs import ReadyJobs

__all__ = ["KEY_HOLDERS", "JobTable"]

KEY_HOLDERS: frozenset[JobStatus] = frozenset({"scheduled", "unclaimed", "in_progress"})
"""Statuses in which a job holds its unique key."""


class JobTable:
    """All jobs of the queue."""

    def __init__(
        self, jobs: Sequence[Job] = (), unknown_fields: dict[str, bytes] | None = None
    ) -> None:
        """Build the indexes of jobs in order of submission. No lease runs until it is extended."""
        self.by_id = {job.id: job for job in jobs}
        self.blocks = JobBlocks(jobs, unknown_fields)
        self.counts: dict[JobStatus, int] = dict.fromkeys(STATUSES, 0)
        self.ready = ReadyJobs(job for job in jobs if job.status == "unclaimed")
        self.counts["unclaimed"] = len(self.ready)
        self.leases = Deadlines()
        """By job id, steady time."""
        self.due = Deadlines()
        """Scheduled jobs by id, wall time."""
        self.kept_results = Deadlines()
        """Completed jobs by id, wall time of their removal."""
        self.has_changed = False
        """Whether anything changed that must be written; cleared by whoever writes."""
        self.newly_ready_types = set(self.ready.types())
        """Types that got a claimable job; cleared by whoever serves waiting claims."""
        self.changes: dict[str, JobChange] | None = None
        """The newest change of each job since they were last taken; None: nobody watches."""
        self.now_ms = 0
        """Wall time of the mutation that is being applied."""
        self.held_by: dict[str, int] = {}
        """By worker id, how many jobs it holds; who holds none is not there."""
        self.dead_by_type: dict[str, int] = {}
        """By type, how many jobs are dead; types without any are not there."""
        self._unique_keys: dict[str, str] = {}
        self._claims: dict[tuple[str, str], dict[str, Job]] = {}
        self._unsettled_claims: list[tuple[Job, int]] = []
        """Jobs handed out, with the attempt, since the last settlement."""
        for job in jobs:
            if job.status != "unclaimed":
                self.counts[job.status] += 1
                self._place(job)
            elif job.unique_key:
                self._unique_keys[job.unique_key] = job.id

    def add(self, job: Job) -> None:
        """Put a new job behind all others."""
        self.has_changed = True
        assert job.id not in self.by_id, f"{job.id} is in the queue already"
        self.by_id[job.id] = job
        self.blocks.add(job)
        self.counts[job.status] += 1
        self._place(job)
        if self.changes is not None:
            self._note(self.changes, job, job.status)

    def remove(self, job: Job, ending: Literal["completed", "gone"] = "gone") -> None:
        """Take a job out for good."""
        self.has_changed = True
        if self.changes is not None:
            self._note(self.changes, job, ending)
        self._unindex(job)
        self.blocks.remove(job)
        self.counts[job.status] -= 1
        if job.unique_key:
            self._free_key(job)
        del self.by_id[job.id]

    def move(self, job: Job, status: JobStatus) -> None:
        """Change a job's status and its place; what belongs to the new status was set before."""
        self.has_changed = True
        self._unindex(job)
        self.counts[job.status] -= 1
        if self.changes is not None:
            # Before the change takes the worker off it: whoever watches wants to know whose it was.
            self._note(self.changes, job, status)
        change_status(job, status, self.now_ms)
        self.counts[status] += 1
        if status == "in_progress":
            self._unsettled_claims.append((job, job.attempts))
        elif job.unique_key and status not in KEY_HOLDERS:
            self._free_key(job)
        self._place(job)
        self.blocks.touch(job)

    def find_queued(self, new_job: NewJob) -> str | None:
        """The id under which a new job is queued already, by its id or its unique key; or None."""
        if new_job.id in self.by_id:
            return new_job.id
        return self._unique_keys.get(new_job.unique_key) if new_job.unique_key else None

    def find_held(self, worker_id: str, lease: Lease) -> Job | None:
        """The job where this worker holds this attempt of it, otherwise None."""
        job = self.by_id.get(lease.job_id)
        if job is None or job.status != "in_progress" or job.worker_id != worker_id:
            return None
        return job if lease.attempt is None or lease.attempt == job.attempts else None

    def claimed_under(self, worker_id: str, claim_id: str) -> list[Job]:
        """The jobs that are still held under a claim, in the order of the claim."""
        held = self._claims.get((worker_id, claim_id))
        return [] if held is None else sorted(held.values(), key=_place_in_line)

    def holds_claim(self, worker_id: str, claim_id: str) -> bool:
        """Whether any job is still held under a claim."""
        return (worker_id, claim_id) in self._claims

    def is_key_taken(self, job: Job) -> bool:
        """Whether another job holds this job's unique key."""
        return bool(job.unique_key) and self._unique_keys.get(job.unique_key, job.id) != job.id

    def settle_claims(self, steady_ms: int) -> None:
        """The write that holds the newest claims has succeeded: their leases run from now.

        Until then they have none: a slow write must not eat into what the worker was told.
        """
        for job, attempt in self._unsettled_claims:
            # It may have been given back since, or even claimed anew.
            is_held = job.status == "in_progress" and job.attempts == attempt
            if is_held and self.by_id.get(job.id) is job:
                self.leases.set(job.id, steady_ms + job.lease_ms)
        self._unsettled_claims.clear()

    def extend_lease(self, job: Job, since_ms: int, lease_ms_min: int) -> None:
        """Let a held job's lease run its full time from the given moment, unless it runs longer."""
        self.leases.extend(job.id, since_ms + max(job.lease_ms, lease_ms_min))

    def take_changes(self) -> list[JobChange]:
        """The changes since they were last taken, one a job, in the order of their first."""
        if not self.changes:
            return []
        changes, self.changes = self.changes, {}
        return list(changes.values())

    def _note(
        self, changes: dict[str, JobChange], job: Job, status: JobStatus | Literal["gone"]
    ) -> None:
        started_at = job.started_at if job.is_held else 0
        failed = job.is_held and job.errors and job.errors[-1].attempt == job.attempts
        changes[job.id] = JobChange(
            job.id,
            status,
            job.type,
            job.worker_id,
            job.attempts,
            self.now_ms,
            self.now_ms if status == "in_progress" else started_at,
            job.errors[-1].type if failed else "",
        )

    def check_invariants(self) -> None:
        """Assert that the indexes agree with the jobs; O(jobs)."""
        counts: dict[JobStatus, int] = dict.fromkeys(STATUSES, 0)
        self.blocks.check_invariants()
        assert len(list(self.blocks.after(-1))) == len(self.by_id), "the blocks hold every job"
        keys: dict[str, str] = {}
        claims: dict[tuple[str, str], dict[str, Job]] = {}
        held_by: Counter[str] = Counter()
        dead_by_type: Counter[str] = Counter()
        for job in self.blocks.after(-1):
            counts[job.status] += 1
            assert self.by_id[job.id] is job, job
            assert (job.status == "unclaimed") == (job.id in self.ready), job
            assert (job.status == "scheduled") == (job.id in self.due), job
            assert (job.status == "completed") == (job.id in self.kept_results), job
            assert (job.worker_id != "") == job.is_held, job
            assert job.is_held or job.id not in self.leases, job
            is_waiting = job.status in ("scheduled", "unclaimed")
            assert job.attempts + is_waiting <= job.max_attempts, job
            if job.unique_key and job.status in KEY_HOLDERS:
                assert job.unique_key not in keys, job
                keys[job.unique_key] = job.id
            if job.claim_id:
                claims.setdefault((job.worker_id, job.claim_id), {})[job.id] = job
            if job.is_held:
                held_by[job.worker_id] += 1
            elif job.status == "dead":
                dead_by_type[job.type] += 1
        assert held_by == self.held_by, "jobs held by each worker"
        assert dead_by_type == self.dead_by_type, "dead jobs of each type"
        assert counts == self.counts, "counts by status"
        assert len(self.ready) == counts["unclaimed"], "claimable jobs"
        assert len(self.due) == counts["scheduled"], "scheduled jobs"
        assert len(self.kept_results) == counts["completed"], "kept results"
        assert len(self.leases) <= counts["in_progress"], "leases"
        assert keys == self._unique_keys, "unique keys and their holders"
        assert claims == self._claims, "claims and their jobs"

    def _place(self, job: Job) -> None:
        """Put a job into the indexes of its status."""
        status = job.status
        if status == "unclaimed":
            self.ready.add(job)
            self.newly_ready_types.add(job.type)
        elif status == "in_progress":
            self.held_by[job.worker_id] = self.held_by.get(job.worker_id, 0) + 1
            if job.claim_id:
                self._claims.setdefault((job.worker_id, job.claim_id), {})[job.id] = job
        elif status == "scheduled":
            self.due.set(job.id, job.run_at)
        elif status == "completed":
            self.kept_results.set(job.id, job.ended_at + job.result_ttl_ms)
        else:
            self.dead_by_type[job.type] = self.dead_by_type.get(job.type, 0) + 1
        if job.unique_key and status in KEY_HOLDERS:
            self._unique_keys[job.unique_key] = job.id

    def _unindex(self, job: Job) -> None:
        status = job.status
        if status == "unclaimed":
            self.ready.remove(job)
        elif status == "in_progress":
            self.leases.remove(job.id)
            left = self.held_by[job.worker_id] - 1
            if left:
                self.held_by[job.worker_id] = left
            else:
                del self.held_by[job.worker_id]
            if job.claim_id:
                key = (job.worker_id, job.claim_id)
                held = self._claims[key]
                del held[job.id]
                if not held:
                    del self._claims[key]
        elif status == "scheduled":
            self.due.remove(job.id)
        elif status == "completed":
            self.kept_results.remove(job.id)
        else:
            left = self.dead_by_type[job.type] - 1
            if left:
                self.dead_by_type[job.type] = left
            else:
                del self.dead_by_type[job.type]

    def _free_key(self, job: Job) -> None:
        if self._unique_keys.get(job.unique_key) == job.id:
            del self._unique_keys[job.unique_key]


def _place_in_line(job: Job) -> tuple[int, int]:
    return -job.priority, job.order

"""Every job with its indexes, kept in step: what is claimable, held, due, unique.

It knows how to find and move jobs; why a job moves is decided in `queue_state.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from osqueue.core.job import STATUSES, Job, JobStatus, change_status
from osqueue.core.mutations import Lease, NewJob
from osqueue.core.tables.deadlines import Deadlines
from osqueue.core.tables.job_blocks import JobBlocks
from osqueue.core.tables.ready_jobs import ReadyJobs

__all__ = ["JOB_OVERHEAD_BYTES", "JobTable", "stored_bytes"]

JOB_OVERHEAD_BYTES = 200
"""What a job takes in the document beside its payload, result, errors and names; seldom more."""

_KEY_HOLDERS: frozenset[JobStatus] = frozenset({"scheduled", "unclaimed", "in_progress"})


class JobTable:
    """All jobs of the queue."""

    def __init__(
        self, jobs: Iterable[Job] = (), unknown_fields: dict[str, bytes] | None = None
    ) -> None:
        """Build the indexes. Held jobs have no running lease until `renew_leases`."""
        jobs = sorted(jobs, key=lambda job: job.order)
        self.by_id: dict[str, Job] = {}
        self.blocks = JobBlocks(jobs, unknown_fields)
        self.counts: dict[JobStatus, int] = dict.fromkeys(STATUSES, 0)
        self.stored_bytes = 0
        """An estimate of what the jobs take in the document."""
        self.ready = ReadyJobs()
        self.leases = Deadlines()
        """By job id, steady time."""
        self.due = Deadlines()
        """Scheduled jobs by id, wall time."""
        self.kept_results = Deadlines()
        """Completed jobs by id, wall time of their removal."""
        self.newly_ready_types: set[str] = set()
        """Types that got a claimable job; cleared by whoever serves waiting claims."""
        self._unique_keys: dict[str, str] = {}
        self._claims: dict[tuple[str, str], list[str]] = {}
        self._unsettled_claims: list[Lease] = []
        for job in jobs:
            self._index(job)

    def add(self, job: Job) -> None:
        """Put a new job behind all others."""
        self.blocks.add(job)
        self._index(job)

    def remove(self, job: Job) -> None:
        """Take a job out for good."""
        self._unindex(job)
        self.blocks.remove(job)
        self.stored_bytes -= stored_bytes(job)
        self.counts[job.status] -= 1
        self._free_key(job)
        del self.by_id[job.id]

    def move(self, job: Job, status: JobStatus) -> None:
        """Change a job's status and take it out of its indexes.

        Then set what belongs to the new status (`run_at`, `worker_id`), and `place` it.
        """
        self._unindex(job)
        self.counts[job.status] -= 1
        change_status(job, status)
        self.counts[status] += 1
        if status not in _KEY_HOLDERS:
            self._free_key(job)
        self.blocks.touch(job)

    def place(self, job: Job) -> None:
        """Put a moved job into the indexes of its status."""
        if job.status == "unclaimed":
            self.ready.add(job)
            self.newly_ready_types.add(job.type)
        elif job.status == "scheduled":
            self.due.set(job.id, job.run_at)
        elif job.status == "completed":
            self.kept_results.set(job.id, job.ended_at + job.result_ttl_ms)
        elif job.claim_id:
            self._claims.setdefault((job.worker_id, job.claim_id), []).append(job.id)
        if job.unique_key and job.status in _KEY_HOLDERS:
            self._unique_keys[job.unique_key] = job.id

    def touch(self, job: Job) -> None:
        """A field changed that no index depends on."""
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
        return [self.by_id[job_id] for job_id in self._claims.get((worker_id, claim_id), ())]

    def is_key_taken(self, job: Job) -> bool:
        """Whether another job holds this job's unique key."""
        return bool(job.unique_key) and self._unique_keys.get(job.unique_key, job.id) != job.id

    def start_lease_at_settlement(self, job: Job) -> None:
        """The lease of a job just claimed runs from the moment that its write is settled."""
        self._unsettled_claims.append(Lease(job.id, job.attempts))

    def settle_claims(self, steady_ms: int) -> None:
        """The write that holds the newest claims has succeeded: their leases run from now."""
        for lease in self._unsettled_claims:
            job = self.by_id.get(lease.job_id)
            if job is not None and job.is_held and job.attempts == lease.attempt:
                self.leases.set(job.id, steady_ms + job.lease_ms)
        self._unsettled_claims.clear()

    def renew_leases(self, steady_ms: int, lease_ms_min: int) -> None:
        """Give every held job one full lease: after a takeover, an outage, a suspension."""
        for job in self.by_id.values():
            if job.is_held:
                self.leases.set(job.id, steady_ms + max(job.lease_ms, lease_ms_min))

    def _index(self, job: Job) -> None:
        assert job.id not in self.by_id, f"{job.id} is in the queue already"
        self.by_id[job.id] = job
        self.counts[job.status] += 1
        self.stored_bytes += stored_bytes(job)
        self.place(job)

    def _unindex(self, job: Job) -> None:
        if job.status == "unclaimed":
            self.ready.remove(job)
        elif job.status == "scheduled":
            self.due.remove(job.id)
        elif job.status == "completed":
            self.kept_results.remove(job.id)
        elif job.status == "in_progress":
            self.leases.remove(job.id)
            key = (job.worker_id, job.claim_id)
            if job.claim_id:
                self._claims[key].remove(job.id)
                if not self._claims[key]:
                    del self._claims[key]

    def _free_key(self, job: Job) -> None:
        if job.unique_key and self._unique_keys.get(job.unique_key) == job.id:
            del self._unique_keys[job.unique_key]

    def check_invariants(self) -> None:
        """Assert that the indexes agree with the jobs; O(jobs)."""
        counts: dict[JobStatus, int] = dict.fromkeys(STATUSES, 0)
        orders = [job.order for job in self.blocks.after(-1)]
        assert orders == sorted(set(orders)), "orders are unique and ascending"
        assert len(orders) == len(self.by_id), "the blocks hold every job once"
        for job in self.blocks.after(-1):
            counts[job.status] += 1
            assert self.by_id[job.id] is job, job
            assert (job.status == "unclaimed") == (job.id in self.ready), job
            assert (job.status == "scheduled") == (job.id in self.due), job
            assert (job.status == "completed") == (job.id in self.kept_results), job
            assert (job.worker_id != "") == job.is_held, job
            assert job.is_held or job.id not in self.leases, job
            assert job.attempts <= job.max_attempts, job
            if job.unique_key and job.status in _KEY_HOLDERS:
                assert self._unique_keys[job.unique_key] == job.id, job
        assert counts == self.counts, "counts by status"
        assert self.stored_bytes == sum(map(stored_bytes, self.by_id.values())), "stored bytes"
        for key, job_id in self._unique_keys.items():
            assert self.by_id[job_id].unique_key == key, "a unique key's holder"
        for (worker_id, claim_id), job_ids in self._claims.items():
            for job in map(self.by_id.__getitem__, job_ids):
                assert (job.worker_id, job.claim_id) == (worker_id, claim_id), job


def stored_bytes(job: Job) -> int:
    """About what a job takes in the document."""
    size = JOB_OVERHEAD_BYTES + len(bytes(job.payload)) + len(job.type) + len(job.unique_key)
    if job.errors:
        size += sum(len(error.message) + len(error.traceback) + 100 for error in job.errors)
    return size if job.result is None else size + len(bytes(job.result))

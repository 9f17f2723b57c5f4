"""Every answer, held against its request and against what is stored: what is handed out, listed and
read is what was submitted; an answer is that of the request, and of no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from osqueue.core.errors import QueueError
from osqueue.core.mutations import (
    ClaimJobs,
    CompleteJobs,
    FailJob,
    HeartbeatJobs,
)
from osqueue.core.outcomes import (
    ClaimedJob,
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
    Outcome,
)
from tests.simulation.checkers.auditor import Auditor
from tests.simulation.checkers.batch import Key
from tests.simulation.checkers.views import JobView, StoredVersion, Violation, view_job
from tests.simulation.records import CallRecord

if TYPE_CHECKING:
    from tests.simulation.cast.brokers import SimulatedTicket
    from tests.simulation.world import World

__all__ = ["HandedOut"]

_SMALL = (JobFailed, JobSnoozed, JobCancelled, JobsChanged)


class HandedOut:
    """Looks at answers as they leave."""

    def __init__(self, world: World, auditor: Auditor) -> None:
        self._world = world
        self._auditor = auditor

    def check(
        self, record: CallRecord, key: Key | None, outcome: Outcome, ticket: SimulatedTicket
    ) -> None:
        """One answer leaves; `key` is its client and sequence, where it has one."""
        if isinstance(outcome, QueueError):
            return
        if key is not None:
            self._check_recorded(record, key, outcome)
        request: Any = record.request
        if isinstance(outcome, JobsClaimed | JobsCompleted):
            claimed = outcome.claimed if isinstance(outcome, JobsCompleted) else outcome
            claim = request if isinstance(request, ClaimJobs) else request.claim
            if claimed is not None:
                self._check_claimed(record, claim, claimed, ticket)
        if isinstance(outcome, JobsCompleted):
            if outcome.full:
                self._world.coverage.transitions["completion left held: no room"] += 1
            assert isinstance(request, CompleteJobs)
            said = sorted([*outcome.completed, *outcome.lost, *outcome.full])
            if said != sorted(done.lease.job_id for done in request.completions):
                raise Violation("auditor", f"{record} is answered about others: {outcome}")
        elif isinstance(outcome, JobsExtended) and isinstance(request, HeartbeatJobs):
            self._check_extended(record, request, outcome, ticket)
        elif isinstance(outcome, JobRead):
            self._check_shown(record, [outcome.job], ticket)
        elif isinstance(outcome, JobsListed):
            self._check_shown(record, outcome.jobs, ticket)

    def _check_recorded(self, record: CallRecord, key: Key, outcome: Outcome) -> None:
        """An ok leaves only when a version holds the request, and says what that version says."""
        found = self._auditor.applied.get(key)
        if found is None:
            is_unrecorded = self._world.plan.is_small_table and isinstance(
                record.request, CompleteJobs | FailJob
            )
            if key not in self._auditor.untold and not is_unrecorded:
                raise Violation("auditor", f"{record} got {outcome}, no version holds {key}")
            return
        version, answer = found
        if isinstance(outcome, _SMALL) and answer != _plain(outcome):
            raise Violation("auditor", f"{record} got {outcome}, {version.commit_id} has {answer}")
        if isinstance(outcome, JobsSubmitted):
            found_as = dict(answer[1]) if answer else {}
            jobs: list[Any] = getattr(record.request, "jobs", [])
            said = [found_as.get(index, job.id) for index, job in enumerate(jobs)]
            if outcome.job_ids != said or outcome.duplicates != sorted(found_as):
                raise Violation("auditor", f"{record} got {outcome}, stored is {answer}")

    def _check_claimed(
        self, record: CallRecord, claim: ClaimJobs, claimed: JobsClaimed, ticket: SimulatedTicket
    ) -> None:
        """No more jobs than asked for, of the types asked for, each as it is stored."""
        if len(claimed.jobs) > claim.limit:
            raise Violation("auditor", f"{record} got {len(claimed.jobs)} jobs: {claim}")
        if len({job.job_id for job in claimed.jobs}) != len(claimed.jobs):
            raise Violation("auditor", f"{record} got a job twice: {claimed}")
        total = sum(len(bytes(job.payload)) for job in claimed.jobs)
        if len(claimed.jobs) > 1 and claim.byte_budget and total > claim.byte_budget:
            raise Violation("auditor", f"{record} got {total} bytes of payloads: {claim}")
        for job in claimed.jobs:
            if claim.types and job.type not in claim.types:
                raise Violation("auditor", f"{record} asked for {claim.types}, got {job}")
            held = (version.jobs.get(job.job_id) for version in self._window(ticket))
            if not any(one is not None and _hands_out(one, job) for one in held):
                stored = [version.jobs.get(job.job_id) for version in self._window(ticket)]
                raise Violation("auditor", f"{record} got {job}, stored is {stored}")

    def _check_extended(
        self,
        record: CallRecord,
        request: HeartbeatJobs,
        outcome: JobsExtended,
        ticket: SimulatedTicket,
    ) -> None:
        """Each lease is held or lost; who is asked to stop is so in what is stored."""
        said = sorted([*outcome.held, *outcome.lost])
        if said != sorted(lease.job_id for lease in request.leases):
            raise Violation("auditor", f"{record} is answered about others: {outcome}")
        for job_id in outcome.held:
            is_asked = job_id in outcome.cancel_requested
            if not any(
                job_id in version.jobs and version.jobs[job_id].cancel_requested == is_asked
                for version in self._window(ticket)
            ):
                raise Violation("auditor", f"{record}: {job_id} is to stop: {is_asked}, not stored")

    def _check_shown(self, record: CallRecord, jobs: list[Any], ticket: SimulatedTicket) -> None:
        """A job is shown as some version has it, in every field."""
        window = self._window(ticket)
        for job in jobs:
            shown = view_job(job)
            stored = [version.jobs.get(shown.id) for version in window]
            if not any(one is not None and _without_note(one) == shown for one in stored):
                raise Violation("auditor", f"{record} was shown {shown}, stored is {stored}")

    def _window(self, ticket: SimulatedTicket) -> list[StoredVersion]:
        return self._world.observer.ledger.between(ticket.arrived_ms, self._world.now)


def _hands_out(stored: JobView, job: ClaimedJob) -> bool:
    if not stored.is_held or stored.attempts != job.attempt:
        return False
    return (
        stored.type, stored.payload, stored.max_attempts, stored.created_at, stored.lease_ms,
    ) == (job.type, job.payload, job.max_attempts, job.created_at, job.lease_ms)  # fmt: skip


def _without_note(job: JobView) -> JobView:
    return msgspec.structs.replace(job, hand_note="") if job.hand_note else job


def _plain(outcome: Outcome) -> Any:
    return msgspec.json.decode(msgspec.json.encode(outcome))

"""Every answer that leaves a broker, held against the history of the store.

Guards: nobody is answered ok before the write that holds it has landed; nothing is answered from
uncommitted memory, or from that of a deposed leader (what is said must have been so in a version
that was the newest at some moment between the request's arrival and the answer); at most one
claim is ever told that it holds an attempt; a repeat gets the first answer again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from osqueue.core.errors import JobNotFound, JobNotHeld, QueueError, QueueFull, WrongStatus
from osqueue.core.job import Job
from osqueue.core.mutations import (
    CancelJob,
    ChangeJobs,
    ClaimJobs,
    CompleteJobs,
    DeleteJob,
    DeleteJobs,
    FailJob,
    HeartbeatJobs,
    ListJobs,
    PauseQueue,
    ReadJob,
    RetryJob,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.core.outcomes import (
    JobCancelled,
    JobDeleted,
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
    QueuePaused,
    QueueStats,
)
from tests.simulation.checkers.ledger import Ledger
from tests.simulation.checkers.model import passes
from tests.simulation.checkers.views import StoredVersion, Violation
from tests.simulation.records import CallRecord

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["AnswerChecker"]

_DURABILITY = "durability"
_COMMITTED = "committed memory"
_CONFIRMED = "confirmed reads"


class AnswerChecker:
    """Looks at answers as they leave."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger
        self._wire_claims: dict[tuple[str, int], tuple[str, str]] = {}

    def check(self, record: CallRecord, outcome: Outcome, arrived_ms: int) -> None:
        """One answer leaves a leader."""
        window = self._ledger.between(arrived_ms, self._world.now)
        if isinstance(outcome, QueueError):
            self._check_refusal(record, outcome, window)
            return
        is_confirmed = _memory(record) == _CONFIRMED
        if is_confirmed and not any(version.formed_ms >= arrived_ms for version in window):
            raise Violation(_CONFIRMED, f"{record} was answered without a write of its own")
        if record.is_numbered:
            self._check_repeat(record, outcome)
        _CHECKS.get(type(outcome), _nothing)(self, record, outcome, window)

    def _check_repeat(self, record: CallRecord, outcome: Outcome) -> None:
        if isinstance(outcome, JobsCompleted):
            outcome = msgspec.structs.replace(outcome, claimed=None)
        if record.wire_answer is None:
            record.wire_answer = outcome
        elif record.wire_answer != outcome and not self._world.plan.is_small_table:
            raise Violation("repeats", f"{record}: first {record.wire_answer}, then {outcome}")

    def _submitted(
        self, record: CallRecord, outcome: JobsSubmitted, window: list[StoredVersion]
    ) -> None:
        request = record.request
        assert isinstance(request, SubmitJobs)
        for index, job_id in enumerate(outcome.job_ids):
            if job_id not in self._ledger.first_seen:
                if self._ledger.may_be_removed_unseen(request.jobs[index]):
                    continue
                raise Violation(_DURABILITY, f"{record} got ok, {job_id} was never stored")
            if index not in outcome.duplicates and job_id != request.jobs[index].id:
                raise Violation("answers", f"{record} got another id: {outcome}")
            if not record.is_numbered:
                # A duplicate needs no write: it must be in the queue while that is said.
                self._must_be(
                    record,
                    window,
                    lambda version, job_id=job_id: job_id in version.jobs,
                    f"{job_id} is in the queue",
                )

    def _claimed(
        self, record: CallRecord, outcome: JobsClaimed, window: list[StoredVersion]
    ) -> None:
        request = record.request
        claim = request.claim if isinstance(request, CompleteJobs) else request
        assert isinstance(claim, ClaimJobs)
        if not outcome.jobs and isinstance(request, ClaimJobs):
            self._check_empty(record, claim, window)
        for job in outcome.jobs:
            attempt = (job.job_id, job.attempt)
            us = (claim.worker_id, claim.claim_id)
            holder = self._ledger.holders.get(attempt)
            if holder is None:
                raise Violation(_DURABILITY, f"{record} was told of {attempt}: never stored")
            if holder[:2] != us:
                raise Violation("one holder", f"{record} was told of {attempt} of {holder[:2]}")
            if self._wire_claims.setdefault(attempt, us) != us:
                raise Violation("one holder", f"{attempt}: {self._wire_claims[attempt]} and {us}")
            self._must_be(
                record,
                window,
                lambda version, job=job: _is_held(
                    version, job.job_id, claim.worker_id, job.attempt
                ),
                f"holds {attempt}",
            )

    def _check_empty(
        self, record: CallRecord, claim: ClaimJobs, window: list[StoredVersion]
    ) -> None:
        """Nothing to claim: no job may have been claimable all the time."""
        if not window or any(version.document.paused for version in window):
            return
        if self._ledger.was_paused(window[0].landed_ms):
            return
        paused = {kind for version in window for kind in version.document.paused_types}
        for job_id, job in window[0].jobs.items():
            if job.type in paused or (claim.types and job.type not in claim.types):
                continue
            if all(
                job_id in version.jobs and version.jobs[job_id].status == "unclaimed"
                for version in window
            ):
                raise Violation(_COMMITTED, f"{record} got nothing, {job_id} was there all along")

    def _extended(
        self, record: CallRecord, outcome: JobsExtended, window: list[StoredVersion]
    ) -> None:
        request = record.request
        if not isinstance(request, HeartbeatJobs):
            return
        for lease in request.leases:
            is_held = lease.job_id in outcome.held
            self._must_be(
                record,
                window,
                lambda version, lease=lease, is_held=is_held: (
                    is_held == _is_held(version, lease.job_id, request.worker_id, lease.attempt)
                ),
                f"{lease} is {'held' if is_held else 'lost'}",
            )

    def _completed(
        self, record: CallRecord, outcome: JobsCompleted, window: list[StoredVersion]
    ) -> None:
        request = record.request
        assert isinstance(request, CompleteJobs)
        for done in request.completions:
            lease = done.lease
            if lease.job_id not in outcome.completed:
                continue
            self._must_have_ended(record, lease.job_id, lease.attempt, ("completed", "gone"))
            for job in done.submit:
                is_stored = job.id in self._ledger.first_seen or bool(job.unique_key)
                if not is_stored and not self._ledger.may_be_removed_unseen(job):
                    raise Violation("follow-ups", f"{record} got ok, {job.id} was never stored")
        if outcome.claimed is not None:
            self._claimed(record, outcome.claimed, window)

    def _failed(self, record: CallRecord, outcome: JobFailed, window: list[StoredVersion]) -> None:
        request = record.request
        assert isinstance(request, FailJob)
        if request.error.message not in self._ledger.fails:
            lease = request.lease
            self._must_have_ended(record, lease.job_id, lease.attempt, ("gone", "failed"))

    def _snoozed(
        self, record: CallRecord, outcome: JobSnoozed, window: list[StoredVersion]
    ) -> None:
        request = record.request
        assert isinstance(request, SnoozeJob)
        lease = request.lease
        self._must_have_ended(record, lease.job_id, lease.attempt, ("snoozed", "gone"))

    def _must_have_ended(
        self, record: CallRecord, job_id: str, attempt: int | None, ways: tuple[str, ...]
    ) -> None:
        request = record.request
        assert isinstance(request, CompleteJobs | FailJob | SnoozeJob)
        assert attempt is not None
        how, _ = self._ledger.ends.get((job_id, attempt), ("not ended", None))
        holder = self._ledger.holders.get((job_id, attempt))
        if holder is None or holder[0] != request.worker_id:
            raise Violation("stale acknowledgements", f"{record}: {holder} held {job_id} {attempt}")
        if how == "not ended":
            raise Violation(_DURABILITY, f"{record} got ok, attempt {attempt} had not ended")
        if how not in ways:
            raise Violation("stale acknowledgements", f"{record} got ok, but it had {how}")

    def _cancelled(
        self, record: CallRecord, outcome: JobCancelled, window: list[StoredVersion]
    ) -> None:
        request = record.request
        assert isinstance(request, CancelJob)
        job = self._ledger.jobs.get(request.job_id)
        if job is not None and (outcome.is_gone or not job.cancel_requested):
            # A request to cancel ends with its attempt, and is gone then in a later version only.
            ended = self._ledger.ends.get((job.id, job.attempts))
            if outcome.is_gone or ended is None:
                raise Violation(_DURABILITY, f"{record} got {outcome}: {job}")

    def _deleted(
        self, record: CallRecord, outcome: JobDeleted, window: list[StoredVersion]
    ) -> None:
        request = record.request
        assert isinstance(request, DeleteJob)
        if request.job_id in self._ledger.jobs:
            raise Violation(_DURABILITY, f"{record} got ok, the job is there")

    def _changed(
        self, record: CallRecord, outcome: JobsChanged, window: list[StoredVersion]
    ) -> None:
        request = record.request
        assert isinstance(request, ChangeJobs)
        selection = request.selection
        if selection.limit and outcome.count > selection.limit:
            raise Violation("answers", f"{record} got {outcome}, its limit is {selection.limit}")
        if selection.job_ids is None:
            return
        named = set(selection.job_ids)
        if outcome.count + outcome.skipped > len(named):
            raise Violation("answers", f"{record} got {outcome} for {named}")
        if not selection.limit and outcome.count + outcome.skipped != len(named):
            raise Violation("answers", f"{record} got {outcome} for {named}")
        is_all_gone = isinstance(request, DeleteJobs) and outcome.count == len(named)
        if is_all_gone and named & self._ledger.jobs.keys():
            raise Violation(_DURABILITY, f"{record} got {outcome}, some of {named} are there")

    def _paused(self, record: CallRecord, outcome: Outcome, window: list[StoredVersion]) -> None:
        request = record.request
        assert isinstance(request, PauseQueue)
        if self._ledger.was_resumed(record.issued_ms):
            return
        since = self._ledger.between(record.issued_ms, self._world.now)
        for version in since:
            header = version.document
            if header.paused if request.type is None else request.type in header.paused_types:
                return
        raise Violation(_DURABILITY, f"{record} got ok, it was never paused")

    # Reads.

    def _stats(self, record: CallRecord, outcome: QueueStats, window: list[StoredVersion]) -> None:
        self._version_of(record, outcome, window)

    def _version_of(
        self, record: CallRecord, stats: QueueStats, window: list[StoredVersion]
    ) -> StoredVersion:
        # An edit by hand keeps the commit id; the leader answers from what it has written.
        same = (one for one in window if one.commit_id == stats.commit_id and not one.is_edit)
        version = next(same, None)
        if version is None:
            known = [one.commit_id for one in window]
            raise Violation(
                _memory(record),
                f"{record} was answered from {stats.commit_id}, current was {known}",
            )
        counts = dict.fromkeys(("scheduled", "unclaimed", "in_progress", "completed", "dead"), 0)
        for job in version.jobs.values():
            counts[job.status] += 1
        header = version.document
        shown = {name: getattr(stats, name) for name in counts}
        if (shown, stats.total, stats.completed_total, stats.paused, stats.paused_types) != (
            counts, len(version.jobs), header.completed_total, header.paused, header.paused_types,
        ):  # fmt: skip
            raise Violation(
                _memory(record), f"{record}: {stats} is not {version.commit_id}: {counts}"
            )
        return version

    def _listed(self, record: CallRecord, outcome: JobsListed, window: list[StoredVersion]) -> None:
        request = record.request
        assert isinstance(request, ListJobs)
        version = self._version_of(record, outcome.stats, window)
        wanted = [
            job
            for job in version.document.jobs
            if job.order > request.after_order and passes(job, request.filter)
        ]
        if request.is_descending:
            wanted.reverse()
        if [_summary(job) for job in outcome.jobs] != [
            _summary(job) for job in wanted[: request.limit]
        ]:
            raise Violation(
                _memory(record), f"{record}: the page is not that of {version.commit_id}"
            )

    def _read(self, record: CallRecord, outcome: JobRead, window: list[StoredVersion]) -> None:
        found = _summary(outcome.job)
        self._must_be(
            record,
            window,
            lambda version: (
                outcome.job.id in version.jobs and _summary(version.jobs[outcome.job.id]) == found
            ),
            f"reads {found}",
        )

    # Refusals that depend on the state.

    def _check_refusal(
        self, record: CallRecord, error: QueueError, window: list[StoredVersion]
    ) -> None:
        request = record.request
        if isinstance(error, QueueFull):
            ends_only = isinstance(request, CompleteJobs) and not any(
                done.submit for done in request.completions
            )
            if ends_only or isinstance(request, FailJob):
                raise Violation("endings have room", f"{record} was refused: {error!r}")
        if isinstance(error, JobNotFound):
            assert isinstance(request, CancelJob | DeleteJob | RetryJob | ReadJob)
            job_id = request.job_id
            self._must_be(
                record, window, lambda version: job_id not in version.jobs, f"{job_id} is missing"
            )
        elif isinstance(error, JobNotHeld):
            assert isinstance(request, CompleteJobs | FailJob | SnoozeJob)
            lease = (
                request.completions[0].lease if isinstance(request, CompleteJobs) else request.lease
            )
            worker_id = request.worker_id
            self._must_be(
                record,
                window,
                lambda version: not _is_held(version, lease.job_id, worker_id, lease.attempt),
                f"{lease} is not held",
            )
        elif isinstance(error, WrongStatus):
            assert isinstance(request, CancelJob | DeleteJob | RetryJob)
            self._must_be(
                record,
                window,
                lambda version: request.job_id in version.jobs,
                f"{request.job_id} is there",
            )

    def _must_be(
        self,
        record: CallRecord,
        window: list[StoredVersion],
        holds: Callable[[StoredVersion], bool],
        what: str,
    ) -> None:
        """What was said must have been so in one of these versions."""
        if window and not any(map(holds, window)):
            known = [version.commit_id for version in window]
            raise Violation(_memory(record), f"{record} was told that {what}; not so in {known}")


def _memory(record: CallRecord) -> str:
    """The checker of what was read. What is confirmed must hold even where trust is broken."""
    return _CONFIRMED if getattr(record.request, "is_confirmed", False) else _COMMITTED


def _is_held(version: StoredVersion, job_id: str, worker_id: str, attempt: int | None) -> bool:
    job = version.jobs.get(job_id)
    return job is not None and job.is_held_as(worker_id, attempt)


def _summary(job: Job | Any) -> tuple[object, ...]:
    return job.id, job.status, job.attempts, job.max_attempts, job.order, job.worker_id, job.run_at


def _nothing(*_: object) -> None:
    """No check."""


_CHECKS: dict[type[Any], Callable[..., None]] = {
    JobsSubmitted: AnswerChecker._submitted,
    JobsClaimed: AnswerChecker._claimed,
    JobsExtended: AnswerChecker._extended,
    JobsCompleted: AnswerChecker._completed,
    JobFailed: AnswerChecker._failed,
    JobSnoozed: AnswerChecker._snoozed,
    JobCancelled: AnswerChecker._cancelled,
    JobDeleted: AnswerChecker._deleted,
    JobsChanged: AnswerChecker._changed,
    QueuePaused: AnswerChecker._paused,
    QueueStats: AnswerChecker._stats,
    JobsListed: AnswerChecker._listed,
    JobRead: AnswerChecker._read,
}

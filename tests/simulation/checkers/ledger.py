"""The history of the stored document, each step of it explained by what somebody asked for.

Guards: a commit id names one byte string; epochs only grow, by takeovers that the lineage names;
a job keeps its id, its order and its attempts; every change of a job has a cause, so that none
disappears silently and no attempt is taken from a worker before its lease has run out; jobs are
delivered in order; attempts are bounded; unique keys are unique; a paused queue delivers nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING

from osqueue.core.errors import OutcomeUnknown
from osqueue.core.mutations import (
    CancelJob,
    CancelJobs,
    ChangeJobs,
    ClaimJobs,
    CompleteJobs,
    DeleteJob,
    DeleteJobs,
    FailJob,
    HeartbeatJobs,
    NewJob,
    PauseQueue,
    RedriveDead,
    Request,
    ResumeQueue,
    RetryJob,
    RetryJobs,
    SnoozeJob,
    SubmitJobs,
)
from tests.simulation.checkers.leases import check_expiry
from tests.simulation.checkers.views import JobView, StoredVersion, Violation, view_document
from tests.simulation.records import CallRecord

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["Ledger"]

Attempt = tuple[str, int]
_OF_MANY: dict[type[Request], type[ChangeJobs]] = {
    CancelJob: CancelJobs,
    DeleteJob: DeleteJobs,
    RetryJob: RetryJobs,
}
_KEY_HOLDERS = ("scheduled", "unclaimed", "in_progress")
_SURELY_LAPSED = 0.52
"""The share of a timeout after which no leader trusts itself, however wrong its clock runs."""


class Ledger:
    """All versions, and what the steps between them show."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.versions: list[StoredVersion] = []
        self.is_restored = False
        """Whether an older copy was put back: what was stored after it is gone, and nothing that
        rests on the whole history can be demanded any more."""
        self._landed_at: list[int] = []
        self._sent: dict[str, tuple[int, int, int, str]] = {}
        """By commit id: hash of its bytes, time and step when first sent, by whom."""
        self._epoch_owner: dict[int, str] = {}
        self._sequences: dict[str, int] = {}
        # What was asked.
        self.asked: defaultdict[str, list[CallRecord]] = defaultdict(list)
        """By job id: settlements and administration."""
        self.submits: dict[str, CallRecord] = {}
        self.claims: dict[tuple[str, str], CallRecord] = {}
        self.bulk: list[CallRecord] = []
        """What was asked of many jobs at once, but for redrives."""
        self.redrives: list[CallRecord] = []
        self.resumes: list[CallRecord] = []
        self.pauses: list[CallRecord] = []
        # What was found.
        self.first_seen: dict[str, StoredVersion] = {}
        self.vanished: dict[str, StoredVersion] = {}
        self.order_of: dict[str, int] = {}
        self._order_taken: dict[int, str] = {}
        self.holders: dict[Attempt, tuple[str, str, StoredVersion]] = {}
        """Worker, claim id, and where it was first seen."""
        self.ends: dict[Attempt, tuple[str, StoredVersion]] = {}
        """How the attempt ended."""
        self.fails: dict[str, StoredVersion] = {}
        """By the message of the error."""
        self.told_claims: dict[Attempt, tuple[str, str, int]] = {}
        """Worker, claim id, when a broker first said so."""
        self.beats: defaultdict[Attempt, list[tuple[int, str]]] = defaultdict(list)
        """Heartbeats that reached a leader: when, and its name."""
        self.edited: set[str] = set()
        """Jobs that somebody has removed by hand."""
        self.term_began: dict[int, int] = {}

    @property
    def jobs(self) -> dict[str, JobView]:
        """The jobs of the newest version."""
        return self.versions[-1].jobs if self.versions else {}

    def newest_of_another_leader(self) -> int | None:
        """Index of the newest version whose writer lives and is not the last one's."""
        alive = {site.process.name for site in self._world.sites if site.process is not None}
        alive.discard(self.versions[-1].writer)
        return next((one.index for one in reversed(self.versions) if one.writer in alive), None)

    def newest_release(self) -> int | None:
        """Index of the newest version that names no leader, but for the last one."""
        released = (one for one in reversed(self.versions[:-1]) if one.document.broker is None)
        return next((one.index for one in released), None)

    def between(self, start_ms: int, end_ms: int) -> list[StoredVersion]:
        """The versions that were the newest at some moment of the span."""
        first = bisect_right(self._landed_at, start_ms - 1) - 1
        last = bisect_right(self._landed_at, end_ms)
        # Its leader does not know of an edit by hand before its next write.
        while first > 0 and self.versions[first].is_edit:
            first -= 1
        return self.versions[max(first, 0) : last]

    # What is asked.

    def issued(self, record: CallRecord) -> None:
        """Somebody asks for something."""
        request: Request = record.request
        match request:
            case SubmitJobs():
                for job in request.jobs:
                    self.submits[job.id] = record
            case ClaimJobs():
                self.claims[request.worker_id, request.claim_id] = record
            case CompleteJobs():
                for done in request.completions:
                    self.asked[done.lease.job_id].append(record)
                    for job in done.submit:
                        self.submits[job.id] = record
                if request.claim is not None:
                    self.claims[request.worker_id, request.claim.claim_id] = record
            case FailJob() | SnoozeJob():
                self.asked[request.lease.job_id].append(record)
            case CancelJob() | DeleteJob() | RetryJob():
                self.asked[request.job_id].append(record)
            case RedriveDead():
                self.redrives.append(record)
            case ChangeJobs():
                self.bulk.append(record)
            case ResumeQueue():
                self.resumes.append(record)
            case PauseQueue():
                self.pauses.append(record)
            case _:
                pass

    def effect_of(self, record: CallRecord) -> StoredVersion | None:
        """The version that holds what a call asked for, where that can be told for sure."""
        request = record.request
        new_jobs: list[NewJob] = []
        if isinstance(request, SubmitJobs):
            new_jobs = request.jobs
        elif isinstance(request, CompleteJobs):
            new_jobs = [job for done in request.completions for job in done.submit]
        elif isinstance(request, FailJob):
            return self.fails.get(request.error.message)
        for job in new_jobs:
            if job.id in self.first_seen and self.submits[job.id] is record:
                return self.first_seen[job.id]
        return None

    # What is written.

    def put_sent(self, writer: str, body: bytes) -> str:
        """A broker sends bytes to the store, for the first time or again. Returns their commit."""
        start = body.index(b'"commitId":"') + 12
        commit_id = body[start : body.index(b'"', start)].decode()
        now = self._world.now
        known = self._sent.get(commit_id)
        if known is None:
            self._sent[commit_id] = (hash(body), now, self._world.step, writer)
            sequence = commit_id.split("-")[1]
            if int(sequence) <= self._sequences.get(writer, 0):
                raise Violation("commit ids", f"{commit_id}: the sequence of {writer} went back")
            self._sequences[writer] = int(sequence)
        elif known[0] != hash(body):
            raise Violation(
                "commit ids", f"{commit_id} of {known[3]} names other bytes of {writer}, too"
            )
        return commit_id

    def landed(
        self, body: bytes, *, copy_of: int | None = None
    ) -> tuple[StoredVersion | None, StoredVersion]:
        """The object has a new version; `copy_of`: it is that old one, restored. Returns the one
        before, and this one."""
        now = self._world.now
        version = view_document(body, index=len(self.versions), landed_ms=now)
        previous = self.versions[-1] if self.versions else None
        if copy_of is not None:
            self.is_restored, version.copy_of = True, copy_of
            version.writer = self.versions[copy_of].writer
        elif previous is not None and previous.commit_id == version.commit_id:
            version.is_edit = True
            version.formed_ms, version.formed_step = previous.formed_ms, previous.formed_step
            version.writer = previous.writer
        else:
            _, version.formed_ms, version.formed_step, version.writer = self._sent[
                version.commit_id
            ]
        if not self.is_restored:
            self._check_header(previous, version)
        self.versions.append(version)
        self._landed_at.append(now)
        if version.is_edit and previous is not None:
            self.edited |= previous.jobs.keys() - version.jobs.keys()
        elif not self.is_restored:
            self._check_jobs(previous, version)
        return previous, version

    def _check_header(self, previous: StoredVersion | None, version: StoredVersion) -> None:
        header = version.document
        name = version.commit_id.rpartition("-")[2]
        owner = self._epoch_owner.setdefault(header.epoch, name)
        if owner != name:
            raise Violation("epochs", f"epoch {header.epoch} belongs to {owner}, {name} wrote")
        if previous is None or version.is_edit:
            self.term_began[header.epoch] = version.landed_ms
            return
        before = previous.document
        if header.epoch == before.epoch:
            if header.lineage != before.lineage:
                raise Violation("epochs", f"{version.commit_id}: lineage without a takeover")
            if version.formed_ms - previous.landed_ms > before.broker_timeout_ms * _SURELY_LAPSED:
                # Its trust had lapsed: this write takes no lease away, and after it all begin anew.
                self.term_began[header.epoch] = version.landed_ms
        elif header.epoch != before.epoch + 1:
            raise Violation("epochs", f"{before.epoch} was followed by {header.epoch}")
        else:
            self.term_began[header.epoch] = version.landed_ms
            last = header.lineage[-1]
            if (last.epoch, last.broker_name, last.taken_from) != (
                header.epoch, name, previous.commit_id,
            ):  # fmt: skip
                raise Violation("epochs", f"{version.commit_id}: its lineage ends with {last}")
        for field in ("next_order", "completed_total", "leadership_ms"):
            if getattr(header, field) < getattr(before, field):
                raise Violation("counters", f"{version.commit_id}: {field} went back")

    # What became of jobs.

    def _check_jobs(self, previous: StoredVersion | None, version: StoredVersion) -> None:
        before = previous.jobs if previous is not None else {}
        claimed: list[JobView] = []
        completed = completed_most = 0
        for job_id, job in version.jobs.items():
            old = before.get(job_id)
            if old == job:
                continue
            if old is None:
                self._check_new(job, previous, version)
            else:
                count = self._check_change(old, job, version)
                completed, completed_most = completed + count, completed_most + count
            if job.is_held and (old is None or old.attempts != job.attempts):
                claimed.append(job)
                self._check_claim(job, version)
        for job_id, old in before.items():
            if job_id not in version.jobs:
                least, most = self._check_vanished(old, version)
                completed, completed_most = completed + least, completed_most + most
                self.vanished[job_id] = version
        if claimed and previous is not None:
            self._check_order(claimed, previous, version)
        self._check_whole(version)
        grown = version.document.completed_total
        grown -= previous.document.completed_total if previous is not None else 0
        if not completed <= grown <= completed_most:
            raise Violation(
                "counters", f"completedTotal grew by {grown}: {completed} to {completed_most} ended"
            )

    def _check_whole(self, version: StoredVersion) -> None:
        if len(version.jobs) != len(version.document.jobs):
            raise Violation("job ids", f"{version.commit_id} has a job id twice")
        keys: set[str] = set()
        for job in version.document.jobs:
            if job.attempts > job.max_attempts:
                raise Violation("attempts", f"{job.id}: {job.attempts} of {job.max_attempts}")
            if job.unique_key and job.status in _KEY_HOLDERS:
                if job.unique_key in keys:
                    raise Violation("unique keys", f"{job.unique_key} is held twice")
                keys.add(job.unique_key)

    def _check_new(
        self, job: JobView, previous: StoredVersion | None, version: StoredVersion
    ) -> None:
        if job.id in self.order_of:
            raise Violation(
                "no double enqueue",
                f"{job.id} was enqueued as {self.order_of[job.id]}, and again as {job.order}",
            )
        if job.order in self._order_taken:
            raise Violation("no double enqueue", f"order {job.order} was taken by another job")
        record = self.submits.get(job.id)
        if record is None:
            raise Violation("causes", f"nobody has submitted {job.id}")
        if isinstance(record.request, CompleteJobs):
            parent = next(
                done.lease for done in record.request.completions
                if any(new.id == job.id for new in done.submit)
            )  # fmt: skip
            old = previous.jobs.get(parent.job_id) if previous is not None else None
            now = version.jobs.get(parent.job_id)
            is_done = now is None or now.status == "completed"
            worker_id = record.request.worker_id
            if old is None or not old.is_held_as(worker_id, parent.attempt) or not is_done:
                raise Violation("follow-ups", f"{job.id} came without the end of {parent}")
        self.order_of[job.id] = job.order
        self._order_taken[job.order] = job.id
        self.first_seen[job.id] = version
        if job.attempts > 1:
            raise Violation("attempts", f"{job.id} began with {job.attempts}")

    def _check_claim(self, job: JobView, version: StoredVersion) -> None:
        record = self.claims.get((job.worker_id, job.claim_id))
        if record is None:
            raise Violation("causes", f"{job.worker_id} has not claimed under {job.claim_id!r}")
        self.holders[job.id, job.attempts] = (job.worker_id, job.claim_id, version)

    def _check_change(self, old: JobView, job: JobView, version: StoredVersion) -> int:
        """A job that stays. Returns how many completions it shows."""
        if (old.order, old.priority, old.type) != (job.order, job.priority, job.type):
            raise Violation("causes", f"{job.id} is not what it was: {old} {job}")
        if not 0 <= job.attempts - old.attempts <= 1 or job.max_attempts < old.max_attempts:
            raise Violation("attempts", f"{job.id}: from {old} to {job}")
        for error in job.errors:
            if error.type == "Failed":
                self.fails.setdefault(error.message, version)
        if old.is_held and (old.attempts != job.attempts or not job.is_held):
            return self._check_end(old, job, version)
        if old.status == "dead" and job.status != "dead" and not self._may_revive(job.id):
            raise Violation("causes", f"nobody has revived {job.id}")
        if old.status == "completed" and job.status != "completed":
            raise Violation("causes", f"{job.id} was completed, is {job.status}")
        if old.status == "scheduled" and job.status != "scheduled":
            is_due = old.run_at <= version.document.broker_heartbeat
            if not is_due and not self._asks(job.id, RetryJob):
                raise Violation("causes", f"{job.id} was not due: {old}")
        return 0

    def _check_end(self, old: JobView, job: JobView, version: StoredVersion) -> int:
        """An attempt has ended, its job stays. Returns how many completions that is."""
        attempt = (old.id, old.attempts)
        if job.status == "completed" and job.attempts == old.attempts:
            self._note_end(attempt, "completed", version)
            if not self._asks_end(CompleteJobs, old):
                raise Violation("causes", f"nobody has completed {attempt}")
            return 1
        error = next((one for one in job.errors if one.attempt == old.attempts), None)
        if error is not None and error.type == "LeaseExpired":
            self._note_end(attempt, "expired", version)
            check_expiry(self, old, version)
        elif error is not None:
            self._note_end(attempt, "failed", version)
            if not self._asks_end(FailJob, old):
                raise Violation("causes", f"nobody has failed {attempt}")
        elif self._asks_end(SnoozeJob, old) and job.max_attempts > old.max_attempts:
            self._note_end(attempt, "snoozed", version)
        elif job.max_attempts > old.max_attempts:
            self._note_end(attempt, "given back", version)
            if attempt in self.told_claims:
                told = self.told_claims[attempt]
                raise Violation("leases", f"{attempt} was given back, its worker was told: {told}")
        else:
            raise Violation("causes", f"{attempt} ended without a cause: {old} {job}")
        return 0

    def _check_vanished(self, old: JobView, version: StoredVersion) -> tuple[int, int]:
        """A job is gone. Returns how many completions that is, at least and at most."""
        is_unwanted = self._asks(old.id, CancelJob) or self._asks(old.id, DeleteJob)
        if old.is_held:
            attempt = (old.id, old.attempts)
            if self._asks_end(CompleteJobs, old) and (is_unwanted or not old.result_ttl_ms):
                self._note_end(attempt, "gone" if is_unwanted else "completed", version)
                return (0, 1) if is_unwanted else (1, 1)
            if is_unwanted:
                self._note_end(attempt, "gone", version)
                return 0, 0
        elif old.status == "completed":
            is_over = old.ended_at + old.result_ttl_ms <= version.document.broker_heartbeat
            if is_over or is_unwanted:
                return 0, 0
        elif is_unwanted:
            return 0, 0
        raise Violation("no job is lost", f"{old} vanished with {version.commit_id}")

    def _note_end(self, attempt: Attempt, how: str, version: StoredVersion) -> None:
        self.ends[attempt] = (how, version)
        self._world.coverage.transitions[f"attempt {how}"] += 1

    def _asks(self, job_id: str, kind: type[Request]) -> bool:
        if any(isinstance(record.request, kind) for record in self.asked.get(job_id, ())):
            return True
        of_many = _OF_MANY.get(kind)
        return of_many is not None and any(
            isinstance(record.request, of_many) and self._may_select(record.request, job_id)
            for record in self.bulk
        )

    def may_be_removed_unseen(self, job: NewJob) -> bool:
        """Whether many jobs were cancelled or deleted that may have held it in its own write."""
        since_ms = self.submits[job.id].issued_ms
        return any(
            isinstance(record.request, CancelJobs | DeleteJobs)
            and record.request.selection.job_ids is None
            and record.request.selection.filter.type in (None, job.type)
            and _may_apply_after(record, since_ms)
            for record in self.bulk
        )

    def _may_select(self, request: ChangeJobs, job_id: str) -> bool:
        """Whether the job can be one of those; its status is not looked at."""
        selection = request.selection
        if selection.job_ids is not None:
            return job_id in selection.job_ids
        kind = self.first_seen[job_id].jobs[job_id].type
        return selection.filter.type in (None, kind)

    def _asks_end(self, kind: type[CompleteJobs | FailJob | SnoozeJob], job: JobView) -> bool:
        for record in self.asked.get(job.id, ()):
            request = record.request
            if not isinstance(request, kind) or request.worker_id != job.worker_id:
                continue
            leases = (
                [done.lease for done in request.completions]
                if isinstance(request, CompleteJobs)
                else [request.lease]
            )
            if any(one.job_id == job.id and one.attempt == job.attempts for one in leases):
                return True
        return False

    def _may_revive(self, job_id: str) -> bool:
        return bool(self.redrives) or self._asks(job_id, RetryJob)

    # Leases.

    def beat_arrived(self, request: HeartbeatJobs, leader: str) -> None:
        """A heartbeat has reached a leader that takes it in."""
        for lease in request.leases:
            if lease.attempt is not None:
                self.beats[lease.job_id, lease.attempt].append((self._world.now, leader))

    def claim_told(self, attempt: Attempt, worker_id: str, claim_id: str) -> None:
        """A worker has been told that it holds an attempt."""
        how = self.ends.get(attempt, ("", None))[0]
        if how == "given back":
            raise Violation("leases", f"{worker_id} was told of {attempt}, which was given back")
        self.told_claims.setdefault(attempt, (worker_id, claim_id, self._world.now))

    # Delivery.

    def _check_order(
        self, claimed: list[JobView], previous: StoredVersion, version: StoredVersion
    ) -> None:
        header, before = version.document, previous.document
        if header.paused and before.paused and not self.was_resumed(previous.landed_ms):
            raise Violation("pauses", f"{claimed[0].id} was delivered by a paused queue")
        paused = {*header.paused_types, *before.paused_types}
        for job in claimed:
            is_paused = job.type in header.paused_types and job.type in before.paused_types
            if is_paused and not self.was_resumed(previous.landed_ms):
                raise Violation("pauses", f"{job.id} was delivered, its type was paused")
        passed_over = [
            job
            for job_id, job in version.jobs.items()
            if job.status == "unclaimed"
            and job.type not in paused
            and (old := previous.jobs.get(job_id)) is not None
            and old.status == "unclaimed"
        ]
        if not passed_over or header.paused or before.paused:
            return
        if self.was_paused(previous.landed_ms):
            return  # Perhaps paused and resumed within the batch.
        best: dict[str, JobView] = {}
        for job in passed_over:
            if job.type not in best or job.place < best[job.type].place:
                best[job.type] = job
        for job in claimed:
            record = self.claims[job.worker_id, job.claim_id]
            request = record.request
            claim = request.claim if isinstance(request, CompleteJobs) else request
            assert isinstance(claim, ClaimJobs)
            for kind in claim.types or best:
                if kind in best and best[kind].place < job.place:
                    raise Violation("delivery order", f"{job} was delivered before {best[kind]}")

    def was_resumed(self, since_ms: int) -> bool:
        """Whether somebody may have resumed the queue since then."""
        return any(_may_apply_after(record, since_ms) for record in self.resumes)

    def was_paused(self, since_ms: int) -> bool:
        """Whether somebody may have paused the queue since then."""
        return any(_may_apply_after(record, since_ms) for record in self.pauses)


def _may_apply_after(record: CallRecord, since_ms: int) -> bool:
    if record.told_ms is None or record.told_ms >= since_ms:
        return True
    return record.outcome is None or isinstance(record.outcome, OutcomeUnknown)

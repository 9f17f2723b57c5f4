"""The history of the stored document, and whether what callers were told agrees with it.

Stands outside: it reads documents with code of its own (`checkers/views.py`), and hears what
callers ask and are told.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.checkers.views import JobView, StoredVersion, Violation, view_document

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["Hold", "Ledger"]

Attempt = tuple[str, int]
_COMPLETED = ("completed", "gone")


@dataclass
class Hold:
    """One attempt of a job in a worker's hands."""

    job_id: str
    attempt: int
    worker_id: str
    since: int
    """Index of the version in which it began."""
    ended: int | None = None
    status_after: str = ""
    """`gone`: the job is no longer there."""


class Ledger:
    """All versions, and what is known of each job and attempt."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.versions: list[StoredVersion] = []
        self._by_commit: dict[str, StoredVersion] = {}
        self._sent: dict[str, bytes] = {}
        """By commit id, in the order in which they set out for the first time."""
        self._sent_numbers: dict[str, int] = {}
        self._order: dict[str, int] = {}
        self._gone: dict[str, int] = {}
        self._facts: set[tuple[str, str, int]] = set()
        self.last_changes: dict[str, int] = {}
        """By job id: when the write that changed its status or attempts last was first sent."""
        self.holds: dict[Attempt, Hold] = {}
        self._told_claims: dict[Attempt, str] = {}
        self.removals_asked: set[str] = set()
        """Jobs that somebody wanted to be cancelled or deleted."""
        self.follow_ups: dict[str, Attempt] = {}
        """By the id of a job that a completion brings along: the attempt that is completed."""
        self.completions_asked: set[Attempt] = set()
        self.cancelled_claims: set[str] = set()
        """Workers (one a claim) whose call to the broker was cancelled."""
        self.acknowledged: set[str] = set()

    # The store.

    def sent(self, body: bytes) -> None:
        """A write sets out: one commit id names one byte string."""
        commit_id = view_document(body, index=0, landed_ms=0).commit_id
        if self._sent.setdefault(commit_id, body) != body:
            raise Violation("commit ids", f"{commit_id} was sent with two contents")
        self._sent_numbers.setdefault(commit_id, len(self._sent))

    def landed(self, body: bytes, *, is_first: bool) -> None:
        """A write was applied."""
        index = len(self.versions)
        if is_first != (index == 0):
            raise Violation("one document", f"created as version {index}")
        version = view_document(body, index=index, landed_ms=self._world.now_ms)
        if version.commit_id in self._by_commit:
            raise Violation("commit ids", f"{version.commit_id} landed twice")
        before = self.versions[-1] if self.versions else None
        if before is not None and version.document.epoch < before.document.epoch:
            raise Violation("epochs", f"{before.commit_id} was followed by {version.commit_id}")
        if before is not None and version.document.epoch > before.document.epoch:
            self._check_trust(version)
        self.versions.append(version)
        self._by_commit[version.commit_id] = version
        jobs_before = before.jobs if before is not None else {}
        for job in version.jobs.values():
            if job != jobs_before.get(job.id):
                self._changed(job, jobs_before.get(job.id), version)
        for job_id in jobs_before.keys() - version.jobs.keys():
            self._vanished(jobs_before[job_id], version)
        for job_id in self.follow_ups.keys() & (version.jobs.keys() - jobs_before.keys()):
            self._check_follow_up(job_id, version)
        self._world.note(
            f"landed {version.commit_id}: "
            + " ".join(f"{job.id}:{job.status}:{job.attempts}" for job in version.jobs.values())
        )

    def _check_trust(self, version: StoredVersion) -> None:
        """Once another broker has taken over, nobody trusts itself to answer without a write."""
        winner = version.commit_id.rpartition("-")[2]
        for machine in self._world.machines:
            broker = machine.broker
            if broker is not None and broker.name != winner and broker.is_trusted_leader:
                raise Violation("trust", f"{broker.name} is trusted, {version.commit_id} leads")

    def _changed(self, job: JobView, before: JobView | None, version: StoredVersion) -> None:
        if self._order.setdefault(job.id, job.order) != job.order or job.id in self._gone:
            raise Violation("no double enqueue", f"{job.id} came twice, in {version.commit_id}")
        if before is not None and job.attempts < before.attempts:
            raise Violation("attempts", f"{job.id} lost one in {version.commit_id}")
        if job.attempts > job.max_attempts:
            raise Violation("attempts", f"{job.id} has too many in {version.commit_id}")
        self._facts.add((job.id, job.status, job.attempts))
        if before is None or (before.status, before.attempts) != (job.status, job.attempts):
            self.last_changes[job.id] = self._sent_numbers[version.commit_id]
        was_held = before is not None and before.is_held
        if was_held and before is not None and not _is_same_hold(before, job):
            self._hold_ended(before, job.status, version)
        if job.is_held and not (was_held and before is not None and _is_same_hold(before, job)):
            hold = Hold(job.id, job.attempts, job.worker_id, version.index)
            if (job.id, job.attempts) in self.holds:
                raise Violation("one holder", f"{job.id} attempt {job.attempts} began twice")
            self.holds[job.id, job.attempts] = hold
        self._note_dead(job, before)

    def _check_follow_up(self, job_id: str, version: StoredVersion) -> None:
        """It comes with the end of its parent, or not at all."""
        hold = self.holds.get(self.follow_ups[job_id])
        if hold is None or hold.ended != version.index or hold.status_after not in _COMPLETED:
            raise Violation("follow-ups", f"{job_id} came without the end of {hold}")

    def _note_dead(self, job: JobView, before: JobView | None) -> None:
        has_died = job.status == "dead" and (before is None or before.status != "dead")
        if has_died and not job.errors:
            raise Violation("dead letters", f"{job.id} died without an error")

    def _vanished(self, job: JobView, version: StoredVersion) -> None:
        self._gone[job.id] = version.index
        self.last_changes[job.id] = self._sent_numbers[version.commit_id]
        for status in ("completed", "gone"):
            self._facts.add((job.id, status, job.attempts))
        if job.is_held:
            self._hold_ended(job, "gone", version)
        has_cause = (
            job.id in self.removals_asked
            or job.status == "completed"
            or (job.id, job.attempts) in self.completions_asked
        )
        if not has_cause:
            raise Violation("no job is lost", f"{job.id} ({job.status}) vanished without a cause")

    def _hold_ended(self, job: JobView, status: str, version: StoredVersion) -> None:
        hold = self.holds[job.id, job.attempts]
        hold.ended, hold.status_after = version.index, status

    # What callers are told.

    def submitted(self, job_id: str) -> None:
        """A submit was acknowledged."""
        self.acknowledged.add(job_id)
        # Submitted and cancelled by one write, it is in no version.
        if job_id not in self._order and job_id not in self.removals_asked:
            raise Violation("acknowledged is durable", f"{job_id} is in no stored version")

    def claimed(self, job_id: str, attempt: int, worker_id: str, *, by: str) -> None:
        """A caller is told that it holds an attempt; `by` names the call."""
        hold = self.holds.get((job_id, attempt))
        if hold is None or hold.worker_id != worker_id:
            raise Violation("acknowledged is durable", f"{worker_id} does not hold {job_id}")
        if self._told_claims.setdefault((job_id, attempt), by) != by:
            raise Violation("one holder", f"{job_id} attempt {attempt} was told to two calls")

    def settled(self, job_id: str, attempt: int, statuses: tuple[str, ...]) -> None:
        """The end of an attempt was acknowledged: with one of these statuses after it."""
        hold = self.holds[job_id, attempt]
        is_so = hold.status_after in statuses
        if "completed" not in statuses:
            # The same write may have redriven, claimed or deleted it after that.
            is_so = hold.status_after != "completed"
        if hold.ended is None or not is_so:
            raise Violation(
                "acknowledged is durable",
                f"{job_id} attempt {attempt} is {hold.status_after or 'held'}, told was {statuses}",
            )

    def job_seen(self, job_id: str, status: str, attempts: int, *, where: str) -> None:
        """Somebody is shown a job, in a feed or in an answer."""
        is_unseen_end = status in ("gone", "completed") and job_id not in self._order
        if (job_id, status, attempts) not in self._facts and not (
            is_unseen_end and job_id in self.removals_asked
        ):
            raise Violation("committed only", f"{where} shows {job_id} {status} {attempts}")

    def commit_seen(self, commit_id: str, *, where: str) -> StoredVersion:
        """Somebody is shown a commit."""
        if commit_id not in self._by_commit:
            raise Violation("committed only", f"{where} shows {commit_id}, which has not landed")
        return self._by_commit[commit_id]

    @property
    def sent_count(self) -> int:
        """How many writes have set out, repeats aside."""
        return len(self._sent)

    def status_now(self, job_id: str) -> str:
        """`gone` where it is no longer there, or never came."""
        job = self.versions[-1].jobs.get(job_id) if self.versions else None
        return "gone" if job is None else job.status

    # The end.

    @property
    def unfinished(self) -> list[str]:
        """Jobs that have not ended."""
        if not self.versions:
            return []
        jobs = self.versions[-1].jobs.values()
        return [job.id for job in jobs if job.status not in ("completed", "dead")]

    def check_give_backs(self) -> None:
        """A claim whose caller was cancelled is given back by the next write of its leader."""
        for hold in self.holds.values():
            if hold.worker_id not in self.cancelled_claims:
                continue
            if hold.since + 1 >= len(self.versions):
                continue
            claimed, after = self.versions[hold.since], self.versions[hold.since + 1]
            if claimed.document.epoch != after.document.epoch or after.document.broker is None:
                continue
            before, job = claimed.jobs[hold.job_id], after.jobs.get(hold.job_id)
            was_asked = hold.job_id in self.removals_asked
            if job is None and was_asked:
                continue
            if job is None or job.max_attempts != before.max_attempts + 1:
                raise Violation(
                    "give-backs", f"{hold.job_id} attempt {hold.attempt} stayed with nobody"
                )

    def by_attempt(self) -> dict[str, list[Hold]]:
        """The attempts of each job."""
        found: defaultdict[str, list[Hold]] = defaultdict(list)
        for hold in self.holds.values():
            found[hold.job_id].append(hold)
        return found


def _is_same_hold(before: JobView, job: JobView) -> bool:
    return job.is_held and (before.attempts, before.worker_id) == (job.attempts, job.worker_id)

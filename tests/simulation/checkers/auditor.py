"""Every stored version, held against what was asked for: the auditor.

It has its own model of the requests (`model.py`), and takes from each version what the version
itself says that it holds: the sequences in its table of clients. Guards: each job is stored as it
was submitted and changes only as somebody has asked, or as time demands, in every field. What was
recorded as applied has had its effect. What came after a drain began, or from callers that were
gone, had none. A document that was edited by hand is the new truth, and nothing else may change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from osqueue.core.limits import TEXT_CUT_RATIO
from osqueue.core.mutations import (
    ChangeJobs,
    ClaimJobs,
    CompleteJobs,
    FailJob,
    NewJob,
    PauseQueue,
    RedriveDead,
    RetryJobs,
    SnoozeJob,
    SubmitJobs,
)
from tests.simulation.checkers.batch import Arrivals, Batch, Key, Snapshot
from tests.simulation.checkers.model import (
    Ask,
    Moment,
    State,
    administer,
    after_time,
    claim,
    passes,
    settle,
    submitted,
)
from tests.simulation.checkers.timeliness import Timeliness
from tests.simulation.checkers.views import StoredVersion, Violation

if TYPE_CHECKING:
    from tests.simulation.cast.brokers import BrokerProcess, SimulatedTicket
    from tests.simulation.world import World

__all__ = ["Auditor"]

_PHASES = (CompleteJobs, FailJob, SnoozeJob)


class Auditor:
    """Follows what reaches brokers, and explains every version by it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.timeliness = Timeliness(world)
        self._arrivals: dict[str, Arrivals] = {}
        self._snapshots: dict[str, Snapshot] = {}
        """By commit id, of the moment when it was first sent."""
        self.applied: dict[Key, tuple[StoredVersion, Any]] = {}
        """Held by versions, as they say themselves, with the answers for repeats."""
        self.untold: set[Key] = set()

    # What reaches brokers.

    def arrived(self, broker: BrokerProcess, ticket: SimulatedTicket) -> None:
        """A leader takes a ticket in."""
        arrivals = self._arrivals.setdefault(broker.name, Arrivals())
        arrivals.arrived(ticket, is_draining=broker.is_draining)

    def abandoned(self, broker: BrokerProcess, ticket: SimulatedTicket) -> None:
        """Its callers are gone."""
        if broker.name in self._arrivals:
            self._arrivals[broker.name].abandoned(ticket)

    def answered(self, broker: BrokerProcess, ticket: SimulatedTicket) -> None:
        """All answers of a ticket leave."""
        if broker.name in self._arrivals:
            self._arrivals[broker.name].answered(ticket)

    def put_sent(self, writer: str, commit_id: str) -> None:
        """A broker sends a commit, for the first time or again."""
        self.timeliness.put_sent(commit_id)
        if commit_id not in self._snapshots and writer in self._arrivals:
            self._snapshots[commit_id] = self._arrivals[writer].snapshot()

    # What is stored.

    def landed(self, before: StoredVersion | None, version: StoredVersion) -> None:
        """The object has a new version."""
        if before is None or version.is_edit:
            return
        self.timeliness.landed(before, version)
        if before.document.hand_note != version.document.hand_note:
            raise Violation("auditor", f"{version.commit_id} lost a field that it does not know")
        if before.document.epoch != version.document.epoch:
            self._check_takeover(before, version)
            return
        snapshot = self._snapshots.get(version.commit_id, Snapshot([], set()))
        batch = Batch(snapshot, is_small_table=self._world.plan.is_small_table)
        batch.read(before, version)
        self.untold |= batch.untold
        self.applied.update((key, (version, answer)) for key, answer in batch.applied.items())
        self._check_pauses(batch, before, version)
        self._check_claims(batch, before, version)
        self._check_jobs(batch, self._moment(snapshot, before, version), before, version)
        self._check_counts(batch, before, version)

    def _check_takeover(self, before: StoredVersion, version: StoredVersion) -> None:
        old, new = before.document, version.document
        if old.jobs != new.jobs or old.clients != new.clients:
            changed = [job for job in new.jobs if before.jobs.get(job.id) != job]
            raise Violation("auditor", f"{version.commit_id} took over and changed {changed}")
        if (old.paused, old.paused_types) != (new.paused, new.paused_types):
            raise Violation("auditor", f"{version.commit_id} took over and changed pauses")

    def _moment(self, snapshot: Snapshot, before: StoredVersion, version: StoredVersion) -> Moment:
        limits = self._world.plan.rules.limits
        # Estimates of the growth within a batch may be some hundreds of bytes off for each job.
        large = limits.document_bytes_max * TEXT_CUT_RATIO * 0.8
        return Moment(
            now_ms=version.now_ms,
            rules=self._world.plan.rules,
            lease_ms_min=2 * version.document.broker_timeout_ms,
            may_cut=max(before.body_bytes, version.body_bytes) > large,
            gone_claims=snapshot.gone_claims,
        )

    def _check_pauses(self, batch: Batch, before: StoredVersion, version: StoredVersion) -> None:
        old, new = before.document, version.document
        states = [(old.paused, frozenset(old.paused_types), tuple(batch.pauses))]
        wanted = (new.paused, frozenset(new.paused_types))
        while states:
            paused, types, left = states.pop()
            if (paused, types) == wanted and not any(ask.is_sure for ask in left):
                return
            for ask in left:
                request: Any = ask.request
                others = tuple(one for one in left if one is not ask)
                kind = request.type
                if isinstance(request, PauseQueue):
                    after = (True, types) if kind is None else (paused, types | {kind})
                else:
                    after = (False, frozenset[str]()) if kind is None else (paused, types - {kind})
                states.append((*after, others))
        raise Violation("auditor", f"{version.commit_id}: pauses {wanted}, of {batch.pauses}")

    def _check_claims(self, batch: Batch, before: StoredVersion, version: StoredVersion) -> None:
        """Every claim that was served was asked for, and got no more than that."""
        taken: Counter[tuple[str, str]] = Counter()
        for job in version.document.jobs:
            old = before.jobs.get(job.id)
            if job.is_held and (old is None or old.attempts != job.attempts):
                taken[job.worker_id, job.claim_id] += 1
        for key, count in taken.items():
            asked = batch.check_claim(key, version)
            if count > asked.limit:
                raise Violation("auditor", f"{version.commit_id}: {key} got {count}: {asked}")

    def _check_jobs(
        self, batch: Batch, moment: Moment, before: StoredVersion, version: StoredVersion
    ) -> None:
        job_ids = dict.fromkeys(batch.submits)
        job_ids |= dict.fromkeys(batch.settlements) | dict.fromkeys(batch.named)
        old, new = before.jobs, version.jobs
        is_all = bool(batch.filtered)
        for job_id, job in new.items():
            known = old.get(job_id)
            if is_all or known is None or known != job:
                job_ids[job_id] = None
            elif job.status == "scheduled" and job.run_at <= moment.now_ms:
                raise Violation("auditor", f"{version.commit_id}: {job} was due, and did not start")
        job_ids |= dict.fromkeys(job_id for job_id in old if is_all or job_id not in new)
        for job_id in job_ids:
            self._check_job(job_id, batch, moment, before, version)

    def _check_job(
        self,
        job_id: str,
        batch: Batch,
        moment: Moment,
        before: StoredVersion,
        version: StoredVersion,
    ) -> None:
        old, wanted = before.jobs.get(job_id), version.jobs.get(job_id)
        asks = [*batch.named[job_id], *batch.filtered]
        submit = batch.submits.get(job_id)
        if old is None and wanted is None and submit is None:
            return
        taken: ClaimJobs | None = None
        if wanted is not None and wanted.is_held:
            taken = batch.claims.get((wanted.worker_id, wanted.claim_id))
        search = _Search(job_id, wanted, moment, taken)
        starts = list(_settled(batch.settlements[job_id], old, wanted, moment))
        new, must_come = (None, False) if old is not None else self._new(submit)
        explained = list(search.explain(starts, asks, new, must_come=must_come))
        if not explained:
            raise Violation(
                "auditor",
                f"{version.commit_id} made of {old} this: {wanted}; nothing of this explains it:"
                f" {submit}, {batch.settlements[job_id]}, {asks}, {taken}",
            )
        last = wanted.errors[-1] if wanted is not None and wanted.errors else None
        if last is not None and not last.message and last.at == version.now_ms:
            self._world.coverage.transitions["text or result left out"] += 1
        for ask in asks:
            counts = [ask in changed for changed in explained]
            ask.jobs_changed_least += all(counts)
            ask.jobs_changed_most += any(counts)

    def _new(self, submit: tuple[NewJob, Ask] | None) -> tuple[NewJob | None, bool]:
        """The job that may have been submitted, and whether it must be stored."""
        if submit is None:
            return None, False
        new, ask = submit
        if not ask.is_sure:
            return new, False
        request = ask.request
        assert isinstance(request, SubmitJobs)
        found = ask.answer[1] if ask.answer else []
        if any(request.jobs[index] is new for index, _ in found):
            return None, False  # A duplicate, of its id or its unique key.
        return new, new.id not in self._world.observer.ledger.order_of

    def _check_counts(self, batch: Batch, before: StoredVersion, version: StoredVersion) -> None:
        """A change of many jobs has changed as many as its answer says."""
        changes = batch.changes()
        for ask in changes:
            assert ask.answer is not None
            count = ask.answer[1]
            if not ask.jobs_changed_least <= count <= ask.jobs_changed_most:
                raise Violation(
                    "auditor",
                    f"{version.commit_id}: {ask.request} is answered with {ask.answer}, it changed "
                    f"{ask.jobs_changed_least} to {ask.jobs_changed_most} jobs",
                )
        if len(changes) == 1 and batch.filtered == changes and not batch.named:
            _check_oldest_first(changes[0], before, version)


def _check_oldest_first(ask: Ask, before: StoredVersion, version: StoredVersion) -> None:
    """A change that is limited to so many jobs takes those that were submitted first."""
    request: Any = ask.request
    if not request.selection.limit or isinstance(request, RedriveDead | RetryJobs):
        return  # Those may be passed over, for their unique keys.
    passing = [
        job
        for job in before.document.jobs
        if job.status in ("scheduled", "unclaimed") and passes(job, request.selection.filter)
    ]
    spared = [job.order for job in passing if version.jobs.get(job.id) == job]
    gone = [job.order for job in passing if job.id not in version.jobs]
    if spared and gone and min(spared) < min(gone):
        raise Violation("auditor", f"{version.commit_id}: {request} took {gone}, not {spared}")


def _settled(asks: list[Ask], old: State, wanted: State, moment: Moment) -> list[State]:
    """The states that workers may have left the job in, in the order of a batch."""
    states: list[State] = [old]
    for kind in _PHASES:
        for ask in asks:
            if not isinstance(ask.request, kind):
                continue
            after: list[State] = []
            for state in states:
                ended = [] if state is None else list(settle(ask, state, wanted, moment))
                after += ended
                # A completion may be recorded that has lost this job; the others never are.
                if not ask.is_sure or (kind is CompleteJobs and not ended):
                    after.append(state)
            states = after
    return states


class _Search:
    """Looks for an order of what was asked that makes of a job what is stored."""

    def __init__(self, job_id: str, wanted: State, moment: Moment, taken: ClaimJobs | None) -> None:
        self._job_id = job_id
        self._wanted = wanted
        self._moment = moment
        self._taken = taken

    def explain(
        self, starts: list[State], asks: list[Ask], new: NewJob | None, *, must_come: bool
    ) -> Iterator[list[Ask]]:
        """Yield, for every order that explains the job, the requests that have changed it."""
        for start in starts:
            begun: list[State] = [None]
            if start is not None:
                begun = list(after_time(start, self._wanted, self._moment))
            for state in begun:
                yield from self._go(state, asks, [], new, self._taken, must_come)

    def _go(
        self,
        state: State,
        asks: list[Ask],
        changed: list[Ask],
        new: NewJob | None,
        taken: ClaimJobs | None,
        must_come: bool,
    ) -> Iterator[list[Ask]]:
        is_complete = not any(ask.is_sure for ask in asks)
        if is_complete and state == self._wanted and not (must_come and new is not None):
            yield changed
        if state is None:
            for ask in asks:
                if isinstance(ask.request, ChangeJobs) or not ask.is_sure:
                    others = [one for one in asks if one is not ask]
                    yield from self._go(None, others, changed, new, taken, must_come)
            if new is not None:
                order = self._wanted.order if self._wanted is not None else 0
                stored = submitted(new, order, self._moment)
                yield from self._go(stored, asks, changed, None, taken, must_come)
            return
        if taken is not None and self._wanted is not None:
            for after in claim(taken, state, self._wanted.claim_id, self._moment):
                yield from self._go(after, asks, changed, new, None, must_come)
        for ask in asks:
            others = [one for one in asks if one is not ask]
            for after, counts in administer(ask, state, self._moment):
                so_far = [*changed, ask] if counts else changed
                yield from self._go(after, others, so_far, new, taken, must_come)

"""Whether what time demands is done in time, not only never before; and whether a leader trusts
itself for no longer than half of its timeout.

Guards: a job whose worker is silent is taken from it with the first write after its lease, and no
lease is shorter than twice the broker's timeout. A kept result goes with the first write after its
time. What is answered without a write follows the last write that landed within half of the
timeout that this had committed. All by the clock of the world, with room for how wrong the clocks
of machines may run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from osqueue.core.errors import NotLeader, OutcomeUnknown, Unavailable
from osqueue.core.outcomes import Outcome
from tests.simulation.checkers.views import JobView, StoredVersion, Violation

if TYPE_CHECKING:
    from tests.simulation.cast.brokers import SimulatedTicket
    from tests.simulation.world import World

__all__ = ["Timeliness"]

_RATE = 0.008
"""The most by which the rates of two clocks differ, with room."""
_SLACK_MS = 5
_NO_PROOF = (NotLeader, Unavailable, OutcomeUnknown)
Attempt = tuple[str, int]


class Timeliness:
    """Knows until when leases and trust can last at most."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sent_ms: dict[str, int] = {}
        """By commit id, when it was last sent."""
        self._last_of: dict[str, StoredVersion] = {}
        """By broker, the newest version that it has written."""
        self._until_ms: dict[Attempt, int] = {}
        """When the lease of an attempt surely is over, but for heartbeats."""
        self._timeout_ms = 0
        """The longest timeout of this term."""
        self._before: StoredVersion | None = None
        """The version before the newest one."""

    def put_sent(self, commit_id: str) -> None:
        """A broker sends a commit, for the first time or again."""
        self._sent_ms[commit_id] = self._world.now

    def landed(self, before: StoredVersion, version: StoredVersion) -> None:
        """A broker has written a version."""
        self._timeout_ms = max(self._timeout_ms, version.document.broker_timeout_ms)
        if before.document.epoch != version.document.epoch:
            self._until_ms.clear()
            self._timeout_ms = version.document.broker_timeout_ms
        elif not before.is_edit:
            # Whoever forms a batch has settled the one before it, and its leases run.
            self._begin_leases(before, version)
            if self._is_surely_trusted(before, version):
                self._check_overdue(before, version)
        self._last_of[version.writer] = version
        self._before = before

    def _begin_leases(self, settled: StoredVersion, version: StoredVersion) -> None:
        earlier = self._before
        is_first = earlier is None or earlier.document.epoch != settled.document.epoch
        may_renew = is_first or earlier.is_edit or self._may_have_lapsed(earlier, settled)
        for job in settled.document.jobs:
            if not job.is_held:
                continue
            attempt = (job.id, job.attempts)
            is_new = earlier is None or not _holds(earlier, job)
            if is_new or may_renew:
                self._until_ms[attempt] = version.formed_ms + self._lease_ms(job)

    def _may_have_lapsed(self, earlier: StoredVersion, settled: StoredVersion) -> bool:
        """Whether trust may have run out before the version was sent: then leases begin anew."""
        sent_ms = self._sent_ms.get(settled.commit_id, settled.landed_ms)
        return sent_ms - earlier.formed_ms >= _trust_ms(earlier) * (1 - _RATE) - _SLACK_MS

    def _is_surely_trusted(self, before: StoredVersion, version: StoredVersion) -> bool:
        age_ms = version.formed_ms - before.formed_ms
        return age_ms < _trust_ms(before) * (1 - _RATE) - _SLACK_MS

    def _check_overdue(self, before: StoredVersion, version: StoredVersion) -> None:
        beats = self._world.observer.ledger.beats
        for job in version.document.jobs:
            if job.is_held:
                attempt = (job.id, job.attempts)
                until_ms = self._until_ms.get(attempt)
                if until_ms is None or until_ms >= version.formed_ms or not _holds(before, job):
                    continue
                lease_ms = self._lease_ms(job)
                for arrived_ms, _ in beats.get(attempt, ()):
                    until_ms = max(until_ms, arrived_ms + lease_ms)
                if until_ms < version.formed_ms:
                    raise Violation(
                        "overdue",
                        f"{version.commit_id} of {version.formed_ms} leaves {attempt} to"
                        f" {job.worker_id}, its lease ran until {until_ms}",
                    )
            elif job.status == "completed" and job.ended_at + job.result_ttl_ms <= version.now_ms:
                raise Violation("overdue", f"{version.commit_id} keeps the result of {job}")

    def _lease_ms(self, job: JobView) -> int:
        """The longest that the lease may be, by the slowest clock."""
        lease_ms = max(job.lease_ms, 2 * self._timeout_ms)
        return int(lease_ms * (1 + _RATE)) + _SLACK_MS

    def answered(self, writer: str, ticket: SimulatedTicket, outcomes: list[Outcome]) -> None:
        """A leader answers: with a write, or surely before another could lead."""
        if any(isinstance(outcome, _NO_PROOF) for outcome in outcomes):
            return  # What a ticket was told before its refusal may be older.
        last = self._last_of.get(writer)
        if last is None or ticket.arrived_step <= last.formed_step:
            return
        age_ms = self._world.now - self._sent_ms.get(last.commit_id, last.formed_ms)
        most_ms = _trust_ms(last) * (1 + _RATE) + _SLACK_MS
        if age_ms > most_ms:
            raise Violation(
                "trust",
                f"{outcomes} was answered {age_ms} ms after {last.commit_id} had been sent, without"
                f" a write; half of its timeout is {_trust_ms(last)} ms",
            )


def _holds(version: StoredVersion, job: JobView) -> bool:
    old = version.jobs.get(job.id)
    return old is not None and old.is_held_as(job.worker_id, job.attempts)


def _trust_ms(version: StoredVersion) -> int:
    return version.document.broker_timeout_ms // 2

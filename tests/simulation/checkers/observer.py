"""All checkers behind one face. They see what is sent to the store, what is stored, and what goes
to and fro on the wire; never the memory of a broker or of a client.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from osqueue.core.errors import NotLeader, QueueError, QueueFull, Unavailable
from osqueue.core.leadership import Elected
from osqueue.core.mutations import CompleteJobs, HeartbeatJobs, RepeatKey, SubmitJobs
from osqueue.core.outcomes import JobsClaimed, JobsCompleted, Outcome
from osqueue.core.writes import pending_write
from tests.simulation.checkers.answers import AnswerChecker
from tests.simulation.checkers.auditor import Auditor
from tests.simulation.checkers.clocks import check_queue_time
from tests.simulation.checkers.ending import check_ending
from tests.simulation.checkers.handed_out import HandedOut
from tests.simulation.checkers.ledger import Ledger
from tests.simulation.checkers.trust import TrustChecker
from tests.simulation.checkers.views import Violation
from tests.simulation.records import CallRecord

if TYPE_CHECKING:
    from tests.simulation.cast.brokers import BrokerProcess, SimulatedTicket
    from tests.simulation.cast.processes import Process
    from tests.simulation.network import Answer, Frame
    from tests.simulation.world import World

__all__ = ["Observer"]

_SPINS_MAX = 200
_LIMITS = ("JOBS_MAX", "DEAD_JOBS_MAX", "DOCUMENT_BYTES_MAX", "CLIENT_ENTRIES_MAX")


class Observer:
    """Feeds the checkers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger = Ledger(world)
        self.records: list[CallRecord] = []
        self.auditor = Auditor(world)
        self._handed_out = HandedOut(world, self.auditor)
        self._answers = AnswerChecker(world, self.ledger)
        self._trust = TrustChecker(world, self.ledger)
        self._answered = 0

    # What callers do.

    def issued(self, record: CallRecord) -> None:
        """A caller asks."""
        self.records.append(record)
        record.number = len(self.records)
        self.ledger.issued(record)
        if self.world.log is not None:
            self.world.note(f"{record} asked: {record.request}")

    def given_up(self, record: CallRecord) -> None:
        """A caller waits no more: nobody knows what became of it."""
        if record.told_ms is None:
            record.told_ms = self.world.now

    def told(self, record: CallRecord, outcome: Outcome) -> None:
        """A caller is told what became of its call."""
        if self.world.log is not None:
            self.world.note(f"{record} told: {outcome!r}")
        record.told_ms = self.world.now
        record.outcome = outcome
        claimed = outcome.claimed if isinstance(outcome, JobsCompleted) else outcome
        if isinstance(claimed, JobsClaimed) and not self.ledger.is_restored:
            claim = getattr(record.request, "claim", record.request)
            for job in claimed.jobs:
                self.ledger.claim_told((job.job_id, job.attempt), claim.worker_id, claim.claim_id)

    # What brokers do.

    def arrived(self, broker: BrokerProcess, ticket: SimulatedTicket) -> None:
        """A leader takes a ticket in."""
        self.auditor.arrived(broker, ticket)
        if broker.is_draining:
            return
        for request in ticket.requests:
            if isinstance(request, HeartbeatJobs):
                self.ledger.beat_arrived(request, broker.name)

    def frame_sent(self, frame: Frame) -> None:
        """A client sends a frame: no mutation later than its caller waits, suspended or not."""
        longest_ms = self.world.plan.client_timeout_ms * 1.01 + 5
        for call in frame.calls:
            age_ms = self.world.now - call.record.issued_ms
            if call.record.is_numbered and age_ms > longest_ms:
                raise Violation("patience", f"{call.record} is sent after {age_ms} ms")

    def abandoned(self, broker: BrokerProcess, ticket: SimulatedTicket) -> None:
        """Nobody waits for a ticket any more."""
        self.auditor.abandoned(broker, ticket)
        if self.world.log is not None:
            self.world.note(f"abandoned at the broker: {[call.record for call in ticket.calls]}")

    def replied(
        self, broker: BrokerProcess, ticket: SimulatedTicket, answers: list[Answer]
    ) -> None:
        """Answers leave a broker."""
        self.auditor.answered(broker, ticket)
        if not self.ledger.is_restored:
            self.auditor.timeliness.answered(broker.name, ticket, [one.outcome for one in answers])
        transitions = self.world.coverage.transitions
        for (call, outcome), request in zip(answers, ticket.requests, strict=True):
            transitions[f"answer {type(outcome).__name__}"] += 1
            is_confirmed = getattr(call.record.request, "is_confirmed", False)
            if is_confirmed and not isinstance(outcome, QueueError):
                transitions["read confirmed"] += 1
            if isinstance(outcome, QueueFull):
                self._count_limit(outcome)
                if isinstance(call.record.request, CompleteJobs):
                    transitions["completion left held: no room"] += 1
            if self.world.log is not None:
                self.world.note(f"{broker} answers {call.record}: {outcome!r}")
            if isinstance(outcome, NotLeader | Unavailable):
                self._check_refusal(broker, ticket, call.record, outcome)
            if self.ledger.is_restored:
                continue
            self._answers.check(call.record, outcome, ticket.arrived_ms)
            repeat: RepeatKey | None = getattr(request, "repeat", None)
            key = None if repeat is None else (repeat.client_id, repeat.sequence)
            self._handed_out.check(call.record, key, outcome, ticket)

    def _count_limit(self, refusal: QueueFull) -> None:
        """Name the limit that has bound, by the setting in the message."""
        for setting in _LIMITS:
            if f"({setting})" in refusal.message:
                self.world.coverage.transitions[f"limit {setting}"] += 1

    def _check_refusal(
        self, broker: BrokerProcess, ticket: SimulatedTicket, record: CallRecord, error: QueueError
    ) -> None:
        """This attempt was not applied by this broker, not even by a write that it lost."""
        if self.ledger.is_restored:
            return
        version = self.ledger.effect_of(record) if record.is_numbered else None
        if (
            version is not None
            and version.writer == broker.name
            and version.formed_step >= ticket.arrived_step
        ):
            raise Violation("refusals", f"{record} got {error!r}, {version.commit_id} has it")

    def elected(self, broker: BrokerProcess, elected: Elected) -> None:
        """A broker begins to lead."""
        words = " ".join(word for word in elected.reason.split() if not _is_particular(word))
        self.world.coverage.transitions[f"elected: {words}"] += 1

    def waits(self, broker: BrokerProcess, until_ms: int, *, spins: int) -> None:
        """A broker has nothing to do until then."""
        if spins > _SPINS_MAX and until_ms <= self.world.now + 1:
            raise Violation("no spinning", f"{broker} asks again and again without doing anything")

    # What happens in the store.

    def put_sent(self, process: Process, body: bytes) -> None:
        """An attempt to write begins."""
        name: Any = getattr(process, "name", "")
        self.auditor.put_sent(name, self.ledger.put_sent(name, body))
        check_queue_time(process, body, self.world.now)

    def landed(self, body: bytes, version: str, *, copy_of: int | None = None) -> None:
        """The object has changed; `copy_of`: to what it was before, by somebody who restored it."""
        previous, newest = self.ledger.landed(body, copy_of=copy_of)
        if not self.ledger.is_restored:
            self.auditor.landed(previous, newest)
        self._trust.landed()
        if self.world.log is not None:
            newest = self.ledger.versions[-1]
            jobs = [
                (job.id, job.status, job.attempts, job.worker_id) for job in newest.jobs.values()
            ]
            self.world.note(f"stored {newest.commit_id} as {version}: {jobs}")

    def found(self, broker: BrokerProcess, body: bytes) -> None:
        """A read has told a broker what is stored."""
        self._trust.found(broker, body)

    # The end.

    def is_settled(self) -> bool:
        """Whether no job is left to do."""
        operator = self.world.operator
        return (
            operator is not None
            and operator.is_done
            and not any(
                record.told_ms is None
                for record in self.records[self._answered :]
                if isinstance(record.request, SubmitJobs | CompleteJobs)
            )
            and all(job.status in ("completed", "dead") for job in self.ledger.jobs.values())
        )

    def is_silent(self) -> bool:
        """Whether every call has been answered."""
        while self._answered < len(self.records):
            if self.records[self._answered].told_ms is None:
                return False
            self._answered += 1
        return True

    def check_at_end(self) -> None:
        """Everything has settled, and nobody was told what is not so."""
        check_ending(self.world)

    @contextmanager
    def watching(self) -> Generator[None]:
        """Count the verdicts on lost writes; name the checker and the seed where one fails."""
        judge = pending_write.judge
        transitions = self.world.coverage.transitions

        def counting(*arguments: Any) -> pending_write.Verdict:
            verdict = judge(*arguments)
            transitions[f"verdict: {verdict.value}"] += 1
            return verdict

        pending_write.judge = counting
        try:
            yield
        finally:
            pending_write.judge = judge


def _is_particular(word: str) -> bool:
    return any(character.isdigit() for character in word)

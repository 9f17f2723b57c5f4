"""Brokers driven by facts, without Trio: one stored object, and the two machines over it.

A test asks a broker for its next effect and says what came of it: `land`, `lose`, `look` do it
truly on the stored object, and a test may as well report what did not happen.
"""

from __future__ import annotations

import random
from typing import Any, TypeVar

import msgspec

from osqueue.core.document import Header, LoadedDocument, load_document
from osqueue.core.group_commit import GroupCommit
from osqueue.core.leadership import BrokerIdentity, Elected, Leadership
from osqueue.core.limits import QueueRules
from osqueue.core.mutations import ClaimJobs, Request, SubmitJobs
from osqueue.core.outcomes import JobsClaimed, Outcome
from osqueue.core.writes.effects import (
    LoadDocument,
    ProbeLeader,
    Settle,
    StepDown,
    WaitUntil,
    WriteDocument,
)
from osqueue.core.writes.terms import CommitIds
from osqueue.core.writes.tickets import Ticket
from osqueue.core.writes.write_pace import WritePace
from osqueue.core.writes.write_spacing import WriteBudget, WriteSpacing
from tests.builders import NOW_MS, make_new_job, make_repeat

__all__ = [
    "BEAT_MS",
    "TIMEOUT_MS",
    "DrivenBroker",
    "StoredObject",
    "claim_jobs",
    "claimed_ids",
    "lead",
    "submit_job",
]

TIMEOUT_MS = 10_000
BEAT_MS = 3_000
Kind = TypeVar("Kind")


class StoredObject:
    """The document in its store; its version is different after each put."""

    def __init__(self) -> None:
        self.data: bytes | None = None
        self.version: str | None = None
        self.puts_count = 0

    def put(self, write: WriteDocument) -> str | None:
        """Apply a write if its condition holds. Returns the new version, None on a conflict."""
        if write.base_version != self.version:
            return None
        self.replace(b"".join(write.chunks))
        return self.version

    def replace(self, data: bytes) -> None:
        """Put whatever is there aside: what an editor or a restored backup does."""
        self.puts_count += 1
        self.data, self.version = data, f"v{self.puts_count}"

    def edit(self, **fields: Any) -> None:
        """Change header fields by hand."""
        assert self.data is not None
        document = msgspec.json.decode(self.data)
        self.replace(msgspec.json.encode(document | fields))

    def loaded(self) -> LoadedDocument:
        assert self.data is not None
        return load_document(self.data, QueueRules(), random.Random(1))

    def header(self) -> Header:
        return self.loaded().header

    def job_ids(self) -> list[str]:
        return [job.id for job in self.loaded().state.table.blocks.after(-1)]


class DrivenBroker:
    """One broker, whose clock stands still until a test moves it."""

    def __init__(
        self,
        stored: StoredObject,
        number: int = 1,
        *,
        interval_ms: int = 0,
        gap_ms: int = 0,
        budget: WriteBudget | None = None,
        host: str = "",
        address: str = "",
        steady_ms: int = 1_000_000,
    ) -> None:
        self.stored = stored
        self.name = f"{number:016x}"
        self.address = address or f"10.0.0.{number}:8080"
        self.steady_ms = steady_ms
        self.rules = QueueRules()
        self.pace = WritePace(heartbeat_interval_ms=BEAT_MS, broker_timeout_ms=TIMEOUT_MS)
        self.random = random.Random(number)
        self.commit_ids = CommitIds(self.name)
        self.leadership = Leadership(
            BrokerIdentity(name=self.name, address=self.address, host=host or f"host-{number}"),
            rules=self.rules,
            pace=self.pace,
            commit_ids=self.commit_ids,
            random=self.random,
        )
        self.spacing = WriteSpacing(interval_ms=interval_ms, gap_ms=gap_ms, budget=budget)
        self.reason = ""
        self._term: GroupCommit | None = None

    @property
    def term(self) -> GroupCommit:
        assert self._term is not None, "it does not lead"
        return self._term

    @property
    def machine(self) -> GroupCommit | Leadership:
        return self._term or self.leadership

    @property
    def now_ms(self) -> int:
        return NOW_MS + self.steady_ms

    def wait(self, milliseconds: int) -> None:
        self.steady_ms += milliseconds

    def next(self) -> object:
        """What the machine wants done now."""
        return self.machine.next_effect(self.now_ms, self.steady_ms)

    def expect(self, kind: type[Kind]) -> Kind:
        """What the machine wants done now, which must be of this kind."""
        effect = self.next()
        assert isinstance(effect, kind), effect
        return effect

    # What truly happens to a store call.

    def do(self, effect: object) -> None:
        """Do it, and report the truth."""
        match effect:
            case WriteDocument():
                self.land(effect)
            case LoadDocument():
                self.look(effect)
            case WaitUntil():
                assert effect.steady_ms is not None
                self.steady_ms = max(self.steady_ms, effect.steady_ms)
            case ProbeLeader():
                self.leadership.leader_silent()
            case _:
                assert isinstance(effect, Settle), effect

    def land(self, write: WriteDocument) -> None:
        """The attempt reaches the store, and its answer comes back."""
        version = self.stored.put(write)
        if version is None:
            self.machine.write_conflicted()
        else:
            self.machine.write_succeeded(version, self.steady_ms)

    def lose(self, write: WriteDocument, *, is_applied: bool) -> None:
        """The attempt's answer does not come back, whatever became of it."""
        if is_applied:
            self.stored.put(write)
        self.machine.write_outcome_unknown()

    def look(self, load: LoadDocument) -> None:
        """The load finds what is there."""
        stored = self.stored
        if stored.data is None or stored.version is None:
            self.machine.document_missing(self.steady_ms)
        elif stored.version == load.if_changed_from:
            self.machine.document_unchanged(self.steady_ms)
        else:
            data = stored.data[:8_192] if load.head_only else stored.data
            self.machine.document_loaded(data, stored.version, self.steady_ms)

    # Terms.

    def elect(self, *, within_ms: int = 60_000) -> None:
        """Follow, with a store that works, until this broker leads."""
        last_ms = self.steady_ms + within_ms
        while not isinstance(effect := self.next(), Elected):
            self.do(effect)
            assert self.steady_ms <= last_ms, "it was not elected in time"
        self.reason = effect.reason
        self._term = GroupCommit(
            effect.term,
            rules=self.rules,
            pace=self.pace,
            commit_ids=self.commit_ids,
            random=self.random,
            steady_ms=self.steady_ms,
            spacing=self.spacing,
        )

    def step_down(self) -> StepDown:
        """The term ends, and the broker follows again."""
        while isinstance(effect := self.next(), Settle):
            pass
        assert isinstance(effect, StepDown), effect
        self.leadership.term_ended(self.term.ended(), self.steady_ms)
        self._term = None
        return effect

    # Requests.

    def ask(self, *requests: Request) -> Ticket:
        """Enqueue requests as one ticket."""
        ticket = Ticket(requests)
        self.term.enqueue(ticket)
        return ticket

    def answer(self, *requests: Request) -> list[Outcome]:
        """Enqueue requests, and do what it takes with a store that works."""
        ticket = self.ask(*requests)
        self.settle()
        assert not ticket.unsettled_count, "it still waits"
        return [outcome for outcome in ticket.outcomes if outcome is not None]

    def settle(self) -> int:
        """Do what there is to do now, with a store that works. Returns the number of writes."""
        before = self.stored.puts_count
        while not isinstance(effect := self.next(), WaitUntil | StepDown):
            self.do(effect)
        return self.stored.puts_count - before

    def begin_write(self, *requests: Request) -> tuple[Ticket, WriteDocument]:
        """Enqueue requests; the write that holds them is on its way."""
        ticket = self.ask(*requests)
        return ticket, self.expect(WriteDocument)


def lead(stored: StoredObject | None = None, number: int = 1, **fields: Any) -> DrivenBroker:
    """A broker that has been elected."""
    broker = DrivenBroker(stored or StoredObject(), number, **fields)
    broker.elect()
    return broker


def submit_job(number: int = 1, *, sequence: int = 0, **fields: Any) -> SubmitJobs:
    """Submit the numbered job."""
    repeat = make_repeat(sequence) if sequence else None
    return SubmitJobs(jobs=[make_new_job(number, **fields)], repeat=repeat)


def claim_jobs(claim_id: str = "", *, worker_id: str = "worker-1", **fields: Any) -> ClaimJobs:
    """Claim one job."""
    return ClaimJobs(worker_id=worker_id, claim_id=claim_id, **fields)


def claimed_ids(outcome: Outcome | None) -> list[str]:
    """The ids of the jobs that a claim got."""
    assert isinstance(outcome, JobsClaimed), outcome
    return [job.job_id for job in outcome.jobs]

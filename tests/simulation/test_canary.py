"""Plants known bugs and requires the checkers to find them: what they miss they cannot guard.

Each bug lives in this process alone, put in the place of the right code for as long as seeds are
played. It must be found within `SEEDS_MAX` seeds, by one of the checkers that guard against it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from osqueue.broker.store_calls import WriteFailure, failure_of
from osqueue.core import leadership
from osqueue.core.clocks.queue_time import QueueTime
from osqueue.core.document import Header, LoadedDocument, load_document
from osqueue.core.election import leader_signs
from osqueue.core.election.leader_signs import LeaderSigns
from osqueue.core.fates import bulk
from osqueue.core.fates.administering import cancel
from osqueue.core.group_commit import GroupCommit
from osqueue.core.ids import CommitId
from osqueue.core.job import Job
from osqueue.core.mutations import (
    CancelJobs,
    DeleteJobs,
    ExpireJobs,
    Mutation,
    ReadStats,
    RedriveDead,
    RetryJobs,
)
from osqueue.core.outcomes import ClaimedJob
from osqueue.core.queries import evaluate_query
from osqueue.core.queue_state import QueueState
from osqueue.core.reads.committed_view import CommittedView
from osqueue.core.tables import client_table
from osqueue.core.tables.client_table import ClientEntry, ClientTable
from osqueue.core.tables.job_table import JobTable
from osqueue.core.writes.batches import Batch
from osqueue.core.writes.forming import Forming
from osqueue.core.writes.pending_write import PendingWrite, Verdict
from osqueue.core.writes.terms import CommitIds
from storage_adapters.contract import AccessDenied, StoreError, missing_object
from storage_adapters.exchanges import Answer, Dialect
from storage_adapters.gcs import GcsDialect
from storage_adapters.s3 import S3Dialect
from tests.simulation import intermediaries
from tests.simulation.checkers.auditor import Auditor
from tests.simulation.checkers.handed_out import HandedOut
from tests.simulation.checkers.views import Violation
from tests.simulation.faulty_store import FaultyStore
from tests.simulation.world import World, make_plan

SEEDS_MAX = 300
Plant = Callable[[pytest.MonkeyPatch], None]
AUDITS = {"auditor", "overdue", "abandoned claims", "drains"}
CANARIES: dict[str, tuple[Plant, set[str]]] = {}


def canary(*checkers: str) -> Callable[[Plant], Plant]:
    """The checkers of which one must find the planted bug."""

    def register(plant: Plant) -> Plant:
        CANARIES[plant.__name__] = (plant, set(checkers))
        return plant

    return register


@canary("epochs", "durability")
def frozen_writers_rename_without_a_lock(patch: pytest.MonkeyPatch) -> None:
    """As a lock that is taken away from whoever stands still with it."""
    patch.setattr(FaultyStore, "is_locked", False)


@canary("durability", "one holder")
def replies_before_the_write(patch: pytest.MonkeyPatch) -> None:
    begin_write = GroupCommit._begin_write

    def settles_first(self: GroupCommit, now_ms: int, steady_ms: int) -> None:
        begin_write(self, now_ms, steady_ms)
        batch = self._batch
        assert batch is not None
        self._settled.tickets.extend(batch.settle())
        self._batch = Batch()

    patch.setattr(GroupCommit, "_begin_write", settles_first)


@canary("queue time")
def follows_any_wall_clock(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(QueueTime, "now_ms", lambda self, wall_ms, steady_ms: wall_ms)


@canary("epochs", "no double enqueue")
def applies_again_after_being_deposed(patch: pytest.MonkeyPatch) -> None:
    loaded = GroupCommit.document_loaded

    def takes_over_what_it_finds(
        self: GroupCommit, data: bytes, version: str, steady_ms: int
    ) -> None:
        pending = self._pending
        assert pending is not None
        found = load_document(data, self._rules, self._random)
        if found.header.epoch <= self.epoch or found.header.commit_id == str(pending.commit_id):
            loaded(self, data, version, steady_ms)
            return
        # The same requests once more, on top of what the new leader has written.
        self._end_act()
        batch, now_ms = self._batch, found.header.broker_heartbeat
        assert batch is not None
        self.state, self._version, self._pending = found.state, version, None
        for ticket, index in batch._entries:
            request = ticket.requests[index]
            if isinstance(request, Mutation):
                self.state.apply(request, now_ms=now_ms, steady_ms=steady_ms)
        self._begin_write(now_ms, steady_ms)

    patch.setattr(GroupCommit, "document_loaded", takes_over_what_it_finds)


@canary("commit ids", "epochs")
def names_commits_without_the_broker(patch: pytest.MonkeyPatch) -> None:
    def next_id(self: CommitIds, epoch: int) -> CommitId:
        self._sequence += 1
        return CommitId(epoch, self._sequence, "0" * 16)

    patch.setattr(CommitIds, "next", next_id)


@canary("durability", "linearizability")
def says_that_many_are_deleted_and_keeps_them(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(bulk._CHANGES, DeleteJobs, lambda state, job: None)


@canary("durability", "no job is lost", "causes", "linearizability")
def cancels_all_jobs_where_some_are_named(patch: pytest.MonkeyPatch) -> None:
    def takes_no_heed(state: QueueState, job: Job) -> None:
        for one in list(state.table.by_id.values()):
            if one.status in ("scheduled", "unclaimed"):
                cancel(state, one)

    patch.setitem(bulk._CHANGES, CancelJobs, takes_no_heed)


@canary("refusals", "committed memory")
def takes_a_lost_reply_for_a_failure(patch: pytest.MonkeyPatch) -> None:
    def fails(self: GroupCommit, *, timed_out_ms: int | None = None) -> None:
        pending, batch = self._end_act(), self._batch
        assert batch is not None
        self._give_up(pending, batch, pending.act_started_ms)

    patch.setattr(GroupCommit, "write_outcome_unknown", fails)


@canary("absence")
def takes_any_404_for_an_absence(patch: pytest.MonkeyPatch) -> None:
    for dialect in (S3Dialect, GcsDialect):
        patch.setattr(dialect, "found", _believing_404(dialect.found))


def _believing_404(found: Any) -> Any:
    def believes(self: Dialect, answer: Answer, key: str, **known: Any) -> Any:
        if answer.status == 404:
            raise missing_object(key)
        return found(self, answer, key, **known)

    return believes


@canary("durability")
def takes_any_200_for_a_write(patch: pytest.MonkeyPatch) -> None:
    for dialect in (S3Dialect, GcsDialect):
        patch.setattr(dialect, "written", _believing_200(dialect.written))


def _believing_200(written: Any) -> Any:
    def believes(self: Dialect, answer: Answer, key: str, **condition: Any) -> Any:
        if answer.status == 200:
            return answer.headers.get("etag", "none")
        return written(self, answer, key, **condition)

    return believes


@canary("refusals", "stale acknowledgements")
def takes_409_for_surely_not_applied(patch: pytest.MonkeyPatch) -> None:
    def failure_of_old(error: StoreError) -> WriteFailure | None:
        return "not applied" if "409" in str(error) else failure_of(error)

    patch.setattr(intermediaries, "failure_of", failure_of_old)


@canary("refusals", "stale acknowledgements")
def takes_403_for_surely_not_applied(patch: pytest.MonkeyPatch) -> None:
    def failure_of_old(error: StoreError) -> WriteFailure | None:
        return "not applied" if isinstance(error, AccessDenied) else failure_of(error)

    patch.setattr(intermediaries, "failure_of", failure_of_old)


@canary("refusals")
def forgets_an_unknown_attempt_once_one_was_not_sent(patch: pytest.MonkeyPatch) -> None:
    not_applied = PendingWrite.not_applied

    def forgets(self: PendingWrite, steady_ms: int) -> None:
        self.was_ever_unknown = False
        not_applied(self, steady_ms)

    patch.setattr(PendingWrite, "not_applied", forgets)


@canary("trust", "committed memory", "leases")
def answers_without_being_trusted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(GroupCommit, "is_trusted", lambda self, steady_ms: True)


@canary("durability", "refusals")
def keeps_only_the_highest_sequence(patch: pytest.MonkeyPatch) -> None:
    def has(self: ClientEntry, sequence: int) -> bool:
        return bool(self.applied) and sequence <= self.applied[-1][1]

    patch.setattr(ClientEntry, "has", has)


@canary("no double enqueue", "repeats", "linearizability", "causes")
def drops_entries_early(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(client_table, "CLIENT_ENTRY_TTL_MS", 500)


@canary("leases", "auditor")
def expires_before_the_heartbeats_of_the_batch(patch: pytest.MonkeyPatch) -> None:
    apply_all = Forming.apply_all

    def expires_first(self: Forming, *, is_trusted: bool) -> None:
        if is_trusted:
            self._state.apply(ExpireJobs(), now_ms=self._now_ms, steady_ms=self._steady_ms)
        apply_all(self, is_trusted=is_trusted)

    patch.setattr(Forming, "apply_all", expires_first)


@canary("committed memory")
def answers_queries_while_a_write_is_in_flight(patch: pytest.MonkeyPatch) -> None:
    enqueue = GroupCommit.enqueue

    def answers_at_once(self: GroupCommit, ticket: Any) -> None:
        [first, *others] = ticket.requests
        if self._pending is None or others or not isinstance(first, ReadStats):
            enqueue(self, ticket)
            return
        view = CommittedView(state=self.state, header=self.header, chunks=[])
        ticket.outcomes[0] = evaluate_query(first, view)
        ticket.unsettled_count = 0
        self._settled.tickets.append(ticket)

    patch.setattr(GroupCommit, "enqueue", answers_at_once)


@canary("committed memory", "durability", "refusals", "stale acknowledgements")
def keeps_the_state_of_a_batch_that_is_given_up(patch: pytest.MonkeyPatch) -> None:
    def gives_up(self: GroupCommit, pending: PendingWrite, batch: Batch, steady_ms: int) -> None:
        committed = self.state
        give_up(self, pending, batch, steady_ms)
        self.state = committed

    give_up = GroupCommit._give_up
    patch.setattr(GroupCommit, "_give_up", gives_up)


@canary("refusals", "durability")
def tells_not_landed_where_nothing_can_tell(patch: pytest.MonkeyPatch) -> None:
    loaded = PendingWrite.loaded

    def is_sure(self: PendingWrite, *arguments: Any) -> Verdict:
        verdict = loaded(self, *arguments)
        sure = {Verdict.UNTELLABLE, Verdict.LANDED_THEN_DEPOSED}
        return Verdict.NOT_LANDED if verdict in sure else verdict

    patch.setattr(PendingWrite, "loaded", is_sure)


@canary(
    *("stale acknowledgements", "no job is lost", "attempts", "durability", "causes"),
    "committed memory",
)
def takes_acknowledgements_of_any_attempt(patch: pytest.MonkeyPatch) -> None:
    def find_held(self: JobTable, worker_id: str, lease: Any) -> Any:
        job = self.by_id.get(lease.job_id)
        return job if job is not None and job.is_held else None

    patch.setattr(JobTable, "find_held", find_held)


@canary("no double enqueue", "repeats", "linearizability")
def keeps_applied_sequences_outside_the_document(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ClientTable, "encode", lambda self: [])


@canary("delivery order")
def delivers_the_newest_first(patch: pytest.MonkeyPatch) -> None:
    def next_job_id(self: QueueState, claim: Any) -> str | None:
        waiting = [job for job in self.table.by_id.values() if job.status == "unclaimed"]
        wanted = [job for job in waiting if not claim.types or job.type in claim.types]
        return None if self.totals.paused or not wanted else wanted[-1].id

    patch.setattr(QueueState, "_next_job_id", next_job_id)


@canary("no job is lost", "counters", "causes")
def drops_jobs_that_are_past_their_attempts(patch: pytest.MonkeyPatch) -> None:
    move = JobTable.move

    def drops(self: JobTable, job: Any, status: Any) -> None:
        if status == "dead":
            self.remove(job)
        else:
            move(self, job, status)

    patch.setattr(JobTable, "move", drops)


@canary("auditor")
def mixes_up_the_payloads_of_one_submit(patch: pytest.MonkeyPatch) -> None:
    enqueue_all = QueueState.enqueue_all

    def mixes_up(self: QueueState, new_jobs: Any, now_ms: int) -> Any:
        jobs = list(new_jobs)
        payloads = [job.payload for job in reversed(jobs)]
        mixed = [
            msgspec.structs.replace(job, payload=payload)
            for job, payload in zip(jobs, payloads, strict=True)
        ]
        return enqueue_all(self, mixed, now_ms)

    patch.setattr(QueueState, "enqueue_all", mixes_up)


@canary("auditor")
def hands_out_what_is_not_stored(patch: pytest.MonkeyPatch) -> None:
    def of(job: Job) -> ClaimedJob:
        right = right_of(job)
        return msgspec.structs.replace(right, payload=msgspec.Raw(b"null"))

    right_of = ClaimedJob.of
    patch.setattr(ClaimedJob, "of", of)


@canary("auditor")
def says_that_many_are_retried_and_leaves_them(patch: pytest.MonkeyPatch) -> None:
    for kind in (RetryJobs, RedriveDead):
        patch.setitem(bulk._CHANGES, kind, lambda state, job: None)


@canary("overdue")
def renews_every_lease_with_every_write(patch: pytest.MonkeyPatch) -> None:
    landed = GroupCommit._landed

    def renews(self: GroupCommit, version: str, steady_ms: int) -> None:
        landed(self, version, steady_ms)
        self.state.renew_leases(steady_ms)

    patch.setattr(GroupCommit, "_landed", renews)


@canary("abandoned claims")
def serves_whoever_is_gone(patch: pytest.MonkeyPatch) -> None:
    def forgets(self: GroupCommit, ticket: Any) -> None:
        """Neither does a claim that waits end, nor is one that is served given back."""

    patch.setattr(GroupCommit, "abandon", forgets)


@canary("auditor")
def loses_what_was_written_by_hand(patch: pytest.MonkeyPatch) -> None:
    def load(data: bytes, rules: Any, random: Any) -> LoadedDocument:
        found = load_document(data, rules, random)
        found.unknown_header.clear()
        found.state.table.blocks._unknown_fields.clear()
        return found

    patch.setattr(leadership, "load_document", load)


@canary("trust", "committed memory")
def takes_a_refusal_for_proof(patch: pytest.MonkeyPatch) -> None:
    proof = LeaderSigns._proof

    def proves(self: LeaderSigns, header: Header) -> str:
        return "its port refuses" if self._has_refused else proof(self, header)

    patch.setattr(LeaderSigns, "_proof", proves)


@canary("trust", "committed memory")
def takes_its_own_name_for_proof(patch: pytest.MonkeyPatch) -> None:
    def stands_at_once(self: LeaderSigns, header: Header) -> tuple[int, str]:
        is_own = header.parsed_commit_id().broker_name == self._identity.name
        return (self._changed_ms, "its own name") if is_own else standing(self, header)

    standing = LeaderSigns.standing
    patch.setattr(LeaderSigns, "standing", stands_at_once)


@canary("trust", "committed memory")
def believes_an_older_copy(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leader_signs, "_follows", lambda header, last: True)


@canary("trust", "committed memory")
def takes_a_missing_process_for_proof_whatever_its_address_says(patch: pytest.MonkeyPatch) -> None:
    def proves(self: LeaderSigns, header: Header) -> str:
        process = self._process_here(header)
        is_gone = process is not None and self._is_process_gone
        return "its process is gone" if is_gone else proof(self, header)

    proof = LeaderSigns._proof
    patch.setattr(LeaderSigns, "_proof", proves)
    patch.setattr(LeaderSigns, "answered", lambda self, header, name: None)


@canary("trust", "committed memory")
def waits_for_less_than_the_trust_of_a_leader(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(leader_signs, "evidence_wait_ms", lambda timeout_ms: timeout_ms // 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", CANARIES)
def test_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, checkers = CANARIES[name]
    if not checkers & AUDITS:
        # It would find most bugs before the checkers that this one is planted for.
        monkeypatch.setattr(Auditor, "landed", lambda *_: None)
        monkeypatch.setattr(HandedOut, "check", lambda *_: None)
    plant(monkeypatch)
    seeds, found = hunt(SEEDS_MAX)
    assert found is not None, f"{name} was not found in {seeds} seeds"
    assert found.checker in checkers, f"{name} was found by {found}"
    assert str(found).startswith(found.checker)


def hunt(seeds_max: int) -> tuple[int, Violation | None]:
    """Play until a checker finds something. Returns the number of seeds that it took."""
    for seed in range(seeds_max):
        try:
            World(make_plan(seed)).play()
        except Violation as found:
            return seed + 1, found
    return seeds_max, None

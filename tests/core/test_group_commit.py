"""Batches, trust, intervals, draining: a term driven by facts."""

from __future__ import annotations

import pytest
from msgspec import Raw

from osqueue.core.errors import (
    InvalidRequest,
    JobNotFound,
    JobNotHeld,
    NotLeader,
    OutcomeUnknown,
    StoredDataInvalid,
    Unavailable,
)
from osqueue.core.job import JobError
from osqueue.core.mutations import (
    CloseClient,
    CompleteJobs,
    Completion,
    DeleteJob,
    FailJob,
    HeartbeatJobs,
    Lease,
    ListJobs,
    ReadDocument,
    ReadJob,
    ReadStats,
    SnoozeJob,
)
from osqueue.core.outcomes import (
    DocumentRead,
    JobFailed,
    JobRead,
    JobsClaimed,
    JobsCompleted,
    JobsExtended,
    JobsListed,
    JobSnoozed,
    JobsSubmitted,
    QueueStats,
)
from osqueue.core.writes.effects import LoadDocument, Settle, StepDown, WaitUntil, WriteDocument
from tests.builders import make_new_job, make_repeat, only
from tests.core.driven import (
    BEAT_MS,
    TIMEOUT_MS,
    StoredObject,
    claim_jobs,
    claimed_ids,
    lead,
    submit_job,
)

LEASE_MS = 30_000


def complete_job(job_id: str, **fields: object) -> CompleteJobs:
    completion = Completion(lease=Lease(job_id))
    return CompleteJobs(worker_id="worker-1", completions=[completion], **fields)


def fail_job(job_id: str) -> FailJob:
    error = JobError("ValueError", "it did not work")
    return FailJob(worker_id="worker-1", lease=Lease(job_id), error=error, retry_in_ms=0)


class TestBatches:
    def test_submit_is_answered_only_after_its_write(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        assert ticket.unsettled_count == 1
        broker.land(write)
        settled = broker.expect(Settle)
        assert settled.tickets == [ticket]
        assert ticket.outcomes == [JobsSubmitted(["job-1"])]
        assert settled.commit is not None
        assert (settled.commit.mutations, settled.commit.commit_id) == (
            1,
            broker.term.header.commit_id,
        )

    def test_requests_during_a_write_all_go_into_the_next_one(self) -> None:
        broker = lead()
        _, write = broker.begin_write(submit_job())
        tickets = [broker.ask(submit_job(number)) for number in range(2, 1_002)]
        broker.land(write)
        broker.expect(Settle)
        broker.land(broker.expect(WriteDocument))
        assert broker.expect(Settle).tickets == tickets
        assert isinstance(broker.next(), WaitUntil)

    def test_batch_puts_settlements_before_expiry_and_the_rest_behind(self) -> None:
        broker = lead()
        broker.answer(*(submit_job(number) for number in range(1, 6)))
        broker.answer(claim_jobs(limit=5))
        # Nothing was heard of the worker for its whole lease; what it says now comes in time.
        while broker.term.state.next_expiry_ms() > broker.steady_ms:
            broker.settle()
            broker.wait(1_000)
        ticket = broker.ask(
            claim_jobs(worker_id="worker-2", limit=9),
            SnoozeJob(worker_id="worker-1", lease=Lease("job-3"), delay_ms=60_000),
            fail_job("job-2"),
            complete_job("job-1"),
            HeartbeatJobs(worker_id="worker-1", leases=[Lease("job-4"), Lease("job-1")]),
        )
        broker.settle()
        claimed, snoozed, failed, completed, extended = ticket.outcomes
        assert extended == JobsExtended(["job-4", "job-1"], [], [])
        assert completed == JobsCompleted(["job-1"], [])
        assert failed == JobFailed("unclaimed", broker.now_ms)
        assert isinstance(snoozed, JobSnoozed)
        assert claimed_ids(claimed) == ["job-2", "job-5"]

    def test_due_job_is_started_by_a_batch_of_its_own(self) -> None:
        broker = lead()
        broker.answer(submit_job(delay_ms=1_000))
        wait = broker.expect(WaitUntil)
        assert wait.steady_ms == broker.steady_ms + 1_000
        broker.do(wait)
        assert broker.settle() == 1
        assert claimed_ids(only(broker.answer(claim_jobs()))) == ["job-1"]

    @pytest.mark.parametrize(
        "request_",
        [
            claim_jobs(),
            ReadStats(),
            HeartbeatJobs(worker_id="worker-1", leases=[Lease("job-9")]),
            fail_job("job-9"),
            submit_job(1, sequence=1),
            submit_job(1),
            DeleteJob(job_id="job-9"),
            CloseClient(client_id="client-9"),
        ],
    )
    def test_batch_that_changes_nothing_costs_no_write(self, request_: object) -> None:
        broker = lead()
        broker.answer(submit_job(1, sequence=1))
        broker.answer(claim_jobs())
        ticket = broker.ask(request_)
        assert broker.settle() == 0
        assert not ticket.unsettled_count

    def test_refusal_is_settled_with_the_batch_that_writes(self) -> None:
        broker = lead()
        refused, write = broker.begin_write(fail_job("job-9"), submit_job())
        assert refused.unsettled_count == 2
        broker.land(write)
        assert isinstance(refused.outcomes[0], JobNotHeld)

    def test_heartbeats_of_workers_ride_along_with_the_next_write(self) -> None:
        broker = lead()
        broker.answer(submit_job())
        broker.answer(claim_jobs())
        broker.wait(1_000)
        broker.answer(HeartbeatJobs(worker_id="worker-1", leases=[Lease("job-1")]))
        heard_ms = broker.now_ms
        assert broker.stored.loaded().state.table.by_id["job-1"].heartbeat < heard_ms
        broker.do(broker.expect(WaitUntil))
        assert broker.settle() == 1
        assert broker.stored.loaded().state.table.by_id["job-1"].heartbeat == heard_ms
        assert broker.term.mutation_writes_count == 2

    def test_repeat_while_its_write_is_under_way_is_not_answered_from_memory(self) -> None:
        # Answered at once, it would be an acknowledged job that the store need never see.
        broker = lead()
        _, write = broker.begin_write(submit_job(1, sequence=1))
        repeat = broker.ask(submit_job(1, sequence=1))
        assert repeat.unsettled_count == 1
        broker.land(write)
        broker.expect(Settle)
        assert broker.settle() == 0
        assert repeat.outcomes == [JobsSubmitted(["job-1"])]

    def test_leadership_time_advances_by_the_time_since_the_last_write(self) -> None:
        broker = lead()
        broker.wait(1_234)
        broker.answer(submit_job())
        assert broker.stored.header().leadership_ms == 1_234
        broker.wait(5 * TIMEOUT_MS)
        broker.answer(submit_job(2))
        assert broker.stored.header().leadership_ms == 1_234 + TIMEOUT_MS


class TestQueries:
    def test_queries_see_the_committed_state_before_the_batch(self) -> None:
        broker = lead()
        broker.answer(submit_job(1))
        queries = [ReadStats(), ReadJob(job_id="job-2"), ListJobs(), ReadDocument()]
        ticket = broker.ask(submit_job(2), *queries)
        asked_alone = broker.ask(*queries)
        settled = broker.expect(Settle)
        assert settled.tickets == [asked_alone]
        assert ticket.unsettled_count == 1
        broker.settle()
        assert ticket.outcomes[1] == asked_alone.outcomes[0]
        stats, job, page, document = asked_alone.outcomes
        assert isinstance(stats, QueueStats)
        assert (stats.total, stats.unclaimed) == (1, 1)
        assert isinstance(job, JobNotFound)
        assert isinstance(page, JobsListed)
        assert [listed.id for listed in page.jobs] == ["job-1"]
        assert isinstance(document, DocumentRead)
        assert b"job-2" not in b"".join(document.chunks)

    def test_query_while_a_write_is_under_way_waits_for_its_end(self) -> None:
        broker = lead()
        _, write = broker.begin_write(submit_job())
        ticket = broker.ask(ReadJob(job_id="job-1"))
        assert ticket.unsettled_count == 1
        broker.land(write)
        broker.settle()
        assert isinstance(ticket.outcomes[0], JobRead)

    def test_queries_of_an_untrusted_leader_wait_for_its_heartbeat(self) -> None:
        broker = lead()
        broker.wait(TIMEOUT_MS // 2)
        ticket, write = broker.begin_write(ReadStats())
        assert ticket.unsettled_count == 1
        broker.land(write)
        assert broker.expect(Settle).tickets == [ticket]

    def test_queries_of_a_deposed_leader_are_told_where_to_ask(self) -> None:
        broker = lead()
        lead(broker.stored, 2)
        broker.wait(2 * TIMEOUT_MS)
        ticket = broker.ask(ReadStats())
        broker.settle()
        refusal = only(ticket.outcomes)
        assert isinstance(refusal, NotLeader)
        assert refusal.broker_address == "10.0.0.2:8080"

    def test_queries_are_not_told_that_they_may_have_been_applied(self) -> None:
        broker = lead()
        broker.wait(TIMEOUT_MS // 2)
        ticket, write = broker.begin_write(ReadStats(), submit_job())
        broker.lose(write, is_applied=False)
        broker.stored.edit(commitId="1-999-00000000000000ff", lineage=[])
        broker.settle()
        read, submitted = ticket.outcomes
        assert isinstance(read, NotLeader)
        assert isinstance(submitted, OutcomeUnknown)


class TestTrust:
    def test_leader_is_trusted_for_half_the_committed_timeout(self) -> None:
        broker = lead()
        broker.wait(TIMEOUT_MS // 2 - 1)
        assert broker.term.is_trusted(broker.steady_ms)
        broker.wait(1)
        assert not broker.term.is_trusted(broker.steady_ms)

    def test_trust_runs_from_the_start_of_the_write_that_proves_it(self) -> None:
        broker = lead()
        _, write = broker.begin_write(submit_job())
        broker.wait(2_000)
        broker.land(write)
        broker.expect(Settle)
        broker.wait(TIMEOUT_MS // 2 - 2_001)
        assert broker.term.is_trusted(broker.steady_ms)
        broker.wait(1)
        assert not broker.term.is_trusted(broker.steady_ms)

    def test_trust_after_a_lost_reply_runs_from_the_first_attempt(self) -> None:
        # Standbys wait from when they saw the version change; that a load shows it changes nothing.
        broker = lead()
        _, write = broker.begin_write(submit_job())
        started_ms = broker.steady_ms
        broker.wait(1_000)
        broker.lose(write, is_applied=True)
        load = broker.expect(LoadDocument)
        broker.wait(500)
        broker.look(load)
        assert broker.term.is_trusted(started_ms + TIMEOUT_MS // 2 - 1)
        assert not broker.term.is_trusted(started_ms + TIMEOUT_MS // 2)

    def test_zombie_never_answers_without_a_write(self) -> None:
        # It slept, another took over, and the unique key is free again there: "a duplicate of the
        # queued job" would be an acknowledged job that nobody ever runs.
        zombie = lead()
        keyed = submit_job(1, unique_key="only-one")
        zombie.answer(keyed)
        successor = lead(zombie.stored, 2)
        successor.answer(claim_jobs())
        successor.answer(complete_job("job-1"))
        zombie.wait(60_000)
        again = zombie.ask(submit_job(2, unique_key="only-one"))
        stale = zombie.ask(claim_jobs(), ReadStats(), fail_job("job-9"))
        zombie.settle()
        for outcome in (*again.outcomes, *stale.outcomes):
            assert isinstance(outcome, NotLeader), outcome

    def test_trust_follows_the_committed_timeout_not_the_one_to_come(self) -> None:
        broker = lead()
        broker.pace.timed_out(8_000)
        assert broker.pace.broker_timeout_ms > TIMEOUT_MS
        broker.wait(TIMEOUT_MS // 2)
        assert not broker.term.is_trusted(broker.steady_ms)
        broker.settle()
        assert broker.stored.header().broker_timeout_ms == broker.pace.broker_timeout_ms
        broker.wait(TIMEOUT_MS // 2)
        assert broker.term.is_trusted(broker.steady_ms)

    def test_write_that_shortens_the_timeout_shortens_the_trust_while_it_may_have_landed(
        self,
    ) -> None:
        # Found by simulation seed 1795538685054: standbys wait by the document as soon as it has
        # landed, however late the leader hears of that.
        broker = lead()
        broker.pace.timed_out(8_000)
        broker.answer(submit_job(1))
        while broker.pace.broker_timeout_ms > TIMEOUT_MS:
            broker.pace.succeeded(1)
        assert broker.term.is_trusted(broker.steady_ms + TIMEOUT_MS // 2)
        broker.begin_write(submit_job(2))
        assert not broker.term.is_trusted(broker.steady_ms + TIMEOUT_MS // 2)

    def test_heartbeat_after_slow_writes_keeps_to_the_committed_timeout(self) -> None:
        # The interval follows the slowest write; standbys still wait what the document says.
        broker = lead()
        broker.pace.timed_out(9_000)
        assert broker.pace.heartbeat_interval_ms == 18_000
        wait = broker.expect(WaitUntil)
        assert wait.steady_ms is not None
        assert wait.steady_ms - broker.steady_ms == TIMEOUT_MS // 3

    def test_no_lease_expires_before_an_outage_has_renewed_them(self) -> None:
        broker = lead()
        broker.answer(submit_job())
        broker.answer(claim_jobs())
        broker.wait(LEASE_MS * 3)
        broker.settle()
        assert broker.stored.loaded().state.table.counts["in_progress"] == 1
        renewed_ms = broker.steady_ms
        assert broker.term.state.next_expiry_ms() == renewed_ms + LEASE_MS

    def test_lease_expires_with_a_trusted_leader(self) -> None:
        broker = lead()
        broker.answer(submit_job())
        broker.answer(claim_jobs())
        last_ms = broker.steady_ms + LEASE_MS
        while broker.steady_ms < last_ms:
            assert broker.stored.loaded().state.table.counts["in_progress"] == 1
            broker.settle()
            broker.do(broker.expect(WaitUntil))
        broker.settle()
        assert broker.stored.loaded().state.table.counts["unclaimed"] == 1

    def test_short_lease_is_raised_to_twice_the_timeout(self) -> None:
        broker = lead()
        broker.answer(submit_job())
        claimed = only(broker.answer(claim_jobs(lease_ms=1_000)))
        assert isinstance(claimed, JobsClaimed)
        assert only(claimed.jobs).lease_ms == 2 * TIMEOUT_MS


class TestHeartbeat:
    def test_idle_leader_writes_once_an_interval(self) -> None:
        broker = lead()
        began_ms, began_count = broker.steady_ms, broker.stored.puts_count
        while broker.steady_ms < began_ms + 10 * BEAT_MS:
            broker.do(broker.next())
        assert broker.stored.puts_count - began_count == 9
        assert broker.term.mutation_writes_count == 0
        assert broker.stored.header().broker_heartbeat == broker.now_ms - BEAT_MS

    def test_heartbeat_that_cannot_be_written_leaves_the_leader_in_place(self) -> None:
        broker = lead()
        broker.wait(BEAT_MS)
        gave_up_ms = broker.steady_ms + TIMEOUT_MS
        while broker.steady_ms < gave_up_ms:
            match effect := broker.next():
                case WriteDocument():
                    broker.term.write_not_applied(broker.steady_ms)
                case _:
                    broker.do(effect)
        broker.settle()
        assert broker.term.ending is None
        assert broker.term.is_trusted(broker.steady_ms)


class TestInterval:
    INTERVAL_MS = 1_000

    def test_interval_holds_writes_back_and_gathers_them(self) -> None:
        broker = lead(interval_ms=self.INTERVAL_MS)
        broker.wait(self.INTERVAL_MS)
        broker.answer(submit_job(1))
        written_ms = broker.steady_ms
        tickets = [broker.ask(submit_job(2)), broker.ask(submit_job(3))]
        assert broker.expect(WaitUntil).steady_ms == written_ms + self.INTERVAL_MS
        assert broker.settle() == 0
        broker.wait(self.INTERVAL_MS)
        assert broker.settle() == 1
        assert not any(ticket.unsettled_count for ticket in tickets)

    def test_interval_does_not_delay_what_needs_no_write(self) -> None:
        broker = lead(interval_ms=self.INTERVAL_MS)
        broker.wait(self.INTERVAL_MS)
        broker.answer(submit_job(1, sequence=5), submit_job(2), claim_jobs("claim-1"))
        ticket = broker.ask(
            submit_job(1, sequence=5),
            claim_jobs("claim-1"),
            claim_jobs(types=["none"]),
            complete_job("job-9"),
            fail_job("job-9"),
            HeartbeatJobs(worker_id="worker-1", leases=[Lease("job-1")]),
            ReadStats(),
        )
        below_floor = broker.ask(submit_job(3, sequence=4))
        below_floor.requests[0].repeat = make_repeat(4, floor=5)
        assert broker.settle() == 0
        submitted, repeated, empty, completed, failed, extended, stats = ticket.outcomes
        assert submitted == JobsSubmitted(["job-1"])
        assert claimed_ids(repeated) == ["job-1"]
        assert claimed_ids(empty) == []
        assert completed == JobsCompleted([], ["job-9"])
        assert isinstance(failed, JobNotHeld)
        assert extended == JobsExtended(["job-1"], [], [])
        assert isinstance(stats, QueueStats)
        assert isinstance(below_floor.outcomes[0], InvalidRequest)

    def test_interval_keeps_the_order_within_a_ticket(self) -> None:
        broker = lead(interval_ms=self.INTERVAL_MS)
        ticket = broker.ask(submit_job(1), DeleteJob(job_id="job-1"), claim_jobs())
        assert broker.settle() == 0
        assert ticket.unsettled_count == 3
        broker.wait(self.INTERVAL_MS)
        broker.settle()
        assert [type(outcome).__name__ for outcome in ticket.outcomes] == [
            "JobsSubmitted",
            "JobDeleted",
            "JobsClaimed",
        ]

    def test_due_job_within_the_interval_is_no_busy_wait(self) -> None:
        broker = lead(interval_ms=self.INTERVAL_MS)
        broker.wait(self.INTERVAL_MS)
        broker.answer(submit_job(delay_ms=100))
        written_ms = broker.steady_ms
        broker.wait(100)
        wait = broker.expect(WaitUntil)
        assert wait.steady_ms == written_ms + self.INTERVAL_MS
        broker.do(wait)
        assert broker.settle() == 1

    def test_interval_does_not_delay_heartbeats(self) -> None:
        broker = lead(interval_ms=BEAT_MS)
        broker.ask(submit_job())
        assert broker.expect(WaitUntil).steady_ms == broker.steady_ms + BEAT_MS

    def test_repeat_within_the_interval_cancels_the_give_back(self) -> None:
        # Else the caller would be told that it holds what the next write takes from it.
        broker = lead(interval_ms=self.INTERVAL_MS)
        broker.wait(self.INTERVAL_MS)
        broker.answer(submit_job())
        broker.wait(self.INTERVAL_MS)
        gone, write = broker.begin_write(claim_jobs("claim-1", repeat=make_repeat(1)))
        broker.term.abandon(gone)
        broker.land(write)
        broker.expect(Settle)
        again = only(broker.answer(claim_jobs("claim-1", repeat=make_repeat(1))))
        assert claimed_ids(again) == ["job-1"]
        broker.wait(self.INTERVAL_MS)
        broker.settle()
        job = broker.term.state.table.by_id["job-1"]
        assert (job.status, job.max_attempts) == ("in_progress", 3)


class TestDraining:
    def test_drain_answers_what_is_here_then_releases_and_steps_down(self) -> None:
        broker = lead()
        ticket = broker.ask(submit_job())
        broker.term.drain()
        broker.land(broker.expect(WriteDocument))
        assert broker.expect(Settle).tickets == [ticket]
        assert broker.stored.header().broker == broker.address
        broker.land(broker.expect(WriteDocument))
        assert broker.stored.header().broker is None
        ended = broker.step_down()
        assert isinstance(ended.error, Unavailable)
        assert broker.stored.job_ids() == ["job-1"]

    def test_drain_answers_repeats_and_queries_and_refuses_what_is_new(self) -> None:
        broker = lead()
        broker.answer(submit_job(1, sequence=1), claim_jobs("claim-1", repeat=make_repeat(2)))
        broker.term.drain()
        repeats = broker.ask(
            submit_job(1, sequence=1), claim_jobs("claim-1", repeat=make_repeat(2)), ReadStats()
        )
        new = broker.ask(submit_job(2, sequence=3), claim_jobs(), fail_job("job-1"))
        assert set(broker.expect(Settle).tickets) == {repeats, new}
        assert repeats.outcomes[0] == JobsSubmitted(["job-1"])
        assert claimed_ids(repeats.outcomes[1]) == ["job-1"]
        assert isinstance(repeats.outcomes[2], QueueStats)
        assert all(isinstance(outcome, Unavailable) for outcome in new.outcomes)

    def test_drain_ends_waiting_claims_with_nothing(self) -> None:
        broker = lead()
        ticket = broker.ask(claim_jobs(wait_until_ms=broker.steady_ms + 30_000))
        broker.settle()
        broker.term.drain()
        broker.settle()
        assert ticket.outcomes == [JobsClaimed([])]

    def test_drain_gives_back_before_it_releases(self) -> None:
        broker = lead()
        broker.answer(submit_job())
        gone, write = broker.begin_write(claim_jobs("claim-1"))
        broker.term.abandon(gone)
        broker.term.drain()
        broker.land(write)
        broker.settle()
        assert broker.stored.header().broker is None
        assert broker.stored.loaded().state.table.counts["unclaimed"] == 1

    def test_release_whose_outcome_stays_unknown_is_still_the_last_write(self) -> None:
        broker = lead()
        broker.term.drain()
        broker.lose(broker.expect(WriteDocument), is_applied=False)
        late = broker.ask(submit_job())
        gave_up_ms = broker.steady_ms + TIMEOUT_MS
        while broker.steady_ms < gave_up_ms:
            match effect := broker.next():
                case LoadDocument():
                    broker.term.load_failed(broker.steady_ms)
                case _:
                    broker.do(effect)
        assert broker.expect(Settle).tickets == [late]
        assert isinstance(late.outcomes[0], NotLeader)
        assert broker.expect(StepDown).reason == "a write's outcome stayed unknown"

    def test_release_on_its_way_ends_the_trust(self) -> None:
        """Found by simulation seed 1795520902078: the release had landed and its reply was lost;
        while the broker waited to look, the next but one led, and this one still said that it
        did."""
        broker = lead()
        broker.term.drain()
        assert broker.term.is_trusted(broker.steady_ms)
        write = broker.expect(WriteDocument)
        assert not broker.term.is_trusted(broker.steady_ms)
        broker.lose(write, is_applied=True)
        assert not broker.term.is_trusted(broker.steady_ms)

    def test_release_that_is_surely_not_applied_is_given_up(self) -> None:
        broker = lead()
        broker.term.drain()
        gave_up_ms = broker.steady_ms + TIMEOUT_MS
        while broker.steady_ms < gave_up_ms:
            match effect := broker.next():
                case WriteDocument():
                    broker.term.write_not_applied(broker.steady_ms)
                case _:
                    broker.do(effect)
        assert isinstance(broker.expect(StepDown).error, Unavailable)

    def test_requests_during_the_release_are_told_to_come_back(self) -> None:
        broker = lead()
        broker.term.drain()
        write = broker.expect(WriteDocument)
        late = broker.ask(submit_job(), ReadStats())
        broker.land(write)
        broker.expect(Settle)
        broker.expect(StepDown)
        assert all(isinstance(outcome, Unavailable) for outcome in late.outcomes)


class TestEnds:
    def test_ending_says_why_the_term_is_over(self) -> None:
        broker = lead()
        assert broker.term.ending is None
        assert broker.term.epoch == 1
        broker.term.drain()
        broker.settle()
        assert isinstance(broker.term.ending, Unavailable)

    def test_cut_off_tells_the_batch_in_flight_that_nothing_is_known(self) -> None:
        broker = lead()
        written, _ = broker.begin_write(submit_job(1))
        gathered = broker.ask(submit_job(2))
        assert broker.term.cut_off() == [written, gathered]
        assert isinstance(written.outcomes[0], OutcomeUnknown)
        assert isinstance(gathered.outcomes[0], NotLeader)
        assert broker.term.cut_off() == []

    def test_cut_off_of_an_idle_term_refuses_what_waits(self) -> None:
        broker = lead()
        waiting = broker.ask(claim_jobs(wait_until_ms=broker.steady_ms + 1_000))
        broker.settle()
        assert broker.term.cut_off() == [waiting]
        assert isinstance(waiting.outcomes[0], NotLeader)

    def test_vanished_document_is_not_created_again(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        gathered = broker.ask(submit_job(2))
        broker.stored.data = broker.stored.version = None
        broker.land(write)
        broker.settle()
        assert isinstance(ticket.outcomes[0], OutcomeUnknown)
        assert isinstance(gathered.outcomes[0], StoredDataInvalid)
        assert isinstance(broker.step_down().error, StoredDataInvalid)
        with pytest.raises(StoredDataInvalid, match="vanished"):
            broker.elect()

    @pytest.mark.parametrize("data", [b"not a queue", b'{"format":2,"broker":null}'])
    def test_unreadable_document_settles_nothing_and_ends_the_term(self, data: bytes) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.stored.replace(data)
        broker.land(write)
        broker.settle()
        assert isinstance(ticket.outcomes[0], OutcomeUnknown)
        assert isinstance(broker.step_down().error, StoredDataInvalid)
        with pytest.raises(StoredDataInvalid):
            broker.elect()

    def test_document_edited_under_our_commit_settles_the_batch_and_is_loaded_anew(self) -> None:
        broker = lead()
        ticket, write = broker.begin_write(submit_job())
        broker.lose(write, is_applied=True)
        broker.stored.edit(paused=True)
        broker.settle()
        assert ticket.outcomes == [JobsSubmitted(["job-1"])]
        refusal = broker.step_down().error
        assert isinstance(refusal, NotLeader)
        assert refusal.broker_address == "", "it must not send callers to itself"
        broker.elect()
        assert broker.term.state.totals.paused
        assert broker.stored.job_ids() == ["job-1"]

    def test_unknown_fields_of_a_newer_broker_survive_a_term(self) -> None:
        stored = StoredObject()
        first = lead(stored)
        first.term.drain()
        first.settle()
        stored.edit(colour="blue")
        lead(stored, 2).answer(submit_job(payload=Raw(b"{}")))
        assert bytes(stored.loaded().unknown_header["colour"]) == b'"blue"'

    def test_job_numbers_are_those_of_the_request(self) -> None:
        broker = lead()
        many = broker.answer(*(submit_job(number) for number in range(1, 4)))
        assert many == [JobsSubmitted([make_new_job(number).id]) for number in range(1, 4)]

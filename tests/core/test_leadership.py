"""Elections, driven by facts: who stands when, and what a lost takeover means."""

from __future__ import annotations

import pytest

from osqueue.core.election.trust import evidence_wait_ms
from osqueue.core.errors import NotLeader, StoredDataInvalid
from osqueue.core.leadership import CLOCK_OFFSET_MS_MAX, Elected
from osqueue.core.limits import LINEAGE_LENGTH
from osqueue.core.writes.effects import LoadDocument, WaitUntil, WriteDocument
from tests.core.driven import (
    BEAT_MS,
    TIMEOUT_MS,
    DrivenBroker,
    StoredObject,
    lead,
    submit_job,
)
from tests.core.following import EVIDENCE_MS, follow, standby, until_takeover


class TestCreation:
    def test_missing_document_is_created(self) -> None:
        stored = StoredObject()
        broker = lead(stored)
        assert broker.reason == "there is no queue yet"
        header = stored.header()
        assert (header.epoch, header.broker) == (1, broker.address)
        assert header.lineage[0].taken_from == ""
        assert broker.term.header.commit_id == header.commit_id

    def test_creation_whose_reply_was_lost_is_found(self) -> None:
        broker = DrivenBroker(StoredObject())
        broker.lose(until_takeover(broker), is_applied=True)
        broker.look(broker.expect(LoadDocument))
        assert isinstance(broker.next(), Elected)
        assert broker.stored.puts_count == 1

    def test_creation_still_open_is_sent_again_as_the_same_bytes(self) -> None:
        broker = DrivenBroker(StoredObject())
        write = until_takeover(broker)
        broker.lose(write, is_applied=False)
        broker.look(broker.expect(LoadDocument))
        again = until_takeover(broker)
        assert (again.chunks, again.base_version) == (write.chunks, None)
        broker.land(again)
        assert isinstance(broker.next(), Elected)

    def test_document_that_was_seen_is_never_created_again(self) -> None:
        broker = standby(lead().stored)
        broker.stored.data = broker.stored.version = None
        with pytest.raises(StoredDataInvalid, match="vanished"):
            follow(broker, within_ms=TIMEOUT_MS)

    def test_document_that_the_store_knows_of_is_never_created_again(self) -> None:
        broker = DrivenBroker(StoredObject())
        broker.expect(LoadDocument)
        with pytest.raises(StoredDataInvalid, match="vanished: it was here; put it back"):
            broker.leadership.document_missing(0, was_there="it was here; put it back")

    def test_document_missing_during_a_takeover_is_never_created_again(self) -> None:
        broker = standby(lead().stored)
        write = until_takeover(broker)
        broker.stored.data = broker.stored.version = None
        broker.land(write)
        with pytest.raises(StoredDataInvalid, match="vanished"):
            broker.do(broker.next())


class TestFollowing:
    def test_standby_polls_at_half_the_heartbeat_interval(self) -> None:
        broker = standby(lead().stored)
        began_ms = broker.steady_ms
        polls: list[int] = []
        while broker.steady_ms < began_ms + 2 * BEAT_MS:
            if isinstance(effect := broker.next(), LoadDocument):
                assert effect.head_only
                assert effect.if_changed_from == broker.stored.version
                polls.append(broker.steady_ms - began_ms)
            broker.do(effect)
        assert polls == [BEAT_MS // 2, BEAT_MS, 3 * BEAT_MS // 2]

    def test_poll_makes_it_look_at_once(self) -> None:
        broker = standby(lead().stored)
        assert isinstance(broker.next(), WaitUntil)
        broker.leadership.poll(broker.steady_ms)
        assert isinstance(broker.next(), LoadDocument)

    def test_standby_tells_where_the_leader_is(self) -> None:
        leader = lead()
        refusal = standby(leader.stored).leadership.not_leader()
        assert (refusal.epoch, refusal.broker_address) == (1, leader.address)

    def test_broker_that_knows_no_leader_names_none(self) -> None:
        broker = DrivenBroker(StoredObject())
        assert (broker.leadership.not_leader().epoch) == 0
        leader = lead(broker.stored)
        leader.term.drain()
        leader.settle()
        follower = DrivenBroker(broker.stored, 2)
        follower.look(follower.expect(LoadDocument))
        refusal = follower.leadership.not_leader()
        assert (refusal.epoch, refusal.broker_address) == (1, "")

    def test_stepped_down_leader_never_names_itself(self) -> None:
        broker = lead()
        assert broker.leadership.not_leader().broker_address == ""

    def test_failed_load_is_tried_again_soon(self) -> None:
        broker = DrivenBroker(lead().stored, 2)
        broker.expect(LoadDocument)
        broker.leadership.load_failed(broker.steady_ms)
        wait = broker.expect(WaitUntil)
        assert wait.steady_ms == broker.steady_ms + 250
        broker.do(wait)
        broker.look(broker.expect(LoadDocument))

    def test_reformatted_document_is_read_whole(self) -> None:
        stored = lead().stored
        lead(stored, 3).answer(*(submit_job(number, type="t" * 99) for number in range(60)))
        stored.edit()
        assert stored.data is not None
        assert len(stored.data) > 8_192
        broker = standby(stored)
        assert broker.leadership.header == stored.header()
        # The leader's next write has a header line again: then the head is enough.
        leader = lead(stored, 4)
        follow(broker, within_ms=BEAT_MS)
        assert broker.leadership.not_leader().broker_address == leader.address
        while not isinstance(effect := broker.next(), LoadDocument):
            broker.do(effect)
        assert effect.head_only

    @pytest.mark.parametrize(
        "data",
        [
            b"not a queue",
            b'{"format":2,\n',
            b'{"format":1,"broker":"a:1","epoch":1,"commitId":"?",\n',
            # Only the first line is whole, and names another broker.
            b'{"format":1,"broker":"a:1","epoch":1,"commitId":"1-1-0000000000000001",\n"jobs":[{',
        ],
    )
    def test_unusable_document_is_refused_at_the_start_and_not_overwritten(
        self, data: bytes
    ) -> None:
        broker = DrivenBroker(lead().stored, 2)
        broker.stored.replace(data)
        with pytest.raises(StoredDataInvalid, match="cannot be used"):
            broker.do(broker.next())
        assert broker.stored.data == data

    def test_document_that_is_damaged_later_is_refused_at_the_takeover(self) -> None:
        broker = standby(lead().stored)
        assert broker.stored.data is not None
        damaged = broker.stored.data.partition(b"\n")[0] + b'\n"jobs":[{'
        broker.stored.replace(damaged)
        with pytest.raises(StoredDataInvalid, match="cannot be used"):
            follow(broker, within_ms=2 * TIMEOUT_MS)
        assert broker.stored.data == damaged

    def test_timeout_for_ever_that_somebody_wrote_by_hand_is_refused(self) -> None:
        broker = standby(lead().stored)
        broker.stored.edit(brokerTimeoutMs=10**15)
        with pytest.raises(StoredDataInvalid, match="brokerTimeoutMs must be a whole number"):
            follow(broker, within_ms=TIMEOUT_MS)

    def test_first_load_with_a_reason_to_lead_is_the_only_one(self) -> None:
        leader = lead()
        leader.term.drain()
        leader.settle()
        successor = DrivenBroker(leader.stored, 2)
        successor.look(successor.expect(LoadDocument))
        successor.land(successor.expect(WriteDocument))
        assert isinstance(successor.next(), Elected)


class TestReasons:
    def test_standby_waits_the_timeout_that_the_leader_wrote(self) -> None:
        stored = lead().stored
        stored.edit(brokerTimeoutMs=25_000)
        broker = standby(stored)
        follow(broker, within_ms=24_999)
        broker.elect(within_ms=1)
        assert broker.reason == "the leader has not written for 25000 ms"
        assert stored.header().epoch == 2

    def test_timeout_runs_anew_with_each_change_of_version(self) -> None:
        leader = lead()
        broker = standby(leader.stored)
        for number in range(5):
            leader.answer(submit_job(number))
            follow(broker, within_ms=TIMEOUT_MS - BEAT_MS)
        assert leader.stored.header().epoch == 1

    def test_timeout_goes_on_where_a_load_brings_the_same_version_again(self) -> None:
        # Some stores send the whole in spite of the condition.
        stored = lead().stored
        broker = standby(stored)
        began_ms = broker.steady_ms
        while not isinstance(effect := broker.next(), WriteDocument):
            if isinstance(effect, LoadDocument):
                assert stored.data is not None
                assert stored.version is not None
                broker.leadership.document_loaded(stored.data, stored.version, broker.steady_ms)
            else:
                broker.do(effect)
        assert broker.steady_ms == began_ms + TIMEOUT_MS

    def test_released_queue_is_taken_over_at_once(self) -> None:
        leader = lead()
        broker = standby(leader.stored)
        leader.term.drain()
        leader.settle()
        broker.elect(within_ms=BEAT_MS // 2)
        assert broker.reason == "the last leader has released the queue"

    def test_own_place_waits_until_the_leaders_trust_is_over(self) -> None:
        # Its listener may be closed while it lives on, or the port be shared.
        leader = lead()
        restarted = standby(leader.stored, 2, host="host-1", address=leader.address)
        follow(restarted, within_ms=EVIDENCE_MS - 1)
        restarted.elect(within_ms=1)
        assert restarted.reason == f"this broker is where the leader at {leader.address} was"

    def test_own_address_in_another_place_waits_for_the_timeout(self) -> None:
        leader = lead()
        other = DrivenBroker(leader.stored, 2, address=leader.address)
        follow(other, within_ms=TIMEOUT_MS - 1)

    def test_evidence_is_waited_for_as_long_as_the_leader_wrote(self) -> None:
        stored = lead().stored
        stored.edit(brokerTimeoutMs=40_000)
        broker = standby(stored, 2, host="host-1")
        follow(broker, within_ms=evidence_wait_ms(40_000) - 1)
        broker.elect(within_ms=1)

    def test_version_that_changes_before_the_whole_is_loaded_ends_the_candidacy(self) -> None:
        leader = lead()
        broker = standby(leader.stored)
        broker.wait(TIMEOUT_MS)
        load = broker.expect(LoadDocument)
        assert not load.head_only
        leader.answer(submit_job())
        broker.look(load)
        follow(broker, within_ms=TIMEOUT_MS - 1)
        broker.elect(within_ms=1)

    def test_failed_load_of_a_candidate_is_tried_again(self) -> None:
        broker = standby(lead().stored)
        broker.wait(TIMEOUT_MS)
        broker.expect(LoadDocument)
        broker.leadership.load_failed(broker.steady_ms)
        broker.do(broker.expect(WaitUntil))
        broker.elect(within_ms=0)


class TestTakeover:
    def test_takeover_keeps_the_jobs_and_remembers_what_it_was_taken_from(self) -> None:
        leader = lead()
        leader.answer(submit_job())
        taken_from = leader.stored.header().commit_id
        broker = lead(leader.stored, 2)
        header = broker.stored.header()
        assert broker.stored.job_ids() == ["job-1"]
        assert header.broker_host == "host-2"
        last = header.lineage[-1]
        assert (last.epoch, last.broker_name, last.taken_from) == (2, broker.name, taken_from)

    def test_lineage_keeps_the_last_takeovers(self) -> None:
        stored = lead().stored
        for number in range(2, LINEAGE_LENGTH + 4):
            lead(stored, number)
        epochs = [takeover.epoch for takeover in stored.header().lineage]
        assert epochs == list(range(4, LINEAGE_LENGTH + 4))

    def test_sequence_of_commit_ids_never_restarts(self) -> None:
        broker = lead()
        broker.answer(submit_job())
        first = broker.stored.header().parsed_commit_id()
        lead(broker.stored, 2)
        broker.wait(TIMEOUT_MS)
        broker.settle()
        broker.step_down()
        broker.elect()
        second = broker.stored.header().parsed_commit_id()
        assert second.sequence > first.sequence
        assert (first.epoch, second.epoch) == (1, 3)

    def test_two_candidates_only_one_is_elected_and_the_other_follows(self) -> None:
        # The loser must not take the queue from the winner because of what it saw before.
        leader = lead()
        first, second = standby(leader.stored, 2), standby(leader.stored, 3)
        leader.term.drain()
        leader.settle()
        for broker in (first, second):
            broker.leadership.poll(broker.steady_ms)
        won, lost = until_takeover(first), until_takeover(second)
        first.land(won)
        second.land(lost)
        assert isinstance(first.next(), Elected)
        second.look(second.expect(LoadDocument))
        load = second.expect(LoadDocument)
        assert load.head_only, "what it saw before is no reason to lead"
        second.look(load)
        follow(second, within_ms=TIMEOUT_MS - 1)
        assert second.leadership.not_leader().broker_address == first.address
        assert leader.stored.header().epoch == 2

    def test_deposed_leader_follows_and_does_not_depose_its_successor(self) -> None:
        deposed = lead(lead().stored, 3)
        successor = lead(deposed.stored, 2)
        deposed.wait(TIMEOUT_MS)
        deposed.settle()
        deposed.step_down()
        load = deposed.expect(LoadDocument)
        assert load.head_only, "what it saw before is no reason to lead"
        deposed.look(load)
        follow(deposed, within_ms=TIMEOUT_MS - 1)
        assert deposed.stored.header().epoch == 3
        refusal = deposed.leadership.not_leader()
        assert isinstance(refusal, NotLeader)
        assert refusal.broker_address == successor.address

    def test_deposed_leader_with_an_unreadable_store_does_not_wait_busily(self) -> None:
        deposed = lead()
        lead(deposed.stored, 2)
        deposed.wait(TIMEOUT_MS)
        deposed.settle()
        deposed.step_down()
        last_ms = deposed.steady_ms + 3 * TIMEOUT_MS
        loads_count = 0
        while deposed.steady_ms < last_ms:
            match effect := deposed.next():
                case LoadDocument():
                    loads_count += 1
                    deposed.leadership.load_failed(deposed.steady_ms)
                case WaitUntil():
                    assert effect.steady_ms is not None
                    assert effect.steady_ms > deposed.steady_ms
                    deposed.do(effect)
                case _:
                    raise AssertionError(effect)
        assert loads_count == 3 * TIMEOUT_MS // 250

    def test_takeover_never_answered_is_given_up_and_begun_anew(self) -> None:
        broker = standby(lead().stored)
        first = until_takeover(broker)
        began_ms = broker.steady_ms
        while broker.steady_ms < began_ms + TIMEOUT_MS:
            broker.leadership.write_not_applied(broker.steady_ms)
            again = until_takeover(broker)
            if again.chunks != first.chunks:
                break
        else:
            raise AssertionError("it was never given up")
        assert again.base_version == first.base_version
        broker.land(again)
        assert isinstance(broker.next(), Elected)

    def test_takeover_that_timed_out_counts_as_that_slow(self) -> None:
        broker = standby(lead().stored)
        write = until_takeover(broker)
        broker.leadership.write_outcome_unknown(timed_out_ms=write.timeout_ms)
        assert broker.pace.slowest_ms == write.timeout_ms
        broker.look(broker.expect(LoadDocument))
        again = until_takeover(broker)
        assert again.timeout_ms > write.timeout_ms
        broker.wait(700)
        broker.land(again)
        assert broker.pace.slowest_ms == write.timeout_ms

    def test_takeover_edited_by_hand_is_taken_over_anew_with_the_edit(self) -> None:
        broker = standby(lead().stored)
        broker.lose(until_takeover(broker), is_applied=True)
        broker.stored.edit(paused=True)
        broker.elect()
        assert broker.term.state.totals.paused
        assert broker.stored.header().epoch == 3

    def test_trust_of_a_term_runs_from_the_start_of_its_takeover(self) -> None:
        broker = standby(lead().stored)
        write = until_takeover(broker)
        started_ms = broker.steady_ms
        broker.wait(2_000)
        broker.land(write)
        broker.elect()
        assert broker.term.is_trusted(started_ms + TIMEOUT_MS // 2 - 1)
        assert not broker.term.is_trusted(started_ms + TIMEOUT_MS // 2)


class TestClock:
    def test_broker_whose_clock_is_off_creates_nothing_and_goes_on_looking(self) -> None:
        broker = DrivenBroker(StoredObject())
        broker.leadership.clock_compared(-CLOCK_OFFSET_MS_MAX - 1)
        began_ms = broker.steady_ms
        looks: list[int] = []
        while broker.steady_ms < began_ms + 2 * BEAT_MS:
            if isinstance(effect := broker.next(), LoadDocument):
                looks.append(broker.steady_ms - began_ms)
            broker.do(effect)
        assert looks == [0, BEAT_MS // 2, BEAT_MS, 3 * BEAT_MS // 2]
        assert broker.stored.puts_count == 0
        message = broker.leadership.not_leader().message
        assert "its clock is 5001 ms ahead of the store's, at most 5000" in message
        broker.leadership.clock_compared(-CLOCK_OFFSET_MS_MAX)
        broker.elect()
        assert broker.reason == "there is no queue yet"

    def test_standby_whose_clock_is_off_leaves_a_silent_leader_alone(self) -> None:
        broker = standby(lead().stored)
        broker.leadership.clock_compared(CLOCK_OFFSET_MS_MAX + 1)
        follow(broker, within_ms=10 * TIMEOUT_MS)
        assert "5001 ms behind the store's" in broker.leadership.obstacle()
        # Who leads is worth more to a caller than why this broker does not.
        assert "ask 10.0.0.1:8080" in broker.leadership.not_leader().message
        broker.leadership.clock_compared(None)
        assert broker.leadership.obstacle() == ""
        broker.elect()
        assert broker.reason.startswith("the leader has not written")

    def test_standby_whose_clock_is_off_waits_before_a_released_queue(self) -> None:
        """Found by seed 141 of leaping clocks: it asked at once again, a processor's whole time."""
        leader = lead()
        leader.term.drain()
        leader.settle()
        broker = DrivenBroker(leader.stored, 2)
        broker.leadership.clock_compared(CLOCK_OFFSET_MS_MAX + 1)
        broker.look(broker.expect(LoadDocument))
        effect = broker.next()
        assert isinstance(effect, WaitUntil)
        assert effect.steady_ms is not None
        assert effect.steady_ms > broker.steady_ms

    def test_clock_found_off_during_an_election_ends_it(self) -> None:
        leader = lead()
        broker = standby(leader.stored)
        broker.wait(TIMEOUT_MS)
        load = broker.expect(LoadDocument)
        while load.head_only:
            broker.look(load)
            load = broker.expect(LoadDocument)
        broker.leadership.clock_compared(CLOCK_OFFSET_MS_MAX + 1)
        broker.look(load)
        follow(broker, within_ms=TIMEOUT_MS)
        broker.leadership.clock_compared(0)
        broker.elect()

    def test_clock_found_off_during_a_takeover_lets_it_be_settled(self) -> None:
        broker = standby(lead().stored)
        write = until_takeover(broker)
        broker.leadership.clock_compared(CLOCK_OFFSET_MS_MAX + 1)
        broker.land(write)
        assert isinstance(broker.next(), Elected)

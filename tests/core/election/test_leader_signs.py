"""What a standby knows of the leader, and how long it leaves it alone for that."""

from __future__ import annotations

import pytest

from osqueue.core.election.leader_process import ProcessTraces
from osqueue.core.leadership import Elected
from osqueue.core.writes.effects import LoadDocument, ProbeLeader, WaitUntil, WriteDocument
from tests.core.driven import BEAT_MS, TIMEOUT_MS, DrivenBroker, lead, submit_job
from tests.core.following import EVIDENCE_MS, follow, standby, until_probe, until_takeover


class TestProbes:
    def refusing(self, leader: DrivenBroker) -> DrivenBroker:
        """A standby to which the leader has answered, and refused twice since."""
        broker = DrivenBroker(leader.stored, 2)
        assert until_probe(broker).address == leader.address
        broker.leadership.leader_answered(leader.name)
        until_probe(broker)
        refused_ms = broker.steady_ms
        broker.leadership.leader_refused(refused_ms)
        until_probe(broker)
        assert broker.steady_ms == refused_ms + 250
        broker.leadership.leader_refused(broker.steady_ms)
        return broker

    def until(self, broker: DrivenBroker, steady_ms: int, *, is_refused: bool) -> None:
        """Do what there is to do until then; the leader's port answers all the same."""
        while True:
            effect = broker.next()
            assert not isinstance(effect, Elected | WriteDocument), effect
            if isinstance(effect, WaitUntil) and (effect.steady_ms or 0) > steady_ms:
                broker.steady_ms = steady_ms
                return
            if isinstance(effect, ProbeLeader) and is_refused:
                broker.leadership.leader_refused(broker.steady_ms)
            else:
                broker.do(effect)

    def test_leader_that_refuses_twice_is_left_alone_until_its_trust_is_over(self) -> None:
        leader = lead()
        began_ms = leader.steady_ms
        broker = self.refusing(leader)
        self.until(broker, began_ms + EVIDENCE_MS - 1, is_refused=True)
        assert not leader.term.is_trusted(broker.steady_ms)
        broker.elect(within_ms=1)
        assert broker.reason == f"the leader at {leader.address} refuses, and has not written since"

    def test_leader_that_refuses_and_writes_is_left_alone(self) -> None:
        leader = lead()
        broker = self.refusing(leader)
        for number in range(4):
            leader.answer(submit_job(number))
            self.until(broker, broker.steady_ms + BEAT_MS, is_refused=True)
        assert leader.stored.header().epoch == 1

    def test_leader_that_refused_and_falls_silent_is_waited_for_in_full(self) -> None:
        leader = lead()
        began_ms = leader.steady_ms
        broker = self.refusing(leader)
        self.until(broker, began_ms + TIMEOUT_MS - 1, is_refused=False)

    @pytest.mark.parametrize("answer", ["silence", "another name", "never answered", "version"])
    def test_anything_less_is_no_evidence(self, answer: str) -> None:
        leader = lead()
        broker = DrivenBroker(leader.stored, 2)
        until_probe(broker)
        if answer != "never answered":
            broker.leadership.leader_answered(leader.name)
            until_probe(broker)
        broker.leadership.leader_refused(broker.steady_ms)
        until_probe(broker)
        if answer == "silence":
            broker.leadership.leader_silent()
            until_probe(broker)
        elif answer == "another name":
            broker.leadership.leader_answered("00000000000000ff")
            until_probe(broker)
        elif answer == "version":
            leader.answer(submit_job())
            broker.leadership.poll(broker.steady_ms)
            broker.leadership.leader_silent()
            broker.look(broker.expect(LoadDocument))
            until_probe(broker)
        broker.leadership.leader_refused(broker.steady_ms)
        wait = broker.expect(WaitUntil)
        broker.wait(EVIDENCE_MS)
        broker.look(broker.expect(LoadDocument))
        assert not isinstance(broker.next(), LoadDocument), wait

    def test_second_refusal_too_soon_is_no_evidence(self) -> None:
        leader = lead()
        broker = DrivenBroker(leader.stored, 2)
        until_probe(broker)
        broker.leadership.leader_answered(leader.name)
        until_probe(broker)
        broker.leadership.leader_refused(broker.steady_ms)
        broker.leadership.leader_refused(broker.steady_ms + 249)
        assert isinstance(broker.next(), WaitUntil)

    def test_own_address_is_not_asked(self) -> None:
        leader = lead()
        broker = DrivenBroker(leader.stored, 2, address=leader.address)
        last_ms = broker.steady_ms + TIMEOUT_MS
        while broker.steady_ms < last_ms:
            effect = broker.next()
            assert not isinstance(effect, ProbeLeader | Elected)
            broker.do(effect)
            assert not isinstance(effect, WaitUntil) or effect.steady_ms == broker.steady_ms


def host(kernel: int, port: int, pid: int, started: int) -> str:
    """What a process of a kernel writes into `brokerHost`."""
    boot_id = f"0f0e0d0c-0000-4000-8000-{kernel:012x}"
    return f"machine {boot_id} net:[1] 0.0.0.0 {port} pid:[2] {pid} {started}"


GONE = ProcessTraces(exists=False)


class TestProcess:
    def pair(self, *, kernel: int = 1, address: str = "") -> tuple[DrivenBroker, DrivenBroker]:
        """A leader, and a broker that has just started on the same or another kernel."""
        leader = lead(host=host(1, 8080, 17, 900))
        mine = DrivenBroker(leader.stored, 2, host=host(kernel, 8081, 21, 950), address=address)
        return leader, mine

    def test_process_that_is_gone_is_succeeded_at_once(self) -> None:
        leader, broker = self.pair()
        probe = until_probe(broker)
        assert probe == ProbeLeader(leader.address, 17)
        broker.leadership.process_traced(GONE)
        broker.leadership.leader_refused(broker.steady_ms)
        broker.elect(within_ms=0)
        assert broker.reason == "the leader's process 17 is gone"

    def test_process_that_is_gone_at_the_first_load_needs_no_second_one(self) -> None:
        _, broker = self.pair(address="10.0.0.1:8080")
        broker.look(broker.expect(LoadDocument))
        assert broker.expect(ProbeLeader) == ProbeLeader(None, 17)
        broker.leadership.process_traced(GONE)
        broker.leadership.leader_silent()
        broker.land(broker.expect(WriteDocument))
        broker.expect(Elected)

    def test_document_of_the_first_load_is_not_kept_for_a_leader_that_lives(self) -> None:
        _, broker = self.pair()
        until_probe(broker)
        broker.leadership.process_traced(ProcessTraces(exists=True))
        broker.leadership.leader_silent()
        broker.expect(WaitUntil)
        broker.wait(10)
        broker.leadership.poll(broker.steady_ms)
        until_probe(broker)
        broker.leadership.process_traced(GONE)
        broker.leadership.leader_refused(broker.steady_ms)
        assert not broker.expect(LoadDocument).head_only

    def test_leader_that_answers_lives_on_another_machine_cloned_from_one(self) -> None:
        leader, broker = self.pair()
        until_probe(broker)
        broker.leadership.process_traced(GONE)
        broker.leadership.leader_answered(leader.name)
        follow(broker, within_ms=EVIDENCE_MS)

    def test_process_that_is_gone_and_does_not_refuse_is_evidence_only(self) -> None:
        _, broker = self.pair()
        began_ms = broker.steady_ms
        while isinstance(effect := broker.next(), ProbeLeader | LoadDocument | WaitUntil):
            if isinstance(effect, ProbeLeader):
                broker.leadership.process_traced(GONE)
            broker.do(effect)
        assert broker.steady_ms == began_ms + EVIDENCE_MS
        broker.do(effect)
        reason = broker.expect(Elected).reason
        assert reason == "the leader's process 17 is gone, 10.0.0.1:8080 does not refuse"

    def test_process_of_another_kernel_is_not_asked_for(self) -> None:
        leader, broker = self.pair(kernel=2)
        assert until_probe(broker) == ProbeLeader(leader.address, None)
        broker.leadership.process_traced(GONE)
        broker.leadership.leader_refused(broker.steady_ms)
        follow(broker, within_ms=EVIDENCE_MS)

    def test_leader_that_writes_no_process_is_not_asked_for(self) -> None:
        leader = lead(host="machine boot net:[1] 0.0.0.0 8080")
        broker = DrivenBroker(leader.stored, 2, host=host(1, 8081, 21, 950))
        assert until_probe(broker).pid is None


class TestOwnName:
    def test_takeover_that_was_given_up_and_has_landed_is_taken_over_at_once(self) -> None:
        broker = standby(lead().stored)
        write = self.give_up(broker)
        broker.stored.put(write)
        broker.elect(within_ms=BEAT_MS // 2)
        assert broker.reason == "this broker's own write has landed that it gave up"

    def test_copy_of_what_it_had_won_and_led_is_no_proof(self) -> None:
        broker = standby(lead().stored)
        broker.stored.put(self.give_up(broker))
        copy = broker.stored.data
        broker.elect()
        successor = lead(broker.stored, 3)
        broker.wait(TIMEOUT_MS)
        broker.settle()
        broker.step_down()
        assert copy is not None
        successor.stored.replace(copy)
        follow(broker, within_ms=TIMEOUT_MS - 1)

    def give_up(self, broker: DrivenBroker) -> WriteDocument:
        """Send a takeover, hear nothing, and give it up."""
        write = until_takeover(broker)
        broker.lose(write, is_applied=False)
        broker.expect(LoadDocument)
        broker.wait(TIMEOUT_MS)
        broker.leadership.load_failed(broker.steady_ms)
        broker.look(broker.expect(LoadDocument))
        return write

    def test_document_edited_under_a_trusted_leader_is_taken_over_at_once(self) -> None:
        leader = lead()
        leader.stored.edit(paused=True)
        leader.wait(BEAT_MS)
        leader.settle()
        leader.step_down()
        leader.elect(within_ms=0)
        assert leader.reason == "this broker's last commit was edited while it led"
        assert leader.term.state.totals.paused

    def test_own_last_version_is_taken_over_at_once_whatever_the_time(self) -> None:
        leader = lead()
        self.lose_its_store(leader)
        leader.elect(within_ms=0)
        assert leader.reason == "nobody has written since this broker led"

    def lose_its_store(self, leader: DrivenBroker) -> None:
        """A term that ends because a write was never answered; it has not landed."""
        leader.begin_write(submit_job())
        leader.term.write_outcome_unknown()
        leader.wait(TIMEOUT_MS)
        leader.expect(LoadDocument)
        leader.term.load_failed(leader.steady_ms)
        leader.step_down()

    def test_own_last_term_found_later_is_evidence_only(self) -> None:
        # Somebody may have led meanwhile: what is there may be a copy.
        leader = lead()
        leader.stored.edit(paused=True)
        leader.wait(TIMEOUT_MS // 2)
        leader.settle()
        leader.step_down()
        follow(leader, within_ms=EVIDENCE_MS - 1)
        leader.elect(within_ms=1)
        assert leader.reason == "this broker was the leader, and leads no more"


class TestOlderCopy:
    @pytest.mark.parametrize("what", ["own term", "released", "process gone"])
    def test_nothing_shortens_the_wait_for_who_has_seen_more(self, what: str) -> None:
        former = lead(host=host(1, 8080, 17, 900))
        if what == "released":
            former.term.drain()
            former.settle()
        copy = former.stored.data
        assert copy is not None
        leader = lead(former.stored, 3)
        # Found by a broker that led, and by one that never did.
        if what == "own term":
            broker = former
            broker.wait(TIMEOUT_MS)
            broker.settle()
            broker.step_down()
        else:
            broker = DrivenBroker(leader.stored, 2, host=host(1, 8081, 21, 950))
        broker.steady_ms = leader.steady_ms
        follow(broker)
        leader.stored.edit(brokerTimeoutMs=2 * TIMEOUT_MS)
        broker.leadership.poll(broker.steady_ms)
        follow(broker)
        leader.stored.replace(copy)
        broker.leadership.poll(broker.steady_ms)
        began_ms = broker.steady_ms
        while isinstance(effect := broker.next(), ProbeLeader | LoadDocument | WaitUntil):
            if isinstance(effect, ProbeLeader):
                broker.leadership.process_traced(GONE)
                broker.leadership.leader_refused(broker.steady_ms)
            else:
                broker.do(effect)
        assert broker.steady_ms == began_ms + 2 * TIMEOUT_MS

    def test_winner_seen_by_a_lost_takeover_is_known_when_a_copy_comes(self) -> None:
        # Seed 1795576632191: the loser had seen who won, and took a copy at its word all the same.
        leader = lead()
        first, second = standby(leader.stored, 2), standby(leader.stored, 3)
        leader.term.drain()
        leader.settle()
        released = leader.stored.data
        assert released is not None
        for broker in (first, second):
            broker.leadership.poll(broker.steady_ms)
        won, lost = until_takeover(first), until_takeover(second)
        first.land(won)
        second.land(lost)
        second.look(second.expect(LoadDocument))
        leader.stored.replace(released)
        follow(second, within_ms=TIMEOUT_MS - 1)
        assert until_takeover(second)

    def test_copy_of_the_same_term_is_older_too(self) -> None:
        leader = lead()
        copy = leader.stored.data
        leader.answer(submit_job())
        broker = standby(leader.stored, 2, host="host-1")
        assert copy is not None
        leader.stored.replace(copy)
        broker.leadership.poll(broker.steady_ms)
        follow(broker, within_ms=TIMEOUT_MS - 1)
        broker.elect(within_ms=1)

    def test_copy_of_a_later_epoch_is_known_by_its_lineage(self) -> None:
        """Found by seed 206: a leader of an older copy had written on, and then the document of the
        later epoch came back. That was of a broker which lived, and which took it for its own."""
        former = lead()
        copy = former.stored.data
        broker = lead(former.stored, 2)
        later = former.stored.data
        assert copy is not None
        assert later is not None
        broker.begin_write(submit_job())
        broker.term.write_outcome_unknown()
        former.stored.data, former.stored.version = copy, "v1"
        former.answer(submit_job())
        broker.look(broker.expect(LoadDocument))
        broker.step_down()
        follow(broker, within_ms=TIMEOUT_MS - 1)
        former.answer(submit_job(2))
        broker.leadership.poll(broker.steady_ms)
        follow(broker)
        former.stored.replace(later)
        broker.leadership.poll(broker.steady_ms)
        follow(broker, within_ms=TIMEOUT_MS - 1)

    def test_takeovers_that_were_not_seen_are_followed_by_their_lineage(self) -> None:
        stored = lead().stored
        broker = standby(stored)
        for number in (3, 4):
            leader = lead(stored, number)
        leader.term.drain()
        leader.settle()
        broker.elect(within_ms=BEAT_MS // 2)

    def test_lineage_that_is_cut_shows_nothing_and_costs_the_timeout(self) -> None:
        stored = lead().stored
        broker = standby(stored)
        leader = lead(stored, 3)
        leader.term.drain()
        leader.settle()
        lineage = [{"epoch": 2, "brokerName": leader.name, "takenFrom": ""}]
        stored.edit(lineage=lineage)
        broker.leadership.poll(broker.steady_ms)
        follow(broker, within_ms=TIMEOUT_MS - 1)
        broker.elect(within_ms=1)

    def test_epoch_of_another_broker_shows_a_copy_that_was_taken_over(self) -> None:
        first = lead()
        copy = first.stored.data
        broker = standby(lead(first.stored, 3).stored)
        assert copy is not None
        first.stored.replace(copy)
        leader = lead(first.stored, 4)
        leader.answer(submit_job())
        broker.leadership.poll(broker.steady_ms)
        follow(broker)
        leader.term.drain()
        leader.settle()
        follow(broker, within_ms=TIMEOUT_MS - 1)
        broker.elect(within_ms=1)
        assert broker.reason == "the last leader has released the queue"

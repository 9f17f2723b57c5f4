"""The four rules that settle a write, and when it is sent, looked for, and given up."""

from __future__ import annotations

import random

import pytest

from osqueue.core.document import Header, Takeover
from osqueue.core.ids import CommitId
from osqueue.core.writes.pending_write import NextStep, PendingWrite, Verdict, judge

OURS = CommitId(7, 12, "9f3ac17be2d40c55")
OTHER_NAME = "00000000000000ff"
START_MS = 1_000
GIVE_UP_MS = 10_000


def make_pending(*, base_version: str | None = "v1") -> PendingWrite:
    return PendingWrite(
        commit_id=OURS,
        chunks=[b"{", b"}"],
        base_version=base_version,
        steady_ms=START_MS,
        give_up_ms=GIVE_UP_MS,
        random=random.Random(1),
    )


def found(commit_id: str = f"8-1-{OTHER_NAME}", *taken_from: str) -> Header:
    lineage = [Takeover(epoch=8, broker_name=OTHER_NAME, taken_from=text) for text in taken_from]
    return Header(epoch=8, commit_id=commit_id, lineage=lineage)


class TestJudge:
    def test_rule_1_our_commit_id_means_landed(self) -> None:
        assert judge(OURS, "v1", found(str(OURS)), "v2") is Verdict.LANDED

    def test_rule_1_comes_before_rule_2(self) -> None:
        # A version named after the bytes alone may come back: what is stored decides.
        assert judge(OURS, "v1", found(str(OURS)), "v1") is Verdict.LANDED

    def test_rule_2_the_base_version_means_still_open(self) -> None:
        assert judge(OURS, "v1", found("7-11-9f3ac17be2d40c55"), "v1") is Verdict.STILL_OPEN

    def test_rule_2_still_missing_means_a_creation_is_open(self) -> None:
        assert judge(OURS, None, None, None) is Verdict.STILL_OPEN

    def test_rule_2_comes_before_rule_3(self) -> None:
        header = found(f"8-1-{OTHER_NAME}", "7-11-9f3ac17be2d40c55")
        assert judge(OURS, "v1", header, "v1") is Verdict.STILL_OPEN

    def test_rule_3_taken_over_from_our_commit_means_landed(self) -> None:
        header = found(f"9-1-{OTHER_NAME}", "6-1-00000000000000aa", str(OURS))
        assert judge(OURS, "v1", header, "v2") is Verdict.LANDED_THEN_DEPOSED

    def test_rule_3_taken_over_from_another_commit_of_our_term_means_not_landed(self) -> None:
        header = found(f"9-1-{OTHER_NAME}", "7-11-9f3ac17be2d40c55")
        assert judge(OURS, "v1", header, "v2") is Verdict.NOT_LANDED

    @pytest.mark.parametrize("taken_from", ["7-11-00000000000000aa", "6-11-9f3ac17be2d40c55"])
    def test_rule_3_needs_epoch_and_name_of_our_term(self, taken_from: str) -> None:
        # Another process may have led under the same epoch: its commits say nothing of ours.
        header = found(f"9-1-{OTHER_NAME}", taken_from)
        assert judge(OURS, "v1", header, "v2") is Verdict.UNTELLABLE

    @pytest.mark.parametrize("taken_from", ["", "edited by hand", "7-x-9f3ac17be2d40c55"])
    def test_rule_4_a_lineage_that_says_nothing_of_our_term_cannot_tell(
        self, taken_from: str
    ) -> None:
        header = found(f"9-1-{OTHER_NAME}", taken_from)
        assert judge(OURS, "v1", header, "v2") is Verdict.UNTELLABLE

    def test_rule_4_missing_document_cannot_tell(self) -> None:
        assert judge(OURS, "v1", None, None) is Verdict.UNTELLABLE

    def test_commit_of_another_process_with_our_numbers_is_not_ours(self) -> None:
        header = found(str(CommitId(7, 12, OTHER_NAME)))
        assert judge(OURS, "v1", header, "v2") is Verdict.UNTELLABLE


class TestSteps:
    def test_it_is_sent_at_once(self) -> None:
        pending = make_pending()
        assert pending.document_bytes == 2
        assert pending.next_step(START_MS) is NextStep.SEND

    def test_surely_not_applied_is_sent_again_after_a_growing_pause(self) -> None:
        pending = make_pending()
        now_ms, pauses = START_MS, list[int]()
        for _ in range(8):
            pending.not_applied(now_ms)
            assert pending.next_step(now_ms) is NextStep.WAIT
            pauses.append(pending.wait_until_ms() - now_ms)
            now_ms = pending.wait_until_ms()
            assert pending.next_step(now_ms) is NextStep.SEND
        assert pauses[0] < 40
        assert 500 <= pauses[-1] <= 1_500
        assert not pending.was_ever_unknown

    def test_pause_ends_with_the_time_to_give_up(self) -> None:
        pending = make_pending()
        pending.not_applied(START_MS + GIVE_UP_MS - 1)
        assert pending.wait_until_ms() == START_MS + GIVE_UP_MS
        assert pending.next_step(START_MS + GIVE_UP_MS) is NextStep.GIVE_UP

    def test_conflict_is_open_until_a_load_explains_it(self) -> None:
        pending = make_pending()
        pending.conflicted()
        assert pending.next_step(START_MS) is NextStep.LOAD
        assert pending.was_ever_unknown

    def test_unknown_stays_unknown_whatever_comes_later(self) -> None:
        pending = make_pending()
        pending.outcome_unknown()
        assert pending.next_step(START_MS) is NextStep.LOAD
        assert pending.loaded(None, "v1", START_MS) is Verdict.STILL_OPEN
        pending.not_applied(START_MS)
        pending.conflicted()
        assert pending.was_ever_unknown

    def test_still_open_is_sent_again_after_a_pause(self) -> None:
        pending = make_pending()
        pending.outcome_unknown()
        pending.loaded(None, "v1", START_MS)
        assert pending.next_step(START_MS) is NextStep.WAIT
        assert pending.next_step(pending.wait_until_ms()) is NextStep.SEND

    def test_other_verdicts_send_nothing(self) -> None:
        pending = make_pending()
        pending.conflicted()
        assert pending.loaded(found(str(OURS)), "v2", START_MS) is Verdict.LANDED

    def test_load_that_failed_is_tried_again(self) -> None:
        pending = make_pending()
        pending.outcome_unknown()
        pending.load_failed(START_MS)
        assert pending.next_step(START_MS) is NextStep.WAIT
        assert pending.next_step(pending.wait_until_ms()) is NextStep.LOAD

    @pytest.mark.parametrize("is_known", [True, False])
    def test_one_load_follows_an_attempt_that_ended_too_late(self, is_known: bool) -> None:
        pending = make_pending()
        late_ms = START_MS + 3 * GIVE_UP_MS
        if is_known:
            pending.conflicted()
        else:
            pending.outcome_unknown()
        assert pending.next_step(late_ms) is NextStep.LOAD
        pending.load_failed(late_ms)
        assert pending.next_step(late_ms) is NextStep.GIVE_UP

    def test_what_an_attempt_proves_it_proves_of_its_start(self) -> None:
        pending = make_pending()
        assert pending.act_started_ms == START_MS
        pending.begin_act(START_MS + 50)
        assert (pending.started_ms, pending.act_started_ms) == (START_MS, START_MS + 50)

"""Each rule of repeating, as decisions without a network."""

from __future__ import annotations

import random

import pytest
from msgspec import Raw

from osqueue.client.calls import Call, Calls
from osqueue.core.errors import (
    InvalidRequest,
    JobNotHeld,
    NotLeader,
    OutcomeUnknown,
    QueueError,
    QueueFull,
    Unavailable,
)
from osqueue.core.limits import APPLIED_SEQUENCES_MAX

__all__: list[str] = []

OK = Raw(b"\x80")
REASON = "the connection was closed"


class Book:
    """Calls, and what became of them."""

    def __init__(self, *, timeout_ms: int = 1_000) -> None:
        self.settled: list[Call] = []
        self.calls = Calls(self.settled.append, timeout_ms=timeout_ms, random=random.Random(1))

    def mutate(self, *, now_ms: float = 0, params: bytes = b"\x80") -> Call:
        return self.calls.add("submitJob", params, now_ms=now_ms, is_sequenced=True)

    def read(self, *, wait_ms: int = 0) -> Call:
        return self.calls.add("claimJobs", b"\x80", now_ms=0, is_sequenced=False, wait_ms=wait_ms)

    def send(
        self,
        *,
        now_ms: float = 0,
        bytes_wanted: int = 10_000,
        bytes_max: int = 100_000,
        requests_max: int = 100_000,
    ) -> list[Call]:
        return self.calls.take_frame(
            now_ms=now_ms,
            bytes_wanted=bytes_wanted,
            bytes_max=bytes_max,
            requests_max=requests_max,
            with_waiting=True,
        )

    def answer(self, call: Call, error: QueueError | None = None, *, now_ms: float = 0) -> None:
        if error is None:
            self.calls.answered_ok(call.call_id, OK)
        else:
            self.calls.answered_error(call.call_id, error, now_ms=now_ms)

    def lose(self) -> None:
        self.calls.attempts_lost(reason=REASON)


def test_sequences_are_given_in_the_order_of_sending() -> None:
    book = Book()
    first, second = book.mutate(), book.mutate()
    assert (first.sequence, second.sequence) == (None, None)
    assert book.send() == [first, second]
    assert (first.sequence, second.sequence) == (1, 2)


def test_reads_and_claims_have_no_sequence() -> None:
    book = Book()
    read, poll = book.read(), book.read(wait_ms=1_000)
    assert set(book.send()) == {read, poll}
    assert (read.sequence, poll.sequence) == (None, None)
    assert book.calls.floor == 1


def test_the_floor_is_the_lowest_sequence_that_is_waited_for() -> None:
    book = Book()
    first, second, third = book.mutate(), book.mutate(), book.mutate()
    book.send()
    book.answer(second)
    assert book.calls.floor == 1
    book.answer(first)
    assert book.calls.floor == 3
    book.answer(third)
    assert book.calls.floor == 4


def test_ok_settles_a_call() -> None:
    book = Book()
    call = book.mutate()
    book.send()
    book.answer(call)
    assert book.settled == [call]
    assert call.result is OK


def test_a_refusal_of_a_clean_attempt_is_raised_as_it_is() -> None:
    book = Book()
    call = book.mutate()
    book.send()
    error = QueueFull("full", retry_after_ms=7)
    book.answer(call, error)
    assert call.error is error


def test_an_unanswered_attempt_is_repeated_with_the_same_sequence() -> None:
    book = Book()
    first, second = book.mutate(), book.mutate()
    book.send()
    book.lose()
    third = book.mutate()
    assert book.send() == [first, second, third]
    assert [call.sequence for call in (first, second, third)] == [1, 2, 3]
    assert book.calls.has_loose_ends


@pytest.mark.parametrize("error", [JobNotHeld("no"), QueueFull("full"), InvalidRequest("below")])
def test_a_refusal_after_an_unanswered_attempt_becomes_unknown(error: QueueError) -> None:
    book = Book()
    call = book.mutate()
    book.send()
    book.lose()
    book.send()
    book.answer(call, error)
    assert isinstance(call.error, OutcomeUnknown)
    assert error.message in call.error.message


def test_ok_after_an_unanswered_attempt_is_ok() -> None:
    book = Book()
    call = book.mutate()
    book.send()
    book.lose()
    book.send()
    book.answer(call)
    assert call.result is OK


def test_outcome_unknown_counts_as_unanswered_and_is_repeated() -> None:
    book = Book()
    call = book.mutate()
    book.send()
    book.answer(call, OutcomeUnknown("the broker steps down"))
    assert book.settled == []
    assert book.calls.wake_delayed(10_000)
    assert book.send() == [call]
    assert call.sequence == 1
    book.answer(call, JobNotHeld("no"))
    assert isinstance(call.error, OutcomeUnknown)


def test_a_refused_read_is_refused_even_after_an_unanswered_attempt() -> None:
    book = Book()
    call = book.read()
    book.send()
    book.lose()
    book.send()
    error = InvalidRequest("no")
    book.answer(call, error)
    assert call.error is error
    assert not book.calls.has_loose_ends


def test_not_leader_is_repeated_and_stays_clean() -> None:
    book = Book()
    call = book.mutate()
    book.send()
    book.answer(call, NotLeader("no"))
    assert book.send() == [call]
    error = JobNotHeld("no")
    book.answer(call, error)
    assert call.error is error


def test_unavailable_is_repeated_after_a_wait_that_grows() -> None:
    book = Book()
    call = book.mutate()
    waits: list[float] = []
    now_ms = 0.0
    for _ in range(8):
        assert book.send() == [call]
        book.answer(call, Unavailable("no", retry_after_ms=1_000), now_ms=now_ms)
        assert book.send() == []
        due_ms = book.calls.next_delayed_ms()
        assert due_ms is not None
        waits.append(due_ms - now_ms)
        now_ms = due_ms
        assert book.calls.wake_delayed(now_ms)
    assert 25 <= waits[0] <= 50
    assert 500 <= waits[-1] <= 1_000
    assert call.sequence == 1


def test_a_call_that_is_never_sent_is_given_up_as_unavailable() -> None:
    book = Book()
    call = book.mutate()
    book.calls.note_trouble("connection refused")
    book.calls.expire(999)
    assert book.settled == []
    book.calls.expire(1_000)
    assert isinstance(call.error, Unavailable)
    assert "connection refused" in call.error.message


def test_a_call_that_went_unanswered_is_given_up_as_unknown() -> None:
    book = Book()
    lost, under_way = book.mutate(), book.mutate()
    book.send()
    book.calls.attempts_lost([lost], reason=REASON)
    book.calls.expire(1_000)
    assert isinstance(lost.error, OutcomeUnknown)
    assert isinstance(under_way.error, OutcomeUnknown)
    assert book.calls.floor == 3


def test_a_read_is_given_up_as_unavailable_even_if_it_went_unanswered() -> None:
    book = Book()
    call = book.read()
    book.send()
    book.lose()
    book.calls.expire(1_000)
    assert isinstance(call.error, Unavailable)


def test_the_wait_that_was_asked_for_comes_on_top_of_the_timeout() -> None:
    book = Book()
    call = book.read(wait_ms=500)
    book.send()
    book.calls.expire(1_499)
    assert book.settled == []
    book.calls.expire(1_500)
    assert book.settled == [call]


def test_an_attempt_that_reached_nobody_stays_clean() -> None:
    book = Book()
    call = book.mutate()
    frame = book.send()
    book.calls.attempts_not_made(frame, reason="connection refused")
    assert not call.is_unanswered
    assert book.send() == [call]


def test_a_cancelled_call_is_not_sent() -> None:
    book = Book()
    call = book.mutate()
    book.calls.abandon(call)
    assert book.send() == []
    assert book.calls.open_count == 0


def test_a_cancelled_call_in_flight_pins_the_floor_until_it_is_answered() -> None:
    book = Book()
    call = book.mutate()
    book.send()
    book.calls.abandon(call)
    assert book.calls.floor == 1
    book.answer(call)
    assert book.calls.floor == 2
    assert book.settled == []


def test_a_cancelled_call_is_not_repeated_and_the_floor_passes_it() -> None:
    book = Book()
    call = book.mutate()
    book.send()
    book.calls.abandon(call)
    book.lose()
    assert book.send() == []
    assert book.calls.floor == 2


def test_a_call_cancelled_while_it_waits_to_be_repeated_is_dropped() -> None:
    book = Book()
    lost, delayed = book.mutate(), book.mutate()
    book.send()
    book.answer(delayed, Unavailable("no"))
    book.lose()
    book.calls.abandon(lost)
    book.calls.abandon(delayed)
    assert not book.calls.wake_delayed(10_000)
    assert book.send() == []
    assert book.calls.floor == 3


def test_the_result_of_a_cancelled_call_goes_to_whoever_takes_care_of_it() -> None:
    book = Book()
    call = book.read()
    orphans: list[Raw] = []
    call.on_orphaned = orphans.append
    book.send()
    book.calls.abandon(call)
    book.answer(call)
    assert orphans == [OK]


def test_sequences_stay_within_the_window_above_the_floor() -> None:
    book = Book()
    all_calls = [book.mutate() for _ in range(APPLIED_SEQUENCES_MAX + 5)]
    read = book.read()
    frame = book.send(bytes_wanted=10**9, bytes_max=10**9)
    assert frame[0] is read
    assert len(frame) == 1 + APPLIED_SEQUENCES_MAX
    assert frame[-1].sequence == APPLIED_SEQUENCES_MAX
    assert book.send() == []
    book.answer(all_calls[1])
    assert book.send() == []
    book.answer(all_calls[0])
    assert [call.sequence for call in book.send()] == [
        APPLIED_SEQUENCES_MAX + 1,
        APPLIED_SEQUENCES_MAX + 2,
    ]


def test_a_frame_ends_at_its_limits() -> None:
    book = Book()
    calls = [book.mutate(params=bytes(400)) for _ in range(10)]
    assert book.send(requests_max=2) == calls[:2]
    assert book.send(bytes_wanted=900) == calls[2:4]
    assert book.send(bytes_max=1_500) == calls[4:7]
    assert book.send() == calls[7:]


def test_a_call_beyond_the_brokers_limit_is_refused_here() -> None:
    book = Book()
    large, small = book.mutate(params=bytes(5_000)), book.mutate()
    assert book.send(bytes_max=4_000) == [small]
    assert isinstance(large.error, InvalidRequest)
    assert small.sequence == 1


def test_a_refused_client_learns_why_at_once() -> None:
    book = Book()
    clean = book.mutate()
    book.calls.refuse_queued(InvalidRequest("not this version"))
    assert isinstance(clean.error, InvalidRequest)


def test_answers_that_nobody_waits_for_change_nothing() -> None:
    book = Book()
    call = book.mutate()
    book.calls.answered_ok(None, OK)
    book.calls.answered_ok(99, OK)
    book.calls.answered_error(99, QueueFull("x"), now_ms=0)
    book.calls.answered_ok(call.call_id, OK)
    assert book.settled == []


def test_closing_settles_everything() -> None:
    book = Book()
    sent, queued = book.mutate(), book.mutate()
    book.send(requests_max=1)
    book.calls.close("the client was closed")
    assert isinstance(sent.error, OutcomeUnknown)
    assert isinstance(queued.error, Unavailable)
    assert book.calls.open_count == 0


def test_a_call_that_is_held_was_not_sent() -> None:
    book = Book()
    call = book.mutate()
    book.calls.hold(book.send())
    book.calls.expire(2_000)
    assert isinstance(call.error, Unavailable)
    assert not book.calls.release([call], now_ms=0)
    assert not book.calls.has_loose_ends


def test_a_call_that_was_released_may_have_been_sent() -> None:
    book = Book()
    call = book.mutate()
    book.calls.hold(book.send())
    assert book.calls.release([call], now_ms=0)
    book.calls.expire(2_000)
    assert isinstance(call.error, OutcomeUnknown)


def test_a_held_call_of_a_cancelled_caller_is_forgotten_and_holds_back_its_frame() -> None:
    book = Book()
    first, second = book.mutate(), book.mutate()
    frame = book.send()
    book.calls.hold(frame)
    book.calls.abandon(first)
    assert not book.calls.release(frame, now_ms=0)
    book.calls.attempts_not_made(frame, reason=REASON)
    assert book.send() == [second]
    assert book.calls.floor == second.sequence == 2


def test_a_repeat_that_is_held_is_as_unknown_as_what_went_before() -> None:
    book = Book()
    call = book.mutate()
    book.send()
    book.lose()
    book.calls.hold(book.send())
    book.calls.expire(2_000)
    assert isinstance(call.error, OutcomeUnknown)


def test_giving_up_tells_how_many_attempts_there_were() -> None:
    book = Book()
    never = book.mutate()
    book.calls.expire(2_000)
    assert str(never.error) == "gave up before a first attempt: no broker was reached"
    once = book.mutate()
    book.send()
    book.calls.close("the client was closed")
    told = "gave up after 1 attempt, the last one: the client was closed"
    assert str(once.error).startswith(told)


def test_giving_up_on_an_answer_tells_what_the_broker_said_before() -> None:
    book = Book()
    call = book.read()
    book.send()
    book.calls.answered_error(call.call_id, NotLeader("no permission"), now_ms=0)
    book.send()
    book.calls.expire(2_000)
    assert str(call.error) == (
        "gave up after 2 attempts, the last one: no answer in time; before that, NotLeader: no"
        " permission"
    )
    never_answered = book.read()
    book.send()
    book.calls.expire(4_000)
    assert str(never_answered.error) == "gave up after 1 attempt, the last one: no answer in time"


# A clock that has run on while the machine was suspended: no timer has run yet.


def test_mutation_whose_time_is_over_is_not_repeated() -> None:
    book = Book(timeout_ms=1_000)
    call = book.mutate()
    book.send()
    book.lose()
    assert book.send(now_ms=3_600_000) == []
    assert book.settled == [call]
    assert isinstance(call.error, OutcomeUnknown)
    assert "may have been applied" in call.error.message
    # The floor has passed it: a late copy of it is kept out.
    assert book.calls.floor == 2


def test_call_whose_time_is_over_before_its_first_attempt_is_not_sent() -> None:
    book = Book(timeout_ms=1_000)
    late, read = book.mutate(), book.read()
    fresh = book.mutate(now_ms=3_600_000)
    assert book.send(now_ms=3_600_000) == [fresh]
    assert fresh.sequence == 1
    assert book.settled == [read, late]
    assert isinstance(late.error, Unavailable)


def test_long_poll_whose_time_is_over_is_not_sent() -> None:
    book = Book(timeout_ms=1_000)
    late, fresh = book.read(wait_ms=500), book.read(wait_ms=5_000)
    assert book.calls.take_waiting(now_ms=1_500) is fresh
    assert book.settled == [late]


def test_body_whose_time_is_over_when_it_is_about_to_be_sent_is_withdrawn() -> None:
    book = Book(timeout_ms=1_000)
    call, other = book.mutate(), book.mutate(now_ms=3_600_000)
    frame = book.send()
    book.calls.hold(frame)
    assert not book.calls.release(frame, now_ms=3_600_000)
    assert book.settled == [call]
    assert isinstance(call.error, Unavailable)
    assert other.state == "in flight"

"""The throttle: decisions by table and by any course of events, and the store behind it."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from storage_adapters.contract import ABSENT, Match, ObjectMissing
from storage_adapters.memory import MemoryStore
from storage_adapters.throttled import DAY_MS, Throttle, ThrottledStore, ThrottleStatistics
from tests.storage_adapters.contract import PROMISES, Promise

NOON_MS = 20_000 * DAY_MS + DAY_MS // 2


def write_times(throttle: Throttle, count: int, *, now_ms: int = NOON_MS) -> list[int]:
    """When writes start, in ms from the first, of somebody who always has something to write."""
    times: list[int] = []
    steady_ms = 0
    for _ in range(count):
        steady_ms = max(steady_ms, throttle.next_write_ms(now_ms + steady_ms, steady_ms))
        throttle.write_begins(now_ms + steady_ms, steady_ms)
        times.append(steady_ms)
    return times


class TestWrites:
    def test_no_budget_holds_nothing_back(self) -> None:
        assert write_times(Throttle(), 100) == [0] * 100

    def test_minute_is_used_up_at_once_then_writes_come_at_its_pace(self) -> None:
        assert write_times(Throttle(writes_per_minute=40), 43) == [0] * 40 + [1_500, 3_000, 4_500]

    def test_unused_tokens_are_kept_for_one_minute_only(self) -> None:
        throttle = Throttle(writes_per_minute=40)
        write_times(throttle, 40)
        for _ in range(40):
            assert throttle.next_write_ms(NOON_MS, 3_600_000) == 3_600_000
            throttle.write_begins(NOON_MS, 3_600_000)
        assert throttle.next_write_ms(NOON_MS, 3_600_000) == 3_601_500

    def test_writes_that_do_not_ask_are_owed(self) -> None:
        throttle = Throttle(writes_per_minute=60)
        write_times(throttle, 60)
        for _ in range(3):
            throttle.write_begins(NOON_MS, 0)
        assert throttle.next_write_ms(NOON_MS, 0) == 4_000

    def test_time_is_rounded_up_so_that_it_is_enough(self) -> None:
        throttle = Throttle(writes_per_minute=7)
        for time_ms in write_times(throttle, 50):
            assert time_ms == int(time_ms)
        ready_ms = throttle.next_write_ms(NOON_MS, 400_000)
        assert throttle.next_write_ms(NOON_MS, ready_ms) == ready_ms

    def test_writes_within_the_day_do_not_touch_the_minute(self) -> None:
        throttle = Throttle(writes_per_minute=40, writes_per_day=100)
        assert write_times(throttle, 141) == [0] * 140 + [1_500]

    def test_writes_beyond_the_day_keep_to_the_minute_until_midnight(self) -> None:
        throttle = Throttle(writes_per_minute=40, writes_per_day=100)
        before_midnight_ms = 20_001 * DAY_MS - 1_000
        times = write_times(throttle, 241, now_ms=before_midnight_ms)
        assert times == [0] * 140 + [1_000] * 100 + [1_500]

    def test_day_without_a_minute_waits_for_midnight(self) -> None:
        throttle = Throttle(writes_per_day=100)
        assert write_times(throttle, 101) == [0] * 100 + [DAY_MS // 2]

    def test_clock_that_is_set_back_begins_no_new_day(self) -> None:
        throttle = Throttle(writes_per_day=100)
        write_times(throttle, 100)
        assert throttle.next_write_ms(NOON_MS - DAY_MS, 0) > DAY_MS
        assert throttle.statistics(NOON_MS - DAY_MS).daily_budget_exceeded

    @given(
        per_minute=st.integers(1, 1_000),
        steps=st.lists(st.tuples(st.integers(0, 90_000), st.booleans()), max_size=60),
    )
    def test_any_stretch_holds_a_minutes_burst_and_its_pace(
        self, per_minute: int, steps: list[tuple[int, bool]]
    ) -> None:
        throttle = Throttle(writes_per_minute=per_minute)
        steady_ms, asked = 0, list[int]()
        for wait_ms, is_eager in steps:
            steady_ms += 0 if is_eager else wait_ms
            ready_ms = throttle.next_write_ms(steady_ms, steady_ms)
            assert steady_ms <= ready_ms <= steady_ms + -(-60_000 // per_minute)
            assert throttle.next_write_ms(ready_ms, ready_ms) == ready_ms
            steady_ms = ready_ms
            throttle.write_begins(steady_ms, steady_ms)
            asked.append(steady_ms)
        for first, from_ms in enumerate(asked):
            for last in range(first, len(asked)):
                allowed = per_minute + (asked[last] - from_ms) * per_minute / 60_000
                assert last - first + 1 <= allowed + 1e-6


class TestReads:
    def test_reads_beyond_the_minute_wait_each_behind_the_one_before(self) -> None:
        throttle = Throttle(reads_per_minute=60)
        assert [throttle.read_begins(0) for _ in range(62)] == [0] * 60 + [1_000, 2_000]
        assert throttle.read_begins(3_000) == 0

    def test_no_budget_counts_reads_all_the_same(self) -> None:
        throttle = Throttle(writes_per_minute=40)
        assert throttle.read_begins(0) == 0
        assert throttle.statistics(NOON_MS).total_reads == 1


class TestStatistics:
    def test_new_throttle_has_done_nothing(self) -> None:
        expected = ThrottleStatistics(0, 0, 0, 0, 0, 0, 0, daily_budget_exceeded=False)
        assert Throttle(writes_per_day=1).statistics(NOON_MS) == expected

    def test_held_write_counts_once_from_when_it_was_first_held(self) -> None:
        throttle = Throttle(writes_per_minute=40)
        throttle.write_held(1_000)
        throttle.write_held(1_200)
        throttle.write_begins(NOON_MS, 1_500)
        throttle.write_begins(NOON_MS, 1_600)
        statistics = throttle.statistics(NOON_MS)
        assert (statistics.throttled_writes, statistics.total_write_delay_ms) == (1, 500)
        assert statistics.total_writes == 2

    def test_reads_that_waited_are_counted_with_their_delay(self) -> None:
        throttle = Throttle(reads_per_minute=1)
        throttle.read_begins(0)
        throttle.read_begins(0)
        statistics = throttle.statistics(NOON_MS)
        assert (statistics.total_reads, statistics.throttled_reads) == (2, 1)
        assert statistics.total_read_delay_ms == 60_000

    def test_day_is_counted_anew_each_day(self) -> None:
        throttle = Throttle(writes_per_day=2)
        write_times(throttle, 2)
        statistics = throttle.statistics(NOON_MS)
        assert (statistics.daily_write_count, statistics.daily_budget_exceeded) == (2, True)
        statistics = throttle.statistics(NOON_MS + DAY_MS)
        assert (statistics.daily_write_count, statistics.daily_budget_exceeded) == (0, False)
        assert statistics.total_writes == 2


def open_throttled(store: MemoryStore, throttle: Throttle) -> ThrottledStore:
    def steady_ms() -> int:
        return int(trio.current_time() * 1_000)

    return ThrottledStore(
        store, throttle, now_ms=lambda: NOON_MS + steady_ms(), steady_ms=steady_ms
    )


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_store_with_spent_budgets_keeps_promise(
    promise: Promise, autojump_clock: MockClock
) -> None:
    throttle = Throttle(reads_per_minute=1, writes_per_minute=1)
    await promise(open_throttled(MemoryStore(), throttle), "object.json")


async def test_reads_wait_for_their_turn_and_writes_do_not(autojump_clock: MockClock) -> None:
    throttle = Throttle(reads_per_minute=60, writes_per_minute=1)
    store = open_throttled(MemoryStore(), throttle)
    began = trio.current_time()
    version = await store.put("object.json", [b"a"], condition=ABSENT)
    await store.put("object.json", [b"b"], condition=Match(version))
    assert trio.current_time() == began
    for _ in range(62):
        await store.read("object.json", head_bytes=1)
    assert trio.current_time() - began == pytest.approx(2.0)
    assert await store.list("") == ["object.json"]
    await store.delete("object.json")
    statistics = throttle.statistics(NOON_MS)
    assert (statistics.total_reads, statistics.total_writes) == (62, 3)
    assert statistics.throttled_reads == 2
    await store.aclose()


async def test_cancelled_wait_reads_nothing(autojump_clock: MockClock) -> None:
    inner = MemoryStore()
    store = open_throttled(inner, Throttle(reads_per_minute=1))
    with pytest.raises(ObjectMissing):
        await store.read("object.json")
    with trio.move_on_after(1) as scope:
        await store.read("object.json")
    assert scope.cancelled_caught
    assert store.description == inner.description

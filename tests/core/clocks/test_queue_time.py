"""The time of the queue against a wall clock that is set."""

from __future__ import annotations

import pytest

from osqueue.core.clocks.queue_time import WALL_JUMP_MS_MAX, QueueTime
from osqueue.core.leadership import CLOCK_OFFSET_MS_MAX

NOON_MS = 1_700_000_000_000
DAY_MS = 24 * 60 * 60 * 1_000


def started() -> QueueTime:
    """Its first reading: the wall clock says noon, the steady one 1,000."""
    time = QueueTime()
    assert time.now_ms(NOON_MS, 1_000) == NOON_MS
    return time


@pytest.mark.parametrize("step_ms", [0, 1, -1, WALL_JUMP_MS_MAX, -WALL_JUMP_MS_MAX])
def test_a_step_within_the_bound_is_followed_at_once(step_ms: int) -> None:
    time = started()
    assert time.now_ms(NOON_MS + step_ms, 1_000) == NOON_MS + step_ms
    # And is what the next one is measured from.
    assert time.now_ms(NOON_MS + 2 * step_ms + 500, 1_500) == NOON_MS + 2 * step_ms + 500


@pytest.mark.parametrize(
    "jump_ms", [WALL_JUMP_MS_MAX + 1, -WALL_JUMP_MS_MAX - 1, 2 * DAY_MS, -2 * DAY_MS]
)
def test_a_jump_changes_nothing_until_it_is_undone(jump_ms: int) -> None:
    time = started()
    assert time.now_ms(NOON_MS + jump_ms, 1_000) == NOON_MS
    assert time.now_ms(NOON_MS + jump_ms + 5_000, 6_000) == NOON_MS + 5_000
    assert time.now_ms(NOON_MS + 5_001, 6_001) == NOON_MS + 5_001


def test_a_machine_that_slept_has_not_jumped() -> None:
    time = started()
    assert time.now_ms(NOON_MS + 2 * DAY_MS, 1_000 + 2 * DAY_MS) == NOON_MS + 2 * DAY_MS


@pytest.mark.parametrize("offset_ms", [0, CLOCK_OFFSET_MS_MAX, -CLOCK_OFFSET_MS_MAX])
def test_a_jump_that_the_store_confirms_is_followed(offset_ms: int) -> None:
    time = started()
    wall_ms = NOON_MS + 2 * DAY_MS
    assert time.confirm(wall_ms, 1_000, store_offset_ms=offset_ms)
    assert time.now_ms(wall_ms, 1_000) == wall_ms


@pytest.mark.parametrize(
    "offset_ms", [None, CLOCK_OFFSET_MS_MAX + 1, -CLOCK_OFFSET_MS_MAX - 1, -2 * DAY_MS]
)
def test_a_jump_that_the_store_does_not_confirm_is_none(offset_ms: int | None) -> None:
    time = started()
    assert not time.confirm(NOON_MS + 2 * DAY_MS, 1_000, store_offset_ms=offset_ms)
    assert time.now_ms(NOON_MS + 2 * DAY_MS, 1_000) == NOON_MS

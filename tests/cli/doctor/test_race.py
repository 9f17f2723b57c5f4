"""The race: stores that compare and write in one step win it, the others are found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import trio
from trio.testing import MockClock

from osqueue.cli.doctor.race import run_race
from storage_adapters.contract import (
    Absent,
    AccessDenied,
    Condition,
    Match,
    ObjectMissing,
    StoredObject,
    StoreUnavailable,
    Unchanged,
    Version,
    VersionConflict,
    WriteOutcomeUnknown,
)
from storage_adapters.memory import MemoryStore
from tests.storage_adapters.ignoring_store import IgnoringStore, RestlessStore


class TwoStepStore(IgnoringStore):
    """Compares, and writes a little later: what passes in between is overwritten."""

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        if await self.present(key) != condition:
            raise VersionConflict("refused")
        await trio.sleep(0.01)
        return await self.put_anyway(key, chunks, metadata=metadata)


async def test_store_that_keeps_conditions_has_one_winner_a_round() -> None:
    race = await run_race(MemoryStore(), "race", racers=8, rounds=20)
    assert (race.racers, race.rounds) == (8, 20)
    assert (race.rounds_won, race.lost, race.unclear) == (20, 0, 0)


async def test_store_that_checks_then_writes_loses_acknowledged_writes(
    autojump_clock: MockClock,
) -> None:
    race = await run_race(TwoStepStore(), "race", racers=8, rounds=5)
    assert race.rounds_won == 5
    # Each round all eight are told that they won. One is there at the end of it.
    assert race.lost >= 5
    assert race.acknowledged == race.lost + 5


@pytest.mark.parametrize("ignored", [(Absent,), (Match,), (Absent, Match)])
async def test_store_that_ignores_conditions_loses_the_race(
    ignored: tuple[type[Absent | Match], ...],
) -> None:
    race = await run_race(IgnoringStore(*ignored), "race", racers=4, rounds=3)
    assert race.lost >= 3


@pytest.mark.parametrize(("is_applied", "unclear"), [(False, 20), (True, 5)])
async def test_unclear_answers_are_no_losses(is_applied: bool, unclear: int) -> None:
    # All writes of every second round; of those that are carried out one in a round is not refused.
    calls = [call for call in range(40) if call // 4 % 2 == 0]
    failures = {call + 1: WriteOutcomeUnknown("lost") for call in calls}
    store = RestlessStore(failures, is_applied=is_applied)
    race = await run_race(store, "race", racers=4, rounds=10)
    assert (race.rounds_won, race.lost, race.unclear) == (5, 0, unclear)


class SilentStore(MemoryStore):
    """Takes writes, and cannot be read."""

    async def read(
        self,
        key: str,
        *,
        if_changed_from: Version | None = None,
        head_bytes: int | None = None,
    ) -> StoredObject | Unchanged:
        raise StoreUnavailable("no answer")


async def test_store_that_cannot_be_read_loses_nothing_that_is_known() -> None:
    race = await run_race(SilentStore(), "race", racers=4, rounds=3)
    assert (race.rounds_won, race.lost) == (1, 0)


async def test_missing_permission_ends_the_race() -> None:
    with pytest.RaisesGroup(AccessDenied):
        await run_race(RestlessStore({2: AccessDenied("no")}), "race", racers=4, rounds=3)


async def test_object_that_vanishes_is_no_bug_of_the_doctor() -> None:
    store = RestlessStore({5: ObjectMissing("gone"), 6: VersionConflict("late")})
    assert (await run_race(store, "race", racers=4, rounds=3)).lost == 0


async def test_rounds_are_as_far_apart_as_the_store_wants(autojump_clock: MockClock) -> None:
    await run_race(MemoryStore(), "race", racers=2, rounds=3, gap_ms=1_000)
    assert trio.current_time() == pytest.approx(2.0)

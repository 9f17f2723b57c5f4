"""A race: many writers replace one version at the same moment, and one of them may win.

What the proof at the start cannot find: a store that compares first and writes then lets two pass
in between. Each is told that it has won, and one of them is overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from osqueue.cli.doctor.report import RaceResult
from storage_adapters.contract import (
    ABSENT,
    Condition,
    Match,
    NotApplied,
    ObjectMissing,
    ObjectStore,
    StoredObject,
    StoreUnavailable,
    Version,
    VersionConflict,
    WriteOutcomeUnknown,
)

__all__ = ["run_race"]


@dataclass
class _Round:
    """What its writers were told."""

    won: dict[bytes, Version] = field(default_factory=dict[bytes, Version])
    """The version of each body that was acknowledged."""
    unclear: int = 0


async def run_race(
    store: ObjectStore, key: str, *, racers: int, rounds: int, gap_ms: int = 0
) -> RaceResult:
    """Race on `key`, which nobody else uses and which is left behind.

    Costs `racers` writes and a read each round.

    Args:
        gap_ms: how far apart the store wants the writes of one object; rounds are.

    Raises:
        AccessDenied, StoreMisconfigured: an operator has to act.

    Cancellation: `key` is left behind.
    """
    won_count = acknowledged_count = lost_count = unclear_count = 0
    stored: StoredObject | None = None
    for number in range(rounds):
        if number:
            await trio.sleep(gap_ms / 1_000)
        condition = ABSENT if stored is None else Match(stored.version)
        outcome = _Round()
        async with trio.open_nursery() as nursery:
            for racer in range(racers):
                body = f"round {number}, racer {racer}, {key}".encode()
                nursery.start_soon(_write, store, key, body, condition, outcome)
        found = await _read(store, key)
        unclear_count += outcome.unclear
        won_count += bool(outcome.won)
        acknowledged_count += len(outcome.won)
        # Of those that were told that they won at most one is still there. An unclear one may have
        # replaced nothing: it raced under the same version.
        is_there = found is not None and outcome.won.get(found.data) == found.version
        if found is not None:
            lost_count += len(outcome.won) - is_there
            stored = found
        else:
            lost_count += max(0, len(outcome.won) - 1)
    return RaceResult(
        racers=racers,
        rounds=rounds,
        rounds_won=won_count,
        acknowledged=acknowledged_count,
        lost=lost_count,
        unclear=unclear_count,
    )


async def _write(
    store: ObjectStore, key: str, body: bytes, condition: Condition, outcome: _Round
) -> None:
    try:
        outcome.won[body] = await store.put(key, [body], condition=condition)
    except (WriteOutcomeUnknown, NotApplied):
        outcome.unclear += 1
    except (VersionConflict, ObjectMissing):
        pass


async def _read(store: ObjectStore, key: str) -> StoredObject | None:
    """What is there now; None where the store does not tell."""
    try:
        found = await store.read(key)
    except (ObjectMissing, StoreUnavailable):
        return None
    assert isinstance(found, StoredObject), "an unconditional read gives the object"
    return found

"""The proof that a store really refuses: writes on a scratch key that it must and must not take.

Several stores that speak like S3 ignore the conditions of a write and answer 200: two brokers would
then overwrite each other's jobs. Nothing in the answers tells, only the refusal that does not come.
So a broker lets its store prove itself before it trusts it with a queue:

    create                           taken
    create again                     refused: it exists
    replace                          taken, under the version that `create` gave
    replace under the old version    refused: that version is gone
    read back                        what `replace` wrote, with its version
    delete                           so that nothing is left behind

A refusal that does not come ends the proof at once. Everything else (no answer, an unknown outcome,
a refusal where none is due, which a proxy that repeats requests brings about) may be bad luck: the
proof starts over on a fresh key, and fails when luck stays bad.

What this cannot find is a store that checks and writes in two steps: only a race shows that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import trio

from storage_adapters.contract import (
    ABSENT,
    Condition,
    Match,
    ObjectMissing,
    ObjectStore,
    StoredObject,
    StoreError,
    StoreMisconfigured,
    Version,
    VersionConflict,
)

__all__ = [
    "PROBE_PREFIX",
    "ConditionsBroken",
    "Proof",
    "Step",
    "VersionsNotMatched",
    "prove_conditions",
]

PROBE_PREFIX = ".probe/"
"""Where scratch keys lie in the store. Each begins with the time of its making, in ms."""
KNOWN_TO_IGNORE = (
    "Garage, rclone serve s3, s3rver and other test servers, MinIO before 2025-09,"
    " and GCS through its S3 interface (use STORAGE_BACKEND=gcs)"
)
ATTEMPTS_MAX = 4
BACKOFF_S_FIRST = 0.5
LEFTOVER_AGE_MS = 3_600_000
"""A scratch key older than this belongs to a proof that was killed."""
LEFTOVERS_MAX = 100
"""Most leftovers that one start removes."""
CLEANUP_S = 2.0
_STEP_LENGTH = len("replace under the old version")


class ConditionsBroken(StoreMisconfigured):
    """The store took a write that it had to refuse, or does not take one that it must."""

    advice = "use a store that keeps conditions: docs/storage.md lists them"

    def __init__(self, message: str, *, step: str) -> None:
        super().__init__(message)
        self.step = step


class VersionsNotMatched(ConditionsBroken):
    """The store refuses a write under the very version that it gave."""

    advice = (
        "on S3, set S3_QUOTED_ETAGS=no: Ceph before 18 and DigitalOcean Spaces match versions only"
        " without quotes; if it is so already, the other way; else use another store"
    )


@dataclass(frozen=True, slots=True)
class Step:
    """One step that went as it must."""

    name: str
    duration_ms: float


@dataclass(slots=True)
class Proof:
    """What was proven, and what was noticed on the way."""

    steps: list[Step] = field(default_factory=list["Step"])
    attempts: int = 1
    """More than one: the earlier ones had no clear answers."""
    left_behind: str = ""
    """Why the scratch key could not be removed; empty: it was."""
    sweep_failure: str = ""
    """Why leftovers could not be looked for; empty: they were."""
    swept_count: int = 0


class _Unclear(Exception):
    """A step without a clear answer; `error` says what came instead."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(str(error))
        self.error = error


async def prove_conditions(
    store: ObjectStore, *, scratch_name: str, now_ms: int, gap_ms: int = 0
) -> Proof:
    """Prove that `store` keeps the conditions of writes. Several may do so at once.

    Costs four writes, a read, a listing and a delete, and `gap_ms` between any two writes.

    Args:
        scratch_name: unique; a part of the scratch key.
        now_ms: the wall clock, by which leftovers of proofs that were killed are known.
        gap_ms: the shortest time between two writes of one object that the store bears.

    Raises:
        ConditionsBroken: it does not keep them; names the step.
        AccessDenied, StoreMisconfigured: an operator has to act; names the step.
        NotApplied, WriteOutcomeUnknown, StoreUnavailable: no clear answer, several times; names the
            step.

    Cancellation: the scratch key is removed within two seconds, or by a later proof.
    """
    backoff_s = BACKOFF_S_FIRST
    for attempt in range(1, ATTEMPTS_MAX + 1):
        scratch = _Scratch(store, f"{PROBE_PREFIX}{now_ms}-{scratch_name}-{attempt}", gap_ms)
        try:
            await scratch.prove()
        except _Unclear as unclear:
            if attempt == ATTEMPTS_MAX:
                raise unclear.error from unclear
            await trio.sleep(backoff_s)
            backoff_s *= 2
        else:
            scratch.proof.attempts = attempt
            await _sweep(store, scratch.proof, before_ms=now_ms - LEFTOVER_AGE_MS)
            return scratch.proof
    raise AssertionError("the last attempt returns or raises")


class _Scratch:
    """One attempt on its own key."""

    def __init__(self, store: ObjectStore, key: str, gap_ms: int) -> None:
        self.proof = Proof()
        self._store = store
        self._key = key
        self._gap_s = gap_ms / 1_000
        self._wrote_at = -self._gap_s

    async def prove(self) -> None:
        try:
            await self._prove()
        except BaseException:
            with trio.move_on_after(CLEANUP_S, shield=True):
                await self._delete()
            raise
        await self._delete()

    async def _prove(self) -> None:
        created = await self._taken("create", ABSENT)
        await self._refused("create again", ABSENT)
        replaced = await self._taken("replace", Match(created))
        if replaced == created:
            raise _broken("replace", f"gave the version {created} a second time", self._store)
        await self._refused("replace under the old version", Match(created))
        began = trio.current_time()
        try:
            found = await self._store.read(self._key)
        except StoreError as error:
            raise _at_step("read back", error) from error
        assert isinstance(found, StoredObject), "an unconditional read gives the object"
        if (found.data, found.version) != (self._body("replace"), replaced):
            raise _broken(
                "read back", "stored what it had refused, or reads what is old", self._store
            )
        self._note("read back", began)

    async def _taken(self, step: str, condition: Condition) -> Version:
        began = await self._pace()
        try:
            version = await self._store.put(self._key, [self._body(step)], condition=condition)
        except (VersionConflict, ObjectMissing) as error:
            raise _Unclear(_wrongly_refused(step, condition, self._store)) from error
        except StoreError as error:
            raise _at_step(step, error) from error
        self._note(step, began)
        return version

    async def _refused(self, step: str, condition: Condition) -> None:
        began = await self._pace()
        try:
            await self._store.put(self._key, [self._body(step)], condition=condition)
        except VersionConflict:
            self._note(step, began)
        except StoreError as error:
            raise _at_step(step, error) from error
        else:
            raise _broken(step, "took a write that it had to refuse", self._store)

    async def _delete(self) -> None:
        try:
            await self._store.delete(self._key)
        except StoreError as error:
            self.proof.left_behind = str(error)

    async def _pace(self) -> float:
        """Wait until the store bears a write. Returns when that is."""
        await trio.sleep_until(self._wrote_at + self._gap_s)
        self._wrote_at = trio.current_time()
        return self._wrote_at

    def _body(self, step: str) -> bytes:
        # Different in each step, because some stores name a version after the bytes alone; and of
        # one length, because others name it after size and second.
        return f"osqueue proves its store: {step:<{_STEP_LENGTH}}, {self._key}".encode()

    def _note(self, step: str, began: float) -> None:
        self.proof.steps.append(Step(step, (trio.current_time() - began) * 1_000))


def _broken(step: str, what: str, store: ObjectStore) -> ConditionsBroken:
    return ConditionsBroken(
        f"{store.description} does not keep the conditions of writes: in the step {step!r} it"
        f" {what}. Brokers would overwrite each other's jobs there. Known to ignore conditions:"
        f" {KNOWN_TO_IGNORE}",
        step=step,
    )


def _wrongly_refused(step: str, condition: Condition, store: ObjectStore) -> ConditionsBroken:
    if isinstance(condition, Match):
        return VersionsNotMatched(
            f"{store.description} cannot hold a queue as it is set up: in the step {step!r} it"
            f" refused a write under the version that it had given, {condition.version}",
            step=step,
        )
    return _broken(step, "refused a write whose condition held", store)


def _at_step(step: str, error: StoreError) -> StoreError | _Unclear:
    """The error with the name of the step; unclear where it may be bad luck."""
    named = type(error)(f"{error} (in the step {step!r} of the proof at the start)")
    return named if error.needs_operator else _Unclear(named)


async def _sweep(store: ObjectStore, proof: Proof, *, before_ms: int) -> None:
    """Remove what proofs that were killed have left behind."""
    try:
        for key in (await store.list(PROBE_PREFIX))[:LEFTOVERS_MAX]:
            made_ms = key.removeprefix(PROBE_PREFIX).partition("-")[0]
            if made_ms.isdecimal() and int(made_ms) < before_ms:
                await store.delete(key)
                proof.swept_count += 1
    except StoreError as error:
        proof.sweep_failure = str(error)

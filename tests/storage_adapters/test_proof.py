"""The proof: real stores pass it, stores that ignore conditions fail it by the name of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from storage_adapters.contract import (
    ABSENT,
    Absent,
    AccessDenied,
    Condition,
    Match,
    NotApplied,
    ObjectStore,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    Version,
    WriteOutcomeUnknown,
)
from storage_adapters.file.store import FileStore
from storage_adapters.memory import MemoryStore
from storage_adapters.proof import (
    PROBE_PREFIX,
    ConditionsBroken,
    Proof,
    VersionsNotMatched,
    prove_conditions,
)
from tests.storage_adapters.ignoring_store import (
    IgnoringStore,
    RestlessStore,
    SizeAndSecondStore,
    StaleStore,
)

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
STEPS = ["create", "create again", "replace", "replace under the old version", "read back"]


async def prove(store: ObjectStore, name: str = "test", *, gap_ms: int = 0) -> Proof:
    return await prove_conditions(store, scratch_name=name, now_ms=NOW_MS, gap_ms=gap_ms)


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_store_that_keeps_conditions_is_proven_and_left_clean(
    kind: str, tmp_path: Path
) -> None:
    store = MemoryStore() if kind == "memory" else FileStore(tmp_path / "store")
    proof = await prove(store)
    assert [step.name for step in proof.steps] == STEPS
    assert (proof.attempts, proof.left_behind, proof.sweep_failure) == (1, "", "")
    assert await store.list("") == []
    await store.aclose()


@pytest.mark.parametrize(
    ("store", "step"),
    [
        (IgnoringStore(Absent), "create again"),
        (IgnoringStore(Match), "replace under the old version"),
        (IgnoringStore(Absent, Match), "create again"),
        (StaleStore(), "read back"),
    ],
    ids=["ignores Absent", "ignores Match", "ignores both", "refuses and stores"],
)
async def test_store_that_ignores_conditions_is_refused_by_the_step(
    store: MemoryStore, step: str
) -> None:
    with pytest.raises(ConditionsBroken, match=f"in the step '{step}' it") as caught:
        await prove(store)
    assert caught.value.step == step
    assert "Garage, rclone serve s3" in str(caught.value)
    assert "docs/storage.md" in caught.value.advice
    assert await store.list("") == []


async def test_store_that_names_versions_after_size_and_second_is_refused(
    autojump_clock: MockClock,
) -> None:
    with pytest.raises(ConditionsBroken, match=r"'replace' it gave the version .* a second time"):
        await prove(SizeAndSecondStore())


class RefusingStore(MemoryStore):
    """Refuses every replacement, as a store does that compares quoted with unquoted versions."""

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        wrong = Match(Version("never")) if isinstance(condition, Match) else condition
        return await super().put(key, chunks, condition=wrong, metadata=metadata)


class UnchangingStore(RefusingStore):
    """Gives every put the same version."""

    async def put(
        self,
        key: str,
        chunks: Sequence[bytes],
        *,
        condition: Condition,
        metadata: Mapping[str, str] | None = None,
    ) -> Version:
        if isinstance(condition, Absent):
            await super().put(key, chunks, condition=condition, metadata=metadata)
        return Version("same")


async def test_store_that_refuses_what_it_must_take_is_refused(autojump_clock: MockClock) -> None:
    with pytest.raises(VersionsNotMatched, match="'replace' it refused a write under") as caught:
        await prove(RefusingStore())
    assert "S3_QUOTED_ETAGS=no" in caught.value.advice
    with pytest.raises(ConditionsBroken, match="'replace' it gave the version same a second time"):
        await prove(UnchangingStore())


@pytest.mark.parametrize("failing_put", [1, 2, 3, 4])
@pytest.mark.parametrize("is_applied", [False, True])
@pytest.mark.parametrize("error", [WriteOutcomeUnknown("lost"), NotApplied("busy")])
async def test_unclear_answer_starts_over_on_a_fresh_key(
    failing_put: int, is_applied: bool, error: StoreError, autojump_clock: MockClock
) -> None:
    store = RestlessStore({failing_put: error}, is_applied=is_applied)
    if is_applied and failing_put in (2, 4):
        # What is applied there is not: the store refuses before it can lose the answer.
        assert (await prove(store)).attempts == 1
        return
    assert (await prove(store)).attempts == 2
    assert store.puts_count == failing_put + 4
    assert await store.list("") == []


@pytest.mark.parametrize("error", [WriteOutcomeUnknown, NotApplied])
async def test_store_without_clear_answers_is_given_up_with_the_step(
    error: type[StoreError], autojump_clock: MockClock
) -> None:
    store = RestlessStore(dict.fromkeys(range(1, 100), error("no answer")))
    with pytest.raises(error, match=r"no answer \(in the step 'create' of the proof"):
        await prove(store)
    assert store.puts_count == 4
    assert trio.current_time() == pytest.approx(0.5 + 1 + 2)


@pytest.mark.parametrize("error", [AccessDenied, StoreMisconfigured])
async def test_what_an_operator_has_to_mend_is_told_at_once_with_the_step(
    error: type[StoreError],
) -> None:
    with pytest.raises(error, match=r"s3:PutObject.* \(in the step 'replace' of the proof"):
        await prove(RestlessStore({3: error("s3:PutObject is missing")}))


class ReadDeniedStore(MemoryStore):
    """May be written, but neither read, listed nor cleaned."""

    async def read(self, key: str, **_: object) -> object:  # pyright: ignore
        raise AccessDenied("no s3:GetObject")

    async def list(self, prefix: str) -> list[str]:
        raise StoreUnavailable("no listing")

    async def delete(self, key: str) -> None:
        raise AccessDenied("no s3:DeleteObject")


async def test_missing_permission_to_read_is_told_with_the_step() -> None:
    with pytest.raises(AccessDenied, match=r"no s3:GetObject.* \(in the step 'read back'"):
        await prove(ReadDeniedStore())


class KeepingStore(ReadDeniedStore):
    """May be read and written, but neither listed nor cleaned."""

    read = MemoryStore.read  # pyright: ignore


async def test_missing_permissions_to_clean_up_are_noted_and_no_hindrance() -> None:
    proof = await prove(KeepingStore())
    assert (proof.left_behind, proof.sweep_failure) == ("no s3:DeleteObject", "no listing")


async def test_old_leftovers_are_swept_and_nothing_else() -> None:
    store = MemoryStore()
    keys = [
        f"{PROBE_PREFIX}{NOW_MS - HOUR_MS - 1}-killed-1",
        f"{PROBE_PREFIX}{NOW_MS - HOUR_MS + 1_000}-under-way",
        f"{PROBE_PREFIX}note",
        "queue.json",
    ]
    for key in keys:
        await store.put(key, [b"x"], condition=ABSENT)
    proof = await prove(store)
    assert proof.swept_count == 1
    assert await store.list("") == sorted(keys[1:])


async def test_brokers_that_prove_at_once_do_not_disturb_each_other() -> None:
    store = MemoryStore()
    proofs: list[Proof] = []

    async def one(number: int) -> None:
        proofs.append(await prove(store, f"broker-{number}"))

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(one, number)
    assert [proof.attempts for proof in proofs] == [1] * 10
    assert await store.list("") == []


async def test_writes_are_as_far_apart_as_the_store_wants(autojump_clock: MockClock) -> None:
    await prove(MemoryStore(), gap_ms=1_000)
    assert trio.current_time() == pytest.approx(3.0)


async def test_cancelled_proof_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    store = MemoryStore(latency_ms=100)
    with trio.move_on_after(0.25) as scope:
        await prove(store)
    assert scope.cancelled_caught
    assert await store.list("") == []
    assert trio.current_time() < 1


class SilentStore(MemoryStore):
    """Never answers a delete."""

    async def delete(self, key: str) -> None:
        await trio.sleep_forever()


async def test_cancelled_proof_cleans_up_for_two_seconds_at_most(autojump_clock: MockClock) -> None:
    with trio.move_on_after(1.5) as scope:
        await prove(SilentStore(latency_ms=1_000))
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(3.5)

"""One call, one attempt, one fact."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from osqueue.broker.clocks import TrioClock
from osqueue.broker.statistics import Statistics
from osqueue.broker.store_calls import StoreCalls
from osqueue.core.document import HEAD_BYTES_MAX
from osqueue.core.writes.effects import LoadDocument, WriteDocument
from storage_adapters.contract import ABSENT, Match
from storage_adapters.file.store import FileStore
from tests.broker.scripted_store import KEY, Put, ScriptedStore

Clock = trio.testing.MockClock


class Recorder:
    """A machine that writes down what it is told."""

    def __init__(self) -> None:
        self.facts: list[tuple[object, ...]] = []

    def write_succeeded(self, version: str, steady_ms: int) -> None:
        self.facts.append(("succeeded", version, steady_ms))

    def write_not_applied(self, steady_ms: int) -> None:
        self.facts.append(("not applied", steady_ms))

    def write_conflicted(self) -> None:
        self.facts.append(("conflicted",))

    def write_outcome_unknown(self, *, timed_out_ms: int | None = None) -> None:
        self.facts.append(("unknown", timed_out_ms))

    def document_loaded(self, data: bytes, version: str, steady_ms: int) -> None:
        self.facts.append(("loaded", data, version))

    def document_unchanged(self, steady_ms: int) -> None:
        self.facts.append(("unchanged",))

    def document_missing(self, steady_ms: int, *, was_there: str = "") -> None:
        self.facts.append(("missing", was_there))

    def load_failed(self, steady_ms: int) -> None:
        self.facts.append(("failed", steady_ms))


def make_calls(store: ScriptedStore) -> StoreCalls:
    return StoreCalls(store, KEY, clock=TrioClock(), statistics=Statistics(), read_timeout_ms=5_000)


def make_write(base_version: str | None = None) -> WriteDocument:
    return WriteDocument(chunks=[b"a", b"b"], base_version=base_version, timeout_ms=1_000)


@pytest.mark.parametrize(
    ("step", "fact"),
    [
        (Put.LAND, ("succeeded", "1", 2)),
        (Put.REFUSE, ("not applied", 0)),
        (Put.DENY, ("not applied", 0)),
        (Put.LOSE_REPLY, ("unknown", None)),
        (Put.VANISH, ("unknown", None)),
        (Put.NO_VERSION, ("unknown", None)),
        (Put.HANG, ("unknown", 1_000)),
    ],
)
async def test_write_reports_what_became_of_its_one_attempt(
    autojump_clock: Clock, step: Put, fact: tuple[object, ...]
) -> None:
    store, recorder = ScriptedStore(), Recorder()
    store.script.append(step)
    await make_calls(store).write(make_write(), recorder)
    assert recorder.facts == [fact]
    assert store.bodies == [b"ab"]


@pytest.mark.parametrize("base_version", [None, "7"])
async def test_write_under_a_wrong_condition_conflicts(
    autojump_clock: Clock, base_version: str | None
) -> None:
    store, recorder = ScriptedStore(), Recorder()
    await store.replace(b"somebody else's")
    await make_calls(store).write(make_write(base_version), recorder)
    assert recorder.facts == [("conflicted",)]


async def test_write_over_what_has_vanished_conflicts(autojump_clock: Clock) -> None:
    recorder = Recorder()
    await make_calls(ScriptedStore()).write(make_write("1"), recorder)
    assert recorder.facts == [("conflicted",)]


async def test_load_reports_what_is_there(autojump_clock: Clock) -> None:
    store, recorder = ScriptedStore(), Recorder()
    calls = make_calls(store)
    await calls.load(LoadDocument(), recorder)
    await store.replace(b"x" * 10_000)
    await calls.load(LoadDocument(), recorder)
    await calls.load(LoadDocument(if_changed_from="1"), recorder)
    await calls.load(LoadDocument(if_changed_from="0", head_only=True), recorder)
    assert recorder.facts == [
        ("missing", ""),
        ("loaded", b"x" * 10_000, "1"),
        ("unchanged",),
        ("loaded", b"x" * HEAD_BYTES_MAX, "1"),
    ]


async def test_load_passes_on_what_the_store_knows_of_an_object_that_vanished(
    tmp_path: Path,
) -> None:
    store, recorder = FileStore(tmp_path), Recorder()
    version = await store.put(KEY, [b"1"], condition=ABSENT)
    await store.put(KEY, [b"2"], condition=Match(version))
    (tmp_path / KEY).unlink()
    calls = StoreCalls(
        store, KEY, clock=TrioClock(), statistics=Statistics(), read_timeout_ms=5_000
    )
    await calls.load(LoadDocument(), recorder)
    [(fact, was_there)] = recorder.facts
    assert fact == "missing"
    assert "remove" in str(was_there)


@pytest.mark.parametrize("failure", ["reads_fail", "reads_denied"])
async def test_load_that_fails_is_reported_once(autojump_clock: Clock, failure: str) -> None:
    store, recorder = ScriptedStore(), Recorder()
    setattr(store, failure, True)
    await make_calls(store).load(LoadDocument(), recorder)
    assert recorder.facts == [("failed", 0)]
    assert store.reads_count == 1


async def test_load_that_timed_out_gives_the_next_one_more_time(autojump_clock: Clock) -> None:
    store, recorder = ScriptedStore(), Recorder()
    calls = make_calls(store)
    await store.replace(b"x")
    store.reads_hang = 8
    waits_s: list[float] = []

    async def load(*, head_only: bool = False) -> None:
        began_s = trio.current_time()
        await calls.load(LoadDocument(head_only=head_only), recorder)
        waits_s.append(trio.current_time() - began_s)

    for _ in range(5):
        await load()
    await load(head_only=True)
    store.reads_hang = 0
    await load(head_only=True)
    store.reads_hang = 1
    await load()
    store.reads_hang = 0
    await load()
    store.reads_hang = 1
    await load()
    assert waits_s[:6] == pytest.approx([5, 10, 20, 40, 40, 5])
    assert waits_s[7] == pytest.approx(40), "a head says nothing of the line's speed"
    assert waits_s[9] == pytest.approx(5), "a whole that was answered ends the doubling"


async def test_cancelled_call_reports_nothing(autojump_clock: Clock) -> None:
    store, recorder = ScriptedStore(), Recorder()
    store.script.append(Put.HANG)
    with trio.move_on_after(0.5):
        await make_calls(store).write(make_write(), recorder)
    assert recorder.facts == []

"""One call, one attempt, one fact."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from osqueue.broker.statistics import Statistics
from osqueue.broker.store_calls import StoreCalls, failure_of
from osqueue.clocks import TrioClock
from osqueue.core.document import HEAD_BYTES_MAX
from osqueue.core.writes.effects import LoadDocument, WriteDocument
from storage_adapters.contract import (
    ABSENT,
    AccessDenied,
    Match,
    NotApplied,
    ObjectMissing,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    VersionConflict,
    WriteOutcomeUnknown,
)
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
        (Put.DENY, ("unknown", None)),
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


async def test_refusals_in_a_row_are_some_lines_and_their_end_is_told(
    autojump_clock: Clock,
) -> None:
    store = ScriptedStore()
    calls = make_calls(store)
    with structlog.testing.capture_logs() as lines:
        for _ in range(70):
            store.script.append(Put.DENY)
            await calls.write(make_write(), Recorder())
            await trio.sleep(1)
        assert calls.is_denied
        assert "until its credentials or permissions are fixed" in calls.obstacle
        store.script.append(Put.REFUSE)
        await calls.write(make_write(), Recorder())
        assert not calls.is_denied
        assert calls.obstacle == "the store does not take its writes, its log says why"
        store.script.append(Put.LAND)
        await calls.write(make_write(), Recorder())
    assert calls.obstacle == ""
    told = [(line["event"], line["failures"]) for line in lines]
    assert told == [
        ("the store refused a write", 1),
        ("the store refused a write", 31),
        ("the store refused a write", 61),
        ("the store refused a write", 71),
        ("the store takes writes again", 71),
    ]
    assert 70_000 <= lines[-1]["lasted_ms"] < 71_000


async def test_denial_goes_on_where_reads_are_denied_as_well(autojump_clock: Clock) -> None:
    store = ScriptedStore()
    calls = make_calls(store)
    store.script.append(Put.DENY)
    await calls.write(make_write(), Recorder())
    store.reads_denied = True
    await calls.load(LoadDocument(), Recorder())
    assert not calls.is_denied
    # No second write is tried before a load has told what became of the first one.
    await calls.load(LoadDocument(), Recorder())
    assert calls.is_denied


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (VersionConflict("412"), "conflicted"),
        (ObjectMissing("404"), "conflicted"),
        (NotApplied("never sent"), "not applied"),
        (AccessDenied("403"), "unknown"),
        (WriteOutcomeUnknown("409"), "unknown"),
        (StoreMisconfigured("501"), None),
        (StoreUnavailable("an error of reads"), None),
    ],
)
def test_only_what_was_never_sent_is_surely_not_applied(
    error: StoreError, failure: str | None
) -> None:
    assert failure_of(error) == failure


@pytest.mark.parametrize(
    ("step", "events"),
    [
        (Put.REFUSE, ["the store refused a write"]),
        # Callers have waited for that one: its end is told as well.
        (Put.HANG_UNAPPLIED, ["a write was not answered in time", "the store takes writes again"]),
    ],
)
async def test_one_failure_is_told_and_keeps_from_nothing(
    autojump_clock: Clock, step: Put, events: list[str]
) -> None:
    store = ScriptedStore()
    calls = make_calls(store)
    with structlog.testing.capture_logs() as lines:
        store.script += [step, Put.LAND]
        await calls.write(make_write(), Recorder())
        assert calls.obstacle == ""
        await calls.write(make_write(), Recorder())
    assert [line["event"] for line in lines] == events


async def test_reads_that_fail_in_a_row_are_told_likewise(autojump_clock: Clock) -> None:
    store = ScriptedStore()
    calls = make_calls(store)
    store.reads_denied = True
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await calls.load(LoadDocument(head_only=True), Recorder())
        assert calls.obstacle == "it cannot read the store, its log says why"
        store.reads_denied = False
        await calls.load(LoadDocument(head_only=True), Recorder())
    assert calls.obstacle == ""
    assert [(line["event"], line["failures"]) for line in lines] == [
        ("the store cannot be read", 1),
        ("the store can be read again", 3),
    ]

"""Which workers a leader remembers, and for how long."""

import pytest

from osqueue.core.tables import worker_table
from osqueue.core.tables.worker_table import WORKER_KEPT_MS, WorkerEntry, WorkerTable
from tests.builders import NOW_MS


def test_worker_is_remembered_from_when_it_was_first_heard_of() -> None:
    table = WorkerTable()
    table.heard_of("w", NOW_MS).completed += 1
    table.heard_of("w", NOW_MS + 5).failed += 1
    assert table.entry("w") == WorkerEntry(NOW_MS, NOW_MS + 5, completed=1, failed=1)
    assert table.entry("v") is None


def test_worker_that_has_been_silent_is_not_heard_of_lately() -> None:
    table = WorkerTable()
    table.heard_of("w", NOW_MS)
    table.heard_of("v", NOW_MS + 1)
    assert list(table.heard_of_lately(NOW_MS + WORKER_KEPT_MS)) == ["v"]


def test_full_table_forgets_the_silent_and_serves_the_rest_uncounted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_table, "WORKERS_MAX", 2)
    table = WorkerTable()
    for name in ("a", "b", "c"):
        table.heard_of(name, NOW_MS)
    assert [name for name in "abc" if table.entry(name)] == ["a", "b"]
    later_ms = NOW_MS + WORKER_KEPT_MS
    table.heard_of("b", later_ms - 1)
    table.heard_of("d", later_ms)
    assert [name for name in "abcd" if table.entry(name)] == ["b", "d"]


def test_full_table_is_looked_through_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_table, "WORKERS_MAX", 1)
    table = WorkerTable()
    table.heard_of("a", NOW_MS)
    table.heard_of("b", NOW_MS + WORKER_KEPT_MS - 1)
    table.heard_of("c", NOW_MS + WORKER_KEPT_MS)
    assert table.entry("c") is None
    table.heard_of("c", NOW_MS + WORKER_KEPT_MS + 20_000)
    assert table.entry("c") is not None

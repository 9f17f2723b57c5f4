"""Figures as a program sees them: all that the broker sends."""

from __future__ import annotations

import msgspec
import pytest

from osqueue.client.operations.figures import (
    CommitRecord,
    HeldJob,
    History,
    HistoryBuckets,
    Stats,
    StorageStats,
    Takeover,
    Totals,
    WorkerDetails,
    WorkerPage,
)
from osqueue.protocol.figures import (
    BucketsView,
    CommitView,
    HeldJobView,
    HistoryResult,
    ListWorkersResult,
    StatsResult,
    StorageCounts,
    TakeoverView,
    TotalsView,
    WorkerView,
)

__all__: list[str] = []


@pytest.mark.parametrize(
    ("mine", "wire"),
    [
        (Stats, StatsResult),
        (StorageStats, StorageCounts),
        (Totals, TotalsView),
        (CommitRecord, CommitView),
        (History, HistoryResult),
        (HistoryBuckets, BucketsView),
        (Takeover, TakeoverView),
        (WorkerPage, ListWorkersResult),
        (WorkerDetails, WorkerView),
        (HeldJob, HeldJobView),
    ],
)
def test_nothing_that_the_broker_sends_is_left_out(
    mine: type[msgspec.Struct], wire: type[msgspec.Struct]
) -> None:
    sent = {field.encode_name for field in msgspec.structs.fields(wire)}
    seen = {field.encode_name for field in msgspec.structs.fields(mine)}
    assert sent <= seen


def test_a_newer_brokers_fields_are_ignored() -> None:
    found = msgspec.json.decode(b'{"total": 3, "somethingNew": 1}', type=Stats)
    assert found.total == 3

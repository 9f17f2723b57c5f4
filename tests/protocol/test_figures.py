"""Figures: what is there although it is zero, and what is left out."""

import msgspec

from osqueue.protocol.codec import Encoding, encode_message
from osqueue.protocol.figures import BucketsView, HistoryResult, StorageCounts, TotalsView
from osqueue.protocol.results import Result


def as_json(result: Result) -> object:
    return msgspec.json.decode(encode_message(result, Encoding.JSON))


def test_counts_are_there_although_zero() -> None:
    assert as_json(TotalsView(0, 0, 0, 0, 0, 0)) == {
        "since": 0, "submitted": 0, "claimed": 0, "completed": 0, "failed": 0, "died": 0
    }  # fmt: skip
    assert len(msgspec.structs.fields(StorageCounts)) == 8


def test_history_says_from_when_and_keeps_what_was_not_measured() -> None:
    columns = [[0]] * 8 + [[None]] * 5
    buckets = BucketsView(*columns)  # pyright: ignore[reportArgumentType]
    shown = as_json(HistoryResult(9, 1_000, 8_000, buckets, [], []))
    assert isinstance(shown, dict)
    assert (shown["from"], shown["buckets"]["commitMsP50"]) == (8_000, [None])

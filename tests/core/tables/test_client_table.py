"""Exactly the applied sequences are recognised, for as long as a client may repeat them."""

import random

import msgspec
import pytest
from msgspec import Raw

from osqueue.core.errors import InvalidRequest, QueueFull
from osqueue.core.limits import APPLIED_SEQUENCES_MAX, CLIENT_ENTRY_TTL_MS
from osqueue.core.tables.client_table import ClientEntry, ClientTable
from tests.builders import make_repeat, only


def make_entry(*sequences: int, floor: int = 1) -> ClientEntry:
    entry = ClientEntry(floor=floor)
    for sequence in sequences:
        entry.record(sequence)
    return entry


def make_table(*sequences: int, client_id: str = "client-1") -> ClientTable:
    table = ClientTable()
    for sequence in sequences:
        table.record(make_repeat(sequence, client_id=client_id), 0)
    return table


@pytest.mark.parametrize(
    ("sequences", "ranges"),
    [
        ((), []),
        ((1, 2, 3), [[1, 3]]),
        ((3, 2, 1), [[1, 3]]),
        ((1, 3, 2), [[1, 3]]),
        ((5, 1, 9), [[1, 1], [5, 5], [9, 9]]),
        ((1, 5, 4, 6), [[1, 1], [4, 6]]),
    ],
)
def test_entry_keeps_applied_sequences_as_ranges(
    sequences: tuple[int, ...], ranges: list[list[int]]
) -> None:
    entry = make_entry(*sequences)
    assert entry.applied == ranges
    assert [n for n in range(12) if entry.has(n)] == sorted(sequences)
    assert entry.is_sound()


@pytest.mark.parametrize(
    ("floor", "ranges"),
    [
        (2, [[2, 3], [5, 9]]),
        (3, [[3, 3], [5, 9]]),
        (4, [[5, 9]]),
        (5, [[5, 9]]),
        (9, [[9, 9]]),
        (10, []),
        (50, []),
    ],
)
def test_entry_forgets_what_lies_below_a_floor_that_rises(
    floor: int, ranges: list[list[int]]
) -> None:
    entry = make_entry(1, 2, 3, 5, 6, 7, 8, 9)
    entry.answers = {3: Raw(b"3"), 9: Raw(b"9")}
    assert entry.raise_floor(floor)
    assert entry.applied == ranges
    assert list(entry.answers) == [sequence for sequence in (3, 9) if sequence >= floor]
    assert entry.is_sound()


def test_entry_ignores_a_floor_that_does_not_rise() -> None:
    entry = make_entry(5, floor=4)
    assert not entry.raise_floor(4)
    assert not entry.raise_floor(0)
    assert (entry.floor, entry.applied) == (4, [[5, 5]])


@pytest.mark.parametrize(
    ("floor", "applied"),
    [
        (0, []),
        (5, [[4, 6]]),
        (1, [[3, 2]]),
        (1, [[1]]),
        (1, [[1, 2, 3]]),
        (1, [[1, 2], [3, 4]]),
        (1, [[5, 6], [1, 2]]),
    ],
)
def test_entry_that_no_broker_has_written_is_not_sound(
    floor: int, applied: list[list[int]]
) -> None:
    assert not ClientEntry(floor=floor, applied=applied).is_sound()


def test_entry_under_random_use_agrees_with_a_plain_set(seeded_random: random.Random) -> None:
    entry, plain, floor = ClientEntry(), set[int](), 1
    for _ in range(3_000):
        sequence = floor + seeded_random.randrange(40)
        assert entry.has(sequence) == (sequence in plain)
        if sequence not in plain:
            entry.record(sequence)
            plain.add(sequence)
        if seeded_random.random() < 0.1:
            floor += seeded_random.randrange(8)
            entry.raise_floor(floor)
            plain = {one for one in plain if one >= floor}
        assert entry.is_sound()


def test_table_finds_only_sequences_that_were_applied() -> None:
    table = make_table(2, 4)
    assert table.find(make_repeat(4), 0) is table.find(make_repeat(2), 0)
    assert table.find(make_repeat(2), 0) is table.entry("client-1")
    assert table.find(make_repeat(1), 0) is None
    assert table.find(make_repeat(2, client_id="client-2"), 0) is None


def test_table_gives_a_new_entry_the_floor_of_the_request_otherwise_1() -> None:
    table = ClientTable()
    table.record(make_repeat(7, floor=5), 0)
    table.record(make_repeat(7, client_id="client-2"), 0)
    assert [entry.floor for _, entry in table.items()] == [5, 1]
    assert table.refuse(make_repeat(6)) is None
    assert table.refuse(make_repeat(6, client_id="client-2")) is None


def test_table_refuses_a_sequence_below_the_floor() -> None:
    table = make_table(1)
    table.find(make_repeat(9, floor=9), 0)
    assert isinstance(table.refuse(make_repeat(8)), InvalidRequest)
    assert isinstance(table.refuse(make_repeat(1, floor=2, client_id="new")), InvalidRequest)
    assert isinstance(table.refuse(make_repeat(0, client_id="new")), InvalidRequest)
    assert table.refuse(make_repeat(9)) is None


def test_table_refuses_a_sequence_too_far_above_the_floor() -> None:
    table = make_table(1)
    assert table.refuse(make_repeat(APPLIED_SEQUENCES_MAX)) is None
    assert isinstance(table.refuse(make_repeat(APPLIED_SEQUENCES_MAX + 1)), QueueFull)
    assert table.refuse(make_repeat(APPLIED_SEQUENCES_MAX + 1, floor=2)) is None


@pytest.mark.parametrize(("sequence", "has_answered"), [(3, True), (4, True), (5, False)])
def test_table_tells_what_was_answered_without_changing(sequence: int, has_answered: bool) -> None:
    table = make_table(4)
    table.find(make_repeat(4, floor=4), 0)
    assert table.has_answered(make_repeat(sequence, floor=99)) == has_answered
    assert not table.has_answered(make_repeat(sequence, client_id="new"))
    entry = table.entry("client-1")
    assert entry is not None
    assert entry.floor == 4


def test_table_refuses_new_clients_only_when_full() -> None:
    table = make_table(1)
    assert table.refuse_entry("client-2", 2) is None
    assert table.refuse_entry("client-1", 1) is None
    refusal = table.refuse_entry("client-2", 1)
    assert refusal is not None
    assert "CLIENT_ENTRIES_MAX" in refusal.message


def test_table_keeps_entries_for_their_life_after_the_last_use() -> None:
    table = make_table(1)
    table.record(make_repeat(1, client_id="client-2"), 1_000)
    table.find(make_repeat(1), 2_000)
    table.drop_unused(1_000 + CLIENT_ENTRY_TTL_MS - 1)
    assert len(table) == 2
    table.drop_unused(1_000 + CLIENT_ENTRY_TTL_MS)
    assert "client-1" in table
    table.drop_unused(2_000 + CLIENT_ENTRY_TTL_MS)
    assert len(table) == 0


def test_table_loaded_drops_the_longest_unused_first() -> None:
    entries = {"late": ClientEntry(last_used=9), "early": ClientEntry(last_used=5)}
    table = ClientTable(entries)
    table.drop_unused(5 + CLIENT_ENTRY_TTL_MS)
    assert only(client_id for client_id, _ in table.items()) == "late"


def test_table_removes_an_entry_once() -> None:
    table = make_table(1)
    assert table.remove("client-1")
    assert not table.remove("client-1")
    assert table.encode() == []
    assert table.encoded_bytes == 0


def test_table_encodes_again_only_what_changed() -> None:
    table = make_table(1)
    table.record(make_repeat(3, client_id="client-2"), 7, Raw(b'["retried"]'))
    encoded = only(table.encode())
    assert table.encoded_bytes == len(encoded)
    assert msgspec.json.decode(b"{%b}" % encoded) == {
        "client-1": {"applied": [[1, 1]]},
        "client-2": {"applied": [[3, 3]], "lastUsed": 7, "answers": {"3": ["retried"]}},
    }
    assert table.find(make_repeat(1), 0)
    assert only(table.encode()) == encoded
    assert table.find(make_repeat(9, floor=2), 0) is None
    assert b'"client-1":{"floor":2}' in only(table.encode())


def test_table_keeps_unknown_fields_of_entries() -> None:
    entries = {"empty": ClientEntry(), "used": make_entry(1)}
    table = ClientTable(entries, dict.fromkeys(entries, b'"rate":5'))
    assert only(table.encode()) == b'"empty":{"rate":5},\n"used":{"applied":[[1,1]],"rate":5}'

"""Which sequences of which clients were applied, so that a repeat is recognised exactly.

For each client the floor (nothing below it is waited for any more), the applied sequences above it
as ranges, and of each answer what the request cannot tell. Checked by an exhaustive model:
high-water marks, entries dropped early and answers kept outside the document each enqueue a job
twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from osqueue.core.errors import InvalidRequest, QueueError, QueueFull
from osqueue.core.limits import APPLIED_SEQUENCES_MAX, CLIENT_ENTRY_TTL_MS
from osqueue.core.mutations import RepeatKey

__all__ = ["ClientEntry", "ClientTable"]

_encode = msgspec.json.Encoder().encode


class ClientEntry(msgspec.Struct, omit_defaults=True, rename="camel", forbid_unknown_fields=True):
    """What is known of one client's mutations, as it is stored."""

    floor: int = 1
    applied: list[list[int]] = []
    """Ranges of applied sequences, first and last of each, ascending, apart."""
    last_used: int = 0
    """Leadership time of the last use, ms."""
    answers: dict[int, msgspec.Raw] = {}
    """By sequence, what the repeat's own words cannot tell; absent: nothing."""

    def has(self, sequence: int) -> bool:
        """Whether the sequence was applied."""
        if not self.applied or sequence > self.applied[-1][1]:
            return False  # Newer than all: nearly every one.
        index = bisect_right(self.applied, sequence, key=_first) - 1
        return index >= 0 and sequence <= self.applied[index][1]

    def record(self, sequence: int) -> None:
        """The sequence was applied."""
        if self.applied and self.applied[-1][1] == sequence - 1:
            self.applied[-1][1] = sequence  # The next one: nearly every one.
            return
        index = bisect_right(self.applied, sequence, key=_first)
        joins_left = index > 0 and self.applied[index - 1][1] == sequence - 1
        joins_right = index < len(self.applied) and self.applied[index][0] == sequence + 1
        if joins_left and joins_right:
            self.applied[index - 1][1] = self.applied.pop(index)[1]
        elif joins_left:
            self.applied[index - 1][1] = sequence
        elif joins_right:
            self.applied[index][0] = sequence
        else:
            self.applied.insert(index, [sequence, sequence])

    def raise_floor(self, floor: int) -> bool:
        """Forget what lies below the floor. Returns whether the floor rose."""
        if floor <= self.floor:
            return False
        self.floor = floor
        kept = bisect_right(self.applied, floor, key=_first)
        if kept and self.applied[kept - 1][1] >= floor:
            kept -= 1
            self.applied[kept][0] = max(self.applied[kept][0], floor)
        del self.applied[:kept]
        if self.answers:
            self.answers = {key: raw for key, raw in self.answers.items() if key >= floor}
        return True

    def is_sound(self) -> bool:
        """Whether the ranges are what the methods above make; a document may hold anything."""
        least = self.floor
        for applied_range in self.applied:
            if len(applied_range) != 2 or not least <= applied_range[0] <= applied_range[1]:
                return False
            least = applied_range[1] + 2
        return self.floor >= 1


class ClientTable:
    """The entries, longest unused first, with their encoded form."""

    def __init__(
        self,
        entries: dict[str, ClientEntry] | None = None,
        unknown_fields: dict[str, bytes] | None = None,
    ) -> None:
        """`unknown_fields` has, by client id, the inside of a JSON object of unknown fields."""
        ordered = sorted((entries or {}).items(), key=lambda item: item[1].last_used)
        self._entries = dict(ordered)
        self._encoded: dict[str, bytes | None] = dict.fromkeys(self._entries)
        self._unknown_fields = unknown_fields or {}
        self.encoded_bytes = 0
        """What all entries took when last encoded, or in the document they came from."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, client_id: str) -> bool:
        return client_id in self._entries

    def entry(self, client_id: str) -> ClientEntry | None:
        """The client's entry, or None."""
        return self._entries.get(client_id)

    def refuse(self, repeat: RepeatKey) -> QueueError | None:
        """Why a sequence that was not applied must not be: below the floor, or too far above it."""
        entry = self._entries.get(repeat.client_id)
        floor = max(entry.floor if entry else 1, repeat.floor)
        if repeat.sequence < floor:
            return InvalidRequest(
                f"sequence {repeat.sequence} is below the client's floor {floor}: "
                "the client said that it waits for it no more"
            )
        if repeat.sequence >= floor + APPLIED_SEQUENCES_MAX:
            return QueueFull(
                f"sequence {repeat.sequence} is {APPLIED_SEQUENCES_MAX} or more above the client's "
                f"floor {floor}: wait for the earlier ones"
            )
        return None

    def refuse_entry(self, client_id: str, entries_max: int) -> QueueFull | None:
        """Why a new client cannot have an entry now; None where there is one, or room."""
        if client_id in self._entries or len(self._entries) < entries_max:
            return None
        return QueueFull(
            f"{len(self._entries)} clients number their requests, the limit (CLIENT_ENTRIES_MAX) "
            f"is {entries_max}: try later, or leave the sequence out",
            retry_after_ms=60_000,
        )

    def find(self, repeat: RepeatKey, leadership_ms: int) -> ClientEntry | QueueError | None:
        """The entry where the sequence was applied already; None where it may be applied; otherwise
        why it must not be. Moves the floor up.

        A floor that rose costs no write of its own: it rides along with the next one.
        """
        entry = self._entries.get(repeat.client_id)
        if entry is None:
            return self.refuse(repeat)
        is_higher = repeat.floor > entry.floor and entry.raise_floor(repeat.floor)
        if is_higher or entry.last_used != leadership_ms:
            self._touch(repeat.client_id, entry, leadership_ms)
        if entry.has(repeat.sequence):
            return entry
        if entry.floor <= repeat.sequence < entry.floor + APPLIED_SEQUENCES_MAX:
            return None
        return self.refuse(repeat)

    def has_answered(self, repeat: RepeatKey) -> bool:
        """Whether the sequence was applied, or can never be. Changes nothing."""
        entry = self._entries.get(repeat.client_id)
        return entry is not None and (repeat.sequence < entry.floor or entry.has(repeat.sequence))

    def record(
        self, repeat: RepeatKey, leadership_ms: int, answer: msgspec.Raw | None = None
    ) -> None:
        """The sequence was applied, with what its repeat will need to be answered."""
        entry = self._entries.get(repeat.client_id)
        if entry is None:
            entry = ClientEntry(floor=max(repeat.floor, 1))
            self._entries[repeat.client_id] = entry
        entry.record(repeat.sequence)
        if answer is not None:
            entry.answers[repeat.sequence] = answer
        if entry.last_used == leadership_ms:
            self._encoded[repeat.client_id] = None  # It was found just now: nearly every one.
        else:
            self._touch(repeat.client_id, entry, leadership_ms)

    def remove(self, client_id: str) -> bool:
        """Drop an entry. Returns whether there was one."""
        self._unknown_fields.pop(client_id, None)
        self._encoded.pop(client_id, None)
        return self._entries.pop(client_id, None) is not None

    def drop_unused(self, leadership_ms: int) -> None:
        """Drop entries whose clients have long stopped repeating. It rides along with a write."""
        while self._entries:
            client_id = next(iter(self._entries))
            if self._entries[client_id].last_used + CLIENT_ENTRY_TTL_MS > leadership_ms:
                return
            self.remove(client_id)

    def items(self) -> Iterator[tuple[str, ClientEntry]]:
        """Client ids and entries, longest unused first."""
        return iter(self._entries.items())

    def encode(self) -> list[bytes]:
        """The entries as pieces that, joined, are the inside of a JSON object."""
        pieces: list[bytes] = []
        for client_id, encoded in self._encoded.items():
            if encoded is None:
                encoded = self._encode_entry(client_id)
                self._encoded[client_id] = encoded
            pieces.append(encoded)
        joined = b",\n".join(pieces)
        self.encoded_bytes = len(joined)
        return [joined] if pieces else []

    def _touch(self, client_id: str, entry: ClientEntry, leadership_ms: int) -> None:
        entry.last_used = leadership_ms
        # Taken out and put in again, so that the longest unused one stays first.
        self._entries[client_id] = self._entries.pop(client_id)
        self._encoded[client_id] = None

    def _encode_entry(self, client_id: str) -> bytes:
        encoded = _encode(self._entries[client_id])
        unknown = self._unknown_fields.get(client_id)
        if unknown is not None:
            separator = b"," if encoded != b"{}" else b""
            encoded = b"%b%b%b}" % (encoded[:-1], separator, unknown)
        return b"%b:%b" % (_encode(client_id), encoded)


def _first(applied_range: list[int]) -> int:
    return applied_range[0]

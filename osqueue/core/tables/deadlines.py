"""What falls due when: leases, waits and results, each by its own clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush

__all__ = ["Deadlines"]

_Entry = tuple[int, str]
_SLACK = 1_024
"""Stale entries that may be held beyond twice the live ones, before they are dropped."""


class Deadlines:
    """Keys with one deadline each, in ms of the owner's clock; moving one is O(log n).

    Most deadlines are set in their order (the leases of one length) and are only appended; the
    others go into a heap beside them.
    """

    def __init__(self) -> None:
        self._deadlines: dict[str, int] = {}
        self._ascending: deque[_Entry] = deque()
        self._others: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._deadlines)

    def __contains__(self, key: str) -> bool:
        return key in self._deadlines

    def __iter__(self) -> Iterator[str]:
        return iter(self._deadlines)

    @property
    def entries_count(self) -> int:
        """What is kept, stale entries included: at most two for each key and a thousand."""
        return len(self._ascending) + len(self._others)

    def at(self, key: str) -> int:
        """The deadline of a key that has one."""
        return self._deadlines[key]

    def set(self, key: str, deadline_ms: int) -> None:
        """Set or move a deadline."""
        earlier = self._deadlines.get(key)
        self._deadlines[key] = deadline_ms
        # A later deadline is noticed when the old entry surfaces: heartbeats add no entries.
        if earlier is None or deadline_ms < earlier:
            self._push(deadline_ms, key)
            if len(self._ascending) + len(self._others) > 2 * len(self._deadlines) + _SLACK:
                live = sorted((deadline, key) for key, deadline in self._deadlines.items())
                self._ascending, self._others = deque(live), []

    def extend(self, key: str, deadline_ms: int) -> None:
        """Set a deadline, or move it to later; an earlier one changes nothing."""
        current_ms = self._deadlines.get(key)
        if current_ms is None or deadline_ms > current_ms:
            self.set(key, deadline_ms)

    def remove(self, key: str) -> None:
        """Forget a key; one that is not there is no error."""
        self._deadlines.pop(key, None)

    def next_ms(self) -> int | None:
        """The earliest deadline, or None when there is none."""
        first = self._first()
        return None if first is None else first[0][0]

    def due(self, now_ms: int) -> list[str]:
        """Take out every key whose deadline has come, the earliest first."""
        keys: list[str] = []
        while (first := self._first()) is not None and first[0][0] <= now_ms:
            entry, is_other = first
            self._drop_first(is_other)
            del self._deadlines[entry[1]]
            keys.append(entry[1])
        return keys

    def _first(self) -> tuple[_Entry, bool] | None:
        """The earliest live entry, and whether it is one of the others; stale ones before it are
        dropped, those of keys that moved to later put back."""
        ascending, others, deadlines = self._ascending, self._others, self._deadlines
        while ascending or others:
            is_other = not ascending or (bool(others) and others[0][0] < ascending[0][0])
            entry = others[0] if is_other else ascending[0]
            current_ms = deadlines.get(entry[1])
            if current_ms == entry[0]:
                return entry, is_other
            self._drop_first(is_other)
            if current_ms is not None and current_ms > entry[0]:
                self._push(current_ms, entry[1])
        return None

    def _push(self, deadline_ms: int, key: str) -> None:
        if not self._ascending or self._ascending[-1][0] <= deadline_ms:
            self._ascending.append((deadline_ms, key))
        else:
            heappush(self._others, (deadline_ms, key))

    def _drop_first(self, is_other: bool) -> None:
        if is_other:
            heappop(self._others)
        else:
            self._ascending.popleft()

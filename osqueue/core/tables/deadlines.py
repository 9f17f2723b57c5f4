"""What falls due when: leases, waits and results, each by its own clock."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

__all__ = ["Deadlines"]

_SLACK = 1_024
"""Stale entries that the heap may hold beyond twice the live ones, before it is rebuilt."""


class Deadlines:
    """Keys with one deadline each, in ms of the owner's clock; moving one is O(log n)."""

    def __init__(self) -> None:
        self._deadlines: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._deadlines)

    def __contains__(self, key: str) -> bool:
        return key in self._deadlines

    def set(self, key: str, deadline_ms: int) -> None:
        """Set or move a deadline."""
        earlier = self._deadlines.get(key)
        self._deadlines[key] = deadline_ms
        # A later deadline is noticed when the old entry surfaces: heartbeats leave the heap alone.
        if earlier is None or deadline_ms < earlier:
            heappush(self._heap, (deadline_ms, key))
            if len(self._heap) > 2 * len(self._deadlines) + _SLACK:
                self._heap = [(deadline, key) for key, deadline in self._deadlines.items()]
                heapify(self._heap)

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
        while self._heap:
            deadline_ms, key = self._heap[0]
            current_ms = self._deadlines.get(key)
            if current_ms == deadline_ms:
                return deadline_ms
            heappop(self._heap)
            if current_ms is not None and current_ms > deadline_ms:
                heappush(self._heap, (current_ms, key))
        return None

    def due(self, now_ms: int) -> list[str]:
        """Take out every key whose deadline has come, the earliest first."""
        keys: list[str] = []
        while (deadline_ms := self.next_ms()) is not None and deadline_ms <= now_ms:
            key = heappop(self._heap)[1]
            del self._deadlines[key]
            keys.append(key)
        return keys

"""Which jobs are claimable, by priority and submission order, within types."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from heapq import heappop, heappush
from operator import attrgetter

from osqueue.core.job import Job

__all__ = ["ReadyJobs"]

_Entry = tuple[int, int, str]
"""Negated priority, order, job id: the smallest is next."""
_SLACK = 1_024
"""Stale entries that a line may hold beyond twice its live ones, before it is rebuilt."""


class _Line:
    """Entries of which the smallest live one is wanted.

    Most arrive in order (new jobs of one priority) and are only appended; the others, jobs that
    come back or are more urgent, go into a heap beside them.
    """

    __slots__ = ("ascending", "others")

    def __init__(self, entries: Iterable[_Entry] = ()) -> None:
        self.ascending = deque(sorted(entries))
        self.others: list[_Entry] = []

    def __len__(self) -> int:
        return len(self.ascending) + len(self.others)

    def push(self, entry: _Entry) -> None:
        ascending = self.ascending
        if not ascending or ascending[-1] < entry:
            ascending.append(entry)
        else:
            heappush(self.others, entry)

    def strike(self, entry: _Entry) -> bool:
        """The entry is no longer live. Returns whether it is gone: the first goes, as most are."""
        ascending = self.ascending
        if ascending and ascending[0] is entry:
            ascending.popleft()
            return True
        return False

    def head(self, live: dict[str, _Entry]) -> _Entry | None:
        """The smallest live entry; stale ones before it are dropped (identity tells them)."""
        ascending, others = self.ascending, self.others
        while ascending and live.get(ascending[0][2]) is not ascending[0]:
            ascending.popleft()
        while others and live.get(others[0][2]) is not others[0]:
            heappop(others)
        if not others:
            return ascending[0] if ascending else None
        return min(ascending[0], others[0]) if ascending else others[0]

    def rebuilt(self, live: dict[str, _Entry]) -> _Line:
        entries = (*self.ascending, *self.others)
        return _Line(entry for entry in entries if live.get(entry[2]) is entry)


_NO_LINE = _Line()


class ReadyJobs:
    """Two lines for each job, one over all types and one of its type.

    A job that leaves is only struck off; unless they are the first, its entries stay in the lines
    until they surface or until stale ones outnumber live ones.
    """

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._live: dict[str, _Entry] = {}
        """In the order in which they became claimable."""
        by_type: dict[str, list[_Entry]] = {}
        for job in sorted(jobs, key=attrgetter("waiting_since")):
            self._live[job.id] = entry = (-job.priority, job.order, job.id)
            by_type.setdefault(job.type, []).append(entry)
        self._all = _Line(self._live.values())
        self._by_type = {kind: _Line(entries) for kind, entries in by_type.items()}
        self._counts = {kind: len(entries) for kind, entries in by_type.items()}

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._live

    def add(self, job: Job) -> None:
        """The job is claimable."""
        assert job.id not in self._live, f"{job.id} is claimable already"
        self._live[job.id] = entry = (-job.priority, job.order, job.id)
        self._all.push(entry)
        line = self._by_type.get(job.type)
        if line is None:
            line = self._by_type[job.type] = _Line()
            self._counts[job.type] = 0
        line.push(entry)
        self._counts[job.type] += 1

    def remove(self, job: Job) -> None:
        """The job is no longer claimable."""
        live, kind = self._live, job.type
        entry = live.pop(job.id)
        left = self._counts[kind] - 1
        if left:
            self._counts[kind] = left
            line = self._by_type[kind]
            if not line.strike(entry) and len(line) > 2 * left + _SLACK:
                self._by_type[kind] = line.rebuilt(live)
        else:
            del self._counts[kind], self._by_type[kind]
        if not self._all.strike(entry) and len(self._all) > 2 * len(live) + _SLACK:
            self._all = self._all.rebuilt(live)

    def next_id(self, types: Collection[str], paused_types: Collection[str]) -> str | None:
        """The claimable job that is next for a worker of these types (empty: all), or None."""
        if len(types) < 2 and not paused_types:
            line = self._by_type.get(next(iter(types)), _NO_LINE) if types else self._all
            head = line.head(self._live)
            return None if head is None else head[2]
        lines = [
            self._by_type[kind]
            for kind in types or self._counts
            if kind in self._by_type and kind not in paused_types
        ]
        heads = [head for line in lines if (head := line.head(self._live)) is not None]
        return min(heads)[2] if heads else None

    def longest_id(self) -> str | None:
        """The job that has been claimable for the longest time, or None."""
        return next(iter(self._live), None)

    def types(self) -> Iterable[str]:
        """The types of which a job is claimable."""
        return self._counts.keys()

    def count_of(self, kind: str) -> int:
        """How many jobs of a type are claimable."""
        return self._counts.get(kind, 0)

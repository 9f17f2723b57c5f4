"""Which jobs are claimable, by priority and submission order, within types."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import heapify, heappop, heappush

from osqueue.core.job import Job

__all__ = ["ReadyJobs"]

_Entry = tuple[int, int, str]
"""Negated priority, order, job id: the smallest is next."""
_SLACK = 1_024
"""Stale entries that a heap may hold beyond twice its live ones, before it is rebuilt."""


class ReadyJobs:
    """Two heaps for each job, one over all types and one of its type.

    A job that leaves is only struck off; its entries stay in the heaps until they surface
    (identity tells a live entry from a stale one) or until stale ones outnumber live ones.
    """

    def __init__(self, jobs: Iterable[Job] = ()) -> None:
        self._live: dict[str, _Entry] = {}
        self._by_type: dict[str, list[_Entry]] = {}
        for job in jobs:
            self._live[job.id] = entry = (-job.priority, job.order, job.id)
            self._by_type.setdefault(job.type, []).append(entry)
        self._all = list(self._live.values())
        for heap in (self._all, *self._by_type.values()):
            heapify(heap)
        self._counts = {kind: len(heap) for kind, heap in self._by_type.items()}

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._live

    def add(self, job: Job) -> None:
        """The job is claimable."""
        assert job.id not in self._live, f"{job.id} is claimable already"
        entry = (-job.priority, job.order, job.id)
        self._live[job.id] = entry
        heappush(self._all, entry)
        heappush(self._by_type.setdefault(job.type, []), entry)
        self._counts[job.type] = self._counts.get(job.type, 0) + 1

    def remove(self, job: Job) -> None:
        """The job is no longer claimable."""
        del self._live[job.id]
        left = self._counts[job.type] - 1
        if left:
            self._counts[job.type] = left
            heap = self._by_type[job.type]
            if len(heap) > 2 * left + _SLACK:
                self._by_type[job.type] = self._rebuilt(heap)
        else:
            del self._counts[job.type], self._by_type[job.type]
        if len(self._all) > 2 * len(self._live) + _SLACK:
            self._all = self._rebuilt(self._all)

    def next_id(self, types: Collection[str], paused_types: Collection[str]) -> str | None:
        """The claimable job that is next for a worker of these types (empty: all), or None."""
        if not types and not paused_types:
            return self._head(self._all)
        wanted = [kind for kind in types or self._counts if kind not in paused_types]
        heads = [head for kind in wanted if (head := self._head_of_type(kind)) is not None]
        return min(heads)[2] if heads else None

    def types(self) -> Iterable[str]:
        """The types of which a job is claimable."""
        return self._counts.keys()

    def count_of(self, kind: str) -> int:
        """How many jobs of a type are claimable."""
        return self._counts.get(kind, 0)

    def _head_of_type(self, kind: str) -> _Entry | None:
        heap = self._by_type.get(kind)
        if heap is None:
            return None
        self._head(heap)
        return heap[0]

    def _head(self, heap: list[_Entry]) -> str | None:
        while heap and self._live.get(heap[0][2]) is not heap[0]:
            heappop(heap)
        return heap[0][2] if heap else None

    def _rebuilt(self, heap: list[_Entry]) -> list[_Entry]:
        live = [entry for entry in heap if self._live.get(entry[2]) is entry]
        heapify(live)
        return live

"""Jobs in blocks of a few hundred, in order of submission, each encoded once and cached.

A commit that changes one job of 100,000 encodes one block again and joins the rest. A block is one
line of the document.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter

import msgspec

from osqueue.core.job import Job, JobStatus
from osqueue.core.limits import BLOCK_JOBS

__all__ = ["JobBlocks"]

_encode = msgspec.json.Encoder().encode


_PAIRS_KEPT_MAX = 64
"""Statuses and types of one block whose counts are worth their memory."""
_pair_of = attrgetter("status", "type")


class _Block:
    __slots__ = ("_counted", "_counts", "encoded", "jobs")

    def __init__(self, jobs: dict[int, Job]) -> None:
        self.jobs = jobs
        self.encoded: bytes | None = None
        self._counted: bytes | None = None
        """The encoded form of the jobs that were counted."""
        self._counts: dict[tuple[JobStatus, str], int] = {}

    def count(self, statuses: Collection[JobStatus], kind: str | None) -> int:
        """How many jobs have one of the statuses, and the type (None: any)."""
        counts = self._counts
        if self.encoded is None or self._counted is not self.encoded:
            counts = Counter(map(_pair_of, self.jobs.values()))
            if self.encoded is not None and len(counts) <= _PAIRS_KEPT_MAX:
                self._counts, self._counted = counts, self.encoded
        return sum(
            count
            for (status, of_kind), count in counts.items()
            if status in statuses and kind in (None, of_kind)
        )


class JobBlocks:
    """All jobs by order of submission, and their encoded form."""

    def __init__(
        self, jobs: Sequence[Job] = (), unknown_fields: dict[str, bytes] | None = None
    ) -> None:
        """Take jobs over, which are in order of submission.

        `unknown_fields` has, by job id, what a newer broker wrote beside the known fields, as the
        inside of a JSON object without braces.
        """
        self._unknown_fields = unknown_fields or {}
        self._blocks = [
            _Block({job.order: job for job in jobs[start : start + BLOCK_JOBS]})
            for start in range(0, len(jobs), BLOCK_JOBS)
        ]
        self._firsts = [job.order for job in jobs[::BLOCK_JOBS]]
        self._count = len(jobs)
        self.encoded_blocks_count = 0
        """Blocks encoded so far: the work that commits cost, counted by tests."""
        self.encoded_bytes = 0
        """What all jobs took when they were last encoded, or in the document they came from."""

    def add(self, job: Job) -> None:
        """Put a job behind all others; its order is higher than theirs."""
        if not self._blocks or len(self._blocks[-1].jobs) >= BLOCK_JOBS:
            self._blocks.append(_Block({}))
            self._firsts.append(job.order)
        block = self._blocks[-1]
        assert not block.jobs or next(reversed(block.jobs)) < job.order, "orders only grow"
        block.jobs[job.order] = job
        block.encoded = None
        self._count += 1

    def touch(self, job: Job) -> None:
        """The job has changed: its block must be encoded again."""
        self._blocks[bisect_right(self._firsts, job.order) - 1].encoded = None

    def remove(self, job: Job) -> None:
        """Take a job out."""
        block = self._block_of(job)
        del block.jobs[job.order]
        block.encoded = None
        self._count -= 1
        if self._unknown_fields:
            self._unknown_fields.pop(job.id, None)

    def after(self, order: int) -> Iterator[Job]:
        """Jobs submitted after the given order, in order. The table must not change meanwhile."""
        start = max(bisect_right(self._firsts, order) - 1, 0)
        for block in self._blocks[start:]:
            for job_order, job in block.jobs.items():
                if job_order > order:
                    yield job

    def count(self, statuses: Collection[JobStatus], kind: str | None) -> int:
        """How many jobs have one of the statuses, and the type (None: any)."""
        return sum(block.count(statuses, kind) for block in self._blocks)

    def matching(
        self,
        statuses: Collection[JobStatus],
        kind: str | None,
        *,
        after_order: int = -1,
        skip_count: int = 0,
        is_descending: bool = False,
    ) -> Iterator[Job]:
        """Jobs of one of the statuses, and of the type (None: any), in order or the newest first.

        Blocks that hold none are passed over, so that few jobs are found among many. The table must
        not change meanwhile.

        Args:
            statuses: which.
            kind: the type.
            after_order: only jobs that come after this one; -1: from the first.
            skip_count: leave out so many that match; without `after_order`.
            is_descending: the newest first.
        """
        assert not skip_count or after_order < 0, "from a job, or from a number of them"
        for block in self._blocks_from(after_order, is_descending):
            count = block.count(statuses, kind)
            if skip_count >= count:
                skip_count -= count
                continue
            for job in reversed(block.jobs.values()) if is_descending else block.jobs.values():
                if job.status not in statuses or kind not in (None, job.type):
                    continue
                if after_order >= 0 and (job.order < after_order) is not is_descending:
                    continue
                if job.order == after_order:
                    continue
                if skip_count:
                    skip_count -= 1
                else:
                    yield job

    def _blocks_from(self, after_order: int, is_descending: bool) -> Iterator[_Block]:
        if not is_descending:
            start = max(bisect_right(self._firsts, after_order) - 1, 0)
            return iter(self._blocks[start:])
        end = len(self._blocks) if after_order < 0 else bisect_left(self._firsts, after_order)
        return reversed(self._blocks[:end])

    def encode(self) -> list[bytes]:
        """The jobs as pieces that, joined, are the inside of a JSON array: a block a line."""
        if len(self._blocks) > 16 + 4 * (self._count // BLOCK_JOBS + 1):
            self._regroup()
        pieces: list[bytes] = []
        for block in self._blocks:
            if not block.jobs:
                continue
            if block.encoded is None:
                block.encoded = self._encode_block(block)
                self.encoded_blocks_count += 1
            pieces.append(block.encoded)
            pieces.append(b",\n")
        if pieces:
            pieces.pop()
        self.encoded_bytes = sum(map(len, pieces))
        return pieces

    def check_invariants(self) -> None:
        """Assert that the blocks agree with their jobs, and what is cached with both; O(jobs)."""
        orders = [job.order for job in self.after(-1)]
        assert orders == sorted(set(orders)), "orders are unique and ascending"
        assert len(orders) == self._count, "the count of jobs"
        for first, block in zip(self._firsts, self._blocks, strict=True):
            assert all(first <= order == job.order for order, job in block.jobs.items()), first
            if block.encoded is not None and block.jobs:
                assert block.encoded == self._encode_block(block), "a change was not told"

    def _block_of(self, job: Job) -> _Block:
        return self._blocks[bisect_right(self._firsts, job.order) - 1]

    def _encode_block(self, block: _Block) -> bytes:
        jobs = list(block.jobs.values())
        if self._unknown_fields and any(job.id in self._unknown_fields for job in jobs):
            return b",".join([self._encode_job(job) for job in jobs])
        return _encode(jobs)[1:-1]

    def _encode_job(self, job: Job) -> bytes:
        unknown = self._unknown_fields.get(job.id)
        encoded = _encode(job)
        return encoded if unknown is None else b"%b,%b}" % (encoded[:-1], unknown)

    def _regroup(self) -> None:
        """Merge neighbours that removals have thinned out, so that joining stays cheap.

        A block that finds no neighbour to merge with keeps what is cached of it.
        """
        grouped: list[_Block] = []
        for block in self._blocks:
            if not block.jobs:
                continue
            if grouped and len(grouped[-1].jobs) + len(block.jobs) <= BLOCK_JOBS:
                grouped[-1].jobs.update(block.jobs)
                grouped[-1].encoded = None
            else:
                grouped.append(block)
        self._blocks = grouped
        self._firsts = [next(iter(block.jobs)) for block in grouped]

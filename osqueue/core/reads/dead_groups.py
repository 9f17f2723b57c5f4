"""Dead jobs by what they were and what they died of."""

from __future__ import annotations

from heapq import nlargest
from itertools import islice
from operator import attrgetter

import msgspec

from osqueue.core.limits import SCANNED_JOBS_MAX
from osqueue.core.mutations import ListDeadGroups
from osqueue.core.outcomes import DeadGroup, DeadGroupsListed
from osqueue.core.reads.committed_view import CommittedView

__all__ = ["list_dead_groups"]


class _Group(msgspec.Struct):
    count: int
    first_at: int
    last_at: int
    job_id: str


def list_dead_groups(query: ListDeadGroups, view: CommittedView) -> DeadGroupsListed:
    """The largest groups, of the first dead jobs that one request may look at."""
    found: dict[tuple[str, str, str], _Group] = {}
    dead = 0
    matching = view.state.table.blocks.matching(("dead",), query.type)
    for job in islice(matching, SCANNED_JOBS_MAX):
        dead += 1
        key = (job.type, *job.error_group)
        group = found.get(key)
        if group is None:
            found[key] = _Group(1, job.ended_at, job.ended_at, job.id)
            continue
        group.count += 1
        group.first_at = min(group.first_at, job.ended_at)
        if job.ended_at >= group.last_at:
            group.last_at, group.job_id = job.ended_at, job.id
    groups = [
        DeadGroup(*key, group.count, group.first_at, group.last_at, group.job_id)
        for key, group in found.items()
    ]
    largest = nlargest(query.limit, groups, key=attrgetter("count", "last_at"))
    return DeadGroupsListed(largest, len(groups), dead)

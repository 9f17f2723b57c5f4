"""Requests by chance: jobs with whatever fields chance gives them, results, errors, selections."""

from __future__ import annotations

from random import Random

import msgspec

from osqueue.core.job import JobError
from osqueue.core.mutations import (
    CancelJobs,
    ChangeJobs,
    DeleteJobs,
    JobFilter,
    JobSelection,
    ListJobs,
    NewJob,
    RedriveDead,
    RetryJobs,
)
from osqueue.core.retry_policy import RetryPolicy

__all__ = [
    "TYPES",
    "make_error",
    "make_filter",
    "make_job",
    "make_list",
    "make_many",
    "make_result",
]

TYPES = ("mail", "image")
_TEXTS = ("", "", '"deep"', "producer0-", "-next", "k1")
_encode = msgspec.json.encode


def make_job(job_id: str, random: Random, *, now_ms: int) -> NewJob:
    """A job with whatever fields chance gives it; `now_ms` is its submitter's wall clock."""
    kind = random.random()
    job = NewJob(
        id=job_id,
        payload=_json(job_id, random),
        type=random.choice(TYPES),
        max_attempts=random.randint(1, 4),
        delay_ms=random.randint(1, 5_000) if kind < 0.12 else 0,
        run_at=now_ms + random.randint(-2_000, 5_000) if 0.12 < kind < 0.18 else 0,
        priority=random.choice([0, 0, 0, 5, -5, random.randint(-100, 100)]),
        unique_key=random.choice(["k1", "k2"]) if 0.18 < kind < 0.33 else "",
        result_ttl_ms=random.randint(1, 8_000) if 0.3 < kind < 0.5 else 0,
    )
    if kind > 0.9:
        policy = RetryPolicy(
            base_ms=random.randint(0, 900), factor=random.choice([1.0, 3.5]), cap_ms=2_500
        )
        return msgspec.structs.replace(job, retry=policy)
    return job


def _json(name: str, random: Random) -> msgspec.Raw:
    """JSON of many sizes and shapes, with a name in it that tells it from all others."""
    shape = random.randrange(5)
    if shape == 0:
        return msgspec.Raw(_encode({"to": name, "deep": [[{"n": [1, 2.5, None, True]}], {}]}))
    if shape == 1:
        return msgspec.Raw(_encode([name, "x" * random.choice([10, 100, 900])]))
    if shape == 2:
        return msgspec.Raw(_encode({"\u00e9\n\\": name, "": -(2**63)}))
    return msgspec.Raw(_encode(name))


def make_result(lease: str, random: Random) -> msgspec.Raw | None:
    """The result of a handler."""
    return None if random.random() < 0.1 else _json(lease, random)


def make_error(name: str, random: Random) -> JobError:
    """The error of a handler."""
    traceback = "at line 1\n" * random.choice([0, 1, 20])
    return JobError("Failed", name, traceback)


def make_filter(random: Random) -> JobFilter:
    """Some jobs, all jobs, or perhaps none."""
    kind = random.random()
    return JobFilter(
        status=random.choice([None, "dead", "scheduled", "unclaimed", "in_progress", "completed"]),
        type=random.choice([None, None, *TYPES]),
        text=random.choice(_TEXTS) if kind < 0.4 else "",
        error_type=random.choice(["Failed", "LeaseExpired"]) if 0.4 < kind < 0.55 else None,
        error_message="nothing" if 0.55 < kind < 0.6 else None,
    )


def make_list(random: Random, after_order: int) -> ListJobs:
    """A page of the jobs, or of some of them."""
    limit = random.choice([2, 5, 100])
    if random.random() < 0.5:
        return ListJobs(limit=limit, after_order=after_order)
    return ListJobs(limit=limit, filter=make_filter(random), is_descending=random.random() < 0.5)


def make_many(random: Random, job_ids: list[str]) -> ChangeJobs:
    """Cancel, delete, retry or redrive jobs by their ids, or a few that pass a filter."""
    kind = random.choice([CancelJobs, DeleteJobs, RetryJobs, RedriveDead])
    limit = random.choice([0, 1, 2])
    if random.random() < 0.5:
        named = [random.choice([*job_ids, "nobody"]) for _ in range(random.randint(1, 4))]
        return kind(selection=JobSelection(job_ids=named, limit=limit))
    is_harmless = kind in (RetryJobs, RedriveDead)
    return kind(
        selection=JobSelection(
            filter=make_filter(random), limit=limit if is_harmless else max(limit, 1)
        )
    )

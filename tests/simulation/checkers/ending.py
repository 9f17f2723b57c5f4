"""What must hold when everything has settled.

Guards: liveness (all calls answered, all jobs done, one leader); a refusal means that nothing was
applied, then and ever after; what was lost was not completed; the last document is sound.
"""

from __future__ import annotations

import random as random_module
from typing import TYPE_CHECKING

from osqueue.core.document import load_document
from osqueue.core.mutations import CompleteJobs
from osqueue.core.outcomes import JobsCompleted
from tests.simulation.checkers.linearizability import check_linearizability
from tests.simulation.checkers.views import Violation
from tests.simulation.records import CallRecord

if TYPE_CHECKING:
    from tests.simulation.world import World

__all__ = ["check_ending"]


def check_ending(world: World) -> None:
    """Check it all.

    Raises:
        Violation: something does not hold.
    """
    _check_liveness(world)
    _check_document(world)
    if world.observer.ledger.is_restored:
        return  # What was acknowledged after the copy is gone, and may have been repeated.
    for record in world.observer.records:
        _check_refusal(world, record)
        _check_lost(world, record)
    check_linearizability(world)


def _check_liveness(world: World) -> None:
    unfinished = [
        job
        for job in world.observer.ledger.jobs.values()
        if job.status not in ("completed", "dead")
    ]
    if unfinished:
        raise Violation("liveness", f"unfinished at the end: {unfinished}")
    waiting = [record for record in world.observer.records if record.told_ms is None]
    if waiting:
        raise Violation("liveness", f"not answered: {waiting}")
    leaders = [
        site.process
        for site in world.sites
        if site.process is not None and site.process.term is not None
    ]
    trusted = [
        process
        for process in leaders
        if process.term is not None and process.term.is_trusted(process.steady_ms())
    ]
    if len(leaders) != 1 or trusted != leaders:
        raise Violation("liveness", f"leaders at the end: {leaders}, trusted: {trusted}")


def _check_refusal(world: World, record: CallRecord) -> None:
    """Where every attempt was refused, nothing was applied before the next one was made."""
    if not record.is_numbered:
        return
    version = world.observer.ledger.effect_of(record)
    if version is None:
        return
    if record.possible_ms is None:
        raise Violation(
            "refusals", f"{record} was refused: {record.outcome!r}, but {version.commit_id} has it"
        )
    if version.formed_ms < record.possible_ms:
        raise Violation(
            "refusals",
            f"{record}: all attempts before {record.possible_ms} were refused, "
            f"but {version.commit_id} of {version.formed_ms} has it",
        )


def _check_lost(world: World, record: CallRecord) -> None:
    """What was told to be lost was not completed by that call."""
    if not isinstance(record.outcome, JobsCompleted) or world.plan.is_small_table:
        return
    request = record.request
    assert isinstance(request, CompleteJobs)
    for job_id in record.outcome.lost:
        attempt = next(
            done.lease.attempt for done in request.completions if done.lease.job_id == job_id
        )
        assert attempt is not None
        how, _ = world.observer.ledger.ends.get((job_id, attempt), ("", None))
        others = [
            other for other in world.observer.ledger.asked[job_id]
            if isinstance(other.request, CompleteJobs) and other is not record
        ]  # fmt: skip
        if how == "completed" and not others:
            raise Violation("refusals", f"{record} was told that {job_id} is lost: it completed it")


def _check_document(world: World) -> None:
    body = world.store.body
    assert body is not None
    loaded = load_document(body, world.plan.rules, random_module.Random(0))
    loaded.state.check_invariants()

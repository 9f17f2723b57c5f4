"""Reads that are confirmed by the store hold even where trust is broken on purpose.

Here every leader trusts itself for as long as its term lasts, as if its clock stood still, and
standbys depose it soon after its last write: what it reads from memory is stale then. The checkers
of trust are silent.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from osqueue.core.document import Header
from osqueue.core.election.leader_signs import LeaderSigns
from osqueue.core.errors import QueueError
from osqueue.core.group_commit import GroupCommit
from osqueue.core.mutations import Query
from osqueue.core.writes.batches import Gathering
from osqueue.core.writes.tickets import Ticket
from tests.simulation.cast import actors
from tests.simulation.cast.actors import Operator
from tests.simulation.checkers.answers import AnswerChecker
from tests.simulation.checkers.handed_out import HandedOut
from tests.simulation.checkers.timeliness import Timeliness
from tests.simulation.checkers.trust import TrustChecker
from tests.simulation.checkers.views import Violation
from tests.simulation.plan import make_quiet_plan
from tests.simulation.world import World

SEEDS = 10
READERS = 10
pytestmark = pytest.mark.slow


@pytest.fixture
def stale(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Breaks trust. Counts the reads: those that were confirmed, and those that were stale."""
    reads: Counter[str] = Counter()
    check = AnswerChecker.check

    def check_reads(self: AnswerChecker, record: Any, outcome: Any, arrived_ms: int) -> None:
        if not isinstance(record.request, Query) or isinstance(outcome, QueueError):
            return
        if record.request.is_confirmed:
            reads["confirmed"] += 1
            check(self, record, outcome, arrived_ms)
            return
        try:
            check(self, record, outcome, arrived_ms)
        except Violation:
            reads["stale"] += 1

    standing = LeaderSigns.standing

    def stands_early(self: LeaderSigns, header: Header) -> tuple[int, str]:
        at_ms, reason = standing(self, header)
        return min(at_ms, self._changed_ms + header.broker_timeout_ms // 8), reason

    monkeypatch.setattr(GroupCommit, "_is_proven", lambda self, steady_ms: True)
    monkeypatch.setattr(LeaderSigns, "standing", stands_early)
    monkeypatch.setattr(AnswerChecker, "check", check_reads)
    # Whoever meddles only reads.
    monkeypatch.setattr(actors, "_DEED_WEIGHTS", [5, 2, 2] + [0] * (len(actors._DEEDS) - 3))
    silent: list[tuple[type, str]] = [
        (TrustChecker, "_can_know"),
        (Timeliness, "answered"),
        (HandedOut, "check"),
    ]
    for kind, method in silent:
        monkeypatch.setattr(kind, method, lambda *arguments: None)
    return reads


def play(seed: int) -> str:
    """Play a world full of readers. Returns what a checker has found."""
    plan = make_quiet_plan(
        seed, brokers=3, heartbeat_ms=3_000, timeout_ms=10_000, lease_ms=30_000, job_wait_ms=3_000
    )
    world = World(plan)
    world.start()
    for number in range(READERS):
        Operator(world, f"reader{number}")
    try:
        world.run_until(world.plan.faults_ms)
    except Violation as found:
        return str(found)
    return ""


def test_confirmed_reads_hold_though_trust_is_broken(stale: Counter[str]) -> None:
    assert [play(seed) for seed in range(SEEDS)] == [""] * SEEDS
    assert stale["confirmed"] >= 100
    assert stale["stale"] >= 3, "other reads were stale: trust was broken"


def test_confirmed_reads_that_are_answered_from_memory_are_found(
    stale: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Gathering.add

    def adds_as_others(self: Gathering, ticket: Ticket, *, is_late: bool) -> None:
        add(self, ticket, is_late=is_late)
        self.queries += self.take_confirmed()

    monkeypatch.setattr(Gathering, "add", adds_as_others)
    assert any("confirmed reads" in play(seed) for seed in range(SEEDS))

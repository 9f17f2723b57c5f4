"""What one seed plays: how many take part, how fast time runs for them, which faults, how often.

Each seed turns some faults off and others up (swarm testing): bugs often need one fault many times
and another not at all.
"""

from __future__ import annotations

import random as random_module
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from osqueue.core.limits import Limits, QueueRules
from osqueue.core.retry_policy import RetryPolicy

__all__ = ["FAULTS", "TRANSITIONS", "Coverage", "Plan", "make_plan", "make_quiet_plan"]

FAULTS: dict[str, float] = {
    # Of one write.
    "write refused before": 0.10,
    "write applied, reply lost": 0.10,
    "write lands late": 0.10,
    "write never lands": 0.08,
    "write throttled": 0.08,
    "write sent twice below": 0.08,
    "write slow": 0.10,
    "write replayed later": 0.10,
    "write refused behind another": 0.9,
    "write answered by others": 0.08,
    "second copy refused otherwise": 0.9,
    "writer suspended": 0.03,
    "writer frozen before the lock": 0.03,
    "writer frozen with the lock": 0.02,
    # Of one read.
    "read fails": 0.10,
    "read slow": 0.08,
    "read answered by others": 0.08,
    # Of one message.
    "connection drops": 0.03,
    "message slow": 0.05,
    "late original": 0.7,
    "client lost before its answer": 0.03,
    "dialling fails": 0.05,
    # Of a moment: how often in a minute.
    "broker crashes": 4.0,
    "broker paused": 4.0,
    "broker suspended for long": 4.0,
    "broker drained": 2.0,
    "worker crashes": 2.0,
    "worker paused": 3.0,
    "store out for all": 3.0,
    "store out for one": 3.0,
    "wall clock jumps": 3.0,
    "wall clock leaps": 4.0,
    "document edited": 0.7,
    "job edited by hand": 0.7,
    "job removed by hand": 0.5,
    "older copy restored": 6.0,
    "live port refuses": 4.0,
    # Of one look at a process.
    "process unreadable": 0.6,
    # Of one step of a broker.
    "crash at a step": 0.004,
}
"""Every fault, with how often it strikes where its seed turns it on: a share of the occasions, or
strikes a minute."""

TRANSITIONS: frozenset[str] = frozenset({
    "Elected", "LoadDocument", "ProbeLeader", "Settle", "StepDown", "WaitUntil", "WriteDocument",
    "verdict: landed", "verdict: still open", "verdict: landed, then another took over",
    "verdict: another took over before it landed", "verdict: nothing can tell",
    "elected: there is no queue yet",
    "elected: the last leader has released the queue",
    "elected: this broker's own write has landed that it gave up",
    "elected: the leader's process is gone",
    "elected: the leader's process is gone, does not refuse",
    "elected: nobody has written since this broker led",
    "elected: this broker's last commit was edited while it led",
    "elected: this broker was the leader, and leads no more",
    "elected: this broker is where the leader at was",
    "elected: the leader at refuses, and has not written since",
    "elected: the leader has not written for ms",
    "step down: released", "step down: another broker took over",
    "step down: a write's outcome stayed unknown", "step down: the document was replaced",
    "step down: the document was edited",
    "write succeeded", "write not applied", "write conflicted", "write unknown", "write timed out",
    "read loaded", "read unchanged", "read missing", "read failed",
    "read confirmed", "wall clock confirmed", "wall clock not followed",
    "probe answered", "probe answered by no leader", "probe refused", "probe silent",
    "attempt completed", "attempt expired", "attempt failed", "attempt given back",
    "attempt gone", "attempt snoozed",
    "answer InvalidRequest", "answer JobNotFound", "answer JobNotHeld", "answer NotLeader",
    "answer OutcomeUnknown", "answer QueueFull", "answer Unavailable", "answer WrongStatus",
    "limit JOBS_MAX", "limit DEAD_JOBS_MAX", "limit DOCUMENT_BYTES_MAX",
    "limit CLIENT_ENTRIES_MAX", "text or result left out", "completion left held: no room",
})  # fmt: skip
"""What every run must reach; a name that is never hit means that the world has gone blind."""


@dataclass
class Plan:
    """What one seed plays."""

    seed: int
    brokers: int
    producers: int
    workers: int
    faults: dict[str, float]
    heartbeat_ms: int
    timeout_ms: int
    lease_ms: int
    interval_ms: int
    job_wait_ms: int
    """About how long a producer rests between two submits."""
    frame_requests: int
    client_timeout_ms: int
    rules: QueueRules
    versions_name_bytes: bool
    """As in S3; otherwise each write has its own version."""
    faults_ms: int = 45_000
    """How long faults strike."""
    calm_ms: int = 0
    """How long everything may take to settle after that."""
    gap_ms: int = 0
    """How far apart the store wants two writes to be, as GCS does."""
    writes_per_minute: int = 0
    """The budget of each broker."""
    has_store_clock: bool = False
    """Whether the store's answers carry its time, as those of buckets do."""
    is_proxied: bool = False
    """What brokers advertise are proxies, which go on to accept where a broker is gone."""
    has_clones: bool = False
    """All machines are copies of one that ran: they have its name and its boot id."""
    is_small_table: bool = False
    """The table of clients is so small that some completions go unrecorded."""


@dataclass
class Coverage:
    """What was hit so far, over any number of seeds."""

    faults: Counter[str] = field(default_factory=Counter[str])
    transitions: Counter[str] = field(default_factory=Counter[str])
    events: int = 0
    seeds: int = 0
    simulated_ms: int = 0

    def missing(self) -> set[str]:
        """Faults and transitions that were never hit."""
        return (FAULTS.keys() - self.faults) | (TRANSITIONS - self.transitions.keys())

    def add(self, other: Coverage) -> None:
        """Take in what another run has hit."""
        self.faults.update(other.faults)
        self.transitions.update(other.transitions)
        self.events += other.events
        self.seeds += other.seeds
        self.simulated_ms += other.simulated_ms


_FROZEN = ("writer frozen before the lock", "writer frozen with the lock")
"""In fewer worlds: they have long pauses, in which little else happens."""
_TIMES = [(500, 2_000, 4_000), (800, 3_000, 7_000), (1_500, 5_000, 10_000), (3_000, 10_000, 30_000)]
"""Heartbeat interval, timeout and lease."""


_OF_ELECTIONS = ("older copy restored", "live port refuses", "process unreadable")
_RESTORING = 0.3
"""In how many seeds copies are restored: after the first one the history proves little."""


def _choose_election_faults(faults: dict[str, float], random: random_module.Random) -> bool:
    """What makes a standby take a leader for dead. Returns whether machines are clones."""
    for name in _OF_ELECTIONS:
        if random.random() < (_RESTORING if name == "older copy restored" else 0.45):
            faults[name] = FAULTS[name] * random.choice([0.3, 1.0, 1.0, 2.5])
    if "older copy restored" in faults:
        # Leaders that are deposed and live on: what matters is what they make of their own copies.
        faults["broker suspended for long"] = FAULTS["broker suspended for long"] * 1.5
    has_clones = random.random() < 0.2
    if has_clones:
        # Nothing tells a clone whose port refuses from a process that is gone: see decision 11.
        faults.pop("live port refuses", None)
    return has_clones


def make_plan(seed: int) -> Plan:
    """The plan of a seed."""
    random, spacing = random_module.Random(f"plan {seed}"), random_module.Random(f"spacing {seed}")
    faults: dict[str, float] = {}
    frozen = random_module.Random(f"frozen {seed}")
    for name, most in FAULTS.items():
        draws, share = (frozen, 0.25) if name in _FROZEN else (random, 0.45)
        if name not in _OF_ELECTIONS and draws.random() < share:
            faults[name] = most * draws.choice([0.3, 1.0, 1.0, 2.5])
    elections = random_module.Random(f"elections {seed}")
    has_clones = _choose_election_faults(faults, elections)
    heartbeat_ms, timeout_ms, lease_ms = random.choices(_TIMES, [4, 4, 2, 1])[0]
    is_small_table = random.random() < 0.1
    limits = Limits(
        jobs_max=random.choice([12, 1_000, 1_000]),
        dead_jobs_max=random.choice([3, 1_000, 1_000]),
        client_entries_max=4 if is_small_table else 1_000,
        document_bytes_max=random.choice([9_000, 9_000, 15_000, 67_108_864, 67_108_864]),
    )
    return Plan(
        seed=seed,
        brokers=random.choices([1, 2, 3], [1, 3, 3])[0],
        producers=random.randint(1, 3),
        workers=random.randint(1, 4),
        faults=faults,
        heartbeat_ms=heartbeat_ms,
        timeout_ms=timeout_ms,
        lease_ms=lease_ms,
        interval_ms=random.choice([0, 0, 0, 150, heartbeat_ms // 2]),
        job_wait_ms=random.choice([500, 1_500, 3_000]),
        frame_requests=random.choice([1, 3, 100]),
        client_timeout_ms=random.choice([2_500, 8_000, 30_000, 120_000]),
        rules=QueueRules(
            limits=limits,
            lease_ms=lease_ms,
            max_attempts=random.randint(1, 4),
            retry=RetryPolicy(base_ms=200, factor=2.0, cap_ms=3_000),
        ),
        versions_name_bytes=random.random() < 0.5,
        has_store_clock=random_module.Random(f"clocks {seed}").random() < 0.5,
        is_small_table=is_small_table,
        is_proxied=elections.random() < (0.5 if has_clones else 0.1),
        has_clones=has_clones,
        # A slow store makes leases of up to 12 times the timeout; one may have been renewed.
        calm_ms=60_000 + 40 * timeout_ms,
        gap_ms=spacing.choice([0, 0, 0, heartbeat_ms // 3]),
        # Twice the heartbeats: the least that the settings allow.
        writes_per_minute=spacing.choice([0, 0, 0, 2 * 60_000 // heartbeat_ms]),
    )


def make_quiet_plan(seed: int = 0, **changes: Any) -> Plan:
    """A plan without faults, for scenarios: two brokers, one producer, one worker."""
    plan = Plan(
        seed=seed,
        brokers=2,
        producers=1,
        workers=1,
        faults={},
        heartbeat_ms=1_000,
        timeout_ms=3_000,
        lease_ms=6_000,
        interval_ms=0,
        job_wait_ms=500,
        frame_requests=100,
        client_timeout_ms=30_000,
        rules=QueueRules(lease_ms=6_000),
        versions_name_bytes=True,
        calm_ms=180_000,
    )
    return replace(plan, **changes)

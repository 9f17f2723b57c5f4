"""What one seed plays with the real shells: who takes part, how long, which faults, how often."""

from __future__ import annotations

import random as random_module
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from osqueue.settings import Settings

__all__ = ["FAULTS", "Plan", "make_plan", "make_quiet_plan"]

FAULTS: dict[str, float] = {
    # Of one write.
    "write refused before": 0.12,
    "write applied, reply lost": 0.12,
    "write lands late": 0.10,
    "write never lands": 0.08,
    "write hangs": 0.06,
    "write sent twice below": 0.08,
    "write slow": 0.10,
    # Of one read.
    "read fails": 0.15,
    "read slow": 0.10,
    "read hangs": 0.05,
    # Of the network.
    "message slow": 0.05,
    "dialling hangs": 0.10,
    "dialling refused": 0.25,
    # Of a moment: how often in a minute.
    "broker crashes": 15.0,
    "broker drained": 4.0,
    "connection breaks": 20.0,
    "connection falls silent": 6.0,
    "store out": 4.0,
    # Of one caller.
    "call cancelled": 0.4,
    "call cancelled as it is woken": 0.2,
    "client crashes": 0.4,
    "worker crashes": 0.4,
    "reader slow": 0.6,
}
"""Every fault, with how often it strikes where its seed turns it on: a share of the occasions, or
strikes a minute."""


@dataclass
class Plan:
    """What one seed plays."""

    seed: int
    brokers: int
    producers: int
    workers: int
    claimers: int
    insiders: int
    """Callers within the brokers' processes: of `Broker` and of `Dispatcher`."""
    watchers: int
    faults: dict[str, float]
    settings: Settings
    rest_s: float
    """About how long a caller rests between two calls."""
    client_timeout_s: float
    feed_pace_s: float = 0.05
    faults_s: float = 15.0
    """How long faults strike."""
    calm_s: float = 300.0
    """How long everything may take to settle after that."""


def make_plan(seed: int) -> Plan:
    """The plan of a seed."""
    random = random_module.Random(f"shells {seed}")
    faults: dict[str, float] = {}
    refusing = random_module.Random(f"refusing {seed}")
    for name, most in FAULTS.items():
        # From a generator of its own: it has come later, and the plans of the others stay.
        source = refusing if name == "dialling refused" else random
        if source.random() < 0.5:
            faults[name] = most * source.choice([0.3, 1.0, 1.0, 2.0])
    heartbeat_ms, timeout_ms, lease_ms = random.choice(
        [(300, 1_000, 2_000), (500, 2_000, 4_000), (1_000, 3_000, 10_000)]
    )
    write_deadline_ms = random.choice([300, 3_000])
    return Plan(
        seed=seed,
        brokers=random.choice([1, 2, 2, 2]),
        producers=random.randint(1, 2),
        workers=random.randint(1, 2),
        claimers=random.randint(0, 2),
        insiders=random.randint(1, 2),
        watchers=random.randint(0, 3),
        faults=faults,
        settings=make_settings(
            broker_heartbeat_interval_ms=heartbeat_ms,
            broker_heartbeat_timeout_ms=timeout_ms,
            lease_ms=lease_ms,
            group_commit_interval_ms=random.choice([0, 0, 0, 100]),
            write_deadline_ms=write_deadline_ms,
            drain_timeout_ms=random.choice([write_deadline_ms, 8_000]),
        ),
        rest_s=random.choice([0.1, 0.3, 1.0]),
        client_timeout_s=random.choice([2.5, 10.0, 60.0]),
        feed_pace_s=random.choice([0.05, 0.05, 1.0]),
    )


def make_quiet_plan(seed: int = 0, **changes: Any) -> Plan:
    """A plan without faults, for scenarios: two brokers, and one of each kind."""
    plan = Plan(
        seed=seed,
        brokers=2,
        producers=1,
        workers=1,
        claimers=1,
        insiders=1,
        watchers=1,
        faults={},
        settings=make_settings(),
        rest_s=0.2,
        client_timeout_s=30.0,
        faults_s=5.0,
        calm_s=120.0,
    )
    return replace(plan, **changes)


def make_settings(**changes: Any) -> Settings:
    return msgspec.structs.replace(
        Settings(
            storage_backend="memory",
            broker_heartbeat_interval_ms=500,
            broker_heartbeat_timeout_ms=2_000,
            lease_ms=4_000,
            retry_base_ms=200,
            retry_cap_ms=1_500,
            log_format="json",
        ),
        **changes,
    )

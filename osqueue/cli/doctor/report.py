"""What the doctor finds, as data: printed for a person by `printing`, or as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = [
    "BucketAspect",
    "CostEstimate",
    "Finding",
    "Latencies",
    "Level",
    "ProvenStep",
    "QueueFound",
    "RaceResult",
    "Report",
]

Level = Literal["problem", "warning"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Something that an operator should know."""

    level: Level
    """A problem makes the exit status 1."""
    check: str
    """Which examination found it."""
    message: str
    advice: str = ""


class ProvenStep(msgspec.Struct, frozen=True, rename="camel"):
    """One step of the proof that a broker asks for at its start."""

    name: str
    milliseconds: float


class RaceResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Writers that replaced one version at the same moment, again and again."""

    racers: int
    rounds: int
    rounds_won: int
    """Rounds in which a write was acknowledged."""
    acknowledged: int
    """Writes that were; in a round one at most, where the store keeps conditions."""
    lost: int
    """Acknowledged writes that another one overwrote. Anything but 0 loses jobs."""
    unclear: int
    """Writes whose outcome the store did not tell."""


class Latencies(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long one kind of call took, in ms."""

    samples: int
    p50: float
    p90: float
    p99: float
    slowest: float


class QueueFound(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The header of the queue that is there; nothing else of it was read."""

    broker: str | None
    """The address of the leader; None: it was released."""
    epoch: int
    broker_heartbeat: int
    """When the leader wrote last, ms since the epoch."""


class BucketAspect(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of the bucket's own rules, as far as it concerns the queue."""

    name: str
    is_known: bool
    """False: the credentials may not look, or the store did not answer."""
    told: str
    """What is so, or why it is not known."""


class CostEstimate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a queue would cost in requests, over a month of 30.44 days."""

    provider: str
    """Whose prices these are; empty: none are known."""
    prices_from: str
    jobs_per_s: float
    workers: int
    standbys: int
    writes_per_s: float
    writes_per_month: int
    reads_per_month: int
    usd_per_million_writes: float | None
    usd_per_million_reads: float | None
    usd_per_month: float | None
    """None where no prices are known; 0 where nobody charges for requests."""
    notes: list[str]


class Report(msgspec.Struct, kw_only=True, rename="camel"):
    """Everything that was examined. A part is None where it could not be."""

    store: str
    is_fine: bool = True
    findings: list[Finding] = []
    queue: QueueFound | None = None
    bucket: list[BucketAspect] | None = None
    proof: list[ProvenStep] | None = None
    race: RaceResult | None = None
    reads: Latencies | None = None
    unchanged_reads: Latencies | None = None
    """Conditional reads of what has not changed, as standbys make them."""
    writes: Latencies | None = None
    document_bytes: int = 0
    """The size of what was read and written for the latencies."""
    clock_offset_ms: int | None = None
    """How far the store's clock is ahead of this machine's; None: it has none of its own."""
    costs: CostEstimate | None = None

    def add(self, finding: Finding) -> None:
        """Note a finding."""
        self.findings.append(finding)
        self.is_fine = self.is_fine and finding.level != "problem"

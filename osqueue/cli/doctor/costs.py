"""What a queue in a bucket costs in requests: prices with their date, and the arithmetic."""

from __future__ import annotations

import msgspec

from osqueue.cli.doctor.report import CostEstimate
from osqueue.settings import Settings, write_gap_ms

__all__ = ["PRICES", "Load", "Prices", "estimate_costs", "provider_of"]

MONTH_S = 2_629_800
"""30.44 days: a twelfth of a year."""
WRITES_PER_JOB = 2
"""Submitted and delivered by one write where a worker waits, completed by another."""
MINUTE_S = 60
DAY_S = 86_400


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Of requests, in US dollars a million, without free allowances and without storage."""

    provider: str
    date: str
    usd_per_million_writes: float
    """PUT and list: class A."""
    usd_per_million_reads: float
    """GET: class B."""
    usd_per_gib_month: float
    """Of what is stored."""


PRICES = {
    "s3": Prices(
        provider="S3 Standard, us-east-1",
        date="2026-11",
        usd_per_million_writes=5.0,
        usd_per_million_reads=0.4,
        usd_per_gib_month=0.023,
    ),
    "gcs": Prices(
        provider="GCS Standard, one region",
        date="2026-11",
        usd_per_million_writes=5.0,
        usd_per_million_reads=0.4,
        usd_per_gib_month=0.02,
    ),
    "r2": Prices(
        provider="Cloudflare R2 Standard",
        date="2026-11",
        usd_per_million_writes=4.5,
        usd_per_million_reads=0.36,
        usd_per_gib_month=0.015,
    ),
}
"""List prices; docs/storage.md has the same, with what they come to."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What the queue would be used for."""

    jobs_per_s: float = 1.0
    workers: int = 10
    standbys: int = 1
    usd_per_million_writes: float | None = None
    """Overrides the list price."""
    usd_per_million_reads: float | None = None


def provider_of(settings: Settings) -> str | None:
    """Whose prices hold, a key of `PRICES`; None: nobody's that are known, or nobody's at all."""
    match settings.storage_backend:
        case "gcs":
            return None if settings.storage_emulator_host else "gcs"
        case "s3":
            if not settings.s3_endpoint_url or "amazonaws.com" in settings.s3_endpoint_url:
                return "s3"
            return "r2" if write_gap_ms(settings) else None
        case _:
            return None


def estimate_costs(load: Load, settings: Settings, *, write_ms: float) -> CostEstimate:
    """The requests of a month, and what they come to where prices are known.

    Args:
        write_ms: how long one write takes.
    """
    writes_per_s, notes = write_rate(load, settings, write_ms=write_ms)
    # A standby looks twice in each heartbeat interval.
    reads_per_s = load.standbys * 2_000 / settings.broker_heartbeat_interval_ms
    writes, reads = round(writes_per_s * MONTH_S), round(reads_per_s * MONTH_S)
    known = PRICES.get(provider_of(settings) or "")
    usd_writes, usd_reads = load.usd_per_million_writes, load.usd_per_million_reads
    if settings.storage_backend in ("file", "memory"):
        # Nobody charges for these requests.
        usd_writes, usd_reads = usd_writes or 0.0, usd_reads or 0.0
    if known is not None:
        usd_writes = known.usd_per_million_writes if usd_writes is None else usd_writes
        usd_reads = known.usd_per_million_reads if usd_reads is None else usd_reads
    total = None
    if usd_writes is not None and usd_reads is not None:
        total = round((writes * usd_writes + reads * usd_reads) / 1_000_000, 2)
    return CostEstimate(
        provider="" if known is None else known.provider,
        prices_from="" if known is None else known.date,
        jobs_per_s=load.jobs_per_s,
        workers=load.workers,
        standbys=load.standbys,
        writes_per_s=round(writes_per_s, 3),
        writes_per_month=writes,
        reads_per_month=reads,
        usd_per_million_writes=usd_writes,
        usd_per_million_reads=usd_reads,
        usd_per_month=total,
        notes=notes,
    )


def write_rate(load: Load, settings: Settings, *, write_ms: float) -> tuple[float, list[str]]:
    """Writes a second of the leader, and what bounds them, for a person."""
    idle_per_s = 1_000 / settings.broker_heartbeat_interval_ms
    wanted_per_s = load.jobs_per_s * WRITES_PER_JOB
    apart_ms = max(write_ms, settings.group_commit_interval_ms, write_gap_ms(settings), 1)
    possible_per_s = 1_000 / apart_ms
    notes = [f"workers add no writes: the heartbeats of {load.workers:,} ride along"]
    rate = min(wanted_per_s, possible_per_s)
    if wanted_per_s > possible_per_s:
        notes.append(
            f"one write carries about {wanted_per_s / possible_per_s:,.0f} changes: writes start"
            f" {apart_ms:,.0f} ms apart"
        )
    budget_per_s = budget_rate(settings)
    if budget_per_s is not None and rate > budget_per_s:
        rate = budget_per_s
        notes.append("the budgets hold writes back; changes wait and share a write")
    if rate < idle_per_s:
        rate = idle_per_s
        notes.append("as an idle leader: heartbeats are most of the writes")
    return rate, notes


def budget_rate(settings: Settings) -> float | None:
    """The writes a second that the budgets allow over a day; None: any number."""
    per_minute, per_day = settings.s3_max_writes_per_minute, settings.s3_max_writes_per_day
    if settings.storage_backend not in ("s3", "gcs") or not (per_minute or per_day):
        return None
    # Writes within the day's budget do not touch the minute's.
    return per_minute / MINUTE_S + per_day / DAY_S

"""Lets a bucket prove that it keeps the conditions of writes, before a broker trusts it."""

from __future__ import annotations

import secrets

import structlog

from osqueue.settings import Settings, write_gap_ms
from storage_adapters.contract import ObjectStore
from storage_adapters.proof import Proof, prove_conditions

__all__ = ["is_bucket", "prove_store"]

log = structlog.get_logger("osqueue")


def is_bucket(settings: Settings) -> bool:
    """Whether the queue is in a bucket: the conditions of the other stores are osqueue's own."""
    return settings.storage_backend in ("s3", "gcs")


async def prove_store(store: ObjectStore, settings: Settings, *, now_ms: int) -> Proof:
    """Prove the store's conditions, and say in the log what was noticed.

    Raises:
        ConditionsBroken, AccessDenied, StoreMisconfigured, NotApplied, WriteOutcomeUnknown,
        StoreUnavailable: there is no proof; the message names the step.

    Cancellation: the scratch key is removed within two seconds.
    """
    proof = await prove_conditions(
        store,
        scratch_name=secrets.token_hex(8),
        now_ms=now_ms,
        gap_ms=write_gap_ms(settings),
    )
    took_ms = round(sum(step.duration_ms for step in proof.steps))
    log.info("store proven", store=store.description, milliseconds=took_ms, swept=proof.swept_count)
    if proof.left_behind:
        log.warning("scratch key not removed", reason=proof.left_behind)
    if proof.sweep_failure:
        log.info("scratch keys not listed", reason=proof.sweep_failure)
    return proof

"""Lets a bucket prove that it keeps the conditions of writes, before a broker trusts it."""

from __future__ import annotations

import ipaddress
import secrets
from urllib.parse import urlsplit

import structlog

from osqueue.settings import Settings, write_gap_ms
from storage_adapters.contract import ObjectStore
from storage_adapters.proof import Proof, prove_conditions

__all__ = ["USE_HTTPS", "host_in_the_clear", "is_bucket", "prove_store"]

log = structlog.get_logger("osqueue")


USE_HTTPS = "give its address with https://: jobs and tokens travel readable for everybody"
PRIVATE_NAMES = (".local", ".localhost", ".internal", ".svc", ".lan", ".test")
"""How names end that nobody outside of a network can look up."""


def is_bucket(settings: Settings) -> bool:
    """Whether the queue is in a bucket: the conditions of the other stores are osqueue's own."""
    return settings.storage_backend in ("s3", "gcs")


def host_in_the_clear(settings: Settings) -> str:
    """The host of the store where requests go to it by plain http and it seems to be far away.

    Returns: empty where they are encrypted, or stay on this machine or its network.
    """
    is_s3 = settings.storage_backend == "s3"
    address = settings.s3_endpoint_url if is_s3 else settings.storage_emulator_host
    if not is_bucket(settings) or not address or address.startswith("https:"):
        return ""
    host = urlsplit(address if "://" in address else f"http://{address}").hostname or ""
    try:
        return host if ipaddress.ip_address(host).is_global else ""
    except ValueError:
        return "" if "." not in host or host.endswith(PRIVATE_NAMES) else host


async def prove_store(store: ObjectStore, settings: Settings, *, now_ms: int) -> Proof:
    """Prove the store's conditions, and say in the log what was noticed.

    Raises:
        ConditionsBroken, AccessDenied, StoreMisconfigured, NotApplied, WriteOutcomeUnknown,
        StoreUnavailable: there is no proof; the message names the step.

    Cancellation: the scratch key is removed within two seconds.
    """
    if host := host_in_the_clear(settings):
        log.warning("the store is spoken to without encryption", host=host, advice=USE_HTTPS)
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

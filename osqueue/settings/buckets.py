"""The settings of a queue in a bucket, checked against each other where the queue is in one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from osqueue.settings.addresses import is_host_and_port, is_web_address
from osqueue.settings.rows import DAY_MS, SettingsError

if TYPE_CHECKING:
    from osqueue.settings.table import Settings

__all__ = ["check_buckets", "write_gap_ms"]

MINUTE_MS = 60_000
HEARTBEATS_COVERED = 2
"""A write budget is at least twice the heartbeats, or the queue could only stay alive; a read
budget too, because a standby looks twice in each heartbeat interval."""
BUCKET_NAMES = {
    "s3": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]"),
    "gcs": re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"),
}
"""What the stores allow, old names included."""
PREFIX_BYTES_MAX = 512
SLOW_OBJECT_GAP_MS = 1_000
"""GCS and R2 take one write a second of one object, and answer 429 to what comes sooner."""
R2_HOST = "r2.cloudflarestorage.com"


def write_gap_ms(settings: Settings) -> int:
    """The shortest time between two writes of one object that the store bears; 0: any."""
    host = urlsplit(settings.s3_endpoint_url).hostname or ""
    is_r2 = settings.storage_backend == "s3" and f".{host}".endswith(f".{R2_HOST}")
    return SLOW_OBJECT_GAP_MS if is_r2 or settings.storage_backend == "gcs" else 0


def check_buckets(settings: Settings) -> None:
    """Check what a queue on S3 or GCS needs; nothing where the queue is elsewhere.

    Raises:
        SettingsError: names the settings that lack or contradict each other.
    """
    match settings.storage_backend:
        case "s3":
            check_bucket("s3", settings.s3_bucket, settings.s3_prefix)
            check_endpoint(settings)
        case "gcs":
            check_bucket("gcs", settings.gcs_bucket, settings.gcs_prefix)
            check_emulator(settings.storage_emulator_host)
        case _:
            return
    check_pace(settings)
    check_budgets(settings)


def check_pace(settings: Settings) -> None:
    """Check that heartbeats can keep their interval on a store that takes a write a second."""
    gap_ms, interval_ms = write_gap_ms(settings), settings.broker_heartbeat_interval_ms
    if interval_ms < gap_ms:
        # The leader would lose and regain its trust with each write, and each time give the
        # workers a full lease: the jobs of dead ones would never come back.
        raise SettingsError(
            f"BROKER_HEARTBEAT_INTERVAL_MS ({interval_ms}) must be at least {gap_ms} on GCS and R2,"
            " which take one write a second of one object"
        )


def check_bucket(backend: str, bucket: str, prefix: str) -> None:
    """Check the names that every key of the queue is made of."""
    name = backend.upper()
    if not bucket:
        raise SettingsError(f"STORAGE_BACKEND {backend} needs {name}_BUCKET, which is not set")
    if not BUCKET_NAMES[backend].fullmatch(bucket):
        raise SettingsError(f"{name}_BUCKET must be a bucket's name alone, not {bucket!r}")
    too_long = len(prefix.encode()) > PREFIX_BYTES_MAX
    # Clients and stores resolve dots on their way, each differently.
    segments = prefix.split("/")
    if too_long or not prefix.isprintable() or prefix[:1] == "/" or {".", ".."} & {*segments}:
        raise SettingsError(
            f"{name}_PREFIX must be printable, at most {PREFIX_BYTES_MAX} bytes, without a leading"
            f" slash or parts that are . or .., as in team/queues/, not {prefix!r}"
        )
    if "//" in prefix:
        raise SettingsError(f"{name}_PREFIX must not have two slashes in a row, not {prefix!r}")


def check_endpoint(settings: Settings) -> None:
    """Check the address of an S3-compatible store."""
    endpoint = settings.s3_endpoint_url
    if endpoint and not is_web_address(endpoint, with_path=True):
        raise SettingsError(
            f"S3_ENDPOINT_URL must be an address as https://s3.example.org, not {endpoint!r}"
        )


def check_emulator(host: str) -> None:
    """Check the address of a GCS emulator; Google's own tools let it lack the scheme."""
    if host and not (is_web_address(host, with_path=False) or is_host_and_port(host)):
        raise SettingsError(
            f"STORAGE_EMULATOR_HOST must be HOST:PORT or http://HOST:PORT, not {host!r}"
        )


def check_budgets(settings: Settings) -> None:
    """Check that each budget leaves room beside what keeps the lead."""
    interval_ms = settings.broker_heartbeat_interval_ms
    for name, budget, period_ms in (
        ("S3_MAX_WRITES_PER_MINUTE", settings.s3_max_writes_per_minute, MINUTE_MS),
        ("S3_MAX_READS_PER_MINUTE", settings.s3_max_reads_per_minute, MINUTE_MS),
        ("S3_MAX_WRITES_PER_DAY", settings.s3_max_writes_per_day, DAY_MS),
    ):
        least = -(-HEARTBEATS_COVERED * period_ms // interval_ms)
        if 0 < budget < least:
            raise SettingsError(
                f"{name} ({budget}) must be 0 or at least {least}, twice what"
                f" BROKER_HEARTBEAT_INTERVAL_MS ({interval_ms}) needs: an idle leader writes, and"
                " a standby looks, at that interval"
            )

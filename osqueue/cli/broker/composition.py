"""What a broker is made of: settings to store, identity, broker and server."""

from __future__ import annotations

import gc
import os
import random as random_module
import secrets
import socket
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from osqueue.broker.broker import Broker
from osqueue.broker.queue_clock import QueueClock
from osqueue.cli.broker.linux_processes import own_process, trace_process
from osqueue.cli.broker.probing import probe_leader
from osqueue.clocks import Clock, SystemClock
from osqueue.core.ids import make_broker_name
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from osqueue.settings import Settings, advertised_address
from storage_adapters.contract import NotApplied, ObjectStore, StoreError
from storage_adapters.opening import open_gcs, open_s3

if TYPE_CHECKING:
    from storage_adapters.throttled import Throttle

__all__ = [
    "QUEUE_KEY",
    "describe_place",
    "machine_name",
    "make_server",
    "make_store",
    "make_throttle",
    "place_name",
    "tell_failed_renewal",
]

log = structlog.get_logger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NETWORK_NAMESPACE = Path("/proc/self/ns/net")
QUEUE_KEY = "queue.json"
LOCK_WAIT_MS_MAX = 1_000


def make_store(settings: Settings) -> ObjectStore:
    """The store that the settings name; only its own adapter is loaded.

    Raises:
        StoreMisconfigured: it cannot be used.
    """
    match settings.storage_backend:
        case "memory":
            from storage_adapters.memory import MemoryStore

            return MemoryStore(latency_ms=settings.memory_latency_ms)
        case "file":
            from storage_adapters.file.store import FileStore

            return FileStore(
                settings.file_directory,
                force_network=settings.file_force_network,
                # Shorter than an attempt to write, so that its error names the lock's holder.
                lock_wait_ms=min(LOCK_WAIT_MS_MAX, settings.broker_heartbeat_timeout_ms // 8),
            )
        case "s3":
            return open_s3(
                settings.s3_bucket,
                environment=os.environ,
                prefix=settings.s3_prefix,
                region=settings.s3_region,
                endpoint_url=settings.s3_endpoint_url,
                addressing_style=settings.s3_addressing_style,
                quotes_etags=settings.s3_quoted_etags,
                on_failed_renewal=tell_failed_renewal,
            )
        case _:
            assert settings.storage_backend == "gcs", "the settings know no other store"
            emulator = {"STORAGE_EMULATOR_HOST": settings.storage_emulator_host}
            return open_gcs(
                settings.gcs_bucket,
                environment={**os.environ, **emulator},
                prefix=settings.gcs_prefix,
                on_failed_renewal=tell_failed_renewal,
            )


def tell_failed_renewal(error: StoreError, ends_at_ms: int) -> None:
    """Log why credentials, which are valid still, could not be renewed ahead of their end."""
    advice = error.advice
    if isinstance(error, NotApplied):
        advice = "nothing, unless it is still so shortly before they end: it is tried again"
    ends = datetime.fromtimestamp(ends_at_ms / 1_000, UTC).isoformat(timespec="seconds")
    log.warning("credentials not renewed", reason=str(error), valid_until=ends, advice=advice)


def make_throttle(settings: Settings) -> Throttle | None:
    """The budgets of a bucket; None where none is set, or the queue is in no bucket."""
    budgets = (
        settings.s3_max_reads_per_minute,
        settings.s3_max_writes_per_minute,
        settings.s3_max_writes_per_day,
    )
    if settings.storage_backend not in ("s3", "gcs") or not any(budgets):
        return None
    from storage_adapters.throttled import Throttle

    reads_per_minute, writes_per_minute, writes_per_day = budgets
    return Throttle(
        reads_per_minute=reads_per_minute,
        writes_per_minute=writes_per_minute,
        writes_per_day=writes_per_day,
    )


def throttled(store: ObjectStore, throttle: Throttle | None, clock: Clock) -> ObjectStore:
    """The store behind the throttle, where there is one."""
    if throttle is None:
        return store
    from storage_adapters.throttled import ThrottledStore

    return ThrottledStore(store, throttle, now_ms=clock.now_ms, steady_ms=clock.steady_ms)


def describe_place(settings: Settings) -> str:
    """Where the queue is, for a person."""
    match settings.storage_backend:
        case "memory":
            return "queue in memory: it ends with this process"
        case "s3":
            return f"queue in s3://{settings.s3_bucket}/{settings.s3_prefix}{QUEUE_KEY}"
        case "gcs":
            return f"queue in gs://{settings.gcs_bucket}/{settings.gcs_prefix}{QUEUE_KEY}"
        case _:
            pass
    return f"queue in {settings.file_directory.rstrip('/')}/{QUEUE_KEY}"


def machine_name() -> str:
    """Names this machine since its boot, and the network that its addresses belong to."""
    try:
        boot = BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        # Not Linux: the hardware address tells machines of one name apart, though not boots.
        boot = f"{uuid.getnode():012x}"
    try:
        namespace = os.readlink(NETWORK_NAMESPACE)
    except OSError:
        namespace = "net"
    return f"{socket.gethostname()} {boot} {namespace}"


def place_name(settings: Settings) -> str:
    """Names what one process at a time should have: a port that is bound on this machine.

    The advertised address would not do: behind a proxy several brokers can have the same.
    """
    return f"{machine_name()} {settings.broker_host} {settings.broker_port}"


def make_server(settings: Settings, *, clock: Clock | None = None) -> Server:
    """The whole broker behind its server, bound to its address; neither runs yet.

    `clock` is the machine's where none is given.

    Raises:
        ListenError: the address cannot be had.
        StoreMisconfigured: the store cannot be used.
    """
    throttle = make_throttle(settings)
    unthrottled = make_store(settings)
    queue_clock = QueueClock(clock or SystemClock(), unthrottled)
    store = throttled(unthrottled, throttle, queue_clock)
    random = random_module.Random()
    with port_known(settings) as settings:
        identity = BrokerIdentity(
            name=make_broker_name(secrets.randbits(64)),
            address=advertised_address(
                settings, host_name=socket.gethostname(), port=settings.broker_port
            ),
            host=" ".join([place_name(settings), *own_process()]),
        )
        broker = Broker(
            store,
            settings,
            identity,
            clock=queue_clock,
            random=random,
            key=QUEUE_KEY,
            probe_leader=probe_leader,
            trace_process=trace_process,
            throttle=throttle,
            # What was loaded stays: the collector of this process need not walk it again and again.
            on_loaded=gc.freeze,
        )
        server = Server(broker, settings, random=random)
        server.bind()
    return server


@contextmanager
def port_known(settings: Settings) -> Generator[Settings]:
    """The settings with the number of a free port where they ask for any.

    The broker tells others its address from its first write on, so the number is needed before
    the server is made. Until that has bound it, a socket that does not listen keeps it from others.
    """
    if settings.broker_port != 0:
        yield settings
        return
    with socket.socket() as reservation:
        reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reservation.bind(("", 0))
        yield msgspec.structs.replace(settings, broker_port=reservation.getsockname()[1])

"""Real brokers on the autojump clock, over a scripted store."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import trio

from osqueue.broker.broker import Broker, make_rules, no_probe, no_traces
from osqueue.broker.leadership_loop import ProbeAnswer, ProcessTracer
from osqueue.clocks import Clock, TrioClock
from osqueue.core.document import LoadedDocument, load_document
from osqueue.core.leadership import BrokerIdentity
from osqueue.core.mutations import Request
from osqueue.core.outcomes import Outcome
from osqueue.settings import Settings
from tests.broker.scripted_store import KEY, ScriptedStore

__all__ = [
    "TIMEOUT_S",
    "ask",
    "document",
    "make_broker",
    "start",
    "stored_job_ids",
]

TIMEOUT_S = 10
SETTINGS = Settings(storage_backend="memory")


def make_broker(
    store: ScriptedStore,
    number: int = 1,
    *,
    key: str = KEY,
    address: str = "",
    host: str = "",
    probe_leader: ProbeAnswer = no_probe,
    trace_process: ProcessTracer = no_traces,
    on_loaded: Callable[[], object] = lambda: None,
    clock: Clock | None = None,
    **settings: Any,
) -> Broker:
    return Broker(
        store,
        msgspec.structs.replace(SETTINGS, **settings),
        BrokerIdentity(
            name=f"{number:016x}",
            address=address or f"10.0.0.{number}:8080",
            host=host or f"host-{number}",
        ),
        clock=clock or TrioClock(),
        random=random.Random(number),
        key=key,
        probe_leader=probe_leader,
        trace_process=trace_process,
        on_loaded=on_loaded,
    )


async def start(
    nursery: trio.Nursery, store: ScriptedStore, number: int = 1, **settings: Any
) -> Broker:
    """A broker that runs, and leads or knows who does."""
    broker = make_broker(store, number, **settings)
    await nursery.start(broker.run)
    return broker


async def ask(broker: Broker, request: Request) -> Outcome:
    """One request and its outcome."""
    [outcome] = await broker.submit([request])
    return outcome


async def document(store: ScriptedStore) -> LoadedDocument:
    return load_document(await store.stored(), make_rules(SETTINGS), random.Random(1))


async def stored_job_ids(store: ScriptedStore) -> list[str]:
    return [job.id for job in (await document(store)).state.table.blocks.after(-1)]

"""What the two machines of the core ask their drivers to do. At most one store call is in
flight."""

from __future__ import annotations

import msgspec

from osqueue.core.errors import QueueError
from osqueue.core.outcomes import JobChange
from osqueue.core.tables.tally import Tally
from osqueue.core.writes.tickets import Ticket

__all__ = [
    "CommitSummary",
    "LoadDocument",
    "ProbeLeader",
    "Settle",
    "StepDown",
    "WaitUntil",
    "WriteDocument",
]


class LoadDocument(msgspec.Struct, frozen=True):
    """Read the document, then report `document_loaded`, `document_unchanged`, `document_missing` or
    `load_failed`."""

    if_changed_from: str | None = None
    """The version that need not be sent again; None: always the whole."""
    head_only: bool = False
    """The header line is enough."""


class WriteDocument(msgspec.Struct, frozen=True):
    """Write the document once, then report `write_succeeded`, `write_not_applied`,
    `write_conflicted` or `write_outcome_unknown`."""

    chunks: list[bytes]
    base_version: str | None
    """The version that is replaced; None: the object must be missing."""
    timeout_ms: int
    """When to stop waiting; the outcome is unknown then."""
    commit_id: str = ""
    mutations: int = 0
    """How many of them it carries."""


class CommitSummary(msgspec.Struct, frozen=True):
    """One commit, for those who watch."""

    commit_id: str
    mutations: int
    document_bytes: int
    duration_ms: int
    """From the first attempt to the settlement."""
    at: int = 0
    """When it was settled, ms since the epoch."""
    tally: Tally = msgspec.field(default_factory=Tally)
    """What it has done to the queue."""


class Settle(msgspec.Struct, frozen=True):
    """Wake the callers of these tickets: all their outcomes are there. Then ask again."""

    tickets: list[Ticket]
    commit: CommitSummary | None = None
    """The commit that settled them; None: no write was needed, or it failed."""
    changes: list[JobChange] = []
    """What it made of jobs; empty where nobody watches."""


class WaitUntil(msgspec.Struct, frozen=True):
    """Nothing to do until then, or until something is reported or enqueued."""

    steady_ms: int | None


class StepDown(msgspec.Struct, frozen=True):
    """The term is over. Every ticket was settled before."""

    reason: str
    error: QueueError | None = None
    """What later callers get until somebody is known to lead."""
    may_still_lead: bool = False
    """As far as this broker can tell the store still names it: standbys wait for the timeout."""


class ProbeLeader(msgspec.Struct, frozen=True):
    """Ask the broker at this address for its name, and then the system for its process; report
    `process_traced` for that, and then `leader_answered`, `leader_refused` or `leader_silent`."""

    address: str | None
    """None: it is this broker's own, do not ask; report `leader_silent`."""
    pid: int | None = None
    """None: no process of this machine, do not ask."""

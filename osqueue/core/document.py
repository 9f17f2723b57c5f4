"""The stored form: one JSON object: a header line, then tables, then a few hundred jobs a line.

Line 1 holds the header's scalars, so that the first kilobytes are enough for discovery. Loading
does not depend on the line breaks: a document that was reformatted by hand still loads. Unknown
fields in the header, in tables and in jobs survive being loaded and written again; a newer format
is refused.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Iterable
from typing import Any

import msgspec

from osqueue.core.errors import StoredDataInvalid
from osqueue.core.ids import CommitId
from osqueue.core.job import Job
from osqueue.core.limits import FORMAT_VERSION, QueueRules
from osqueue.core.queue_state import QueueState
from osqueue.core.tables.client_table import ClientEntry, ClientTable
from osqueue.core.tables.job_table import JobTable
from osqueue.core.tables.totals import Totals

__all__ = [
    "HEAD_BYTES_MAX",
    "Header",
    "LoadedDocument",
    "Takeover",
    "encode_document",
    "load_document",
    "read_header",
]

HEAD_BYTES_MAX = 8_192
"""As many bytes hold the header line of every document that this code writes."""

_TABLES = frozenset({"pausedTypes", "clients", "jobs"})

_encode = msgspec.json.Encoder().encode


class Takeover(msgspec.Struct, frozen=True, rename="camel"):
    """One change of leader: what settles writes whose reply was lost."""

    epoch: int
    """The new term."""
    broker_name: str
    """Who took over."""
    taken_from: str
    """The commit id that was found and replaced; empty: the queue was created."""


class Header(msgspec.Struct, rename="camel", kw_only=True):
    """Line 1: who leads, since which commit, and the counters."""

    format: int = FORMAT_VERSION
    broker: str | None = None
    """The leader's advertised address; None: released."""
    broker_host: str = ""
    """The leader's machine: host name, boot id and network namespace."""
    broker_heartbeat: int = 0
    """When this was written, ms since the epoch, by the leader's clock; for people."""
    broker_timeout_ms: int = 10_000
    """How long a standby waits without a change before it takes over."""
    epoch: int = 0
    commit_id: str = ""
    lineage: list[Takeover] = []
    """The last takeovers, oldest first."""
    completed_total: int = 0
    next_order: int = 1
    leadership_ms: int = 0
    paused: bool = False

    def parsed_commit_id(self) -> CommitId:
        """The commit id in its parts.

        Raises:
            StoredDataInvalid: it is none.
        """
        try:
            return CommitId.parse(self.commit_id)
        except ValueError as error:
            raise _invalid(f"commitId {self.commit_id!r} is no commit id: {error}") from error


class LoadedDocument(msgspec.Struct, kw_only=True):
    """A document as it was found."""

    header: Header
    unknown_header: dict[str, msgspec.Raw]
    """Top-level fields that this version does not know, to be written again."""
    state: QueueState


_HEADER_NAMES = frozenset(field.encode_name for field in msgspec.structs.fields(Header))
_JOB_NAMES = frozenset(field.encode_name for field in msgspec.structs.fields(Job))
_ENTRY_NAMES = frozenset(field.encode_name for field in msgspec.structs.fields(ClientEntry))


def encode_document(
    header: Header, unknown_header: dict[str, msgspec.Raw], state: QueueState
) -> list[bytes]:
    """The document as chunks, most of them shared with the one before."""
    totals = state.totals
    header.completed_total = totals.completed_total
    header.next_order = totals.next_order
    header.leadership_ms = totals.leadership_ms
    header.paused = totals.paused
    unknown = b"".join(
        b"%b:%b,\n" % (_encode(name), bytes(raw)) for name, raw in unknown_header.items()
    )
    return [
        _encode(header)[:-1] + b",\n",
        unknown,
        b'"pausedTypes":' + _encode(sorted(state.paused_types)),
        b',\n"clients":{',
        *state.clients.encode(),
        b'},\n"jobs":[\n',
        *state.table.blocks.encode(),
        b"\n]}\n",
    ]


def read_header(head: bytes) -> Header | None:
    """The header from the first bytes of a document; None where they do not hold line 1 whole.

    Raises:
        StoredDataInvalid: line 1 is there and is no header, or of a newer format.
    """
    line, newline, _ = head.partition(b"\n")
    line = line.rstrip()
    if not newline or not line.endswith(b","):
        return None
    try:
        return _checked(msgspec.convert(msgspec.json.decode(line[:-1] + b"}"), Header))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def load_document(data: bytes, rules: QueueRules, random: random_module.Random) -> LoadedDocument:
    """Read a whole document.

    Raises:
        StoredDataInvalid: it is unreadable, or of a newer format; the message says where and what
            to do.
    """
    try:
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        known = {name: raw for name, raw in fields.items() if name in _HEADER_NAMES}
        header = _checked(msgspec.json.decode(_encode(known), type=Header))
        paused_types = msgspec.json.decode(fields.get("pausedTypes", b"[]"), type=list[str])
        clients = _load_clients(fields.get("clients", msgspec.Raw(b"{}")))
        jobs, unknown_job_fields = _load_jobs(fields.get("jobs", msgspec.Raw(b"[]")))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _invalid(f"it is unreadable: {error}") from error
    _check_jobs(jobs, header)
    state = QueueState(
        rules,
        random,
        table=JobTable(jobs, unknown_job_fields),
        totals=Totals(
            completed_total=header.completed_total,
            next_order=header.next_order,
            leadership_ms=header.leadership_ms,
            paused=header.paused,
        ),
        clients=clients,
        paused_types=paused_types,
    )
    unknown_header = {
        name: _copy(raw)
        for name, raw in fields.items()
        if name not in _HEADER_NAMES and name not in _TABLES
    }
    return LoadedDocument(header=header, unknown_header=unknown_header, state=state)


def _checked(header: Header) -> Header:
    if header.format > FORMAT_VERSION:
        raise _invalid(
            f"its format is {header.format}, this version of osqueue reads up to {FORMAT_VERSION}: "
            "upgrade this broker"
        )
    return header


def _load_jobs(raw: msgspec.Raw) -> tuple[list[Job], dict[str, bytes]]:
    try:
        jobs, unknown = msgspec.json.decode(raw, type=list[Job]), dict[str, bytes]()
    except msgspec.ValidationError:
        # Perhaps a field that this version does not know: then job by job, keeping it.
        jobs, unknown = _load_each_job(msgspec.json.decode(raw, type=list[msgspec.Raw]))
    for job in jobs:
        # A view would keep the whole document in memory for as long as the job lives.
        job.payload = _copy(job.payload)
        job.result = None if job.result is None else _copy(job.result)
    return jobs, unknown


def _load_each_job(raw_jobs: Iterable[msgspec.Raw]) -> tuple[list[Job], dict[str, bytes]]:
    jobs: list[Job] = []
    unknown_fields: dict[str, bytes] = {}
    for index, raw_job in enumerate(raw_jobs):
        try:
            known, unknown = _split(raw_job, _JOB_NAMES)
            job = msgspec.json.decode(known, type=Job)
        except msgspec.MsgspecError as error:
            raise ValueError(f"jobs[{index}]: {error}") from error
        jobs.append(job)
        if unknown:
            unknown_fields[job.id] = unknown
    return jobs, unknown_fields


def _load_clients(raw: msgspec.Raw) -> ClientTable:
    entries: dict[str, ClientEntry] = {}
    unknown_fields: dict[str, bytes] = {}
    for client_id, raw_entry in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items():
        known, unknown = _split(raw_entry, _ENTRY_NAMES)
        entry = msgspec.json.decode(known, type=ClientEntry)
        entry.answers = {sequence: _copy(answer) for sequence, answer in entry.answers.items()}
        entries[client_id] = entry
        if unknown:
            unknown_fields[client_id] = unknown
    return ClientTable(entries, unknown_fields)


def _split(raw: msgspec.Raw, known_names: frozenset[str]) -> tuple[bytes, bytes]:
    """A JSON object's known fields as an object, and the others as the inside of one."""
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    known = {name: value for name, value in fields.items() if name in known_names}
    if len(known) == len(fields):
        return bytes(raw), b""
    unknown = {name: value for name, value in fields.items() if name not in known_names}
    return _encode(known), _encode(unknown)[1:-1].replace(b"\n", b" ")


def _check_jobs(jobs: list[Job], header: Header) -> None:
    ids: set[Any] = {job.id for job in jobs}
    orders: set[Any] = {job.order for job in jobs}
    if len(ids) != len(jobs) or len(orders) != len(jobs):
        raise _invalid("two jobs share an id or an order")
    for job in jobs:
        if not 0 < job.order < header.next_order:
            raise _invalid(f"job {job.id} has order {job.order}, nextOrder is {header.next_order}")
        if job.is_held != bool(job.worker_id) or job.attempts > job.max_attempts:
            raise _invalid(
                f"job {job.id} is {job.status} with worker {job.worker_id!r} and "
                f"{job.attempts} of {job.max_attempts} attempts"
            )


def _copy(raw: msgspec.Raw) -> msgspec.Raw:
    return msgspec.Raw(bytes(raw).replace(b"\n", b" "))


def _invalid(what: str) -> StoredDataInvalid:
    return StoredDataInvalid(
        f"the stored queue cannot be used: {what}. Nothing was written. Restore the object from a "
        "backup, mend it by hand, or move it away to start with an empty queue"
    )

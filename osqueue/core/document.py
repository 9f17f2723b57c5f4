"""The stored form: one JSON object: a header line, then tables, then a few hundred jobs a line.

Line 1 holds the header's scalars, so that the first kilobytes are enough for discovery. Loading
does not depend on the line breaks: a document that was reformatted by hand still loads. Unknown
fields in the header, in tables and in jobs survive being loaded and written again; a newer format
is refused.
"""

from __future__ import annotations

import random as random_module
from collections import Counter
from operator import attrgetter

import msgspec

from osqueue.core.errors import StoredDataInvalid
from osqueue.core.ids import CommitId
from osqueue.core.job import Job
from osqueue.core.limits import FORMAT_VERSION, PRIORITY_MAX, PRIORITY_MIN, QueueRules
from osqueue.core.queue_state import QueueState
from osqueue.core.tables.client_table import ClientEntry, ClientTable
from osqueue.core.tables.job_table import KEY_HOLDERS, JobTable
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
_REQUIRED_HEADER = frozenset({"format", "broker", "epoch", "commitId"})
"""Without these it is no header: some other object, or one that was reformatted."""
_REQUIRED = frozenset({"format", "epoch", "commitId", "nextOrder", "jobs"})
"""A document without one of these would pass for an empty queue, and be overwritten."""

_COUNT_MAX = 2**53 - 1
"""What every reader of JSON can count to."""
_TIME_MS_MAX = 253_402_300_799_999
"""The end of the year 9999."""
_TIMEOUT_MS_MAX = 604_800_000
"""Seven days: more than any setting, and any store that is slow, leads to."""
_HEADER_BOUNDS = {
    "format": (1, FORMAT_VERSION),
    "brokerHeartbeat": (0, _TIME_MS_MAX),
    "brokerTimeoutMs": (1, _TIMEOUT_MS_MAX),
    "epoch": (0, _COUNT_MAX),
    "completedTotal": (0, _COUNT_MAX),
    "nextOrder": (1, _COUNT_MAX),
    "leadershipMs": (0, _COUNT_MAX),
}
"""The least and the most of each number in the header: what osqueue writes is well within."""

_WAITING = frozenset({"scheduled", "unclaimed"})

_encode = msgspec.json.Encoder().encode


class Takeover(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One change of leader: what settles writes whose reply was lost."""

    epoch: int
    """The new term."""
    broker_name: str
    """Who took over."""
    taken_from: str
    """The commit id that was found and replaced; empty: the queue was created."""
    at: int = 0
    """When, ms since the epoch, by the new leader's clock; 0: not known."""


class Header(msgspec.Struct, rename="camel", kw_only=True):
    """Line 1: who leads, since which commit, and the counters."""

    format: int = FORMAT_VERSION
    broker: str | None = None
    """The leader's advertised address; None: released."""
    broker_host: str = ""
    """The leader's machine, where it is bound there, and its process: see
    `election/leader_process.py`."""
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
    paused_types = _encode(sorted(state.paused_types))
    chunks = [
        b'%b,\n%b"pausedTypes":%b,\n"clients":{' % (_encode(header)[:-1], unknown, paused_types),
        *state.clients.encode(),
        b'},\n"jobs":[\n',
        *state.table.blocks.encode(),
        b"\n]}\n",
    ]
    state.added_bytes = 0
    return chunks


def read_header(head: bytes) -> Header | None:
    """The header from the first bytes of a document.

    None where they do not hold line 1 as this code writes it: then only the whole document can
    tell, which may have been reformatted by hand.

    Raises:
        StoredDataInvalid: it is of a newer format.
    """
    line, newline, _ = head.partition(b"\n")
    line = line.rstrip()
    if not newline or not line.endswith(b","):
        return None
    try:
        fields = msgspec.json.decode(line[:-1] + b"}", type=dict[str, msgspec.Raw])
        if not _REQUIRED_HEADER.issubset(fields):
            return None
        return _read_known(fields)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def load_document(data: bytes, rules: QueueRules, random: random_module.Random) -> LoadedDocument:
    """Read a whole document.

    Raises:
        StoredDataInvalid: it is unreadable, or of a newer format; the message says where and what
            to do.
    """
    where = ""
    try:
        # Between the tokens of JSON a line break is as good as a space, and inside strings there is
        # none: so the values that are kept as they are come to lie on one line.
        data = data.replace(b"\n", b" ")
        if not data.isascii():
            data.decode()  # Values that are kept as they are were not decoded, so not checked.
        fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        header = _read_known(fields)
        missing = _REQUIRED.difference(fields)
        if missing:
            raise ValueError(f"{', '.join(sorted(missing))} missing")
        _check_terms(header)
        where = "pausedTypes: "
        paused_types = msgspec.json.decode(fields.get("pausedTypes", b"[]"), type=list[str])
        where = "clients: "
        clients = _load_clients(fields.get("clients", msgspec.Raw(b"{}")))
        where = "jobs: "
        table = _load_jobs(fields["jobs"], header.next_order)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _invalid(f"{where}{error}") from error
    totals = Totals(
        completed_total=header.completed_total,
        next_order=header.next_order,
        leadership_ms=header.leadership_ms,
        paused=header.paused,
    )
    state = QueueState(
        rules, random, table=table, totals=totals, clients=clients, paused_types=paused_types
    )
    unknown_header = {
        name: raw.copy()
        for name, raw in fields.items()
        if name not in _HEADER_NAMES and name not in _TABLES
    }
    return LoadedDocument(header=header, unknown_header=unknown_header, state=state)


def _read_known(fields: dict[str, msgspec.Raw]) -> Header:
    known = {name: raw for name, raw in fields.items() if name in _HEADER_NAMES}
    # The format first: a newer one may have changed what the other fields are.
    found = msgspec.json.decode(fields.get("format", b"0"), type=int)
    if found > FORMAT_VERSION:
        raise _invalid(
            f"its format is {found}, this version of osqueue reads up to {FORMAT_VERSION}: "
            "upgrade this broker"
        )
    for name, (least, most) in _HEADER_BOUNDS.items():
        if name in known:
            _check_number(name, known[name], least, most)
    return msgspec.json.decode(_encode(known), type=Header)


def _check_number(name: str, raw: msgspec.Raw, least: int, most: int) -> None:
    try:
        number = msgspec.json.decode(raw, type=int)
    except msgspec.ValidationError:
        number = None
    if number is None or not least <= number <= most:
        found = bytes(raw).decode()
        raise ValueError(f"{name} must be a whole number from {least} to {most}, not {found}")


def _check_terms(header: Header) -> None:
    commit_id = header.parsed_commit_id()
    if commit_id.epoch != header.epoch:
        raise ValueError(
            f"epoch is {header.epoch}, and commitId {header.commit_id} of epoch {commit_id.epoch}"
        )
    for index, takeover in enumerate(header.lineage):
        where = f"lineage number {index} (from 0): "
        if not 1 <= takeover.epoch <= header.epoch:
            raise ValueError(f"{where}epoch must be 1 to {header.epoch}, not {takeover.epoch}")
        if not 0 <= takeover.at <= _TIME_MS_MAX:
            raise ValueError(f"{where}at must be 0 to {_TIME_MS_MAX}, not {takeover.at}")
        if takeover.taken_from:
            CommitId.parse(takeover.taken_from)


def _load_jobs(raw: msgspec.Raw, next_order: int) -> JobTable:
    unknown_fields: dict[str, bytes] = {}
    try:
        jobs = msgspec.json.decode(raw, type=list[Job])
    except msgspec.ValidationError:
        # Perhaps a field that this version does not know: then job by job, keeping it.
        jobs = _load_each_job(msgspec.json.decode(raw, type=list[msgspec.Raw]), unknown_fields)
    for job in jobs:
        # A view would keep the whole document in memory for as long as the job lives.
        job.payload = job.payload.copy()
        if job.result is not msgspec.UNSET:
            job.result = job.result.copy()
    jobs.sort(key=attrgetter("order"))
    _check_jobs(jobs, next_order)
    table = JobTable(jobs, unknown_fields)
    table.blocks.encoded_bytes = len(bytes(raw))
    return table


def _load_each_job(raw_jobs: list[msgspec.Raw], unknown_fields: dict[str, bytes]) -> list[Job]:
    jobs: list[Job] = []
    for index, raw_job in enumerate(raw_jobs):
        try:
            known, unknown = _split(raw_job, _JOB_NAMES)
            job = msgspec.json.decode(known, type=Job)
        except msgspec.MsgspecError as error:
            raise ValueError(f"number {index} (from 0): {error}") from error
        jobs.append(job)
        if unknown:
            unknown_fields[job.id] = unknown
    return jobs


def _load_clients(raw: msgspec.Raw) -> ClientTable:
    entries: dict[str, ClientEntry] = {}
    unknown_fields: dict[str, bytes] = {}
    for client_id, raw_entry in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items():
        known, unknown = _split(raw_entry, _ENTRY_NAMES)
        entry = msgspec.json.decode(known, type=ClientEntry)
        if not entry.is_sound():
            raise ValueError(f"{client_id}: its floor and applied sequences do not fit together")
        entry.answers = {sequence: answer.copy() for sequence, answer in entry.answers.items()}
        entries[client_id] = entry
        if unknown:
            unknown_fields[client_id] = unknown
    clients = ClientTable(entries, unknown_fields)
    clients.encoded_bytes = len(bytes(raw))
    return clients


def _split(raw: msgspec.Raw, known_names: frozenset[str]) -> tuple[bytes, bytes]:
    """A JSON object's known fields as an object, and the others as the inside of one."""
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    known = {name: value for name, value in fields.items() if name in known_names}
    if len(known) == len(fields):
        return bytes(raw), b""
    unknown = {name: value for name, value in fields.items() if name not in known_names}
    return _encode(known), _encode(unknown)[1:-1]


def _check_jobs(jobs: list[Job], next_order: int) -> None:
    """Check what the queue relies on, of jobs in order of submission."""
    if len({job.id for job in jobs}) != len(jobs):
        [(job_id, _)] = Counter(job.id for job in jobs).most_common(1)
        raise ValueError(f"{job_id} is there twice")
    keys: set[str] = set()
    last_order = 0
    for job in jobs:
        if not last_order < job.order < next_order:
            raise ValueError(f"{job.id} has order {job.order}: taken, or not below nextOrder")
        last_order = job.order
        status = job.status
        if (status == "in_progress") != (job.worker_id != "") or (job.claim_id and not job.is_held):
            raise ValueError(f"{job.id} is {status} with workerId {job.worker_id!r}")
        _check_numbers(job)
        needed = job.attempts + (status in _WAITING)
        if not 0 <= needed <= job.max_attempts:
            raise ValueError(
                f"{job.id} is {status} after {job.attempts} of {job.max_attempts} attempts"
            )
        if job.unique_key and status in KEY_HOLDERS:
            if job.unique_key in keys:
                raise ValueError(f"{job.id}: another job holds uniqueKey {job.unique_key!r}")
            keys.add(job.unique_key)


def _check_numbers(job: Job) -> None:
    if (
        0 <= job.created_at <= _TIME_MS_MAX
        and 0 <= job.run_at <= _TIME_MS_MAX
        and 0 <= job.ready_at <= _TIME_MS_MAX
        and 0 <= job.started_at <= _TIME_MS_MAX
        and 0 <= job.ended_at <= _TIME_MS_MAX
        and 0 <= job.heartbeat <= _TIME_MS_MAX
        and 0 <= job.lease_ms <= _TIME_MS_MAX
        and 0 <= job.result_ttl_ms <= _TIME_MS_MAX
        and job.max_attempts <= _COUNT_MAX
        and PRIORITY_MIN <= job.priority <= PRIORITY_MAX
    ):
        return
    raise ValueError(
        f"{job.id} has a number out of bounds: its times, leaseMs and resultTtlMs must be 0 to"
        f" {_TIME_MS_MAX}, priority {PRIORITY_MIN} to {PRIORITY_MAX}, and they are createdAt"
        f" {job.created_at}, runAt {job.run_at}, readyAt {job.ready_at}, startedAt"
        f" {job.started_at}, endedAt {job.ended_at}, heartbeat {job.heartbeat}, leaseMs"
        f" {job.lease_ms}, resultTtlMs {job.result_ttl_ms}, priority {job.priority}, maxAttempts"
        f" {job.max_attempts}"
    )


def _invalid(what: str) -> StoredDataInvalid:
    return StoredDataInvalid(
        f"the stored queue cannot be used: {what}. Nothing was written. Restore the object from a "
        "backup, mend it by hand, or move it away to start with an empty queue"
    )

"""What checkers see of a stored document: read on their own, not with the code that is checked."""

from __future__ import annotations

import msgspec

__all__ = [
    "ClientView",
    "DocumentView",
    "ErrorView",
    "JobView",
    "RetryView",
    "StoredVersion",
    "TakeoverView",
    "Violation",
    "view_document",
    "view_job",
]


class Violation(AssertionError):
    """A checker has found something that must never happen."""

    def __init__(self, checker: str, what: str) -> None:
        super().__init__(f"{checker}: {what}")
        self.checker = checker


class ErrorView(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One error of a job."""

    type: str
    message: str
    traceback: str = ""
    attempt: int = 0
    at: int = 0
    started_at: int = 0
    worker_id: str = ""


class RetryView(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """When a failed job is tried again; the defaults are those of the documents."""

    base_ms: int = 1_000
    factor: float = 2.0
    cap_ms: int = 600_000


class JobView(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One job, without what heartbeats change."""

    id: str
    status: str
    type: str
    attempts: int
    max_attempts: int
    order: int
    payload: msgspec.Raw = msgspec.Raw(b"null")
    created_at: int = 0
    priority: int = 0
    run_at: int = 0
    ready_at: int = 0
    unique_key: str = ""
    result_ttl_ms: int = 0
    retry: RetryView | None = None
    worker_id: str = ""
    claim_id: str = ""
    lease_ms: int = 0
    cancel_requested: bool = False
    errors: tuple[ErrorView, ...] = ()
    started_at: int = 0
    ended_at: int = 0
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    hand_note: str = ""
    """No field of osqueue: somebody has written it into the document by hand."""

    @property
    def is_held(self) -> bool:
        return self.status == "in_progress"

    def is_held_as(self, worker_id: str, attempt: int | None) -> bool:
        return self.is_held and self.worker_id == worker_id and self.attempts == attempt

    @property
    def place(self) -> tuple[int, int]:
        """The smallest is delivered first."""
        return -self.priority, self.order


class TakeoverView(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One entry of the lineage."""

    epoch: int
    broker_name: str
    taken_from: str


class ClientView(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A client in the document: the mutations of it that this holds."""

    floor: int = 1
    applied: tuple[tuple[int, int], ...] = ()
    answers: dict[int, msgspec.Raw] = {}


class DocumentView(msgspec.Struct, rename="camel"):
    """A whole document."""

    epoch: int
    commit_id: str
    broker: str | None
    broker_heartbeat: int
    broker_timeout_ms: int
    lineage: list[TakeoverView]
    completed_total: int
    next_order: int
    leadership_ms: int
    paused: bool
    paused_types: list[str]
    jobs: list[JobView]
    clients: dict[str, ClientView] = {}
    hand_note: str = ""


class StoredVersion:
    """One version of the document, and when it was the newest."""

    __slots__ = (
        "body_bytes",
        "commit_id",
        "copy_of",
        "document",
        "formed_ms",
        "formed_step",
        "index",
        "is_edit",
        "jobs",
        "landed_ms",
        "writer",
    )

    def __init__(self, document: DocumentView, *, index: int, landed_ms: int) -> None:
        self.document = document
        self.index = index
        self.landed_ms = landed_ms
        self.commit_id = document.commit_id
        self.jobs = {job.id: job for job in document.jobs}
        self.formed_ms = landed_ms
        """When its bytes were first sent."""
        self.formed_step = 0
        self.writer = ""
        self.is_edit = False
        self.body_bytes = 0
        self.copy_of: int | None = None
        """Index of the version that was restored as this one."""

    @property
    def now_ms(self) -> int:
        """The wall clock of its writer, when its batch was formed."""
        return self.document.broker_heartbeat


_decode = msgspec.json.Decoder(DocumentView).decode


_decode_job = msgspec.json.Decoder(JobView).decode


def view_document(body: bytes, *, index: int, landed_ms: int) -> StoredVersion:
    """Read a stored document."""
    # Whoever edits by hand may break lines inside of payloads, which brokers then take for spaces.
    version = StoredVersion(_decode(body.replace(b"\n", b" ")), index=index, landed_ms=landed_ms)
    version.body_bytes = len(body)
    return version


def view_job(job: object) -> JobView:
    """See a job of an answer as one of a document is seen."""
    return _decode_job(msgspec.json.encode(job))

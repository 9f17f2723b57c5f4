"""The numbers that bound the queue. `Limits` are settings; the constants are nobody's to tune."""

from __future__ import annotations

import msgspec

from osqueue.core.retry_policy import RetryPolicy

__all__ = [
    "APPLIED_SEQUENCES_MAX",
    "BLOCK_JOBS",
    "CHANGED_JOBS_MAX",
    "CLIENT_ENTRY_TTL_MS",
    "CLIENT_REPEAT_MS_MAX",
    "DELAY_MS_MAX",
    "ERROR_LINE_CHARS_MAX",
    "FOLLOW_UP_JOBS_RATIO",
    "FORMAT_VERSION",
    "LINEAGE_LENGTH",
    "PRIORITY_MAX",
    "PRIORITY_MIN",
    "QUEUE_FULL_RATIO",
    "SCANNED_JOBS_MAX",
    "SEARCHED_BYTES_MAX",
    "SNOOZE_MS_MIN",
    "TEXT_CUT_RATIO",
    "Limits",
    "QueueRules",
]

FORMAT_VERSION = 1
"""The stored format this code writes, and the newest that it reads."""
BLOCK_JOBS = 256
"""Jobs a line of the document, encoded and cached together."""
LINEAGE_LENGTH = 16
"""Takeovers that the document remembers, to settle writes whose reply was lost."""
APPLIED_SEQUENCES_MAX = 10_000
"""How far above its floor a client's sequence may be."""
CLIENT_ENTRY_TTL_MS = 15 * 60_000
"""Leadership time after its last use until a client's entry is dropped."""
CLIENT_REPEAT_MS_MAX = 5 * 60_000
"""How long a client repeats a mutation: a third of the entry's life, so no repeat outlives it."""
PRIORITY_MIN = -100
PRIORITY_MAX = 100
SNOOZE_MS_MIN = 1_000
SCANNED_JOBS_MAX = 20_000
"""Jobs that one request looks at; then it is answered with a cursor to go on from. Nobody else
waits while a million jobs are looked through."""
SEARCHED_BYTES_MAX = 8_388_608
"""Payloads that one request searches for a text, likewise."""
CHANGED_JOBS_MAX = 10_000
"""Jobs that one request changes, likewise."""
ERROR_LINE_CHARS_MAX = 200
"""By how much of the first line of its message an error is told from others."""
DELAY_MS_MAX = 10 * 366 * 86_400_000
"""The farthest that a job can be delayed: ten years, so that a time in microseconds is noticed."""
FOLLOW_UP_JOBS_RATIO = 1.05
"""What follows from finished work may fill the queue so far beyond its limit of jobs."""
QUEUE_FULL_RATIO = 0.90
"""Past this share of the document's bytes submits are refused."""
TEXT_CUT_RATIO = 0.95
"""Past this share error texts and results are cut, so that completing never needs room; and what
follows from finished work finds room no more."""

assert CLIENT_REPEAT_MS_MAX * 3 <= CLIENT_ENTRY_TTL_MS
assert QUEUE_FULL_RATIO < TEXT_CUT_RATIO < 1


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request and one queue may hold; every field is a setting."""

    payload_bytes_max: int = 262_144
    """One payload or result, encoded as JSON."""
    frame_bytes_max: int = 8_388_608
    """One WebSocket frame or HTTP body, and one reply."""
    frame_requests_max: int = 10_000
    """Requests in one frame."""
    list_items_max: int = 10_000
    """Items of a list inside a request."""
    name_bytes_max: int = 256
    """Type, worker id, unique key and claim id, in UTF-8."""
    job_id_chars_max: int = 64
    """Characters of a job id."""
    lease_ms_min: int = 1_000
    lease_ms_max: int = 86_400_000
    attempts_max: int = 1_000
    """The largest maxAttempts that a submit may ask for."""
    wait_ms_max: int = 60_000
    """The longest long poll."""
    claim_jobs_max: int = 1_000
    """Jobs of one claim."""
    depth_max: int = 64
    """Nesting of a payload, result or frame."""
    error_text_bytes_max: int = 4_096
    """Message and traceback of one error, each; longer ones are cut in the middle."""
    errors_kept_max: int = 5
    """Errors kept with a job, the newest."""
    jobs_max: int = 1_000_000
    """Jobs in the queue, dead ones counted."""
    document_bytes_max: int = 67_108_864
    """The stored document, tables and dead letters counted."""
    dead_jobs_max: int = 10_000
    """Dead letters; beyond, submits are refused until some are redriven or deleted."""
    client_entries_max: int = 10_000
    """Clients whose repeats are recognised at the same time."""


class QueueRules(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can set about the queue."""

    limits: Limits = Limits()
    lease_ms: int = 30_000
    """For claims that name none."""
    max_attempts: int = 3
    """What a redriven job gets on top of the attempts that it has had."""
    retry: RetryPolicy = RetryPolicy()

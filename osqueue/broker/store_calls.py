"""One call to the store for one effect of a machine, and its result reported back as a fact.

Exactly one attempt: whether to try again is the machine's to decide.
"""

from __future__ import annotations

from typing import Literal, Protocol

import structlog
import trio

from osqueue.broker.history import Attempt
from osqueue.broker.statistics import Statistics
from osqueue.broker.trouble import EndedTrouble, Trouble
from osqueue.clocks import Clock
from osqueue.core.document import HEAD_BYTES_MAX
from osqueue.core.writes.effects import LoadDocument, WriteDocument
from storage_adapters.contract import (
    Absent,
    AccessDenied,
    Match,
    NotApplied,
    ObjectMissing,
    ObjectStore,
    ObjectVanished,
    StoreError,
    StoreUnavailable,
    Unchanged,
    Version,
    VersionConflict,
    WriteOutcomeUnknown,
)

__all__ = ["Machine", "StoreCalls", "WriteFailure", "failure_of"]

log = structlog.get_logger(__name__)

_DOUBLINGS_MAX = 3


WriteFailure = Literal["not applied", "conflicted", "unknown"]
"""An attempt that was not acknowledged, as the machine takes it."""


def failure_of(error: StoreError) -> WriteFailure | None:
    """Judge an attempt by the error of its put; None: no attempt can succeed.

    A refusal for lack of permission is an answer: what it answers may be the second copy of a write
    that something on the way has sent twice. Only what was never sent is surely not applied.
    """
    match error:
        case VersionConflict() | ObjectMissing():
            return "conflicted"
        case NotApplied():
            return "not applied"
        case AccessDenied() | WriteOutcomeUnknown():
            return "unknown"
        case _:
            return None


class Machine(Protocol):
    """What both machines of the core want to be told of store calls."""

    def write_succeeded(self, version: str, steady_ms: int) -> None:
        """Written."""
        ...

    def write_not_applied(self, steady_ms: int) -> None:
        """Surely not written: never sent."""
        ...

    def write_conflicted(self) -> None:
        """Refused by the condition."""
        ...

    def write_outcome_unknown(self, *, timed_out_ms: int | None = None) -> None:
        """Perhaps written, also where the answer is a refusal."""
        ...

    def document_loaded(self, data: bytes, version: str, steady_ms: int) -> None:
        """Read."""
        ...

    def document_unchanged(self, steady_ms: int) -> None:
        """The known version is still there."""
        ...

    def document_missing(self, steady_ms: int, *, was_there: str = "") -> None:
        """No such object; `was_there`: what the store says of one that there was."""
        ...

    def load_failed(self, steady_ms: int) -> None:
        """Not read."""
        ...


class StoreCalls:
    """The one object of a queue in its store."""

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        *,
        clock: Clock,
        statistics: Statistics,
        read_timeout_ms: int,
    ) -> None:
        self._store = store
        self._key = key
        self._clock = clock
        self._statistics = statistics
        self._read_timeout_ms = read_timeout_ms
        self._slow_reads_in_a_row = 0
        self._write_trouble = Trouble()
        self._read_trouble = Trouble()

    @property
    def obstacle(self) -> str:
        """What the store keeps this broker from, for its callers; empty: nothing."""
        steady_ms = self._clock.steady_ms()
        if self.is_denied:
            return (
                "the store refuses its writes until its credentials or permissions are fixed, its"
                " log says why"
            )
        if self._write_trouble.lasts(steady_ms):
            return "the store does not take its writes, its log says why"
        if self._read_trouble.lasts(steady_ms):
            return "it cannot read the store, its log says why"
        return ""

    @property
    def is_denied(self) -> bool:
        """Whether the store goes on to refuse this broker's writes for lack of permission."""
        steady_ms, denied = self._clock.steady_ms(), AccessDenied.__name__
        writes, reads = self._write_trouble, self._read_trouble
        # Where reads are refused as well, no further write is tried before one of them succeeds.
        goes_on = writes.lasts(steady_ms) or (reads.kind == denied and reads.lasts(steady_ms))
        return writes.kind == denied and goes_on

    @property
    def clock_offset_ms(self) -> int | None:
        """How far the store's clock is ahead of this machine's wall clock; None: nobody knows."""
        return self._store.clock_offset_ms

    async def write(self, effect: WriteDocument, machine: Machine) -> None:
        """Make one attempt and report it.

        Raises:
            StoreMisconfigured: no attempt can succeed.

        Cancellation: the attempt may land; nothing is reported.
        """
        self._statistics.writes += 1
        started_ms = self._clock.steady_ms()
        base = effect.base_version
        condition = Absent() if base is None else Match(Version(base))
        version: Version | None = None
        with trio.move_on_after(effect.timeout_ms / 1_000) as deadline:
            try:
                version = await self._store.put(self._key, effect.chunks, condition=condition)
            except StoreError as error:
                failure = failure_of(error)
                if failure is None:
                    raise
                self._report(failure, error, machine)
                if failure != "not applied":
                    outcome = "conflict" if failure == "conflicted" else "unknown"
                    self._note_failed(effect, started_ms, outcome)
                return
        if version:
            self._note_written()
            self._statistics.bytes_written += sum(map(len, effect.chunks))
            machine.write_succeeded(version, self._clock.steady_ms())
            return
        self._note_failed(effect, started_ms, "unknown")
        timed_out_ms = effect.timeout_ms if deadline.cancelled_caught else None
        if timed_out_ms is not None and self._write_trouble.is_news(
            "late", self._clock.steady_ms(), began_ms=started_ms
        ):
            log.warning("a write was not answered in time", timeout_ms=timed_out_ms)
        machine.write_outcome_unknown(timed_out_ms=timed_out_ms)

    def _report(self, failure: WriteFailure, error: StoreError, machine: Machine) -> None:
        if failure == "conflicted":
            self._write_trouble.end(self._clock.steady_ms())
            machine.write_conflicted()
            return
        if self._write_trouble.is_news(type(error).__name__, self._clock.steady_ms()):
            is_open = isinstance(error, WriteOutcomeUnknown)
            log.warning(
                "the store did not say whether a write landed"
                if is_open
                else "the store refused a write",
                reason=str(error),
                advice=_advice(error),
                failures=self._write_trouble.failures_count,
            )
        if failure == "unknown":
            machine.write_outcome_unknown()
        else:
            machine.write_not_applied(self._clock.steady_ms())

    def _note_written(self) -> None:
        if (ended := self._write_trouble.end(self._clock.steady_ms())).is_news:
            log.info("the store takes writes again", **_ended_fields(ended))

    def _note_read(self) -> None:
        if (ended := self._read_trouble.end(self._clock.steady_ms())).is_news:
            log.info("the store can be read again", **_ended_fields(ended))

    def _note_failed(
        self, effect: WriteDocument, started_ms: int, outcome: Literal["conflict", "unknown"]
    ) -> None:
        attempt = Attempt(
            commit_id=effect.commit_id,
            at=self._clock.now_ms(),
            mutations=effect.mutations,
            bytes=sum(map(len, effect.chunks)),
            milliseconds=self._clock.steady_ms() - started_ms,
            outcome=outcome,
        )
        self._statistics.note_failed_attempt(attempt)

    @property
    def description(self) -> str:
        """Names the store for a person."""
        return self._store.description

    async def load(self, effect: LoadDocument, machine: Machine) -> None:
        """Read once and report what was found. A read of the whole that timed out doubles the next
        one's timeout, so that a large document is loaded over a slow line at last.

        Raises:
            StoredDataInvalid: it cannot be used, or has vanished.
            StoreMisconfigured: no read can succeed.

        Cancellation: nothing is reported.
        """
        self._statistics.reads += 1
        known = effect.if_changed_from
        doublings_count = 0 if effect.head_only else self._slow_reads_in_a_row
        timeout_ms = self._read_timeout_ms << doublings_count
        with trio.move_on_after(timeout_ms / 1_000):
            try:
                found = await self._store.read(
                    self._key,
                    if_changed_from=None if known is None else Version(known),
                    head_bytes=HEAD_BYTES_MAX if effect.head_only else None,
                )
            except ObjectMissing as error:
                self._note_read()
                was_there = str(error) if isinstance(error, ObjectVanished) else ""
                machine.document_missing(self._clock.steady_ms(), was_there=was_there)
                return
            except (StoreUnavailable, AccessDenied) as error:
                if self._read_trouble.is_news(type(error).__name__, self._clock.steady_ms()):
                    log.warning(
                        "the store cannot be read",
                        reason=str(error),
                        advice=_advice(error),
                        failures=self._read_trouble.failures_count,
                    )
                machine.load_failed(self._clock.steady_ms())
                return
            self._note_read()
            if isinstance(found, Unchanged):
                machine.document_unchanged(self._clock.steady_ms())
                return
            if not effect.head_only:
                self._slow_reads_in_a_row = 0
            self._statistics.bytes_read += len(found.data)
            machine.document_loaded(found.data, found.version, self._clock.steady_ms())
            return
        if self._read_trouble.is_news("late", self._clock.steady_ms()):
            log.warning("a read was not answered in time", timeout_ms=timeout_ms)
        if not effect.head_only:
            self._slow_reads_in_a_row = min(self._slow_reads_in_a_row + 1, _DOUBLINGS_MAX)
        machine.load_failed(self._clock.steady_ms())


RETRIED = "it is tried again; act on the reason if it stays so"


def _ended_fields(ended: EndedTrouble) -> dict[str, int]:
    return {"failures": ended.failures_count, "lasted_ms": ended.lasted_ms}


def _advice(error: StoreError) -> str:
    """What an operator should do; that of the error is for the next attempt, which is made here."""
    return error.advice if isinstance(error, AccessDenied) else RETRIED

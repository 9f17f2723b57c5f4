"""One run of a worker, from its first claim to its last report.

Two tasks claim. As long as jobs end, the report of what is done carries the claim for the slots
that it frees (`settlements.py`); when that brings nothing, the poller waits at the broker for a
first job. Slots that a claim on its way has asked for are reserved, so that never more is claimed
than there is room for.
"""

from __future__ import annotations

import random as random_module
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog
import trio

from osqueue.client import Claim, ClaimedJob, Client, Failure
from osqueue.client.requests import RequestMaker
from osqueue.client.transports.bell import Bell
from osqueue.core.errors import QueueError
from osqueue.worker.attempt import Attempt, StopReason
from osqueue.worker.handlers import Registry, RunInThread, run_handler
from osqueue.worker.heartbeats import keep_leases
from osqueue.worker.hooks import Extensions
from osqueue.worker.outcomes import Failed, Outcome, Snoozed, Succeeded
from osqueue.worker.settings import WorkerSettings
from osqueue.worker.settlements import Settlements

__all__ = ["Shift"]

CLAIM_JOBS_MAX = 1_000
GIVE_BACK_S = 5.0
"""How long a drained worker tries to report, after it has stopped its handlers."""
REFUSED_S = 1.0
"""The pause after a claim that could not be answered."""
SILENCE_S = 10.0
"""How much longer than it was to wait a claim may take before the log says that nobody answers."""
_PASSING = frozenset({"retry later", "look it up", "ask the leader"})
"""Advices after which a claim is tried again; after the others the worker cannot work."""

_log = structlog.get_logger("osqueue.worker")


class Shift:
    """The state of one run.

    Args:
        client: the connection, entered.
        worker_id: random, of this run only.
        registry: the handlers.
        settings: of the worker.
        nursery: where handlers and reports run.
        extensions: middleware and hooks.
        run_in_thread: for plain handlers; by default in Trio's threads, as many as the concurrency.
        random: for the ids of follow-up jobs.
    """

    def __init__(
        self,
        client: Client,
        worker_id: str,
        registry: Registry,
        settings: WorkerSettings,
        nursery: trio.Nursery,
        *,
        extensions: Extensions,
        run_in_thread: RunInThread | None,
        random: random_module.Random,
    ) -> None:
        self._client = client
        self._worker_id = worker_id
        self._registry = registry
        self._settings = settings
        self._nursery = nursery
        self._extensions = extensions
        self._run_in_thread = run_in_thread or _make_threads(settings.concurrency)
        self._make_job_id = RequestMaker(random).job_id
        self._held: dict[str, Attempt] = {}
        """By job id, the newest attempt of each: what heartbeats name."""
        self._ready: deque[Attempt] = deque()
        self._running: set[Attempt] = set()
        """Those in a slot, lost ones in threads too."""
        self._reserved = 0
        self._is_draining = False
        self._poll_scope = trio.CancelScope()
        self._changed = Bell()
        self._has_held = Bell()
        self._settlements = Settlements(
            client,
            worker_id,
            nursery,
            next_claim=self._next_claim,
            on_claimed=self._take_claimed,
            changed=self._changed,
        )

    async def run(self, drain: trio.Event) -> None:
        """Work until `drain` is set; then finish what is held, and return with everything reported.

        Cancellation: handlers are cancelled, and nothing is reported; the leases will run out.
        """
        nursery = self._nursery
        try:
            nursery.start_soon(self._settlements.run)
            nursery.start_soon(self._keep_leases)
            nursery.start_soon(self._poll)
            await drain.wait()
            await self._drain()
            nursery.cancel_scope.cancel()
        finally:
            for attempt in self._running:
                attempt.leave_thread()

    async def _keep_leases(self) -> None:
        await keep_leases(
            self._client,
            self._worker_id,
            held=self._list_held,
            has_held=self._has_held,
            on_lost=lambda claimed: self._stop(claimed, "lost"),
            on_cancel_requested=lambda claimed: self._stop(claimed, "cancelled"),
        )

    def _list_held(self) -> list[ClaimedJob[Any]]:
        """What this worker must keep: what it works on, and what it has not reported yet."""
        held = [attempt.claimed for attempt in self._held.values()]
        # Of a job claimed anew the newest attempt, which is the last.
        return [*self._settlements.unsettled, *held]

    async def _poll(self) -> None:
        """Wait at the broker for jobs, whenever no report is on its way that would bring some."""
        settings = self._settings
        with self._poll_scope:
            while True:
                free = self._free()
                if not free or self._settlements.will_claim:
                    await self._changed.wait()
                    continue
                self._reserved += free
                jobs: Sequence[ClaimedJob[Any]] = ()
                silence = trio.CancelScope()
                self._nursery.start_soon(self._tell_silence, silence)
                try:
                    jobs = await self._client.claim(
                        self._worker_id,
                        types=self._registry.types,
                        limit=free,
                        wait_ms=settings.wait_ms,
                        lease_ms=settings.lease_ms,
                    )
                except QueueError as error:
                    if error.advice not in _PASSING:
                        raise
                    _log.warning("no jobs can be claimed", error=error.message)
                    await trio.sleep(REFUSED_S)
                finally:
                    silence.cancel()
                    self._take_claimed(jobs, free)

    async def _tell_silence(self, scope: trio.CancelScope) -> None:
        """Warn of a claim that nobody answers: for minutes the client repeats it without a word."""
        silence_s = self._settings.wait_ms / 1_000 + SILENCE_S
        with scope:
            await trio.sleep(silence_s)
            _log.warning(
                "no broker has answered, asked again",
                silence_s=silence_s,
                advice="try osqueue stats with the same --url or BROKER_URL: it says why",
            )

    def _free(self) -> int:
        settings = self._settings
        capacity = settings.concurrency + settings.prefetch
        taken = len(self._running) + len(self._ready) + self._reserved
        taken += self._settlements.waiting_count
        return 0 if self._is_draining else min(max(capacity - taken, 0), CLAIM_JOBS_MAX)

    def _next_claim(self) -> Claim | None:
        free = self._free()
        if not free:
            return None
        self._reserved += free
        return Claim(types=self._registry.types, limit=free, lease_ms=self._settings.lease_ms)

    def _take_claimed(self, jobs: Sequence[ClaimedJob[Any]], reserved: int) -> None:
        self._reserved -= reserved
        for claimed in jobs:
            if self._is_draining:
                self._settlements.give_back(claimed)
                continue
            older = self._held.get(claimed.job_id)
            if older is not None:
                # The broker gave the job out again, so the lease of the older attempt had run out.
                self._stop(older.claimed, "lost")
            attempt = Attempt(
                claimed, self._registry.find(claimed.type), make_job_id=self._make_job_id
            )
            self._held[claimed.job_id] = attempt
            self._ready.append(attempt)
            self._has_held.ring()
        self._start_ready()
        self._changed.ring()

    def _start_ready(self) -> None:
        while self._ready and len(self._running) < self._settings.concurrency:
            attempt = self._ready.popleft()
            self._running.add(attempt)
            self._nursery.start_soon(self._run_attempt, attempt)

    async def _run_attempt(self, attempt: Attempt) -> None:
        outcome: Outcome | None = None
        with attempt.scope:
            if self._extensions.on_claimed:
                await self._extensions.claimed(attempt.job)
            if attempt.handler is None:
                error = LookupError(f"no handler takes the type {attempt.claimed.type!r}")
                outcome = Failed(error, is_final=True)
            else:
                outcome = await run_handler(
                    attempt.handler,
                    attempt.claimed,
                    attempt.job,
                    wrap=self._extensions.wrap,
                    run_in_thread=self._run_in_thread,
                    thread_scope=attempt.thread_scope,
                )
        self._running.discard(attempt)
        self._forget(attempt)
        self._report(attempt, outcome)
        self._start_ready()
        self._changed.ring()

    def _report(self, attempt: Attempt, outcome: Outcome | None) -> None:
        claimed = attempt.claimed
        if attempt.stopped == "lost":
            _log.warning("lost its lease, result dropped", job_id=claimed.job_id)
        elif attempt.stopped == "cancelled":
            _log.info("cancelled", job_id=claimed.job_id)
            self._settlements.cancelled(claimed)
        else:
            self._report_outcome(attempt, outcome)

    def _report_outcome(self, attempt: Attempt, outcome: Outcome | None) -> None:
        claimed, job, extensions = attempt.claimed, attempt.job, self._extensions

        async def tell_failed(error: Exception, failure: Failure) -> None:
            await extensions.failed(job, error, failure)

        match outcome:
            case None:
                self._settlements.give_back(claimed)
            case Succeeded():
                tell = partial(extensions.completed, job, outcome.value)
                self._settlements.complete(
                    claimed, outcome, tell if extensions.on_completed else None, tell_failed
                )
            case Failed():
                self._settlements.fail(claimed, outcome, tell_failed)
            case Snoozed():
                self._settlements.snooze(claimed, outcome.delay_ms)

    def _stop(self, claimed: ClaimedJob[Any], reason: StopReason) -> None:
        """Stop the handler of a job, unless it has just ended, or another attempt is held."""
        attempt = self._held.get(claimed.job_id)
        if attempt is None or attempt.claimed is not claimed:
            return
        attempt.stop(reason)
        if reason == "lost":
            self._forget(attempt)

    def _forget(self, attempt: Attempt) -> None:
        if self._held.get(attempt.claimed.job_id) is attempt:
            del self._held[attempt.claimed.job_id]

    async def _drain(self) -> None:
        _log.info("draining", running=len(self._running), worker_id=self._worker_id)
        self._is_draining = True
        self._poll_scope.cancel()
        while self._ready:
            attempt = self._ready.popleft()
            self._forget(attempt)
            self._settlements.give_back(attempt.claimed)
        with trio.move_on_after(self._settings.drain_timeout_s):
            await self._wait_until_done()
        for attempt in list(self._running):
            _log.warning("stopped, not finished in time", job_id=attempt.claimed.job_id)
            attempt.stop("drained")
            attempt.leave_thread()
        self._settlements.give_back_waiting()
        with trio.move_on_after(GIVE_BACK_S):
            await self._wait_until_done()

    async def _wait_until_done(self) -> None:
        while self._running or not self._settlements.is_idle:
            await self._changed.wait()


def _make_threads(count: int) -> RunInThread:
    return partial(
        trio.to_thread.run_sync, abandon_on_cancel=True, limiter=trio.CapacityLimiter(count)
    )

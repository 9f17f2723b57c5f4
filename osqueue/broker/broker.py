"""The broker: stands for election, serves its terms, and answers for the queue meanwhile."""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Sequence
from typing import cast

import structlog
import trio

from osqueue.broker.change_feed import ChangeFeed, Leader
from osqueue.broker.commit_loop import run_term
from osqueue.broker.leadership_loop import ProbeAnswer, ProcessTracer, run_election
from osqueue.broker.statistics import Statistics
from osqueue.broker.store_calls import StoreCalls
from osqueue.broker.throttle import StoreThrottle, ThrottleCounts
from osqueue.broker.waiters import Waiter, wake_now
from osqueue.broker.wakeup import Wakeup
from osqueue.clocks import Clock
from osqueue.core.election.leader_process import ProcessTraces
from osqueue.core.errors import NotLeader, QueueError, Unavailable
from osqueue.core.group_commit import GroupCommit
from osqueue.core.leadership import BrokerIdentity, Elected, Leadership
from osqueue.core.limits import QueueRules
from osqueue.core.mutations import ReadJob, Request
from osqueue.core.outcomes import JobRead, Outcome
from osqueue.core.retry_policy import RetryPolicy
from osqueue.core.writes.effects import StepDown
from osqueue.core.writes.terms import CommitIds
from osqueue.core.writes.write_pace import WritePace
from osqueue.core.writes.write_spacing import WriteSpacing
from osqueue.settings import Settings, write_gap_ms
from storage_adapters.contract import ObjectStore

__all__ = ["SETTLE_S_MAX", "Broker", "make_rules", "no_probe", "no_traces"]

log = structlog.get_logger(__name__)

SETTLE_S_MAX = 60.0
"""How long a cancelled caller stays for its requests to be settled, if it wants that: no write is
open for so long with the defaults, and a shutdown must not depend on it."""


def make_rules(settings: Settings) -> QueueRules:
    """The queue's rules as they are set."""
    return QueueRules(
        limits=settings.limits,
        lease_ms=settings.lease_ms,
        max_attempts=settings.max_attempts,
        retry=RetryPolicy(settings.retry_base_ms, settings.retry_factor, settings.retry_cap_ms),
    )


async def no_probe(address: str) -> str | None:
    """A probe that never gives evidence: takeovers then wait for the leader's timeout."""
    await trio.lowlevel.checkpoint()
    return None


def no_traces(pid: int) -> ProcessTraces:
    """A look at a process that tells nothing."""
    return ProcessTraces(exists=True)


def _nothing() -> None:
    pass


class Broker:
    """One process's part in a queue. `run` it in a nursery of yours, `submit` from anywhere."""

    def __init__(
        self,
        store: ObjectStore,
        settings: Settings,
        identity: BrokerIdentity,
        *,
        clock: Clock,
        random: random_module.Random,
        key: str = "queue.json",
        probe_leader: ProbeAnswer = no_probe,
        trace_process: ProcessTracer = no_traces,
        throttle: StoreThrottle | None = None,
        on_loaded: Callable[[], object] = _nothing,
    ) -> None:
        """`key` names the document within the store; `throttle` stands before it, if any.

        `clock` is believed: of a machine whose wall clock may jump give it a `QueueClock`.
        `on_loaded` is called at the start of each term, with the whole queue in memory.
        """
        self.name = identity.name
        self.advertised_address = identity.address
        self.store = store
        self.statistics = Statistics()
        self.is_draining = False
        self.may_still_lead = False
        """The store may still name this broker as leader, though its last term is over: then
        standbys wait for the timeout."""
        self._clock = clock
        self._random = random
        self._throttle = throttle
        self._spacing = WriteSpacing(
            interval_ms=settings.group_commit_interval_ms,
            gap_ms=write_gap_ms(settings),
            budget=throttle,
        )
        self._rules = make_rules(settings)
        self._pace = WritePace(
            heartbeat_interval_ms=settings.broker_heartbeat_interval_ms,
            broker_timeout_ms=settings.broker_heartbeat_timeout_ms,
        )
        self._commit_ids = CommitIds(identity.name)
        self._leadership = Leadership(
            identity,
            rules=self._rules,
            pace=self._pace,
            commit_ids=self._commit_ids,
            random=random,
        )
        self._calls = StoreCalls(
            store,
            key,
            clock=clock,
            statistics=self.statistics,
            read_timeout_ms=settings.broker_heartbeat_timeout_ms // 2,
        )
        self._probe_leader = probe_leader
        self._trace_process = trace_process
        self._on_loaded = on_loaded
        self._wakeup = Wakeup()
        self._election = trio.CancelScope()
        self._term: GroupCommit | None = None
        self.feed = ChangeFeed(self._watch)
        self._lead_lost = trio.Event()
        self._is_running = False
        self._finished = trio.Event()

    def now_ms(self) -> int:
        """The queue's time, ms since the epoch."""
        return self._clock.now_ms()

    def steady_ms(self) -> int:
        """The steady clock, ms."""
        return self._clock.steady_ms()

    def throttle_counts(self) -> ThrottleCounts | None:
        """What the throttle before the store did; None: there is none."""
        return None if self._throttle is None else self._throttle.statistics(self.now_ms())

    @property
    def is_trusted_leader(self) -> bool:
        """Whether this broker leads and no other can have taken over by now."""
        return self._term is not None and self._term.is_trusted(self._clock.steady_ms())

    @property
    def store_description(self) -> str:
        """Names the store for a person."""
        return self._calls.description

    @property
    def heartbeat_interval_ms(self) -> int:
        """The longest that this broker, leading, goes without a write."""
        return self._pace.heartbeat_interval_ms

    @property
    def broker_timeout_ms(self) -> int:
        """How long standbys wait for this broker, leading, to write."""
        return self._pace.broker_timeout_ms

    @property
    def obstacle(self) -> str:
        """What keeps this broker from leading, for its callers; empty: nothing that it knows of."""
        return self._leadership.obstacle() or self._calls.obstacle

    @property
    def stall(self) -> str:
        """Why this broker, which leads, may not answer without a write; empty: it may, or does not
        lead."""
        if self._term is None or self.is_trusted_leader:
            return ""
        since_ms = self._clock.steady_ms() - self._term.proven_ms
        why = self._calls.obstacle or "the store has not answered its write yet"
        return f"no write of it has landed for {since_ms} ms: {why}"

    @property
    def epoch(self) -> int:
        """The newest term that this broker knows of; 0 before the first load."""
        header = self._leadership.header
        return 0 if header is None else header.epoch

    @property
    def leader_address(self) -> str:
        """Where the leader can be reached as far as this broker knows; empty: nobody is known."""
        if self._term is not None:
            return self.advertised_address
        return self._leadership.not_leader().broker_address

    @property
    def leader(self) -> Leader:
        """Who leads as far as this broker knows."""
        return Leader(self.epoch, self.leader_address)

    async def submit(
        self, requests: Sequence[Request], *, until_settled: bool = False
    ) -> list[Outcome]:
        """Ask the queue, all in one batch. Returns the outcomes in order, refusals among them.

        An outcome that is not a refusal is durable.

        Cancellation: the caller stops waiting, and hears nothing, not even if all was settled in
        the same moment. What it asked for may still be committed; jobs that it claimed are given
        back with the next write, which it does not wait for. With `until_settled` it is cancelled
        only when all that is known, or after a minute, so that whoever counts its bytes counts them
        for as long as they are kept; none of such requests may be a claim that waits.
        """
        refusal = self._refusal()
        if refusal is not None or not requests:
            # Whoever asks again and again lets others run, and learns that it was cancelled.
            await trio.lowlevel.checkpoint()
            return [refusal] * len(requests) if refusal is not None else []
        term = self._term
        assert term is not None, "who does not lead refuses"
        waiter = Waiter(requests)
        term.enqueue(waiter)
        self._wakeup.set()
        try:
            await waiter.settled.wait()
            # Who was woken and cancelled in one moment hears nothing. Noted before it is asked: a
            # cancelled checkpoint takes turns, and the next batch may be formed meanwhile.
            waiter.is_abandoned = True
            await trio.lowlevel.checkpoint_if_cancelled()
            waiter.is_abandoned = False
        except trio.Cancelled:
            term.abandon(waiter)
            if until_settled and waiter.unsettled_count:
                with trio.move_on_after(SETTLE_S_MAX, shield=True):
                    await waiter.settled.wait()
            raise
        assert not waiter.unsettled_count, "a settled ticket has every outcome"
        return cast("list[Outcome]", waiter.outcomes)

    async def wait_until_ended(
        self, job_id: str, until_ms: int, *, is_confirmed: bool = False
    ) -> Outcome:
        """Wait until a job has completed, died or gone, at most until a steady time; then read it.

        A job that has ended and was not kept is JobNotFound. `is_confirmed` is of the last read,
        the one that is answered.

        Cancellation: nothing happens.
        """
        with self.feed.watch_end(job_id) as may_have_ended:
            [outcome] = await self.submit([ReadJob(job_id=job_id)])
            left_ms = until_ms - self.steady_ms()
            if isinstance(outcome, JobRead) and not outcome.job.has_ended and left_ms > 0:
                with trio.move_on_after(left_ms / 1_000):
                    await may_have_ended.wait()
            elif not is_confirmed:
                return outcome
        [outcome] = await self.submit([ReadJob(job_id=job_id, is_confirmed=is_confirmed)])
        return outcome

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow, lead, follow, until drained. `started` once it leads, knows who does or why it
        may not itself, or was drained before that.

        Raises:
            StoredDataInvalid: the document cannot be used; it was not overwritten.
            StoreMisconfigured: the store cannot be used.

        Cancellation: at once and without a release: a standby waits for the timeout. Call `drain`
        first to hand over at once. Callers that still wait get OutcomeUnknown or NotLeader.
        """
        assert not self._is_running, "it runs already"
        self._is_running = True
        self.statistics.totals.since = self.now_ms()
        is_started = False

        def report_started() -> None:
            nonlocal is_started
            if not is_started:
                is_started = True
                task_status.started()

        try:
            while not self.is_draining:
                await self._lead_once(report_started)
            report_started()
        finally:
            self._is_running = False
            self._finished.set()

    async def drain(self) -> None:
        """Answer what is here, hand the lead over, and end `run`: this one, or one yet to come.

        Cancellation: draining goes on.
        """
        self.is_draining = True
        if not self._is_running:
            await trio.lowlevel.checkpoint()
            return
        if self._term is not None:
            self._term.drain()
            self._wakeup.set()
        else:
            self._election.cancel()
        await self._finished.wait()

    def look_at_once(self) -> None:
        """Something hints that the leader has gone: a standby reads the document now."""
        if self._term is None:
            self._leadership.poll(self._clock.steady_ms())
            self._wakeup.set()

    async def wait_lead_lost(self) -> None:
        """Wait until a term of this broker ends, however it ends.

        Cancellation: nothing happens.
        """
        await self._lead_lost.wait()

    def _refusal(self) -> QueueError | None:
        if self._term is None and self.is_draining:
            return Unavailable("this broker is stopping: nothing was applied")
        refusal = self._leadership.not_leader() if self._term is None else self._term.ending
        knows_another = refusal is not None and (
            not isinstance(refusal, NotLeader) or bool(refusal.broker_address)
        )
        if self._calls.is_denied and not self.is_trusted_leader and not knows_another:
            # Callers that waited for the store would hear no reason, and find no other leader.
            reason = f"this broker cannot lead at present: {self._calls.obstacle}"
            return NotLeader(reason, epoch=self.epoch)
        return refusal

    async def _lead_once(self, report_started: Callable[[], None]) -> None:
        elected: Elected | None = None
        with trio.CancelScope() as self._election:
            elected = await run_election(
                self._leadership,
                self._calls,
                clock=self._clock,
                wakeup=self._wakeup,
                probe_leader=self._probe_leader,
                trace_process=self._trace_process,
                on_following=report_started,
            )
        if elected is None:
            return
        self._term = GroupCommit(
            elected.term,
            rules=self._rules,
            pace=self._pace,
            commit_ids=self._commit_ids,
            random=self._random,
            steady_ms=self._clock.steady_ms(),
            spacing=self._spacing,
        )
        self.statistics.terms += 1
        log.info("elected", epoch=self._term.epoch, reason=elected.reason, broker=self.name)
        self._term.watch(self.feed.is_watched)
        self.feed.publish_leader(self.leader)
        self._on_loaded()
        if self.is_draining:
            # Told to while the election was being won, too late to call it off.
            self._term.drain()
        report_started()
        step_down = await self._serve(self._term)
        self.may_still_lead = step_down.may_still_lead
        log.info("stepped down", epoch=self.epoch, reason=step_down.reason, broker=self.name)

    async def _serve(self, term: GroupCommit) -> StepDown:
        try:
            return await run_term(
                term,
                self._calls,
                clock=self._clock,
                wakeup=self._wakeup,
                statistics=self.statistics,
                feed=self.feed,
            )
        finally:
            wake_now(term.cut_off())
            self._term = None
            self._leadership.term_ended(term.ended(), self._clock.steady_ms())
            self._lead_lost.set()
            self._lead_lost = trio.Event()
            self.feed.publish_leader(self.leader)

    def _watch(self, is_watched: bool) -> None:
        if self._term is not None:
            self._term.watch(is_watched)

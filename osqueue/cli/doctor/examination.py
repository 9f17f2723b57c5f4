"""The examination of one store: what is asked of it, in which order, and what follows.

Reads the head of the queue and writes nothing but scratch keys of its own, under the same prefix
as the proof that brokers ask for.
"""

from __future__ import annotations

import math

import msgspec

from osqueue.cli.broker.proving import USE_HTTPS, host_in_the_clear
from osqueue.cli.doctor.bucket import aspects_of, judge_bucket
from osqueue.cli.doctor.costs import Load, estimate_costs
from osqueue.cli.doctor.latency import Samples, latencies_of, take_samples
from osqueue.cli.doctor.permissions import advice_for, judge_refusals, refused_calls
from osqueue.cli.doctor.race import run_race
from osqueue.cli.doctor.report import Finding, Level, ProvenStep, QueueFound, Report
from osqueue.cli.endings import advice_of
from osqueue.core.document import HEAD_BYTES_MAX, read_header
from osqueue.core.errors import StoredDataInvalid
from osqueue.settings import Settings, write_gap_ms
from storage_adapters.bucket_rules.facts import BucketFacts
from storage_adapters.bucket_rules.looking import look_at_bucket
from storage_adapters.contract import (
    AccessDenied,
    ObjectMissing,
    ObjectStore,
    ObjectVanished,
    StoredObject,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    WriteOutcomeUnknown,
)
from storage_adapters.proof import PROBE_PREFIX, prove_conditions

__all__ = ["Examination", "Plan"]

CLOCK_OFFSET_MS_MAX = 5_000
"""A broker that is farther off does not stand for election."""
SLOW_WRITES = 4
"""A write may take this part of the timeout at most, or the timeout in force grows."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How thorough to be, and what the queue would be used for."""

    racers: int = 8
    rounds: int = 20
    samples: int = 20
    document_bytes: int = 65_536
    load: Load = Load()


class Examination:
    """One run of the doctor."""

    def __init__(
        self,
        store: ObjectStore,
        settings: Settings,
        plan: Plan,
        *,
        queue_key: str,
        scratch_name: str,
        now_ms: int,
    ) -> None:
        """`scratch_name` is unique, `now_ms` the wall clock: both name the scratch keys."""
        self.report = Report(store=store.description, document_bytes=plan.document_bytes)
        self._store = store
        self._settings = settings
        self._plan = plan
        self._queue_key = queue_key
        self._scratch_name = scratch_name
        self._now_ms = now_ms
        self._gap_ms = write_gap_ms(settings)

    async def run(self) -> Report:
        """Examine everything that can be. What goes wrong becomes a finding.

        Cancellation: scratch keys may be left behind; a broker's next start removes them.
        """
        if host := host_in_the_clear(self._settings):
            message = f"requests to {host} are not encrypted"
            self._find("warning", "connection", message, USE_HTTPS)
        facts = None
        if await self._may_look_at_queue():
            facts = await look_at_bucket(self._store, self._queue_key)
            if await self._is_proven():
                await self._race()
                await self._measure()
        self._look_at_clock()
        writes = self.report.writes
        write_ms = writes.p50 if writes is not None else 100.0
        costs = estimate_costs(self._plan.load, self._settings, write_ms=write_ms)
        self.report.costs = costs
        if facts is not None:
            self._judge(facts, writes_per_s=costs.writes_per_s)
        return self.report

    def _judge(self, facts: BucketFacts, *, writes_per_s: float) -> None:
        aspects = aspects_of(facts)
        if self.report.proof is None and not any(aspect.is_known for aspect in aspects):
            # What keeps the store from being used has been told already.
            return
        self.report.bucket = aspects
        findings = judge_bucket(
            facts,
            self._settings,
            writes_per_s=writes_per_s,
            document_bytes=self._plan.document_bytes,
        )
        for finding in findings:
            self.report.add(finding)

    async def _may_look_at_queue(self) -> bool:
        """Read the queue's head; False where the store cannot be read at all."""
        try:
            found = await self._store.read(self._queue_key, head_bytes=HEAD_BYTES_MAX)
        except ObjectVanished as error:
            self._problem("queue", error)
            return True
        except ObjectMissing:
            return True
        except AccessDenied as error:
            await self._find_refusals("queue", error)
            return False
        except StoreError as error:
            self._problem("queue", error)
            return False
        assert isinstance(found, StoredObject), "an unconditional read gives the object"
        try:
            header = read_header(found.data)
        except StoredDataInvalid as error:
            self._find("problem", "queue", error.message, error.advice)
            return True
        if header is None:
            self._find(
                "warning",
                "queue",
                f"{self._queue_key} has no header as osqueue writes it: it was edited, or is"
                " something else",
                "look at it before a broker does",
            )
        else:
            self.report.queue = QueueFound(
                broker=header.broker, epoch=header.epoch, broker_heartbeat=header.broker_heartbeat
            )
        return True

    async def _is_proven(self) -> bool:
        try:
            proof = await prove_conditions(
                self._store,
                scratch_name=self._scratch_name,
                now_ms=self._now_ms,
                gap_ms=self._gap_ms,
            )
        except AccessDenied as error:
            await self._find_refusals("proof", error)
            return False
        except StoreError as error:
            self._problem("proof", error)
            return False
        steps = [ProvenStep(step.name, round(step.duration_ms, 2)) for step in proof.steps]
        self.report.proof = steps
        if proof.attempts > 1:
            self._find(
                "warning",
                "proof",
                f"it took {proof.attempts} attempts until all answers were clear",
                "look at the network between here and the store",
            )
        if proof.left_behind:
            self._find(
                "warning",
                "permissions",
                f"objects cannot be removed, so that each start leaves one: {proof.left_behind}",
                advice_for("remove", self._settings),
            )
        if proof.sweep_failure:
            self._find(
                "warning",
                "permissions",
                f"objects cannot be listed: {proof.sweep_failure}",
                advice_for("list", self._settings),
            )
        return True

    async def _find_refusals(self, check: str, error: AccessDenied) -> None:
        """Find out which of all calls are refused, after one of them was."""
        refused = await refused_calls(self._store, self._scratch_key("permissions"))
        for finding in judge_refusals(refused, self._settings, check=check, error=error):
            self.report.add(finding)

    async def _race(self) -> None:
        key = self._scratch_key("race")
        try:
            race = await run_race(
                self._store,
                key,
                racers=self._plan.racers,
                rounds=self._plan.rounds,
                gap_ms=self._gap_ms,
            )
        except (AccessDenied, StoreMisconfigured) as error:
            self._problem("race", error)
            return
        finally:
            await self._remove(key)
        self.report.race = race
        if race.lost:
            self._find(
                "problem",
                "race",
                f"{race.lost} of {race.acknowledged} acknowledged writes were overwritten by others"
                " under the same condition: the store compares and writes in two steps",
                "do not keep a queue there; docs/storage.md lists stores that keep conditions",
            )
        elif not race.rounds_won:
            self._find(
                "problem",
                "race",
                f"none of {race.racers * race.rounds} writes at the same moment was acknowledged",
                "try again; a store that fails under contention cannot hold a queue",
            )

    async def _measure(self) -> None:
        key = self._scratch_key("latency")
        samples = Samples()
        try:
            samples = await take_samples(
                self._store,
                key,
                count=self._plan.samples,
                document_bytes=self._plan.document_bytes,
                gap_ms=self._gap_ms,
            )
        except (AccessDenied, StoreMisconfigured) as error:
            self._problem("latency", error)
        finally:
            await self._remove(key)
        report = self.report
        report.writes = latencies_of(samples.writes)
        report.reads = latencies_of(samples.reads)
        report.unchanged_reads = latencies_of(samples.unchanged_reads)
        if samples.failed:
            self._find(
                "warning",
                "latency",
                f"{samples.failed} calls had no clear answer",
                "each costs a read and a repetition",
            )
        timeout_ms = self._settings.broker_heartbeat_timeout_ms
        if report.writes is not None and report.writes.p99 * SLOW_WRITES > timeout_ms:
            self._find(
                "warning",
                "latency",
                f"a write took {report.writes.p99:,.0f} ms: BROKER_HEARTBEAT_TIMEOUT_MS"
                f" ({timeout_ms}) should be at least {SLOW_WRITES} times that",
                f"set it to {math.ceil(report.writes.p99 * SLOW_WRITES / 1_000)}000 or more, and"
                " LEASE_MS to twice that",
            )

    def _look_at_clock(self) -> None:
        offset_ms = self._store.clock_offset_ms
        self.report.clock_offset_ms = offset_ms
        if offset_ms is not None and abs(offset_ms) > CLOCK_OFFSET_MS_MAX:
            self._find(
                "problem",
                "clock",
                f"this machine's clock is {abs(offset_ms) / 1_000:,.1f} s"
                f" {'behind' if offset_ms > 0 else 'ahead of'} the store's: a broker here does not"
                " stand for election",
                "set the clock, or let NTP do it",
            )

    async def _remove(self, key: str) -> None:
        try:
            await self._store.delete(key)
        except StoreError:
            # The proof has said so already where it is a matter of permissions; else a broker's
            # next start removes it.
            return

    def _scratch_key(self, purpose: str) -> str:
        return f"{PROBE_PREFIX}{self._now_ms}-{self._scratch_name}-{purpose}"

    def _problem(self, check: str, error: StoreError) -> None:
        advice = advice_of(error)
        is_passing = isinstance(error, StoreUnavailable | WriteOutcomeUnknown)
        if is_passing and self._store.clock_offset_ms is not None:
            # It has told its time, so that its address and the way to it are right.
            advice = "the store itself answers, and fails: look at its state, then try again"
        self._find("problem", check, str(error), advice)

    def _find(self, level: Level, check: str, message: str, advice: str = "") -> None:
        self.report.add(Finding(level=level, check=check, message=message, advice=advice))

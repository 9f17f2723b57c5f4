"""One broker's life as a process: one nursery, signals, the drain, the end.

Whatever crashes in the nursery (commits, election, front end) ends the process: a standby, or a
supervisor's restart, goes on from what is stored.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import NoReturn

import structlog
import trio

from osqueue.cli.broker.composition import describe_place, make_server
from osqueue.cli.broker.probing import watch_leader
from osqueue.cli.broker.proving import is_bucket, prove_store
from osqueue.cli.endings import CommandError, ExitStatus, first_leaf
from osqueue.server.serving import ListenError, Server
from osqueue.settings import Settings
from storage_adapters.contract import StoreMisconfigured

__all__ = ["BrokerProcess", "run_broker"]

log = structlog.get_logger("osqueue")

ECHO_S = 0.5
"""A repeat of the same signal within this is the same request: `timeout` and process groups send
one to the child itself and then to the whole group."""
COLLECTOR_THRESHOLDS = (50_000, 20, 100)
"""For Python's garbage collector, which by default looks for cycles after 700 new objects: a batch
makes tens of thousands, and nearly all of them go with it by themselves."""
SIGNAL_STATUS = 128
"""A process that ends by signal N has, to a shell, the status 128 + N."""


def run_broker(settings: Settings) -> None:
    """Serve until a signal; returns once the lead is released.

    Raises:
        CommandError: the address or the store cannot be had, the disk failed, or the drain took too
            long.
        StoredDataInvalid, StoreError: in groups; the queue cannot be used.
    """
    try:
        server = make_server(settings)
    except ListenError as error:
        raise CommandError(str(error), advice="nothing was started") from error
    except StoreMisconfigured as error:
        raise CommandError(str(error), advice=error.advice) from error
    process = BrokerProcess(server, settings)
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    try:
        trio.run(process.run)
    except BaseExceptionGroup as group:
        lost = durability_lost(group)
        if lost is None:
            raise
        raise CommandError(
            lost, advice="check the disk, then start the broker again", status=ExitStatus.REFUSED
        ) from group
    finally:
        server.close()


def durability_lost(group: BaseExceptionGroup[BaseException]) -> str | None:
    """What the file store said when the disk failed it, where that is among the errors."""
    if "storage_adapters.file.store" not in sys.modules:
        return None
    from storage_adapters.file.store import DurabilityLost

    lost = group.subgroup(DurabilityLost)
    return None if lost is None else str(first_leaf(lost))


class BrokerProcess:
    """A broker and its server between start and stop."""

    def __init__(self, server: Server, settings: Settings) -> None:
        """`server` is bound."""
        self._server = server
        self._broker = server.broker
        self._settings = settings
        self._scope = trio.CancelScope()
        self._leading = trio.CancelScope()
        self._is_serving = False
        self._served = trio.Event()
        self._is_stopping = False
        self._is_ending = False
        """Nothing is left to be drained."""
        self._is_drained = False
        self._is_released = True

    async def run(self) -> None:
        """Prove a bucket, stand for election, then serve, until a signal has been heeded.

        Raises:
            CommandError: the lead could not be released in time.
            BaseExceptionGroup: of what crashed, or of the StoreError that says why a bucket is not
                used.

        Cancellation: ends at once, without a release.
        """
        async with trio.open_nursery() as last:
            try:
                with self._scope:
                    async with trio.open_nursery() as nursery:
                        self._nursery = nursery
                        # To the very end: a disk that hangs in a write keeps the rest from ending.
                        await last.start(self._heed_signals)
                        await self._start(nursery)
            finally:
                self._is_ending = True
                await self._broker.store.aclose()
            last.cancel_scope.cancel()
        if not self._is_released:
            raise CommandError(
                "the lead was not released: the store took no write"
                if self._is_drained
                else f"the lead was not released within DRAIN_TIMEOUT_MS"
                f" ({self._settings.drain_timeout_ms})",
                advice="a standby takes over after the leader's timeout",
                status=ExitStatus.REFUSED,
            )

    async def _start(self, nursery: trio.Nursery) -> None:
        log.info(
            "broker starting",
            address=self._broker.advertised_address,
            broker=self._broker.name,
            store=self._settings.storage_backend,
        )
        if is_bucket(self._settings):
            await prove_store(self._broker.store, self._settings, now_ms=self._broker.now_ms())
        if await self._has_started():
            nursery.start_soon(watch_leader, self._broker)
            await nursery.start(self._serve)
            self._announce()

    async def _has_started(self) -> bool:
        try:
            await self._nursery.start(self._lead)
        except RuntimeError:
            # A broker that is told to stop before it knows who leads returns without having
            # started, which Trio calls an error.
            if not self._is_stopping:
                raise
            return False
        return True

    async def _lead(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._leading:
            await self._broker.run(task_status=task_status)

    async def _serve(self, *, task_status: trio.TaskStatus[str]) -> None:
        self._is_serving = True
        try:
            await self._server.run(task_status=task_status)
        finally:
            self._served.set()

    def _announce(self) -> None:
        settings = self._settings
        url = f"http://{self._server.address}"
        leads = self._broker.is_trusted_leader
        log.info(
            "broker started",
            url=url,
            address=self._broker.advertised_address,
            broker=self._broker.name,
            epoch=self._broker.epoch,
            leads=leads,
        )
        if settings.log_format != "json":
            leader = "" if leads else f", standby of {self._broker.leader_address or 'nobody yet'}"
            print(f"osqueue broker on {url}, {describe_place(settings)}{leader}", flush=True)

    async def _heed_signals(self, *, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            task_status.started()
            first, first_at = 0, 0.0
            async for number in signals:
                name = signal.Signals(number).name
                if not first:
                    first, first_at = number, trio.current_time()
                    log.info(
                        "stopping", signal=name, drain_timeout_ms=self._settings.drain_timeout_ms
                    )
                    self._is_stopping = True
                    if not self._is_ending:
                        self._nursery.start_soon(self._stop)
                elif number != first or trio.current_time() > first_at + ECHO_S:
                    end_at_once(number, name)

    async def _stop(self) -> None:
        """Drain, release, and only then stop listening."""
        self._server.begin_drain("the broker is stopping")
        with trio.move_on_after(self._settings.drain_timeout_ms / 1_000) as limit:
            await self._broker.drain()
        self._is_drained = not limit.cancelled_caught
        self._is_released = self._is_drained and not self._broker.may_still_lead
        # Whoever still waits learns now that nobody knows: no connection is held open by it.
        self._leading.cancel()
        self._server.stop()
        if self._is_serving:
            await self._served.wait()
        log.info("stopped", released=self._is_released)
        self._scope.cancel()


def end_at_once(number: int, name: str) -> NoReturn:
    """End without the drain, as a kill would: nothing that was answered is lost by it."""
    log.warning("ended by a second signal, the lead is not released", signal=name)
    os._exit(SIGNAL_STATUS + number)

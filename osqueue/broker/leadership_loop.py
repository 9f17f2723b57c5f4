"""Drives a broker that does not lead until it is elected."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
import trio

from osqueue.broker.store_calls import StoreCalls
from osqueue.broker.wakeup import Wakeup
from osqueue.clocks import Clock
from osqueue.core.election.leader_process import ProcessTraces
from osqueue.core.leadership import Elected, Leadership
from osqueue.core.writes.effects import LoadDocument, ProbeLeader, WaitUntil, WriteDocument

__all__ = ["ProbeAnswer", "ProcessTracer", "run_election"]

log = structlog.get_logger(__name__)

ProbeAnswer = Callable[[str], Awaitable[str | None]]
"""Asks the broker at an address for its name. Raises ConnectionRefusedError where its port refuses;
returns None where nothing, or nothing sensible, is answered."""

ProcessTracer = Callable[[int], ProcessTraces]
"""Asks the system for what it tells of a process number; does not wait."""

_PROBE_TIMEOUT_S = 1.0


async def run_election(
    machine: Leadership,
    calls: StoreCalls,
    *,
    clock: Clock,
    wakeup: Wakeup,
    probe_leader: ProbeAnswer,
    trace_process: ProcessTracer,
    on_following: Callable[[], None],
) -> Elected:
    """Follow until this broker is elected.

    `on_following` is called whenever there is nothing to do but to wait, for a known leader or for
    a clock that is set right.

    Raises:
        StoredDataInvalid: the document cannot be used.
        StoreMisconfigured: no store call can succeed.

    Cancellation: a takeover in flight may land; the next broker finds a leader that is gone.
    """
    while True:
        _compare_clocks(machine, calls.clock_offset_ms)
        effect = machine.next_effect(clock.now_ms(), clock.steady_ms())
        match effect:
            case Elected():
                return effect
            case LoadDocument():
                await calls.load(effect, machine)
            case WriteDocument():
                await calls.write(effect, machine)
            case ProbeLeader():
                await _probe(effect, machine, probe_leader, trace_process, clock)
            case WaitUntil():
                if machine.header is not None or machine.is_clock_off:
                    on_following()
                await wakeup.wait_until(effect.steady_ms, clock)


def _compare_clocks(machine: Leadership, offset_ms: int | None) -> None:
    was_off = machine.is_clock_off
    machine.clock_compared(offset_ms)
    if machine.is_clock_off and not was_off:
        log.warning("the clock is off", reason=machine.obstacle(), offset_ms=offset_ms)
    elif was_off and not machine.is_clock_off:
        log.info("the clock is right again", offset_ms=offset_ms)


async def _probe(
    effect: ProbeLeader,
    machine: Leadership,
    probe_leader: ProbeAnswer,
    trace_process: ProcessTracer,
    clock: Clock,
) -> None:
    name, is_refused = None, False
    if effect.address is not None:
        try:
            with trio.move_on_after(_PROBE_TIMEOUT_S):
                name = await probe_leader(effect.address)
        except ConnectionRefusedError:
            log.debug("the leader's port refuses", address=effect.address)
            is_refused = True
    if effect.pid is not None:
        # After its address: a process that is killed closes its port before it is gone.
        machine.process_traced(trace_process(effect.pid))
    if is_refused:
        machine.leader_refused(clock.steady_ms())
    elif name is None:
        machine.leader_silent()
    else:
        machine.leader_answered(name)

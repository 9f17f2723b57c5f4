"""A broker that takes over the queue at a store's URL, commits, and says what that took.

python -m tests.end_to_end.committing_broker URL COMMITS, credentials in the environment. Prints one
JSON array. Linux and glibc only: the peak of its memory is what the kernel noted.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import re
import sys
import time
from pathlib import Path

import msgspec
import structlog
import trio
from msgspec import Raw

from osqueue.broker.broker import Broker
from osqueue.clocks import SystemClock
from osqueue.core.document import encode_document
from osqueue.core.leadership import BrokerIdentity
from osqueue.core.outcomes import JobsSubmitted
from osqueue.settings import Settings
from storage_adapters.contract import ABSENT, ObjectStore
from storage_adapters.opening import open_store
from tests.builders import make_header, make_job, make_state
from tests.core.driven import submit_job
from tests.emulators.peers import BUCKET, GcsPeer, S3Peer

__all__ = ["CommitCost", "measure_on_peer"]

_MIB_KIB = 1_024
_RESET_PEAK = "5"
"""What makes the kernel forget the peak of a process; see proc(5), clear_refs."""
_TICK_S = 0.001


class CommitCost(msgspec.Struct):
    """What one commit took."""

    document_bytes: int
    elapsed_ms: float
    rss_before_mib: float
    peak_growth_mib: float
    """The highest resident memory until the answer, above the memory before."""
    longest_step_ms: float
    """The longest time for which one task held the event loop, in CPU time of its thread: what
    other programs take of the machine is not in it."""
    longest_step_of: str
    """Which task that was."""
    longest_gap_ms: float
    """The most that a task which wakes each millisecond came late: what other tasks feel, with
    what threads and the machine take."""


class _Steps(trio.abc.Instrument):
    """Notes the longest step of any task."""

    def __init__(self) -> None:
        self.longest_s, self.name = 0.0, ""
        self._began = time.thread_time()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        took_s = time.thread_time() - self._began
        if took_s > self.longest_s:
            self.longest_s, self.name = took_s, task.name


class _Ticks:
    """Notes the longest delay of a task that wakes all the time."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def run(self) -> None:
        while True:
            due = trio.current_time() + _TICK_S
            await trio.sleep_until(due)
            self.longest_s = max(self.longest_s, trio.current_time() - due)


def _memory_mib(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, status
    return int(found[1]) / _MIB_KIB


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text(_RESET_PEAK, encoding="ascii")


async def measure_on_peer(
    peer: S3Peer | GcsPeer, *, prefix: str, document_bytes: int, count: int
) -> list[CommitCost]:
    """Store a queue of about so many bytes, and let a broker in a fresh process commit to it."""
    store = peer.open(prefix=prefix)
    await _store_queue(store, document_bytes)
    await store.aclose()
    url = f"gs://{BUCKET}/{prefix}"
    if isinstance(peer, S3Peer):
        url = f"s3://{BUCKET}/{prefix}?endpoint_url={peer.url}&region=eu-central-1"
    finished = await trio.run_process(
        [sys.executable, "-m", "tests.end_to_end.committing_broker", url, str(count)],
        env={**os.environ, **peer.environment},
        capture_stdout=True,
    )
    return msgspec.json.decode(finished.stdout, type=list[CommitCost])


async def _store_queue(store: ObjectStore, document_bytes: int) -> None:
    """A queue that nobody leads, of jobs with some 300 bytes of payload."""
    drawn = random.Random(1)
    jobs = [
        make_job(number, payload=Raw(b'{"text":"%b"}' % drawn.randbytes(150).hex().encode()))
        for number in range(1, document_bytes // 400)
    ]
    chunks = encode_document(make_header(broker=None), {}, make_state(*jobs))
    await store.put("queue.json", chunks, condition=ABSENT)


async def _measure_commits(store_url: str, count: int) -> list[CommitCost]:
    """Take over, which encodes the whole document, then commit one job after the other.

    Returns: the cost of each commit after the takeover; the first of them is the first that the
        term makes for somebody.
    """
    store = open_store(store_url)
    identity = BrokerIdentity(name="1" * 16, address="10.0.0.1:8080", host="measured")
    broker = Broker(store, Settings(), identity, clock=SystemClock(), random=random.Random(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(broker.run)
        with trio.fail_after(30):
            while broker.leader_address != identity.address:  # noqa: ASYNC110
                await trio.sleep(0.01)
        costs = [await _measure_commit(broker, number) for number in range(count)]
        await broker.drain()
    await store.aclose()
    return costs


async def _measure_commit(broker: Broker, number: int) -> CommitCost:
    statistics = broker.statistics
    gc.collect()
    # What loading has freed would otherwise be filled again, and no growth be seen.
    ctypes.CDLL(None).malloc_trim(0)
    # A heartbeat of the leader, or the pace of GCS, is over then.
    await trio.sleep(1.1)
    steps, ticks = _Steps(), _Ticks()
    bytes_before = statistics.bytes_written
    rss_before_mib = _memory_mib("VmRSS")
    _forget_peak()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ticks.run)
        trio.lowlevel.add_instrument(steps)
        began = time.perf_counter()
        [outcome] = await broker.submit([submit_job(1_000_000_000 + number)])
        elapsed_s = time.perf_counter() - began
        trio.lowlevel.remove_instrument(steps)
        nursery.cancel_scope.cancel()
    assert isinstance(outcome, JobsSubmitted), outcome
    return CommitCost(
        document_bytes=statistics.bytes_written - bytes_before,
        elapsed_ms=elapsed_s * 1_000,
        rss_before_mib=rss_before_mib,
        peak_growth_mib=_memory_mib("VmHWM") - rss_before_mib,
        longest_step_ms=steps.longest_s * 1_000,
        longest_step_of=steps.name,
        longest_gap_ms=ticks.longest_s * 1_000,
    )


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    print(msgspec.json.encode(trio.run(_measure_commits, sys.argv[1], int(sys.argv[2]))).decode())

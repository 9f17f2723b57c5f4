"""A leader on files that is stopped under load: its successor leads in time, and it stays deposed.

Three tries; FROZEN_LEADER_TRIES=10 in the environment makes ten.
"""

from __future__ import annotations

import os
import random as random_module
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import msgspec
import pytest
import trio

from osqueue.client import Client
from osqueue.core.document import Header, read_header
from storage_adapters.file.locking import find_holder
from tests.end_to_end.processes import BrokerProcess, waited_for_cpu_s

TRIES = int(os.environ.get("FROZEN_LEADER_TRIES", "3"))
LANES = 8
"""Producers that submit one job after the other: so a write is under way at nearly any moment."""
HEARTBEAT_MS = 200
TIMEOUT_MS = 800
WRITES_REMEMBERED = 40
SETTINGS = {
    "BROKER_HEARTBEAT_INTERVAL_MS": str(HEARTBEAT_MS),
    "BROKER_HEARTBEAT_TIMEOUT_MS": str(TIMEOUT_MS),
    "LOG_FORMAT": "json",
}
SLACK_S = 3.0
"""For a look at the store, an election's write, and the processors that others want too."""
GIVE_UP_S = 20.0
"""More than any timeout here: a write that was stopped makes the store look slow."""
STOPPED_WITH_LOCK_MAX = 1 + TRIES // 5
"""Of all tries: it is held for some 50 microseconds of each write, which takes milliseconds."""
BALLAST_JOBS = 3
BALLAST_BYTES = 250_000
"""Of each: so that most of a write is what it writes and flushes."""
LOAD_S = 0.3
"""Of load before a leader is stopped, at most and at a random moment."""


def head(directory: Path) -> Header:
    header = read_header((directory / "store" / "queue.json").read_bytes())
    assert header is not None
    return header


def leader_of(header: Header) -> str:
    assert header.broker
    return header.broker


def is_lock_held_by(pid: int, directory: Path) -> bool:
    """Whether it was stopped in the microseconds for which nobody can replace it."""
    status = (directory / "store" / ".file-store" / "lock").stat()
    locks = Path("/proc/locks")
    text = locks.read_text() if locks.exists() else ""
    return find_holder(text, device=status.st_dev, inode=status.st_ino) == pid


class Load:
    """Producers, and what they were told."""

    def __init__(self) -> None:
        self.accepted: list[str] = []
        self._more = trio.Event()

    async def run(self, urls: list[str], *, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
        """Submit until cancelled by the scope that it starts with."""
        with trio.CancelScope() as scope:
            task_status.started(scope)
            async with Client(urls) as client, trio.open_nursery() as nursery:
                for _ in range(LANES):
                    nursery.start_soon(self._submit, client)

    async def _submit(self, client: Client) -> None:
        while True:
            self.accepted.append((await client.submit({"n": len(self.accepted)})).job_id)
            self._more.set()

    async def wait_more(self, count: int) -> None:
        """Until so many more jobs were accepted."""
        wanted = len(self.accepted) + count
        while len(self.accepted) < wanted:
            self._more = trio.Event()
            await self._more.wait()


def stored_ids(directory: Path) -> list[str]:
    document = msgspec.json.decode((directory / "store" / "queue.json").read_bytes())
    return [job["id"] for job in document["jobs"]]


def in_order(addresses: list[str], *, first: str) -> list[str]:
    """URLs of brokers; the first one is asked first."""
    return [f"http://{one}" for one in sorted(addresses, key=lambda one: one != first)]


async def wait_answer(addresses: list[str]) -> None:
    """Until each of them answers whatever it says."""
    async with httpx.AsyncClient() as client:
        for address in addresses:
            while True:
                try:
                    await client.get(f"http://{address}/healthz")
                except httpx.ConnectError:
                    await trio.sleep(0.02)
                else:
                    break


async def stop_leader(
    load: Load, pids: dict[str, int], directory: Path, random: random_module.Random
) -> tuple[Header, bool]:
    """Stop the leader at a random moment; returns what it wrote last, and if it has the lock."""
    # Its own write that was stopped in a try before makes it wait longer, for its next 32 writes.
    for _ in range(WRITES_REMEMBERED):
        await load.wait_more(LANES)
        if head(directory).broker_timeout_ms == TIMEOUT_MS:
            break
    await trio.sleep(random.uniform(0, LOAD_S))
    pid = pids[leader_of(head(directory))]
    os.kill(pid, signal.SIGSTOP)
    await trio.to_thread.run_sync(os.waitid, os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)
    return head(directory), is_lock_held_by(pid, directory)


async def seconds_to_successor(before: Header, directory: Path) -> float:
    began = trio.current_time()
    with trio.move_on_after(GIVE_UP_S):
        while head(directory).epoch == before.epoch:  # noqa: ASYNC110
            await trio.sleep(0.005)
    return trio.current_time() - began


async def go_on_and_ask(pid: int, address: str) -> httpx.Response:
    """The answer of a stopped broker to a question that waited for it to go on."""
    async with httpx.AsyncClient(timeout=GIVE_UP_S) as client, trio.open_nursery() as nursery:

        async def go_on() -> None:
            # The question is in the kernel's hands by then: it is what the broker finds first.
            await trio.sleep(0.1)
            os.kill(pid, signal.SIGCONT)

        nursery.start_soon(go_on)
        return await client.get(f"http://{address}/v1/stats")


@pytest.mark.slow
async def test_leader_stopped_under_load_is_replaced_in_time_and_stays_deposed(
    tmp_path: Path, seeded_random: random_module.Random
) -> None:
    brokers = [BrokerProcess(tmp_path, SETTINGS) for _ in range(2)]
    addresses = [f"127.0.0.1:{broker.port}" for broker in brokers]
    load = Load()
    took: list[float] = []
    async with AsyncExitStack() as stack:
        pids: dict[str, int] = {}
        for broker, address in zip(brokers, addresses, strict=True):
            pids[address] = (await stack.enter_async_context(broker.start())).pid
        async with Client([broker.url for broker in brokers]) as client:
            for _ in range(BALLAST_JOBS):
                await client.submit("x" * BALLAST_BYTES, type="ballast")
        await wait_answer(addresses)
        nursery = await stack.enter_async_context(trio.open_nursery())
        producers = await nursery.start(
            load.run, in_order(addresses, first=leader_of(head(tmp_path)))
        )
        stopped_with_lock = 0
        while len(took) < TRIES:
            before, has_lock = await stop_leader(load, pids, tmp_path, seeded_random)
            if has_lock:
                # As documented: nobody leads until it goes on. It is rare, so it is not tried.
                stopped_with_lock += 1
                assert stopped_with_lock <= STOPPED_WITH_LOCK_MAX, took
                os.kill(pids[leader_of(before)], signal.SIGCONT)
                continue
            # Those of a stopped leader would notice in ten seconds.
            producers.cancel()
            waited_s = sum(map(waited_for_cpu_s, pids.values()))
            took.append(await seconds_to_successor(before, tmp_path))
            waited_s = sum(map(waited_for_cpu_s, pids.values())) - waited_s
            allowed_s = (before.broker_timeout_ms + HEARTBEAT_MS / 2) / 1_000 + SLACK_S + waited_s
            assert took[-1] < allowed_s, took
            after = head(tmp_path)
            assert (after.epoch, after.broker != before.broker) == (before.epoch + 1, True)
            producers = await nursery.start(load.run, in_order(addresses, first=leader_of(after)))
            await load.wait_more(1)
            answer = await go_on_and_ask(pids[leader_of(before)], leader_of(before))
            assert answer.status_code == 421, answer.text
            await load.wait_more(LANES)
            # It wrote nothing: the term is its successor's still.
            assert head(tmp_path).epoch == after.epoch
        nursery.cancel_scope.cancel()
    stored = stored_ids(tmp_path)
    assert set(load.accepted) <= set(stored)
    assert len(set(stored)) == len(stored)
    print(f"a successor after {', '.join(f'{seconds:.2f}' for seconds in took)} s")

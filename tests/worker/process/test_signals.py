"""Signals end a worker's process: politely at first, then whatever its handlers are doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from osqueue.client import Client
from osqueue.worker.process.signals import SIGNAL_STATUS, heeding_signals

HANDLERS = {
    "ends": """
async def work():
    print("started", flush=True)
    await trio.sleep(0.3)
""",
    "waits": """
async def work():
    print("started", flush=True)
    await trio.sleep_forever()
""",
    "is shielded": """
async def work():
    with trio.CancelScope(shield=True):
        print("started", flush=True)
        await trio.sleep_forever()
""",
    "keeps its thread": """
def work():
    print("started", flush=True)
    threading.Event().wait()
""",
    "keeps the event loop": """
async def work():
    print("started", flush=True)
    while True:
        time.sleep(0.01)
""",
}
SCRIPT = """
import sys, threading, time, trio
from osqueue.worker import Worker
worker = Worker(sys.argv[1])
{handler}
worker.handler("t")(work)
worker.main()
"""


@asynccontextmanager
async def working(handler: str, broker_url: str, directory: Path) -> AsyncIterator[trio.Process]:
    """A worker's process that has begun its job."""
    script = directory / "script.py"
    script.write_text(SCRIPT.format(handler=HANDLERS[handler]))
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process,
                [sys.executable, str(script), broker_url],
                stdout=subprocess.PIPE,
                check=False,
            )
        )
        await wait_for(process, b"started")
        yield process


async def wait_for(process: trio.Process, word: bytes) -> None:
    assert process.stdout is not None
    async for chunk in process.stdout:
        if word in chunk:
            return
    raise AssertionError(f"it ended without {word!r}")


@pytest.mark.slow
@pytest.mark.parametrize("signals_count", [1, 2])
async def test_signal_drains_and_its_echo_is_the_same_request(
    broker_url: str, client: Client, tmp_path: Path, signals_count: int
) -> None:
    await client.submit(type="t")
    async with working("ends", broker_url, tmp_path) as process:
        for _ in range(signals_count):
            process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert (await client.stats()).total == 0


@pytest.mark.slow
@pytest.mark.parametrize("handler", ["waits", "is shielded", "keeps its thread"])
async def test_second_signal_ends_the_process_whatever_its_handler_does(
    broker_url: str, client: Client, tmp_path: Path, handler: str
) -> None:
    await client.submit(type="t")
    async with working(handler, broker_url, tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        await wait_for(process, b"stopping")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == SIGNAL_STATUS + signal.SIGINT
    assert (await client.stats()).in_progress == 1


@pytest.mark.slow
async def test_second_signal_ends_a_process_whose_event_loop_is_stuck(
    broker_url: str, client: Client, tmp_path: Path
) -> None:
    await client.submit(type="t")
    async with working("keeps the event loop", broker_url, tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        status = await process.wait()
    # Both may be waiting when Python looks, and then the lower number comes first.
    assert status in (SIGNAL_STATUS + signal.SIGTERM, SIGNAL_STATUS + signal.SIGINT)


@pytest.mark.slow
async def test_signal_while_no_broker_is_reached_ends_with_status_0(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(handler=HANDLERS["ends"]))
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process,
                [sys.executable, str(script), "http://127.0.0.1:1"],
                stdout=subprocess.PIPE,
                check=False,
            )
        )
        await wait_for(process, b"working")
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0


async def test_handlers_that_were_there_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    told: list[str] = []
    is_told = trio.Event()

    def tell(name: str) -> None:
        told.append(name)
        is_told.set()

    with heeding_signals(tell):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        await is_told.wait()
    assert told == ["SIGTERM"]
    assert signal.getsignal(signal.SIGTERM) is before

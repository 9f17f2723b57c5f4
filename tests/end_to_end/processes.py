"""Real processes of osqueue, for tests that kill them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import trio

from tests.emulators.programs import free_port

__all__ = ["BrokerProcess", "free_port", "start_process", "waited_for_cpu_s"]


@asynccontextmanager
async def start_process(
    module: str, *arguments: str, log_file: Path, environment: Mapping[str, str]
) -> AsyncIterator[trio.Process]:
    """Run `python -m module`, its output appended to a file; killed at the end if it still runs."""
    with log_file.open("ab") as log:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", module, *arguments],
            stdin=None,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        with trio.CancelScope(shield=True):
            await process.wait()


def waited_for_cpu_s(pid: int) -> float:
    """How long the first thread of a process could have run while others had the processors.

    Returns: seconds since its start; 0 where the system does not tell (Linux does, see proc(5)).
    """
    schedule = Path(f"/proc/{pid}/schedstat")
    return int(schedule.read_text().split()[1]) / 1e9 if schedule.exists() else 0.0


class BrokerProcess:
    """A broker, on files unless set otherwise, that can be started again on the same port."""

    def __init__(self, directory: Path, settings: Mapping[str, str], *program: str) -> None:
        """`program` is the module that runs, and its arguments; else `osqueue.server`."""
        self._program = program or ("osqueue.server",)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self._environment = {
            "BROKER_PORT": str(self.port),
            "FILE_DIRECTORY": str(directory / "store"),
            **settings,
        }

    def start(self) -> AbstractAsyncContextManager[trio.Process]:
        """Start it; use as an async context manager of the process."""
        return start_process(
            *self._program,
            log_file=self.directory / "broker.log",
            environment=self._environment,
        )

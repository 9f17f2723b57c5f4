"""Real brokers for the page: processes on a shared file store, or on memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from osqueue.client.blocking import BlockingClient
from tests.emulators.programs import free_port, tied

__all__ = ["Broker", "run_broker", "run_pair", "run_traffic"]

SETTINGS = {
    "BROKER_HEARTBEAT_TIMEOUT_MS": "2000",
    "BROKER_HEARTBEAT_INTERVAL_MS": "500",
    "LEASE_MS": "5000",
}
"""Short, so that a takeover takes two seconds."""


class Broker:
    """A broker process and how to talk to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self.log = log

    def client(self) -> BlockingClient:
        """A client of this broker; use as a context manager."""
        return BlockingClient(self.url)

    def kill(self) -> None:
        """Kill it as a power cut does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def hang(self) -> None:
        """Stop it as it stands: its sockets stay open, and nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a hang."""
        self.process.send_signal(signal.SIGCONT)

    def wait_until_serving(self) -> None:
        """Wait for the line that it prints once it answers: as the leader, or as a standby.

        Raises:
            AssertionError: it ended instead; with what it logged.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert self.url.encode() in line, f"{line!r}\n{self.log.read_text()}"


@contextmanager
def run_broker(
    directory: Path, *, settings: Mapping[str, str] | None = None, port: int | None = None
) -> Iterator[Broker]:
    """A broker whose store and log lie in `directory`; serving on entry, killed at the end."""
    port = port or free_port()
    log = directory / f"broker-{port}.log"
    environment = {
        **os.environ,
        "BROKER_PORT": str(port),
        # Relative, because the page shows it, and screenshots go into documents.
        "FILE_DIRECTORY": "./osqueue-data",
        **SETTINGS,
        **(settings or {}),
    }
    with (
        log.open("wb") as output,
        subprocess.Popen(
            tied([sys.executable, "-m", "osqueue.server"]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            cwd=directory,
            env=environment,
        ) as process,
    ):
        broker = Broker(process, port, log)
        try:
            broker.wait_until_serving()
            yield broker
        finally:
            broker.kill()


@contextmanager
def run_pair(directory: Path) -> Iterator[tuple[Broker, Broker]]:
    """A leader and its standby on one store, whose pages may use each other."""
    ports = (free_port(), free_port())
    peers = {"PEER_URLS": ",".join(f"http://127.0.0.1:{port}" for port in ports)}
    with (
        run_broker(directory, settings=peers, port=ports[0]) as leader,
        run_broker(directory, settings=peers, port=ports[1]) as standby,
    ):
        yield leader, standby


@contextmanager
def run_traffic(broker: Broker) -> Iterator[None]:
    """A shop that submits to this broker and works for it, until the end of the block."""
    log = broker.log.with_suffix(".traffic.log")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            tied([sys.executable, "-m", "tests.browser.traffic", broker.url]),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            yield
            assert process.poll() is None, log.read_text()
        finally:
            process.kill()

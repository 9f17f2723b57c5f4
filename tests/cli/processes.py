"""Real `osqueue` processes: started, watched by what they print, killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec

__all__ = ["ROOT", "TIMEOUT_S", "OsqueueProcess", "environment", "run_osqueue", "started_broker"]

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 30
"""No process of a test takes so long; one that would is a hang."""
QUICK: dict[str, str] = {
    "BROKER_PORT": "0",
    "BROKER_HEARTBEAT_INTERVAL_MS": "500",
    "BROKER_HEARTBEAT_TIMEOUT_MS": "2000",
    "LEASE_MS": "5000",
}
"""Settings under which a takeover takes no longer than a test should."""


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with nothing of osqueue in it but what is given."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDEVMODE": "0", **given}


class OsqueueProcess:
    """One process of the command, with its output as it comes."""

    def __init__(
        self, arguments: list[str], given: Mapping[str, str], directory: Path, module: str
    ) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=directory,
            env=environment(given),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # A read of its output has no timeout of its own: this ends it.
        self._watchdog = threading.Timer(TIMEOUT_S, self.process.kill)
        self._watchdog.start()
        self.events: list[dict[str, Any]] = []
        self.url = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self.process.kill()
        with self.process:
            pass

    @property
    def port(self) -> str:
        """Of its URL."""
        return self.url.rpartition(":")[2]

    def wait_announced(self) -> str:
        """The line that a broker prints once it serves; keeps its URL."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().rstrip("\n")
        assert line.startswith("osqueue broker on "), line + self.rest_of_log()
        self.url = line.removeprefix("osqueue broker on ").partition(",")[0]
        return line

    def wait_event(self, name: str) -> dict[str, Any]:
        """Read the log until the event, and return it with its fields."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            event: dict[str, Any] = msgspec.json.decode(line)
            self.events.append(event)
            if event["event"] == name:
                return event
        raise AssertionError(f"the log ended without {name!r}: {self.events}")

    def rest_of_log(self) -> str:
        """What is left on stderr once the process has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def send(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def wait_ended(self) -> int:
        """The exit status."""
        return self.process.wait(TIMEOUT_S)


@contextmanager
def started_broker(directory: Path, **given: str) -> Generator[OsqueueProcess]:
    """A broker that serves, with its store in `directory`."""
    with OsqueueProcess([], {**QUICK, **given}, directory, "osqueue.server") as broker:
        broker.wait_announced()
        yield broker


def run_osqueue(
    arguments: list[str],
    directory: Path,
    given: Mapping[str, str] | None = None,
    *,
    module: str | None = "osqueue",
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; without a module the first argument is Python's code."""
    return subprocess.run(
        [sys.executable, *(["-c"] if module is None else ["-m", module]), *arguments],
        cwd=directory,
        env=environment(given or {}),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

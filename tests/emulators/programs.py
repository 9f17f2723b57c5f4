"""Programs that speak like a bucket: started for the tests, ended with them, come what may."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Program", "free_port", "program_beside_python", "tied"]

_START_S_MAX = 60
_LOOK_EVERY_S = 0.02


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program_beside_python(name: str) -> str:
    """The path of a program of the development environment."""
    return str(Path(sys.executable).parent / name)


def tied(command: Sequence[str]) -> Sequence[str]:
    """The command, ended with this process also where that is killed and runs nothing any more.

    What is meant is the thread that starts it, so that Trio's way to start processes will not do.
    """
    if sys.platform != "linux":
        return command
    launcher = Path(__file__).with_name("tied_to_parent.py")
    return [sys.executable, "-I", "-S", str(launcher), str(os.getpid()), *command]


class Program:
    """One program that listens on a port of its own. Returns once it does."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        log_file: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        with log_file.open("ab") as log:
            self._process = subprocess.Popen(
                tied(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        try:
            self._wait_until_it_listens(log_file)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill it; it has nothing to lose."""
        self._process.kill()
        self._process.wait()

    def _wait_until_it_listens(self, log_file: Path) -> None:
        give_up_at = time.monotonic() + _START_S_MAX
        while time.monotonic() < give_up_at:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                if self._ends_within(_LOOK_EVERY_S):
                    text = log_file.read_text(errors="replace")
                    raise AssertionError(f"ended at once: {text}") from None
            else:
                return
        raise AssertionError(f"does not listen: {log_file.read_text(errors='replace')}")

    def _ends_within(self, timeout_s: float) -> bool:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

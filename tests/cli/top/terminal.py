"""A command on a terminal of its own: what it shows, and what somebody types."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import Self

from tests.cli.processes import TIMEOUT_S, environment

__all__ = ["TerminalProcess"]

SIZE = (30, 110)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class TerminalProcess:
    """One process of the command on a pseudo terminal."""

    def __init__(self, arguments: list[str], directory: Path) -> None:
        self.terminal, inner = pty.openpty()
        termios.tcsetwinsize(inner, SIZE)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "osqueue", *arguments],
            cwd=directory,
            env=environment({"TERM": "xterm"}),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        # A read of the terminal has no timeout of its own: this ends it.
        self._watchdog = threading.Timer(TIMEOUT_S, self.process.kill)
        self._watchdog.start()
        self.shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watchdog.cancel()
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)

    def wait_shown(self, words: str) -> None:
        """Read what is drawn from here on, until the words are in it."""
        seen = ""
        while words not in CONTROL.sub("", seen):
            try:
                read = os.read(self.terminal, 65_536).decode(errors="replace")
            except OSError as error:  # The last process on the terminal has ended.
                raise AssertionError(f"{words!r} is not in {seen}") from error
            seen += read
            self.shown += read

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self.terminal, keys.encode())

    def wait_ended(self) -> int:
        """Read the rest, and return the exit status."""
        while True:
            try:
                self.shown += os.read(self.terminal, 65_536).decode(errors="replace")
            except OSError:
                return self.process.wait(TIMEOUT_S)

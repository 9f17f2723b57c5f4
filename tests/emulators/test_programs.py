"""Emulators end with the tests, also where those are killed."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.emulators.programs import Program, free_port

ROOT = Path(__file__).parents[2]
SERVER = """
import sys
from pathlib import Path
from tests.emulators.programs import Program
command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", sys.argv[1]]
Program(command, port=int(sys.argv[1]), log_file=Path(sys.argv[2]))
print("listens", flush=True)
sys.stdin.read()
"""


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
def test_program_whose_tests_are_killed_ends_with_them(tmp_path: Path) -> None:
    port = free_port()
    tests = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port), str(tmp_path / "log")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with tests:
        assert tests.stdout is not None
        assert tests.stdout.readline() == "listens\n"
        assert listens(port)
        tests.send_signal(signal.SIGKILL)
    give_up_at = time.monotonic() + 30
    while listens(port):
        assert time.monotonic() < give_up_at, "it goes on"


def test_program_that_ends_at_once_is_told_with_its_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no room')"]
    with pytest.raises(AssertionError, match="no room"):
        Program(command, port=free_port(), log_file=tmp_path / "log")

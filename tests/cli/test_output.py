"""Output that cannot be written ends a command in one line, and a closed pipe in none."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from osqueue.cli.output import failure_in
from tests.cli.processes import run_osqueue, started_broker

FULL = Path("/dev/full")


def ended_with(arguments: str, directory: Path, given: dict[str, str]) -> tuple[int, str]:
    """Run a shell's line with the command as $OSQUEUE; its status and what it says on stderr."""
    code = (
        "import subprocess, sys; ended = subprocess.run(['bash', '-o', 'pipefail', '-c',"
        " sys.argv[1]], capture_output=True, text=True);"
        " sys.stderr.write(ended.stderr); sys.exit(ended.returncode)"
    )
    os_queue = f"{sys.executable} -m osqueue"
    ended = run_osqueue([code, f"OSQUEUE='{os_queue}'; {arguments}"], directory, given, module=None)
    return ended.returncode, ended.stderr


@pytest.mark.slow
def test_full_disk_is_one_line_and_a_closed_pipe_is_none(tmp_path: Path) -> None:
    line = "osqueue: the output cannot be written: No space left on device"
    with started_broker(tmp_path) as broker:
        given = {"BROKER_URL": broker.url}
        for command in ("stats", "stats --json", "jobs", "--help", "top --json", "submit t 1"):
            status, said = ended_with(f"$OSQUEUE {command} >{FULL}", tmp_path, given)
            assert (status, said.count("\n"), said.startswith(line)) == (1, 1, True), said
        for command in ("stats", "stats --json", "--help", "top --json"):
            status, said = ended_with(f"$OSQUEUE {command} | true", tmp_path, given)
            assert (status in (0, 1), said) == (True, "")
        for closed in (">&-", "2>&-", ">&- 2>&-", f"2>{FULL}"):
            assert ended_with(f"$OSQUEUE stats {closed}", tmp_path, given) == (0, "")
        assert ended_with("$OSQUEUE stats --nonsense 2>&-", tmp_path, given) == (2, "")


@pytest.mark.slow
def test_broker_whose_output_is_full_ends_in_one_line(tmp_path: Path) -> None:
    status, said = ended_with(f"$OSQUEUE server --log-format text >{FULL}", tmp_path, {})
    assert status == 1
    assert said.splitlines()[-1].startswith("osqueue: the output cannot be written")
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("log", ["2>&-", f"2>{FULL}"])
def test_broker_whose_log_cannot_be_written_goes_on(log: str, tmp_path: Path) -> None:
    """It says where it is on stdout, answers, and ends as it is told to."""
    line = (
        f"exec 3< <(exec $OSQUEUE server {log}); broker=$!; read -r -u 3 _ _ _ url _;"
        " BROKER_URL=${url%,} $OSQUEUE stats >/dev/null; status=$?;"
        " kill -TERM $broker; wait $broker && exit $status"
    )
    assert ended_with(line, tmp_path, {"BROKER_PORT": "0"}) == (0, "")


def test_other_errors_are_no_failures_of_the_output() -> None:
    full = OSError(errno.ENOSPC, "full")
    assert failure_in(full) is full
    assert failure_in(ExceptionGroup("a", [ExceptionGroup("b", [full])])) is full
    assert failure_in(OSError(errno.ENOSPC, "full", "a file")) is None
    assert failure_in(ConnectionResetError(errno.ECONNRESET, "reset")) is None
    assert failure_in(ExceptionGroup("a", [full, ValueError()])) is None
    assert failure_in(ExceptionGroup("a", [ValueError()])) is None

"""`osqueue worker`, as a real process with a user's module."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.cli.processes import TIMEOUT_S, OsqueueProcess, run_osqueue
from tests.cli.runner import Command

pytestmark = pytest.mark.slow

TASKS = """
from osqueue.worker import Worker

worker = Worker()
empty = Worker()
number = 1

@worker.handler("double")
async def double(payload: int) -> int:
    return 2 * payload
"""


def test_worker_of_a_module_does_its_jobs_and_ends_with_status_0(
    command: Command, tmp_path: Path
) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    job_id = command("submit", "double", "21", "--result-ttl-ms", "60000").stdout.strip()
    arguments = ["tasks:worker", "--url", command.url, "--json"]
    with OsqueueProcess(arguments, {}, tmp_path, "osqueue.worker") as worker:
        assert worker.wait_event("working")["types"] == ["double"]
        deadline = time.monotonic() + TIMEOUT_S
        while (job := command.json("job", job_id))["status"] != "completed":
            assert time.monotonic() < deadline, job
        assert job["result"] == 42
        worker.send(signal.SIGTERM)
        assert worker.wait_ended() == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tasks", "module:attribute"),
        ("missing:worker", "no module 'missing'"),
        ("tasks:missing", "has no 'missing'"),
        ("tasks:number", "is a int, not a Worker"),
        ("tasks:empty", "has no handlers"),
    ],
)
def test_name_that_leads_to_no_worker_is_one_line_and_status_2(
    tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "tasks.py").write_text(TASKS)
    ended = run_osqueue(["worker", name, "--log-format", "text"], tmp_path)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_module_with_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("import no_such_library\n")
    ended = run_osqueue(["worker", "tasks:worker"], tmp_path)
    assert ended.returncode == 1
    assert "No module named 'no_such_library'" in ended.stderr

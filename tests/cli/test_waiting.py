"""Waiting for the end of a job, against a real broker and a real worker."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import msgspec
import pytest

from tests.cli.failures import fail_jobs
from tests.cli.processes import OsqueueProcess
from tests.cli.runner import Command

pytestmark = pytest.mark.slow

TASKS = """
from osqueue.worker import Worker

worker = Worker()

@worker.handler("half")
async def half(payload: int) -> int:
    return payload // 2
"""


@pytest.fixture
def worker(broker: OsqueueProcess, tmp_path: Path) -> Generator[OsqueueProcess]:
    """A worker that halves numbers."""
    (tmp_path / "tasks.py").write_text(TASKS)
    arguments = ["tasks:worker", "--url", broker.url, "--json"]
    with OsqueueProcess(arguments, {}, tmp_path, "osqueue.worker") as process:
        process.wait_event("working")
        yield process


def test_submit_waits_for_the_result(command: Command, worker: OsqueueProcess) -> None:
    assert command("submit", "half", "84", "--wait").stdout == "42\n"
    answer = command.json("submit", "half", "84", "--wait", "--job-id", "waited-for")
    assert answer == {"id": "waited-for", "status": "completed", "result": 42}
    again = command("submit", "half", "1", "--wait", "--job-id", "waited-for")
    assert (again.stdout, "nothing was added" in again.stderr) == ("42\n", True)


def test_job_is_waited_for_from_before_its_end(command: Command, worker: OsqueueProcess) -> None:
    delayed = command("submit", "half", "6", "--delay-ms", "300", "--result-ttl-ms", "60000")
    assert command("job", delayed.stdout.strip(), "--wait").stdout == "3\n"


def test_job_that_has_not_ended_is_status_5(command: Command) -> None:
    job_id = command("submit", "nobodys", "1", "--result-ttl-ms", "60000").stdout.strip()
    ended = command("job", job_id, "--wait-ms", "10")
    assert ended.exit_code == 5
    assert ended.stderr.startswith(f"osqueue: the job {job_id} has not ended after 10 ms")
    assert len(ended.stderr.splitlines()) == 1
    error = msgspec.json.decode(command("job", job_id, "--wait-ms", "10", "--json").stderr)
    assert "goes on waiting" in error["advice"]


def test_dead_and_unknown_jobs_are_status_1(command: Command, broker: OsqueueProcess) -> None:
    (dead,) = fail_jobs(broker, "hopeless", ["no such host"])
    ended = command("job", dead, "--wait")
    assert ended.exit_code == 1
    assert "ValueError: no such host" in ended.stderr
    unknown = command("job", "no-such-job", "--wait")
    assert unknown.exit_code == 1
    assert "--result-ttl-ms" in unknown.stderr

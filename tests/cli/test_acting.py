"""What is done to jobs and to the queue, against a real broker."""

from __future__ import annotations

import pytest
import trio

from osqueue.cli.acting import agree
from osqueue.cli.endings import CommandError
from osqueue.client import Client
from tests.cli.failures import fail_jobs
from tests.cli.processes import OsqueueProcess
from tests.cli.runner import Command

pytestmark = pytest.mark.slow


def test_dead_job_is_retried_redriven_and_deleted(command: Command, broker: OsqueueProcess) -> None:
    first, second = fail_jobs(broker, "again", ["one", "two"])
    assert command("retry", first).stdout == f"{first}: claimable now\n"
    assert command.json("job", first)["status"] == "unclaimed"
    assert command("redrive", "--type", "again").stdout == "1 job is claimable again\n"
    assert command("delete", second).stdout == f"{second}: deleted\n"
    assert command("job", second).exit_code == 1
    assert command.json("delete", first) == {}
    assert command("redrive", "--type", "again").stdout == "0 jobs are claimable again\n"


def test_redrive_takes_the_oldest_of_a_type_up_to_its_limit(
    command: Command, broker: OsqueueProcess
) -> None:
    first, second = fail_jobs(broker, "limited", ["one", "two"])
    (other,) = fail_jobs(broker, "other", ["three"])
    assert command.json("redrive", "--type", "limited", "--limit", "1") == {"count": 1}
    statuses = [command.json("job", job_id)["status"] for job_id in (first, second, other)]
    assert statuses == ["unclaimed", "dead", "dead"]
    assert command.json("redrive")["count"] >= 2
    assert command.json("dead")["jobs"] == []


def test_cancel_removes_what_waits_and_asks_the_worker_of_what_is_held(
    command: Command, broker: OsqueueProcess
) -> None:
    async def claim() -> str:
        async with Client(broker.url) as client:
            (job,) = await client.claim("worker-1", types=["cancelled"])
            return job.job_id

    held = command("submit", "cancelled", "1").stdout.strip()
    assert trio.run(claim) == held
    waiting = command("submit", "cancelled", "2").stdout.strip()
    assert command("cancel", waiting).stdout == f"{waiting}: removed\n"
    assert command("cancel", held).stdout == f"{held}: its worker is asked to stop\n"
    assert command.json("cancel", held) == {"status": "cancelRequested"}
    assert "asked to stop" in command("job", held).stdout
    refused = command("delete", held, "--json")
    assert (refused.exit_code, "WrongStatus" in refused.stderr) == (1, True)
    assert command("cancel", waiting).exit_code == 1


def test_pause_and_resume_of_a_type_and_of_all(command: Command) -> None:
    assert command("pause", "letters").stdout == "jobs of type letters: paused\n"
    assert command.json("stats")["pausedTypes"] == ["letters"]
    assert command("pause").stdout == "the queue: paused\n"
    still = command("resume", "letters").stdout
    assert still.startswith("jobs of type letters: resumed; the whole queue is paused")
    assert command.json("pause", "letters") == {}
    assert command("resume").stdout == "the queue: resumed\n"
    counts = command.json("stats")
    assert (counts["paused"], counts["pausedTypes"]) == (False, [])
    command("pause", "letters")
    assert command("resume", "letters").stdout == "jobs of type letters: resumed\n"
    assert command.json("resume", "letters") == {}


def test_many_are_counted_agreed_to_and_changed(
    command: Command,
) -> None:
    command("submit", "many", "--file", "-", stdin="1\n2\n3\n4\n")
    ids = [job["id"] for job in command.json("jobs", "--type", "many")["jobs"]]
    assert command("cancel", "--type", "many", "--dry-run").stdout == (
        "4 jobs would be removed, or their workers asked to stop\n"
    )
    refused = command("delete", "--type", "many")
    assert (refused.exit_code, "say --yes" in refused.stderr) == (2, True)
    some = command("delete", ids[0], ids[1], "nobody").stdout
    assert some == "2 jobs are deleted; 1 passed over: gone, or of a status that forbids it\n"
    assert command.json("retry", ids[0], ids[1], ids[1]) == {"count": 0, "skipped": 2}
    assert command.json("delete", "--type", "many", "--limit", "1", "--yes") == {"count": 1}
    assert command("retry", "--type", "many", "--yes").stdout == "0 jobs are claimable now\n"
    assert command.json("cancel", "--type", "many", "--yes") == {"count": 1}


def test_dead_letters_of_one_error_are_redriven(command: Command, broker: OsqueueProcess) -> None:
    fail_jobs(broker, "grouped", ["no host", "no host", "too large"])
    chosen = ["--error-type", "ValueError", "--error-message", "no host", "--type", "grouped"]
    assert command("redrive", *chosen, "--dry-run").stdout == "2 jobs would be claimable again\n"
    assert command("redrive", *chosen).stdout == "2 jobs are claimable again\n"
    assert command.json("redrive", "--type", "grouped") == {"count": 1}


@pytest.mark.parametrize(("answer", "is_agreed"), [(True, True), (False, False)])
def test_whoever_sits_there_is_asked(
    monkeypatch: pytest.MonkeyPatch, answer: bool, is_agreed: bool
) -> None:
    asked: list[str] = []

    def confirm(text: str, **_: object) -> bool:
        asked.append(text)
        return answer

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", confirm)
    if is_agreed:
        agree("delete", 1_204)
    else:
        with pytest.raises(CommandError, match="nothing was changed"):
            agree("delete", 1_204)
    assert asked == ["delete 1,204 jobs?"]

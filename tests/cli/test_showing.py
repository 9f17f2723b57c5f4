"""What the reading commands print, against a real broker."""

from __future__ import annotations

import pytest
import trio

from osqueue.client import Client
from tests.cli.failures import fail_jobs
from tests.cli.processes import OsqueueProcess
from tests.cli.runner import Command

pytestmark = pytest.mark.slow


def test_stats_are_a_table_for_people_and_the_wire_shape_for_programs(
    command: Command, broker: OsqueueProcess
) -> None:
    command("submit", "counted", "1")
    shown = command("stats").stdout
    counts = command.json("stats")
    assert f"waiting          {counts['unclaimed']}" in shown
    assert f"leader           127.0.0.1:{broker.port} (term 1)" in shown
    assert {"total", "unclaimed", "inProgress", "completedTotal", "brokerAddress"} <= counts.keys()
    assert counts["storage"]["description"].startswith("file store at ")
    assert counts["storage"].keys() >= {"reads", "writes", "bytesRead", "bytesWritten"}


def test_looks_can_be_confirmed_by_the_store(command: Command) -> None:
    job_id = command("submit", "confirmed", "1").stdout.strip()
    before = command.json("stats")["storage"]["writes"]
    assert command.json("job", job_id, "--confirm")["id"] == job_id
    assert [job["id"] for job in command.json("jobs", "--type", "confirmed", "--confirm")["jobs"]]
    command.json("dead", "--type", "confirmed", "--confirm")
    assert "0 dead letters" in command("dead", "--type", "confirmed", "--confirm").stdout
    assert command.json("stats", "--confirm")["storage"]["writes"] >= before + 5


def test_stats_find_the_leader_through_the_store(
    command: Command, broker: OsqueueProcess, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = f"file:{broker.directory / 'osqueue-data'}"
    assert command.json("stats", "--url", store)["brokerAddress"] == f"127.0.0.1:{broker.port}"


def test_jobs_go_page_by_page_and_filter(command: Command) -> None:
    command("submit", "paged", "--file", "-", stdin="1\n2\n3\n")
    first = command.json("jobs", "--type", "paged", "--limit", "2")
    assert [job["payload"] for job in first["jobs"]] == [1, 2]
    cursor = first["cursor"]
    assert (
        f"go on with --cursor {cursor}" in command("jobs", "--type", "paged", "--limit", "2").stdout
    )
    second = command.json("jobs", "--type", "paged", "--limit", "2", "--cursor", cursor)
    assert [job["payload"] for job in second["jobs"]] == [3]
    assert command.json("jobs", "--type", "paged", "--status", "dead")["jobs"] == []


def test_jobs_show_ids_whole_and_nothing_that_commands_a_terminal(command: Command) -> None:
    job_id = command("submit", "\x1b[31mred[/bold]", '"\\u001b[2J"').stdout.strip()
    shown = command("jobs").stdout
    assert job_id in shown
    assert "\x1b" not in shown
    assert "\ufffd[31mred[/bold]" in shown


def test_dead_are_grouped_by_error_with_counts(command: Command, broker: OsqueueProcess) -> None:
    ids = fail_jobs(broker, "failing", ["no such host", "no such host\nat all", "too large"])
    shown = command("dead", "--type", "failing").stdout
    rows = [line.split() for line in shown.splitlines()[1:3]]
    assert rows[0] == ["2", "failing", "ValueError", ids[1], "no", "such", "host"]
    assert rows[1][:3] == ["1", "failing", "ValueError"]
    assert "3 dead letters" in shown


def test_dead_with_json_have_their_errors(command: Command, broker: OsqueueProcess) -> None:
    (job_id,) = fail_jobs(broker, "json-dead", ["broken"])
    (job,) = command.json("dead", "--type", "json-dead")["jobs"]
    assert (job["id"], job["status"]) == (job_id, "dead")
    assert [error["message"] for error in job["errors"]] == ["broken"]


def test_json_of_jobs_does_not_say_that_there_is_none_of_what_a_list_leaves_out(
    command: Command, broker: OsqueueProcess
) -> None:
    (job_id,) = fail_jobs(broker, "left-out", ["broken"])
    (listed,) = command.json("jobs", "--type", "left-out")["jobs"]
    assert listed["lastError"]["message"] == "broken"
    assert not {"leaseMs", "resultTtlMs", "retry", "errors", "result"} & listed.keys()
    whole = command.json("job", job_id)
    assert [error["message"] for error in whole["errors"]] == ["broken"]
    assert "lastError" not in whole
    assert "lastError" not in command.json("dead", "--type", "left-out")["jobs"][0]


def test_job_shows_payload_and_traceback(command: Command, broker: OsqueueProcess) -> None:
    (job_id,) = fail_jobs(broker, "shown", ["broken"])
    shown = command("job", job_id).stdout
    assert '{"message":"broken"}' in shown
    assert "attempt 1: ValueError: broken" in shown
    assert "  at line\ufffd[31m 1" in shown


def test_workers_show_what_they_hold(command: Command, broker: OsqueueProcess) -> None:
    async def claim() -> None:
        async with Client(broker.url) as client:
            await client.claim("worker-shown", types=["held"])

    command("submit", "held", "1")
    trio.run(claim)
    [row] = [line for line in command("workers").stdout.splitlines() if "worker-shown" in line]
    assert row.split()[:3] == ["worker-shown", "1", "0"]
    found = {worker["workerId"]: worker for worker in command.json("workers")["workers"]}
    assert found["worker-shown"]["types"] == ["held"]


def test_jobs_are_searched_and_the_newest_come_first(command: Command) -> None:
    command("submit", "searched", "--file", "-", stdin='"ann"\n"bob"\n"anna"\n')
    found = command.json("jobs", "--type", "searched", "--text", "ann", "--newest")
    assert [job["payload"] for job in found["jobs"]] == ["anna", "ann"]


def test_history_tells_what_the_leader_has_seen(command: Command) -> None:
    command("submit", "seen", "1")
    assert command("history", "--seconds", "60").stdout.startswith("from ")
    found = command.json("history", "--seconds", "60")
    assert found["commits"][-1]["outcome"] == "landed"
    assert len(found["takeovers"]) == 1

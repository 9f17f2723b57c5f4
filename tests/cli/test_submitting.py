"""Submits from the command line, against a real broker."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from osqueue.cli.endings import CommandError
from osqueue.cli.submitting import BATCH_JOBS_MAX, Lines, submit_lines
from tests.cli.runner import Command

pytestmark = pytest.mark.slow


def read_lines(text: str, *, is_envelope: bool = False, **fields: object) -> Lines:
    return Lines(io.BytesIO(text.encode()), is_envelope, "default", fields)


def payloads(command: Command, job_type: str) -> list[object]:
    page = command.json("jobs", "--type", job_type, "--all")
    return [job["payload"] for job in page["jobs"]]


def test_submit_prints_the_id_of_a_job_that_is_then_there(command: Command) -> None:
    result = command("submit", "one", '{"to": "ann"}', "--priority", "7", "--max-attempts", "2")
    assert result.exit_code == 0
    job = command.json("job", result.stdout.strip())
    assert (job["payload"], job["priority"], job["maxAttempts"]) == ({"to": "ann"}, 7, 2)
    assert (job["type"], job["status"]) == ("one", "unclaimed")


def test_submit_without_payload_submits_null_and_json_is_the_wire_answer(command: Command) -> None:
    answer = command.json("submit", "nothing", "--job-id", "chosen-id")
    assert answer == {"jobId": "chosen-id", "duplicate": False}
    assert payloads(command, "nothing") == [None]


def test_submit_of_a_queued_unique_key_says_so(command: Command) -> None:
    first = command("submit", "unique", "1", "--unique-key", "k").stdout
    second = command("submit", "unique", "2", "--unique-key", "k")
    assert (second.exit_code, second.stdout) == (0, first)
    assert "nothing was added" in second.stderr


def test_submit_of_text_that_is_not_json_is_told_how_to_quote(command: Command) -> None:
    result = command("submit", "text", "hello")
    assert result.exit_code == 2
    assert result.stderr.startswith("osqueue: PAYLOAD is not JSON")
    assert "quote" in result.stderr


def test_submit_that_the_broker_refuses_is_status_1(command: Command) -> None:
    result = command("submit", "refused", "1", "--priority", "101")
    assert result.exit_code == 1
    assert "priority" in result.stderr
    assert "(fix the request)" in result.stderr


def test_submit_of_one_line_is_one_job(command: Command, tmp_path: Path) -> None:
    source = tmp_path / "jobs.jsonl"
    source.write_text('{"n": 1}\n')
    result = command("submit", "single", "--file", str(source))
    assert (result.exit_code, result.stdout) == (0, "1 job submitted\n")


def test_submit_of_a_file_submits_each_line_in_order(command: Command, tmp_path: Path) -> None:
    count = BATCH_JOBS_MAX + 500
    source = tmp_path / "jobs.jsonl"
    source.write_text("".join(f'{{"n": {number}}}\n' for number in range(count)))
    result = command("submit", "bulk", "--file", str(source))
    assert (result.exit_code, result.stdout) == (0, f"{count:,} jobs submitted\n")
    assert payloads(command, "bulk") == [{"n": number} for number in range(count)]


def test_submit_from_stdin_with_json_prints_all_ids(command: Command) -> None:
    answer = command.json("submit", "stdin", "--file", "-", stdin='1\n\n"two"')
    page = command.json("jobs", "--type", "stdin")
    assert answer == {"jobIds": [job["id"] for job in page["jobs"]], "duplicates": []}
    assert [job["payload"] for job in page["jobs"]] == [1, "two"]


def test_submit_of_envelopes_takes_all_fields_of_a_job(command: Command) -> None:
    lines = (
        '{"type": "own", "payload": [1], "priority": 3, "jobId": "envelope-1"}\n'
        '{"payload": null, "delayMs": 60000, "jobId": "envelope-2"}\n'
    )
    result = command("submit", "given", "--envelope", "--file", "-", stdin=lines)
    assert result.exit_code == 0, result.stderr
    first, second = command.json("job", "envelope-1"), command.json("job", "envelope-2")
    assert (first["type"], first["payload"], first["priority"]) == ("own", [1], 3)
    assert (second["type"], second["status"]) == ("given", "scheduled")
    again = command.json("submit", "given", "--envelope", "--file", "-", stdin=lines)
    assert again["duplicates"] == [0, 1]


def test_line_that_is_not_json_is_named_with_what_is_submitted_already(command: Command) -> None:
    lines = "1\n" * BATCH_JOBS_MAX + "2\nbroken\n"
    result = command("submit", "partly", "--file", "-", stdin=lines)
    assert result.exit_code == 1, "2 would say that nothing was begun"
    assert result.stderr.startswith(f"osqueue: line {BATCH_JOBS_MAX + 2} is not JSON")
    assert f"the {BATCH_JOBS_MAX:,} jobs before its batch are in the queue" in result.stderr
    assert payloads(command, "partly") == [1] * BATCH_JOBS_MAX


def test_interrupted_submit_tells_what_is_submitted_already(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(io.BytesIO):
        """A source at which somebody presses Ctrl-C before its last line."""

        def __next__(self) -> bytes:
            line = super().__next__()
            if line == b"last":
                raise KeyboardInterrupt
            return line

    source = Interrupted(b"1\n" * BATCH_JOBS_MAX + b"2\nlast")
    lines = Lines(source, False, "interrupted", {})
    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
        submit_lines(lines, url=command.url, timeout_s=10, as_json=False)
    assert f"{BATCH_JOBS_MAX:,} jobs are in the queue" in capsys.readouterr().err
    assert payloads(command, "interrupted") == [1] * BATCH_JOBS_MAX


def test_refused_batch_names_its_lines_and_leaves_nothing_of_itself(command: Command) -> None:
    lines = '{"payload": 1}\n{"payload": 2, "priority": 500}\n'
    result = command("submit", "whole", "--envelope", "--file", "-", stdin=lines)
    assert result.exit_code == 1
    assert "jobs[1]" in result.stderr
    assert "lines 1 to 2 are not in the queue" in result.stderr
    assert payloads(command, "whole") == []


def test_refused_batch_with_json_is_an_error_object(command: Command) -> None:
    result = command("submit", "--envelope", "--file", "-", "--json", stdin='{"priority": 500}\n')
    assert msgspec.json.decode(result.stderr)["advice"].startswith("fix the request")


def test_slip_in_the_name_of_a_field_is_noticed() -> None:
    lines = read_lines('{"payload": 1, "prioritty": 5}\n', is_envelope=True)
    with pytest.raises(CommandError, match=r"line 1 is not a job: .*prioritty"):
        list(lines.batches())


def test_lines_own_fields_win_over_those_of_the_command() -> None:
    lines = read_lines('{"priority": 5}\n{}\n', is_envelope=True, priority=1)
    (batch,) = lines.batches()
    assert [job.priority for job in batch.jobs] == [5, 1]
    assert [job.payload for job in batch.jobs] == [None, None]
    assert {job.type for job in batch.jobs} == {"default"}


def test_batches_are_bounded_in_bytes_and_count_what_was_read() -> None:
    text = f'"{"x" * 400_000}"\n' * 7
    lines = read_lines(text)
    assert lines.size == len(text)
    assert [len(batch.jobs) for batch in lines.batches()] == [3, 3, 1]
    assert lines.bytes_read == len(text)

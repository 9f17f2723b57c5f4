"""How every conversation with a broker begins and ends: its log, its errors, its statuses."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner

from osqueue.cli import main
from tests.cli.runner import Command

CONVERSATIONS = ("stats", "jobs", "dead", "top", "redrive", "pause")


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_no_broker_is_one_line_with_advice_and_status_3(name: str, logs_as_they_were: None) -> None:
    result = Command("http://127.0.0.1:9")(name, "--timeout", "0.3")
    assert result.exit_code == 3
    assert result.stderr.startswith("osqueue: ")
    assert result.stderr.endswith("(retry later)\n")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_error_with_json_is_the_error_object_of_the_wire(command: Command) -> None:
    result = command("job", "no-such-job", "--json")
    assert result.exit_code == 1
    error = msgspec.json.decode(result.stderr)
    assert error["_tag"] == "JobNotFound"
    assert error["advice"] == "drop the work"
    assert result.stdout == ""


@pytest.mark.parametrize("url", ["nonsense", "http://", "s3://", "file:"])
def test_url_that_names_nothing_is_status_2(url: str, logs_as_they_were: None) -> None:
    result = Command(url)("stats")
    assert result.exit_code == 2
    assert "--url" in result.stderr


def test_bad_log_setting_is_status_2_in_every_command(logs_as_they_were: None) -> None:
    result = CliRunner(env={"LOG_LEVEL": "loud"}).invoke(main, ["stats"])
    assert result.exit_code == 2
    assert "LOG_LEVEL must be debug or info or warning or error" in result.stderr

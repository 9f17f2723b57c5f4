"""The command line as a stranger meets it: help, version, usage errors, exit statuses."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from osqueue import __version__
from osqueue.cli import main
from osqueue.cli.commands import SERVER_GROUPS
from osqueue.settings import SETTINGS
from tests.cli.processes import run_osqueue
from tests.cli.runner import Command

COMMANDS = ("server", "worker", "submit", "stats", "jobs", "job", "dead")
READING = ("stats", "jobs", "dead")


def help_of(*arguments: str) -> str:
    result = CliRunner().invoke(main, [*arguments, "--help"], terminal_width=100)
    assert result.exit_code == 0
    return result.output


def test_help_lists_every_command_and_shows_how_to_begin() -> None:
    text = help_of()
    for name in COMMANDS:
        assert f"\n  {name} " in text
    assert "osqueue submit email:send" in text
    assert "Exit status" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_has_an_example_and_json(name: str) -> None:
    text = help_of(name)
    assert "Example" in text
    assert f"  osqueue {name}" in text
    assert "--json" in text


def test_help_of_server_shows_flag_environment_default_and_bounds_of_every_setting() -> None:
    words = " ".join(help_of("server").split())
    for setting in SETTINGS:
        if setting.group not in SERVER_GROUPS:
            continue
        assert setting.flag in words
        assert f"[{setting.environment};" in words.replace("[ ", "[")
        assert setting.help in words
    assert "[BROKER_PORT; default 8080; 0 to 65535]" in words
    for section in ("Broker:", "Storage:", "Jobs:", "Limits:", "Logs:", "Options:"):
        assert section in words


def test_no_line_of_help_is_wider_than_a_terminal() -> None:
    for name in COMMANDS:
        assert max(map(len, help_of(name).splitlines())) <= 100


def test_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.output == f"osqueue, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["stats", "--nonsense"], ["jobs", "--limit", "0"], ["jobs", "--status", "gone"]],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [["submit"], ["submit", "a", "1", "--file", "-"]])
def test_submit_of_nothing_or_of_two_things_is_refused(
    command: Command, arguments: list[str]
) -> None:
    result = command(*arguments, stdin="1\n")
    assert result.exit_code == 2
    assert result.stderr.startswith("osqueue: ")


@pytest.mark.slow
@pytest.mark.parametrize("name", READING)
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


@pytest.mark.parametrize("url", ["nonsense", "http://", "s3://bucket", "file:"])
def test_url_that_names_nothing_is_status_2(url: str, logs_as_they_were: None) -> None:
    result = Command(url)("stats")
    assert result.exit_code == 2
    assert "--url" in result.stderr


def test_bad_log_setting_is_status_2_in_every_command(logs_as_they_were: None) -> None:
    result = CliRunner(env={"LOG_LEVEL": "loud"}).invoke(main, ["stats"])
    assert result.exit_code == 2
    assert "LOG_LEVEL must be debug or info or warning or error" in result.stderr


@pytest.mark.slow
def test_modules_are_the_commands_that_they_stand_for(tmp_path: Path) -> None:
    ended = run_osqueue(["--version"], tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    for module in ("osqueue.server", "osqueue.worker"):
        ended = run_osqueue(["--help"], tmp_path, module=module)
        assert f"Usage: osqueue {module.rpartition('.')[2]} " in ended.stdout


@pytest.mark.slow
def test_broker_loads_neither_the_client_nor_rich(tmp_path: Path) -> None:
    """They would cost a restarted broker a third of its start."""
    code = (
        "import sys, osqueue.cli, osqueue.cli.logs, osqueue.cli.broker.process;"
        "print(sorted({'rich', 'httpx', 'trio_websocket', 'osqueue.client'} & set(sys.modules)))"
    )
    assert run_osqueue([code], tmp_path, module=None).stdout.strip() == "[]"

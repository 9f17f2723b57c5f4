"""The command line as a stranger meets it: help, version, usage errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from osqueue import __version__
from osqueue.cli import main
from tests.cli.processes import run_osqueue
from tests.cli.runner import help_of

COMMANDS = tuple(main.commands)


def test_help_lists_every_command_and_shows_how_to_begin() -> None:
    text = help_of()
    assert {"server", "worker", "submit", "top", "redrive", "cancel", "pause"} <= set(COMMANDS)
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


@pytest.mark.slow
def test_broker_loads_neither_the_client_nor_rich(tmp_path: Path) -> None:
    """They would cost a restarted broker a third of its start."""
    code = (
        "import sys, osqueue.cli, osqueue.cli.logs, osqueue.cli.broker.process;"
        "print(sorted({'rich', 'httpx', 'trio_websocket', 'osqueue.client'} & set(sys.modules)))"
    )
    assert run_osqueue([code], tmp_path, module=None).stdout.strip() == "[]"

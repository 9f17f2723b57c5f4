"""What the changing commands refuse to understand."""

from __future__ import annotations

import pytest

from tests.cli.runner import Command


@pytest.mark.parametrize("name", ["cancel", "delete", "retry"])
@pytest.mark.parametrize("arguments", [[], ["some-id", "--all"], ["some-id", "--type", "t"]])
def test_change_of_jobs_that_are_not_said_or_twice_is_refused(
    command: Command, name: str, arguments: list[str]
) -> None:
    result = command(name, *arguments)
    assert result.exit_code == 2
    assert "say which jobs" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit"],
        ["submit", "a", "1", "--envelope"],
        ["submit", "a", "1", "--file", "-"],
        ["submit", "a", "--wait", "--file", "-"],
    ],
)
def test_submit_of_nothing_or_of_two_things_is_refused(
    command: Command, arguments: list[str]
) -> None:
    result = command(*arguments, stdin="1\n")
    assert result.exit_code == 2
    assert result.stderr.startswith("osqueue: ")

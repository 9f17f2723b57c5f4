"""What the changing commands refuse to understand."""

from __future__ import annotations

import pytest

from tests.cli.runner import Command


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

"""What the reading commands refuse to understand."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from osqueue.cli import main


@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs", "--limit", "0"],
        ["jobs", "--status", "gone"],
        ["job"],
        ["job", "some-job", "--wait-ms", "-1"],
        ["dead", "--redrive"],
        ["job", "some-job", "--wait", "--confirm"],
        ["job", "some-job", "--wait-ms", "1", "--confirm"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2

"""The `osqueue` command within this process, by click's runner."""

from __future__ import annotations

from typing import Any

import msgspec
from click.testing import CliRunner, Result

from osqueue.cli import main
from osqueue.settings import SETTINGS

__all__ = ["Command", "help_of"]


class Command:
    """Runs commands against one broker."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        """Run one to its end, whatever the environment of the tests says about osqueue."""
        nothing: dict[str, str | None] = {setting.environment: None for setting in SETTINGS}
        return CliRunner(env={**nothing, "BROKER_URL": self.url}).invoke(
            main, arguments, input=stdin, catch_exceptions=False
        )

    def json(self, *arguments: str, stdin: str | bytes | None = None) -> Any:
        """What a command that must succeed prints as JSON."""
        result = self(*arguments, "--json", stdin=stdin)
        assert result.exit_code == 0, result.stderr
        return msgspec.json.decode(result.stdout)


def help_of(*arguments: str) -> str:
    """The help of a command, as wide as a terminal may make it."""
    result = CliRunner().invoke(main, [*arguments, "--help"], terminal_width=100)
    assert result.exit_code == 0
    return result.output

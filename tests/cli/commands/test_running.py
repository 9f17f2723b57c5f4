"""The commands that run until a signal ends them: their help and their modules."""

from __future__ import annotations

from pathlib import Path

import pytest

from osqueue.cli.commands.running import SERVER_GROUPS
from osqueue.settings import SETTINGS
from tests.cli.processes import run_osqueue
from tests.cli.runner import help_of


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


@pytest.mark.slow
def test_modules_are_the_commands_that_they_stand_for(tmp_path: Path) -> None:
    ended = run_osqueue(["--version"], tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    for module in ("osqueue.server", "osqueue.worker"):
        ended = run_osqueue(["--help"], tmp_path, module=module)
        assert f"Usage: osqueue {module.rpartition('.')[2]} " in ended.stdout

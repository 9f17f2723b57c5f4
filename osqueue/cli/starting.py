"""What every command does first: it starts the log, and sees to it that errors end in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from osqueue.cli.endings import Ending, end_with_line, reporting
from osqueue.cli.options import read_settings
from osqueue.settings import Settings

__all__ = ["conversation", "start_logs"]


def start_logs(settings: Settings) -> Callable[[Ending], None]:
    """Log as the settings say; returns how to tell of an ending: in JSON by a last log line."""
    from osqueue.cli.logs import configure_logs, is_json, log_ending

    configure_logs(log_format=settings.log_format, log_level=settings.log_level)
    return log_ending if is_json(settings.log_format, sys.stderr) else end_with_line(as_json=False)


@contextmanager
def conversation(*, as_json: bool) -> Generator[None]:
    """What a command says that asks a broker: what a person should know, and how it ends.

    Raises:
        SystemExit: with the status of an expected error, which is told of in one line.
    """
    start_client_logs()
    with reporting(end_with_line(as_json=as_json)):
        yield


def start_client_logs() -> None:
    """Log warnings, unless the environment asks for more."""
    from osqueue.cli.logs import configure_logs

    with reporting(end_with_line(as_json=False)):
        settings = read_settings(["logs"], {})
    is_default = settings.log_level == Settings().log_level
    configure_logs(
        log_format=settings.log_format, log_level="warning" if is_default else settings.log_level
    )

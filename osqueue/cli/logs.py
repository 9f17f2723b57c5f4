"""Log lines: JSON where a program reads them, text where a person does, always on stderr.

structlog's events and the standard library's (Hypercorn, Quart, httpx) come out in the same form.
Import this module before anything else that logs.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, TextIO, cast

from osqueue.cli.endings import Ending

__all__ = ["configure_logs", "is_json", "log_ending"]


@contextmanager
def rich_hidden() -> Generator[None]:
    """Keep structlog from loading rich for tracebacks that are not printed that way here.

    It takes a tenth of a second, a fifth of a broker's start.
    """
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    is_hidden = "rich" not in modules
    if is_hidden:
        modules["rich"] = None
    try:
        yield
    finally:
        if is_hidden:
            del modules["rich"]


with rich_hidden():
    import structlog
    from structlog.typing import EventDict, Processor

QUIET_BELOW = logging.WARNING
"""Of other libraries only warnings are of interest: httpx tells of each request it makes."""


class LogStream:
    """Where lines go; a queue does not stop because its log cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost_count = 0

    def print_line(self, line: str) -> None:
        """Print one line at once; one that cannot be is counted, and told of when others can."""
        try:
            print(line, file=self._stream, flush=True)
        except OSError:
            self._lost_count += 1
            return
        if self._lost_count:
            lost_count, self._lost_count = self._lost_count, 0
            structlog.get_logger(__name__).warning(
                "log lines could not be written", lost=lost_count, advice="look at the disk"
            )


class NamedLogger:
    """Prints lines, and knows the name that it was asked for by."""

    def __init__(self, stream: LogStream, name: str) -> None:
        self._stream = stream
        self.name = name

    def msg(self, line: str) -> None:
        """Print one line at once."""
        self._stream.print_line(line)

    debug = info = warning = error = critical = msg


def is_json(log_format: str, stream: TextIO) -> bool:
    """Whether lines to this stream are JSON: as set, or by whether a person reads them."""
    return log_format == "json" or (log_format == "auto" and not stream.isatty())


def configure_logs(*, log_format: str, log_level: str, stream: TextIO | None = None) -> None:
    """Send all log lines to `stream` (stderr by default) in the format and from the level on.

    Args:
        log_format: as the setting LOG_FORMAT: auto, json or text.
        log_level: as the setting LOG_LEVEL: debug, info, warning or error.
        stream: where to.
    """
    to = sys.stderr if stream is None else stream
    level = logging.getLevelNamesMapping()[log_level.upper()]
    json = is_json(log_format, to)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last = json_steps() if json else text_steps(is_terminal=to.isatty())

    lines = LogStream(to)

    def make_logger(*names: object) -> NamedLogger:
        return NamedLogger(lines, str(names[0]) if names else "osqueue")

    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=make_logger,
    )
    route_standard_logging(shared, last, to, level)


def log_ending(ending: Ending) -> None:
    """Tell why the process ends, in the form of its other log lines."""
    structlog.get_logger("osqueue").critical(
        ending.message, error=ending.tag, advice=ending.advice, status=int(ending.status)
    )


def route_standard_logging(
    shared: list[Processor], last: list[Processor], stream: TextIO, level: int
) -> None:
    """Give what other libraries log the same form."""
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[remove_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level if level == logging.DEBUG else max(level, QUIET_BELOW))
    logging.captureWarnings(True)


def json_steps() -> list[Processor]:
    """One JSON object a line; values that have no JSON form become text."""
    return [structlog.processors.format_exc_info, to_json]


def to_json(_logger: object, _method: str, event: EventDict) -> str:
    """Render an event: what it says first, then its fields."""
    import msgspec

    fields: MutableMapping[str, Any] = event
    ordered = {"event": fields.pop("event", ""), **fields}
    return msgspec.json.encode(ordered, enc_hook=repr).decode()


def text_steps(*, is_terminal: bool) -> list[Processor]:
    """One line for people, coloured on a terminal."""
    return [
        structlog.dev.ConsoleRenderer(
            colors=is_terminal, exception_formatter=structlog.dev.plain_traceback
        )
    ]

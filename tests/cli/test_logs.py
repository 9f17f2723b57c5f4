"""Log lines: which form, where to, and that other libraries' lines have the same."""

from __future__ import annotations

import errno
import io
import logging
import subprocess
import sys
import warnings
from typing import Any

import msgspec
import pytest
import structlog

from osqueue.cli.endings import CommandError, ending_of
from osqueue.cli.logs import configure_logs, is_json, log_ending

pytestmark = pytest.mark.usefixtures("logs_as_they_were")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def configured(log_format: str = "json", log_level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    configure_logs(log_format=log_format, log_level=log_level, stream=stream)
    return stream


class FullDisk(io.StringIO):
    """A stream that takes nothing while the disk is full."""

    is_full = True

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("log_format", "stream", "expected"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("text", io.StringIO(), False),
    ],
)
def test_json_is_for_programs(log_format: str, stream: io.StringIO, expected: bool) -> None:
    assert is_json(log_format, stream) is expected


def test_lines_that_cannot_be_written_are_counted_and_told_of_later() -> None:
    stream = FullDisk()
    configure_logs(log_format="json", log_level="info", stream=stream)
    for _ in range(3):
        structlog.get_logger("osqueue.part").info("elected")
    stream.is_full = False
    structlog.get_logger("osqueue.part").info("deposed")
    structlog.get_logger("osqueue.part").info("elected again")
    told = [(line["event"], line.get("lost")) for line in lines(stream)]
    assert told == [
        ("deposed", None),
        ("log lines could not be written", 3),
        ("elected again", None),
    ]


def test_json_line_begins_with_the_event_and_has_fields_level_logger_and_time() -> None:
    stream = configured()
    structlog.get_logger("osqueue.part").info("elected", epoch=3, value={1})
    assert stream.getvalue().startswith('{"event":"elected"')
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "elected",
        "epoch": 3,
        "value": [1],
        "logger": "osqueue.part",
        "level": "info",
    }


def test_value_without_a_json_form_becomes_text() -> None:
    stream = configured()
    structlog.get_logger().warning("odd", value=object)
    assert lines(stream)[0]["value"] == "<class 'object'>"


def test_traceback_is_a_field() -> None:
    stream = configured()
    try:
        raise ValueError("broken")
    except ValueError:
        structlog.get_logger("osqueue").exception("failed")
    (line,) = lines(stream)
    assert "ValueError: broken" in line["exception"]
    assert line["level"] == "error"


def test_level_drops_what_is_less_important() -> None:
    stream = configured(log_level="warning")
    log = structlog.get_logger("osqueue")
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_text_is_one_readable_line_without_colours_off_a_terminal() -> None:
    stream = configured("text")
    structlog.get_logger("osqueue").info("elected", epoch=3)
    assert "elected" in stream.getvalue()
    assert "epoch=3" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_standard_logging_has_the_same_form_and_only_its_warnings() -> None:
    stream = configured()
    logging.getLogger("httpx").info("HTTP Request")
    logging.getLogger("hypercorn.error").warning("odd %s", "thing")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == (
        "odd thing",
        "hypercorn.error",
        "warning",
    )


def test_debug_shows_other_libraries_too() -> None:
    stream = configured(log_level="debug")
    logging.getLogger("httpx").debug("details")
    assert lines(stream)[0]["event"] == "details"


def test_warnings_of_python_are_log_lines() -> None:
    stream = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert "DeprecationWarning: old" in lines(stream)[0]["event"]


def test_ending_is_a_last_line_with_advice_and_status() -> None:
    stream = configured()
    log_ending(ending_of(CommandError("no", advice="say yes")))
    (line,) = lines(stream)
    assert (line["event"], line["advice"], line["status"]) == ("no", "say yes", 2)
    assert (line["level"], line["error"]) == ("critical", "CommandError")


@pytest.mark.slow
def test_structlog_is_loaded_without_rich_which_stays_loadable() -> None:
    code = (
        "import sys, osqueue.cli.logs; assert 'structlog' in sys.modules;"
        "assert 'rich' not in sys.modules; import rich"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

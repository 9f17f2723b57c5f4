"""`osqueue top` against real brokers: as lines, as JSON, and on a terminal."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.processes import OsqueueProcess, started_broker
from tests.cli.runner import Command
from tests.cli.top.terminal import TerminalProcess

pytestmark = pytest.mark.slow


def started_top(broker: OsqueueProcess, *options: str) -> OsqueueProcess:
    return OsqueueProcess(["top", "--url", broker.url, *options], {}, broker.directory, "osqueue")


def read_line(top: OsqueueProcess, words: str) -> str:
    """The next line with these words in it."""
    assert top.process.stdout is not None
    for line in top.process.stdout:
        if words in line:
            return line.rstrip("\n")
    raise AssertionError(f"it ended without {words!r}: {top.rest_of_log()}")


def read_event(top: OsqueueProcess, name: str) -> Any:
    """What the next event of this name says."""
    return msgspec.json.decode(read_line(top, f'{{"event":"{name}",'))["data"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_json_is_an_object_for_each_event_and_a_signal_ends_it(
    command: Command, broker: OsqueueProcess, number: int
) -> None:
    with started_top(broker, "--json") as top:
        assert read_event(top, "leader")["brokerAddress"] == f"127.0.0.1:{broker.port}"
        total = read_event(top, "stats")["total"]
        job_id = command("submit", "watched", "1").stdout.strip()
        assert read_event(top, "commit")["commitId"].startswith("1-")
        (change,) = read_event(top, "jobs")
        assert (change["id"], change["status"]) == (job_id, "unclaimed")
        assert read_event(top, "stats")["total"] == total + 1
        top.send(number)
        assert top.wait_ended() == 0
        assert top.rest_of_log() == ""


def test_off_a_terminal_lines_are_plain(command: Command, broker: OsqueueProcess) -> None:
    with started_top(broker) as top:
        assert read_line(top, "leader ") == f"leader  127.0.0.1:{broker.port} (term 1)"
        assert read_line(top, "counts ").startswith("counts  waiting ")
        job_id = command("submit", "plainly", "1").stdout.strip()
        assert read_line(top, "job ") == f"job     {job_id} unclaimed, type plainly, attempt 0"


def test_reader_that_goes_away_ends_it_quietly(command: Command, broker: OsqueueProcess) -> None:
    with started_top(broker, "--json") as top:
        read_event(top, "stats")
        assert top.process.stdout is not None
        top.process.stdout.close()
        command("submit", "unread", "1")
        assert top.wait_ended() == 0
        assert top.rest_of_log() == ""


def test_terminal_shows_the_queue_live_and_q_ends_it(
    command: Command, broker: OsqueueProcess
) -> None:
    with TerminalProcess(["top", "--url", broker.url], broker.directory) as top:
        top.wait_shown(f"127.0.0.1:{broker.port} (term 1)")
        job_id = command("submit", "painted", "1").stdout.strip()
        top.wait_shown(f"{job_id}  unclaimed")
        top.type("xq")
        assert top.wait_ended() == 0
        # The screen before is given back, and the cursor.
        assert "\x1b[?1049l" in top.shown
        assert "\x1b[?25h" in top.shown


def test_control_c_ends_the_live_view_as_asked(broker: OsqueueProcess) -> None:
    with TerminalProcess(["top", "--url", broker.url], broker.directory) as top:
        top.wait_shown("newest changes")
        top.process.send_signal(signal.SIGINT)
        assert top.wait_ended() == 0
        assert "Traceback" not in top.shown


def test_lost_broker_is_seen_and_its_successor_watched(tmp_path: Path) -> None:
    with started_broker(tmp_path) as first:
        options = ["top", "--url", first.url, "--timeout", "1"]
        with (
            OsqueueProcess([*options, "--json"], {}, tmp_path, "osqueue") as lines,
            TerminalProcess(options, tmp_path) as screen,
        ):
            read_event(lines, "stats")
            screen.wait_shown("connection  live")
            first.send(signal.SIGKILL)
            first.wait_ended()
            screen.wait_shown("lost, looking for the leader")
            # Whatever is asked of a lost broker is given up after --timeout; the watch goes on.
            with started_broker(tmp_path, BROKER_PORT=first.port):
                assert read_event(lines, "gap") == {"reason": "resubscribed"}
                assert read_event(lines, "leader")["epoch"] == 2
                screen.wait_shown("(term 2)")
                screen.wait_shown("live; changes were missed, times: 1")

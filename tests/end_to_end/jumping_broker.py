"""A broker whose wall clock a test sets: it is ahead by as many ms as a file says.

python -m tests.end_to_end.jumping_broker FILE, settings in the environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from osqueue.cli.broker.composition import make_server
from osqueue.cli.broker.process import BrokerProcess
from osqueue.cli.commands.running import SERVER_GROUPS
from osqueue.cli.options import read_settings
from osqueue.cli.starting import start_logs
from osqueue.clocks import SystemClock


class JumpingClock(SystemClock):
    """The machine's clocks, with a wall clock that somebody sets."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now_ms(self) -> int:
        return super().now_ms() + int(self._path.read_text(encoding="ascii"))


if __name__ == "__main__":
    settings = read_settings(SERVER_GROUPS, {})
    start_logs(settings)
    server = make_server(settings, clock=JumpingClock(Path(sys.argv[1])))
    trio.run(BrokerProcess(server, settings).run)
    server.close()

"""The `osqueue` command: all its commands under one name."""

from __future__ import annotations

import click

from osqueue import __version__
from osqueue.cli.commands import changing, checking, reading, running
from osqueue.cli.output import Commands

__all__ = ["main"]

HELP_OPTIONS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=Commands, context_settings=HELP_OPTIONS)
@click.version_option(__version__, prog_name="osqueue")
def main() -> None:
    """A durable job queue whose only infrastructure is one JSON object.

    Start a broker, give it jobs, and run workers for them:

    \b
      osqueue server
      osqueue submit email:send '{"to": "ann@example.org"}'
      osqueue worker tasks:worker
      osqueue top

    Exit status: 0 done; 1 refused or failed; 2 the command line or a setting is wrong; 3 no broker
    could be reached, try again; 4 it may have been applied, look it up; 5 not ended in time;
    6 the stored queue cannot be used: do not restart a broker before that is mended.
    """


for command in (
    running.server,
    running.worker,
    checking.doctor,
    changing.submit,
    changing.cancel,
    changing.delete,
    changing.retry,
    changing.redrive,
    changing.pause,
    changing.resume,
    reading.stats,
    reading.jobs,
    reading.job,
    reading.dead,
    reading.workers,
    reading.history,
    reading.top,
):
    main.add_command(command)

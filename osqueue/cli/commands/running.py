"""The commands that run until a signal ends them: a broker, a worker."""

from __future__ import annotations

import click

from osqueue.cli.endings import end_with_line, reporting
from osqueue.cli.options import (
    SectionedCommand,
    json_logs_option,
    read_settings,
    setting_options,
    url_options,
)
from osqueue.cli.starting import start_logs
from osqueue.settings import SettingValue

__all__ = ["SERVER_GROUPS", "server", "worker"]

SERVER_GROUPS = ("broker", "storage", "jobs", "logs", "limits")


@click.command(cls=SectionedCommand)
@setting_options(*SERVER_GROUPS)
@json_logs_option
def server(json_logs: bool, **flags: SettingValue | None) -> None:
    """Run a broker: it keeps the queue, and answers clients and workers.

    Several brokers may share one store: one leads, the others stand by and take over when it ends.
    SIGTERM or SIGINT stops it: what was asked for is settled and the lead is handed over.

    \b
    Examples:
      osqueue server
      osqueue server --broker-port 9000 --file-directory /var/lib/osqueue
      STORAGE_BACKEND=memory osqueue server

    Each option can also be set by the environment name in brackets; the option wins. Times are in
    milliseconds, and end in -ms.
    """
    if json_logs:
        flags["log_format"] = "json"
    with reporting(end_with_line(as_json=json_logs)):
        settings = read_settings(SERVER_GROUPS, flags)
    tell = start_logs(settings)
    from osqueue.cli.broker.process import run_broker

    with reporting(tell):
        run_broker(settings)


@click.command()
@click.argument("worker", metavar="MODULE:ATTRIBUTE")
@url_options(with_timeout=False)
@setting_options("logs")
@json_logs_option
def worker(worker: str, url: str | None, json_logs: bool, **flags: SettingValue | None) -> None:
    """Run the worker that a module of yours defines.

    The module is looked for in the current directory first. SIGTERM or SIGINT stops the worker: it
    claims no more, finishes the jobs that it holds, and ends. A second one ends it at once.

    \b
    Example, with this in the file tasks.py:
      from osqueue.worker import Worker
      worker = Worker()
      @worker.handler("email:send")
      async def send_email(payload: dict[str, str]) -> None:
          print("to", payload["to"])

    \b
      osqueue worker tasks:worker

    --url is for workers that name no broker in their own code.
    """
    if json_logs:
        flags["log_format"] = "json"
    with reporting(end_with_line(as_json=json_logs)):
        settings = read_settings(["logs"], flags)
    tell = start_logs(settings)
    from osqueue.cli.working import run_worker

    with reporting(tell):
        run_worker(worker, url)

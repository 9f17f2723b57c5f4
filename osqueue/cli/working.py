"""Runs the worker that a user's module defines."""

from __future__ import annotations

import os

from osqueue.cli.endings import CommandError
from osqueue.worker.process.loading import WorkerNotFound, load_worker

__all__ = ["run_worker"]


def run_worker(name: str, url: str | None) -> None:
    """Load and run a worker, until a signal has made it drain; a second one ends the process.

    Args:
        name: `module:attribute`.
        url: of the broker, for a worker whose code names none; the worker's client reads it from
            the environment.

    Raises:
        CommandError: there is no such worker, or it cannot run.
        QueueError: the broker refuses it for good.
    """
    if url:
        os.environ["BROKER_URL"] = url
    try:
        worker = load_worker(name)
    except WorkerNotFound as error:
        raise CommandError(str(error), advice="see osqueue worker --help") from error
    if not worker.types:
        raise CommandError(
            f"{name} has no handlers", advice="register some with @worker.handler(...)"
        )
    worker.main()

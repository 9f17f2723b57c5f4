"""Finds the worker that `python -m osqueue.worker module:worker` names."""

from __future__ import annotations

import importlib
import os
import sys

from osqueue.worker.worker import Worker

__all__ = ["WorkerNotFound", "load_worker"]


class WorkerNotFound(Exception):
    """The name leads to no worker; the message says how far it led."""


def load_worker(name: str) -> Worker:
    """Import the worker that `module:attribute` names, from the working directory too.

    Raises:
        WorkerNotFound: there is no such module or attribute, or it is no Worker.
        Exception: whatever the module itself raises while it is imported.
    """
    module_name, separator, attribute = name.partition(":")
    if not separator or not module_name or not attribute:
        raise WorkerNotFound(f"a worker is named module:attribute, such as tasks:worker: {name!r}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise  # The module is there; something that it imports is not.
        raise WorkerNotFound(
            f"there is no module {module_name!r} in {os.getcwd()} or among the installed packages"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise WorkerNotFound(f"{module_name} has no {attribute!r}")
        found = getattr(found, part)
    if not isinstance(found, Worker):
        raise WorkerNotFound(f"{name} is a {type(found).__name__}, not a Worker")
    return found

"""A broker in a process of its own, and the command run against it within this one."""

import logging
from collections.abc import Generator

import pytest
import structlog

from tests.cli.processes import OsqueueProcess, started_broker
from tests.cli.runner import Command


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Generator[OsqueueProcess]:
    """One broker for the tests of a module; each uses job types of its own."""
    directory = tmp_path_factory.mktemp("broker")
    with started_broker(directory, MAX_ATTEMPTS="1") as process:
        yield process


@pytest.fixture
def logs_as_they_were() -> Generator[None]:
    """Undo what a command does to this process's logging."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    logging.captureWarnings(False)
    root.handlers, root.level = handlers, level


@pytest.fixture
def command(broker: OsqueueProcess, logs_as_they_were: None) -> Command:
    """The `osqueue` command with BROKER_URL set."""
    return Command(broker.url)

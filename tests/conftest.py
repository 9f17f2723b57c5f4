"""Fixtures that every test may use; what only one package needs lives beside its tests."""

import os
import random
import zlib
from collections.abc import Generator
from typing import TYPE_CHECKING

import hypothesis
import pytest

# Before anything else that logs: tracebacks are printed as the processes print them. structlog's
# own way, with rich, took 0.4 s for each; a test of many hostile connections took 16 s of it.
import osqueue.cli.logs  # noqa: F401

if TYPE_CHECKING:
    from tests.emulators.peers import Peers

# What a terminal or a CI wants of colours: the tests read plain text, wherever they run.
os.environ.pop("FORCE_COLOR", None)

# How long an example takes says more of the machine than of what is tested.
hypothesis.settings.register_profile("osqueue", deadline=None)
hypothesis.settings.load_profile("osqueue")


@pytest.fixture
def seeded_random(request: pytest.FixtureRequest) -> random.Random:
    """A generator whose seed is the test's own name: the same draws in every run, alone or not."""
    return random.Random(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def peers(tmp_path_factory: pytest.TempPathFactory) -> "Generator[Peers]":
    """The buckets that tests run on, each started when it is first asked for."""
    # Loaded by those who ask: most tests need neither an HTTP client nor a bucket.
    from tests.emulators.peers import Peers

    started = Peers(tmp_path_factory.mktemp("peers"))
    yield started
    started.stop()

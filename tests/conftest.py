"""Fixtures that every test may use; what only one package needs lives beside its tests."""

import random
import zlib

import pytest


@pytest.fixture
def seeded_random(request: pytest.FixtureRequest) -> random.Random:
    """A generator whose seed is the test's own name: the same draws in every run, alone or not."""
    return random.Random(zlib.crc32(request.node.nodeid.encode()))

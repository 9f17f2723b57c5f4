"""The bounds of a worker's knobs."""

from __future__ import annotations

from typing import Any

import pytest

from osqueue.worker.settings import WorkerSettings

__all__: list[str] = []


def test_the_defaults_are_within_their_bounds() -> None:
    assert WorkerSettings().concurrency == 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0},
        {"prefetch": -1},
        {"wait_ms": 0},
        {"wait_ms": 60_001},
        {"drain_timeout_s": -1},
        {"time_limit_s": 0},
    ],
)
def test_what_is_out_of_bounds_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WorkerSettings(**wrong)

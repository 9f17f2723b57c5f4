"""How much memory does a commit to a bucket take, and how long does it hold the event loop?

`python -m benchmarks.bucket_commit [--json] [--megabytes 20] [--commits 5]`: a queue of that size
in ministack (S3) and fake-gcs-server (GCS), each a process of its own. A broker in a fresh process
takes it over and commits one job at a time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from functools import partial
from pathlib import Path

import trio

from tests.emulators.peers import Peers
from tests.end_to_end.committing_broker import CommitCost, measure_on_peer

__all__ = ["main"]

COLUMNS = ("elapsed_ms", "peak_growth_mib", "longest_step_ms", "longest_gap_ms")
WANTED = {"peak_growth_mib": "60", "longest_step_ms": "10"}


def measure(directory: Path, *, megabytes: int, commits: int) -> dict[str, list[CommitCost]]:
    """The costs of the commits by peer."""
    peers = Peers(directory)
    try:
        return {
            name: trio.run(
                partial(
                    measure_on_peer,
                    peer,
                    prefix="benchmark/",
                    document_bytes=megabytes * 1_000_000,
                    count=commits,
                )
            )
            for name, peer in (("ministack", peers.ministack), ("fake-gcs", peers.fake_gcs))
        }
    finally:
        peers.stop()


def summarize(costs: list[CommitCost]) -> dict[str, dict[str, float]]:
    """Minimum, median and maximum of each column."""
    columns = {name: [getattr(cost, name) for cost in costs] for name in COLUMNS}
    return {
        name: {"min": min(values), "median": statistics.median(values), "max": max(values)}
        for name, values in columns.items()
    }


def main() -> None:
    """Run the benchmark and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--commits", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        costs = measure(Path(directory), megabytes=options.megabytes, commits=options.commits)
    summary = {name: summarize(of_peer) for name, of_peer in costs.items()}
    if options.json:
        print(json.dumps(summary, indent=2))
        return
    print(f"{'':12}{'':20}{'min':>10}{'median':>10}{'max':>10}{'at most':>10}")
    for name, columns in summary.items():
        for column, values in columns.items():
            row = "".join(f"{value:>10.2f}" for value in values.values())
            print(f"{name:12}{column.replace('_', ' '):20}{row}{WANTED.get(column, ''):>10}")


if __name__ == "__main__":
    main()

"""How many jobs a second does one Client move through one broker, with 1,000 concurrent callers?

`python -m benchmarks.end_to_end [--json] [--store URL] [--transport http]`: a broker on the memory
store in a process of its own, one Client here. A round submits jobs one by one from all callers,
then each caller claims and completes them one by one. Every call waits for its durable answer.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, Literal

import trio

from osqueue.client import Client

__all__ = ["main"]

SUBMITS_WANTED = 40_000
CYCLES_WANTED = 25_000
"""A second; what the project promises for two cores."""
PACKAGES = ("osqueue", "trio", "trio-websocket", "msgspec", "httpx")


class Round:
    """What one round took."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.submit_s = 0.0
        self.submit_cpu_s = 0.0
        self.cycle_s = 0.0
        self.cycle_cpu_s = 0.0

    async def submit(self, client: Client, callers: int) -> None:
        """All jobs into the queue, one call each."""

        async def call(caller: int) -> None:
            for number in range(self.jobs // callers):
                await client.submit({"caller": caller, "number": number}, type="benchmark")

        started, cpu = time.perf_counter(), time.process_time()
        await run_callers(call, callers)
        self.submit_s = time.perf_counter() - started
        self.submit_cpu_s = time.process_time() - cpu

    async def cycle(self, client: Client, callers: int) -> None:
        """All jobs out of it: each claimed and completed by itself."""

        async def call(caller: int) -> None:
            worker_id = f"worker-{caller}"
            for _ in range(self.jobs // callers):
                for job in await client.claim(worker_id, types=["benchmark"]):
                    await client.complete(job)

        started, cpu = time.perf_counter(), time.process_time()
        await run_callers(call, callers)
        self.cycle_s = time.perf_counter() - started
        self.cycle_cpu_s = time.process_time() - cpu


async def run_callers(call: Any, callers: int) -> None:  # noqa: ANN401
    """Run one task for each caller, to the end of all."""
    async with trio.open_nursery() as nursery:
        for caller in range(callers):
            nursery.start_soon(call, caller)


@contextmanager
def broker_process(store: str) -> Iterator[int]:
    """A broker, and its port."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from benchmarks.broker_process import main; main()", store],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


async def measure(
    port: int, *, rounds: int, jobs: int, callers: int, transport: Literal["websocket", "http"]
) -> list[Round]:
    """Run the rounds, after one that warms up."""
    done: list[Round] = []
    async with Client(f"http://127.0.0.1:{port}", transport=transport) as client:
        for _ in range(rounds + 1):
            current = Round(jobs)
            await current.submit(client, callers)
            await current.cycle(client, callers)
            left = (await client.stats()).total
            assert left == 0, f"{left} jobs are left"
            done.append(current)
    return done[1:]


def summarize(rounds: list[Round]) -> dict[str, Any]:
    """Rates and the client's CPU, with what is needed to compare them."""

    def spread(values: list[float]) -> dict[str, int]:
        return {
            "min": round(min(values)),
            "median": round(statistics.median(values)),
            "max": round(max(values)),
        }

    return {
        "submits_per_s": spread([one.jobs / one.submit_s for one in rounds]),
        "cycles_per_s": spread([one.jobs / one.cycle_s for one in rounds]),
        "client_cpu_us_per_submit": spread([one.submit_cpu_s / one.jobs * 1e6 for one in rounds]),
        "client_cpu_us_per_cycle": spread([one.cycle_cpu_s / one.jobs * 1e6 for one in rounds]),
        "rounds": len(rounds),
        "jobs_per_round": rounds[0].jobs,
        "broker_cpu_s": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, 2),
        "python": platform.python_version(),
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def cpu_name() -> str:
    """The processor, where the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            for line in info:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def show(summary: dict[str, Any]) -> None:
    """The table for people."""
    print(f"{'':28}{'min':>10}{'median':>10}{'max':>10}{'wanted':>10}")
    wanted = {"submits_per_s": SUBMITS_WANTED, "cycles_per_s": CYCLES_WANTED}
    for name, values in summary.items():
        if isinstance(values, dict) and "median" in values:
            row = f"{values['min']:>10,}{values['median']:>10,}{values['max']:>10,}"
            print(f"{name.replace('_', ' '):28}{row}{wanted.get(name, ''):>10}")
    packages = " ".join(f"{name} {number}" for name, number in summary["versions"].items())
    print(f"{summary['rounds']} rounds of {summary['jobs_per_round']:,} jobs; {packages}")
    print(f"Python {summary['python']}, {summary['cpus']} x {summary['cpu']}")


def main() -> None:
    """Run the benchmark and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=1_000)
    parser.add_argument("--jobs", type=int, default=30_000, help="jobs a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--store", default="memory:")
    parser.add_argument("--transport", choices=("websocket", "http"), default="websocket")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args()
    with broker_process(options.store) as port:
        rounds = trio.run(
            lambda: measure(
                port,
                rounds=options.rounds,
                jobs=options.jobs,
                callers=options.callers,
                transport=options.transport,
            )
        )
    summary = summarize(rounds)
    if options.json:
        print(json.dumps(summary, indent=2))
    else:
        show(summary)


if __name__ == "__main__":
    main()

"""How many jobs a second does one Client move through one broker, with 1,000 concurrent callers?

`python -m benchmarks.end_to_end [--json] [--transport http]`: `python -m osqueue.server` on the
memory store, or as the environment says, and one Client here. A round submits jobs one by one from
all callers, then each caller claims and completes them one by one; then the same once more, with
each completion and the next claim in one call, as workers do. Every call waits for its durable
answer.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, Literal

import trio

from osqueue.client import Claim, Client, Completion

__all__ = ["main"]

SUBMITS_WANTED = 40_000
CYCLES_WANTED = 25_000
"""A second; what the project promises for two cores."""
PACKAGES = ("osqueue", "trio", "trio-websocket", "msgspec", "httpx")


class Span:
    """What one half of a round took, in seconds."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self.client_cpu_s = 0.0
        self.broker_cpu_s = 0.0

    @contextmanager
    def measure(self, broker_id: int) -> Iterator[None]:
        """Measure the body."""
        started = time.perf_counter()
        client_cpu_s, broker_cpu_s = time.process_time(), cpu_of(broker_id)
        yield
        self.elapsed_s = time.perf_counter() - started
        self.client_cpu_s = time.process_time() - client_cpu_s
        self.broker_cpu_s = cpu_of(broker_id) - broker_cpu_s


class Round:
    """What one round took."""

    def __init__(self, jobs: int, broker_id: int) -> None:
        self.jobs = jobs
        self.broker_id = broker_id
        self.submits = Span()
        self.cycles = Span()
        self.joint_cycles = Span()

    async def submit(self, client: Client, callers: int) -> None:
        """All jobs into the queue, one call each."""

        async def call(caller: int) -> None:
            for number in range(self.jobs // callers):
                await client.submit({"caller": caller, "number": number}, type="benchmark")

        with self.submits.measure(self.broker_id):
            await run_callers(call, callers)

    async def cycle(self, client: Client, callers: int) -> None:
        """All jobs out of it: each claimed and completed by itself."""

        async def call(caller: int) -> None:
            worker_id = f"worker-{caller}"
            for _ in range(self.jobs // callers):
                for job in await client.claim(worker_id, types=["benchmark"]):
                    await client.complete(job)

        with self.cycles.measure(self.broker_id):
            await run_callers(call, callers)

    async def cycle_jointly(self, client: Client, callers: int) -> None:
        """All jobs out of it, each completed in the call that claims the next one."""

        async def call(caller: int) -> None:
            worker_id = f"worker-{caller}"
            claim = Claim(types=["benchmark"])
            jobs = await client.claim(worker_id, types=["benchmark"])
            while jobs:
                done = [Completion(job) for job in jobs]
                jobs = (await client.complete_many(worker_id, done, claim=claim)).jobs

        with self.joint_cycles.measure(self.broker_id):
            await run_callers(call, callers)


def cpu_of(process_id: int) -> float:
    """The CPU time of a process so far, in seconds; 0 where the system does not tell."""
    try:
        with open(f"/proc/{process_id}/stat", encoding="utf-8") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run_callers(call: Any, callers: int) -> None:  # noqa: ANN401
    """Run one task for each caller, to the end of all."""
    async with trio.open_nursery() as nursery:
        for caller in range(callers):
            nursery.start_soon(call, caller)


@contextmanager
def broker_process() -> Iterator[tuple[int, str]]:
    """A broker as users run it, on a free port: its process id and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "osqueue.server"],
        env={"STORAGE_BACKEND": "memory"} | os.environ | {"BROKER_PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        # Its first line says where: "osqueue broker on http://127.0.0.1:8080, queue in ...".
        address = re.search(r"http://[^,\s]+", process.stdout.readline())
        assert address is not None, "the broker did not start: run python -m osqueue.server"
        yield process.pid, address.group()
    finally:
        process.kill()
        process.wait()


async def measure(
    broker_id: int,
    url: str,
    *,
    rounds: int,
    jobs: int,
    callers: int,
    transport: Literal["websocket", "http"],
) -> list[Round]:
    """Run the rounds, after one that warms up."""
    done: list[Round] = []
    async with Client(url, transport=transport) as client:
        for _ in range(rounds + 1):
            current = Round(jobs, broker_id)
            await current.submit(client, callers)
            await current.cycle(client, callers)
            await Round(jobs, broker_id).submit(client, callers)
            await current.cycle_jointly(client, callers)
            left = (await client.stats()).total
            assert left == 0, f"{left} jobs are left"
            done.append(current)
    return done[1:]


def summarize(rounds: list[Round]) -> dict[str, Any]:
    """Rates and CPU times, with what is needed to compare them."""

    def each(one: Round, cpu_s: float) -> float:
        return cpu_s / one.jobs * 1e6

    def spread(values: list[float]) -> dict[str, int]:
        return {
            "min": round(min(values)),
            "median": round(statistics.median(values)),
            "max": round(max(values)),
        }

    return {
        "submits_per_s": spread([one.jobs / one.submits.elapsed_s for one in rounds]),
        "cycles_per_s": spread([one.jobs / one.cycles.elapsed_s for one in rounds]),
        "joint_cycles_per_s": spread([one.jobs / one.joint_cycles.elapsed_s for one in rounds]),
        "client_us_per_submit": spread([each(one, one.submits.client_cpu_s) for one in rounds]),
        "broker_us_per_submit": spread([each(one, one.submits.broker_cpu_s) for one in rounds]),
        "client_us_per_cycle": spread([each(one, one.cycles.client_cpu_s) for one in rounds]),
        "broker_us_per_cycle": spread([each(one, one.cycles.broker_cpu_s) for one in rounds]),
        "client_us_per_joint_cycle": spread(
            [each(one, one.joint_cycles.client_cpu_s) for one in rounds]
        ),
        "broker_us_per_joint_cycle": spread(
            [each(one, one.joint_cycles.broker_cpu_s) for one in rounds]
        ),
        "rounds": len(rounds),
        "jobs_per_round": rounds[0].jobs,
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
    parser.add_argument("--jobs", type=int, default=20_000, help="jobs a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--transport", choices=("websocket", "http"), default="websocket")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args()
    with broker_process() as (broker_id, url):
        rounds = trio.run(
            lambda: measure(
                broker_id,
                url,
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

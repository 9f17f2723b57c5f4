"""The main job, wherever the queue is: a job for each file, workers and the leader killed half-way.

Four worker processes hash files. One is killed while it holds a job for ever; the leading broker is
killed while more files are submitted; a broker takes its place. Nothing may be lost or doubled.
"""

from __future__ import annotations

import hashlib
import signal
import sysconfig
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import trio

from osqueue.client import Client, NewJob
from tests.end_to_end.processes import start_process, waited_for_cpu_s

__all__ = ["list_sources", "play_main_job"]

WORKERS = 4
LANES = 40
POLL_S = 0.005
HELD_BACK_SHARE = 0.45
"""Files that are submitted while the broker is being killed. All the others are fewer than may be
completed by then, however long this process has to wait for a processor."""


class Digest(msgspec.Struct):
    """One line of a worker's report."""

    path: str
    attempt: int
    size: int
    sha256: str
    is_held: bool
    """Whether the attempt goes on for ever."""


def list_sources() -> list[Path]:
    """Every .py file of the running Python's standard library."""
    library = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"site-packages", "dist-packages"}
    return sorted(path for path in library.rglob("*.py") if not skipped & set(path.parts))


def read_reports(paths: list[Path]) -> list[Digest]:
    """The complete lines of all reports."""
    lines = [line for path in paths if path.exists() for line in path.read_bytes().splitlines(True)]
    return [msgspec.json.decode(line, type=Digest) for line in lines if line.endswith(b"\n")]


async def wait_for_completions(client: Client, count: int) -> None:
    """Wait until so many jobs are completed."""
    # What happens in other processes sets no event here.
    while (await client.stats()).completed_total < count:  # noqa: ASYNC110
        await trio.sleep(POLL_S)


async def tells_of_held_job(path: trio.Path) -> bool:
    """Whether a report is there and names a job that is held."""
    return await path.exists() and b'"is_held":true' in await path.read_bytes()


async def wait_for_held_job(path: Path) -> None:
    """Wait until a worker holds a job for ever."""
    while not await tells_of_held_job(trio.Path(path)):  # noqa: ASYNC110
        await trio.sleep(POLL_S)


def new_job(path: Path) -> NewJob:
    """The job of one file."""
    return NewJob(payload={"path": str(path)}, type="digest")


class Submissions:
    """Lanes that submit one file after the other, so that some call is always under way."""

    def __init__(self, client: Client, paths: list[Path]) -> None:
        self.answered_at: list[float] = []
        self.started_count = 0
        self._answered = trio.Condition()
        self._client = client
        self._left = iter(paths)

    async def run_lane(self) -> None:
        """Submit until no file is left."""
        for path in self._left:
            self.started_count += 1
            await self._client.submit({"path": str(path)}, type="digest")
            async with self._answered:
                self.answered_at.append(trio.current_time())
                self._answered.notify_all()

    async def wait_answered(self, count: int) -> None:
        """Wait until so many files are submitted."""
        async with self._answered:
            while len(self.answered_at) < count:
                await self._answered.wait()


async def start_workers(
    stack: AsyncExitStack, reports: list[Path], *, broker_url: str, concurrency: int
) -> trio.Process:
    """Start a worker for each report. Returns the one that will hold a job for ever."""
    processes: list[trio.Process] = []
    for number, report in enumerate(reports):
        environment = {
            "REPORT": str(report),
            "BROKER_URL": broker_url,
            "CONCURRENCY": str(concurrency),
            # Early, so that it is reached however the workers share the jobs.
            "HOLD_AFTER": "5" if number == 0 else "0",
        }
        process = await stack.enter_async_context(
            start_process(
                "osqueue.worker",
                "tests.end_to_end.hashing_worker:worker",
                log_file=report.with_suffix(".log"),
                environment=environment,
            )
        )
        processes.append(process)
    return processes[0]


async def wait_for_workers(client: Client) -> None:
    """Wait until all workers have asked for jobs."""
    while (await client.workers()).total < WORKERS:  # noqa: ASYNC110 (the broker is asked)
        await trio.sleep(POLL_S)


async def play_main_job(
    stack: AsyncExitStack,
    directory: Path,
    sources: list[Path],
    *,
    broker_url: str,
    kill_leader: Callable[[], Awaitable[int]],
    replace_leader: Callable[[], Awaitable[trio.Process]],
    first_ok_s_max: float,
    concurrency: int = 2,
) -> None:
    """Play it and check everything.

    Args:
        stack: ends the processes.
        broker_url: of the broker that leads, and of the one that will, if that is another.
        kill_leader: gives the count of completed jobs that is durable then.
        replace_leader: returns at once; the broker that it gives will lead.
        first_ok_s_max: so long after that a call must be answered ok at the latest; what other
            programs took of the machine when the broker could have run is not in it.
        concurrency: jobs of a worker at a time.
    """
    held_back = int(len(sources) * HELD_BACK_SHARE)
    reports = [directory / f"worker-{number}.jsonl" for number in range(WORKERS)]
    client = await stack.enter_async_context(Client(broker_url))
    holding_worker = await start_workers(
        stack, reports, broker_url=broker_url, concurrency=concurrency
    )
    # All are there before the first job is, or the quicker ones might leave it none to hold.
    await wait_for_workers(client)
    await client.submit_many([new_job(path) for path in sources[held_back:]])
    await wait_for_held_job(reports[0])
    holding_worker.send_signal(signal.SIGKILL)
    await holding_worker.wait()

    await wait_for_completions(client, int(len(sources) * 0.4))
    submissions = Submissions(client, sources[:held_back])
    async with trio.open_nursery() as nursery:
        for _ in range(LANES):
            nursery.start_soon(submissions.run_lane)
        await submissions.wait_answered(1)
        completed_share = await kill_leader() / len(sources)
        assert 0.4 <= completed_share <= 0.6, f"killed at {completed_share:.0%}"
        answered_before = len(submissions.answered_at)
        replaced_at = trio.current_time()
        assert submissions.started_count - answered_before >= 1, "a call was in flight"
        leader = await replace_leader()
        waited_before_s = waited_for_cpu_s(leader.pid)
        await submissions.wait_answered(answered_before + 1)
        waited_s = waited_for_cpu_s(leader.pid) - waited_before_s
    first_ok_s = submissions.answered_at[answered_before] - replaced_at
    told = f"the first ok came after {first_ok_s:.2f} s, {waited_s:.2f} s of it without a processor"
    assert first_ok_s - waited_s <= first_ok_s_max, told

    with trio.move_on_after(60) as finishing:
        await wait_for_completions(client, len(sources))
    assert not finishing.cancelled_caught, await client.stats()
    stats = await client.stats()
    assert stats.total == 0
    assert stats.dead == 0
    assert stats.completed_total == len(sources)
    digests = read_reports(reports)
    check_reports(digests, sources)
    [held] = [found for found in digests if found.is_held]
    assert any(found.path == held.path and found.attempt > held.attempt for found in digests)


def check_reports(digests: list[Digest], sources: list[Path]) -> None:
    """The highest attempt of every file is right, and at least one job was run twice."""
    newest: dict[str, Digest] = {}
    for digest in sorted(digests, key=lambda digest: digest.attempt):
        newest[digest.path] = digest
    assert set(newest) == set(map(str, sources))
    for path in sources:
        content = path.read_bytes()
        found = newest[str(path)]
        assert (found.size, found.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    runs = Counter(digest.path for digest in digests)
    assert max(runs.values()) >= 2

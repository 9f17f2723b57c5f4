"""The client for programs without Trio, from threads, against a real broker."""

from __future__ import annotations

import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trio

from osqueue.client.blocking import BlockingClient
from osqueue.core.errors import JobNotFound

__all__: list[str] = []


def use(url: str) -> None:
    with BlockingClient(url) as client:
        submitted = client.submit({"n": 1}, type="t")
        (job,) = client.claim("w", types=["t"])
        assert job.job_id == submitted.job_id
        client.complete(job)
        assert client.stats().completed_total == 1
        assert [found.id for found in client.iterate_jobs()] == []
        assert client.health()
        with pytest.raises(JobNotFound):
            client.get_job("nothing")


def share(url: str) -> None:
    with BlockingClient(url) as client, ThreadPoolExecutor(8) as threads:
        submitted = list(threads.map(client.submit, range(100)))
        assert len({one.job_id for one in submitted}) == 100
        assert sorted(job.payload for job in client.iterate_jobs()) == list(range(100))


async def test_a_program_without_trio_uses_the_queue(broker_url: str) -> None:
    await trio.to_thread.run_sync(use, broker_url)


async def test_threads_share_one_client(broker_url: str) -> None:
    await trio.to_thread.run_sync(share, broker_url)


def test_a_client_that_is_not_entered_says_so() -> None:
    with pytest.raises(RuntimeError, match="with BlockingClient"):
        BlockingClient().stats()


def test_leaving_ends_the_thread(unused_port: int) -> None:
    before = threading.active_count()
    with BlockingClient(f"http://127.0.0.1:{unused_port}") as client:
        assert threading.active_count() > before
    assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="left"):
        client.stats()


def test_the_methods_are_documented() -> None:
    assert "Enqueue one job" in (BlockingClient.__dict__["submit"].__doc__ or "")


SCRIPT = """
import os, signal, sys, threading
from osqueue.client.blocking import BlockingClient
from osqueue.core.errors import QueueError

# Whoever runs the tests in the background of a shell has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
with BlockingClient(sys.argv[1]) as client:
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
    try:
        client.claim("gone", wait_ms=60_000)
    except KeyboardInterrupt:
        pass
    job_id = client.submit("still here").job_id
    (job,) = client.claim("w", wait_ms=10_000)
    assert job.job_id == job_id
    client.complete(job)
    threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()
    client.claim("gone", wait_ms=60_000)
"""


@pytest.mark.slow
async def test_an_interrupted_call_stops_waiting_and_takes_no_jobs(
    broker_url: str, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with trio.fail_after(20):
        process = await trio.run_process(
            [sys.executable, str(script), broker_url], capture_stderr=True, check=False
        )
    assert process.returncode == -signal.SIGINT
    assert process.stderr.decode().rstrip().endswith("KeyboardInterrupt")


def wait_for_results(url: str) -> None:
    with BlockingClient(url) as client:
        submitted = client.submit(result_ttl_ms=60_000)
        with pytest.raises(TimeoutError):
            client.wait(submitted.job_id, timeout_s=0)
        (job,) = client.claim("w")
        client.complete(job, [1])
        assert client.wait(submitted.job_id, result_type=list[int]) == [1]
        assert not client.throttle_stats().throttling


async def test_a_program_without_trio_waits_for_results(broker_url: str) -> None:
    await trio.to_thread.run_sync(wait_for_results, broker_url)

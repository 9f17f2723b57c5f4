"""A worker process of the main job: size and SHA-256 of files, each attempt in its own report.

Environment: REPORT names that file; CONCURRENCY jobs are run at a time. With HOLD_AFTER=n the n-th
job is noted and then held for
ever, so that the test can kill the process while it holds a job for certain.
"""

import hashlib
import os
from pathlib import Path

import msgspec
import trio

from osqueue.worker import Job, Worker

__all__ = ["Digest", "FilePayload", "worker"]

HANDLER_S = 0.005


class FilePayload(msgspec.Struct):
    """What a job names."""

    path: str


class Digest(msgspec.Struct):
    """What an attempt found, one line of the report."""

    path: str
    attempt: int
    size: int
    sha256: str
    is_held: bool
    """Whether the attempt goes on for ever."""


worker = Worker(concurrency=int(os.environ.get("CONCURRENCY", "2")))
report = Path(os.environ["REPORT"]).open("ab", buffering=0)  # noqa: SIM115
hold_after = int(os.environ.get("HOLD_AFTER", "0"))
started_count = 0


@worker.handler("digest")
async def digest(payload: FilePayload, job: Job) -> None:
    """Read the file, note what it holds, and take at least as long as the test demands."""
    global started_count
    started_count += 1
    number = started_count
    content = await trio.Path(payload.path).read_bytes()
    is_held = number == hold_after
    digest = hashlib.sha256(content).hexdigest()
    found = Digest(payload.path, job.attempt, len(content), digest, is_held)
    report.write(msgspec.json.encode(found) + b"\n")
    if is_held:
        await trio.sleep_forever()
    await trio.sleep(HANDLER_S)

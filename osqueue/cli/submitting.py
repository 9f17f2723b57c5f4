"""Submits one job from the command line, or many from JSON lines, with a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, BinaryIO, Protocol

import msgspec

from osqueue.cli.asking import ask
from osqueue.cli.endings import CommandError, ExitStatus
from osqueue.cli.showing import jobs_text, print_json
from osqueue.cli.waiting import print_result, result_of
from osqueue.client import Client, NewJob, Submitted, SubmittedJobs
from osqueue.core.errors import QueueError
from osqueue.protocol.params import ABSENT, NewJobParams

__all__ = ["Lines", "submit_and_wait", "submit_lines", "submit_one"]

BATCH_JOBS_MAX = 1_000
"""As many jobs travel in one request, and are submitted together or not at all."""
BATCH_BYTES_WANTED = 1_048_576
"""Bytes of lines after which a batch is sent: well below the limit of one frame."""

RESULT_TTL_MS = 300_000
"""How long the result is kept of a job that somebody waits for."""


class Envelope(NewJobParams, forbid_unknown_fields=True, kw_only=True):
    """One line that holds a whole job: a slip in a field's name must not go unnoticed."""


class Batch(msgspec.Struct):
    """Lines on their way in one request."""

    first_line: int
    jobs: list[NewJob] = []
    size: int = 0
    last_line: int = 0


class Lines:
    """Jobs as JSON lines, empty lines left out.

    Args:
        source: what to read.
        is_envelope: each line is a whole job, not just a payload.
        job_type: of all jobs that do not name their own.
        fields: of all jobs that do not set their own; by the names of `NewJob`.
    """

    def __init__(
        self, source: BinaryIO, is_envelope: bool, job_type: str, fields: Mapping[str, Any]
    ) -> None:
        self._source = source
        self._is_envelope = is_envelope
        self._fields: dict[str, Any] = {"type": job_type, **fields}
        self._decode_payload = msgspec.json.Decoder().decode
        self._decode_envelope = msgspec.json.Decoder(Envelope).decode
        self.bytes_read = 0

    @property
    def size(self) -> int | None:
        """Bytes of the whole, where that is known: of a file, not of a pipe."""
        if not self._source.seekable():
            return None
        here = self._source.tell()
        end = self._source.seek(0, 2)
        self._source.seek(here)
        return end or None

    def batches(self) -> Iterator[Batch]:
        """Batches in the order of the lines.

        Raises:
            CommandError: a line cannot be read; the batches before it have been given.
        """
        numbers = count(1)
        batch = Batch(1)
        for number, line in zip(numbers, self._source, strict=False):
            if line.strip():
                batch.jobs.append(self._read(number, line))
            batch.size += len(line)
            batch.last_line = number
            if len(batch.jobs) >= BATCH_JOBS_MAX or batch.size >= BATCH_BYTES_WANTED:
                self.bytes_read += batch.size
                yield batch
                batch = Batch(number + 1)
        self.bytes_read += batch.size
        if batch.jobs:
            yield batch

    def _read(self, number: int, line: bytes) -> NewJob:
        try:
            if not self._is_envelope:
                return NewJob(payload=self._decode_payload(line), **self._fields)
            envelope = self._decode_envelope(line)
            payload = None
            if envelope.payload != ABSENT:
                payload = self._decode_payload(envelope.payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            what = "a job" if self._is_envelope else "JSON"
            raise CommandError(f"line {number} is not {what}: {error}") from error
        own = {
            name: value
            for name in NewJob.__struct_fields__
            if name != "payload" and (value := getattr(envelope, name)) is not None
        }
        return NewJob(payload=payload, **{**self._fields, **own})


def submit_one(
    job_type: str,
    payload: str | None,
    fields: Mapping[str, Any],
    *,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Submit one job and print its id.

    Args:
        job_type: which handlers take it.
        payload: JSON; None: null.
        fields: of `NewJob`.
        url, timeout_s: as `ask` takes them.
        as_json: print the answer of the wire.

    Raises:
        CommandError: the payload is not JSON.
        QueueError: refused, or no broker.
    """
    value = read_payload(payload)
    answer = ask(
        lambda client: client.submit(value, type=job_type, **fields), url=url, timeout_s=timeout_s
    )
    if as_json:
        print_json(answer)
        return
    print(answer.job_id)
    if answer.duplicate:
        tell_duplicate(answer)


def submit_and_wait(
    job_type: str,
    payload: str | None,
    fields: Mapping[str, Any],
    *,
    url: str | None,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Submit one job, wait for its end, and print its result.

    Unless the caller says otherwise, the result is kept for as long as a lost connection may take.

    Raises:
        CommandError: the payload is not JSON.
        QueueError: refused, dead or gone, or no broker.
    """
    value = read_payload(payload)

    async def submit(client: Client) -> tuple[str, object]:
        kept: dict[str, Any] = {"result_ttl_ms": RESULT_TTL_MS, **fields}
        answer = await client.submit(value, type=job_type, **kept)
        if answer.duplicate:
            tell_duplicate(answer)
        return answer.job_id, await result_of(client, answer.job_id, wait_ms=None)

    job_id, result = ask(submit, url=url, timeout_s=timeout_s)
    print_result(job_id, result, as_json=as_json)


def read_payload(text: str | None) -> object:
    """The payload that was typed; None: null.

    Raises:
        CommandError: it is not JSON.
    """
    try:
        return None if text is None else msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        advice = 'quote JSON for the shell: \'{"to": "ann"}\', and a text as \'"text"\''
        raise CommandError(f"PAYLOAD is not JSON: {error}", advice=advice) from error


def tell_duplicate(answer: Submitted) -> None:
    """Say on stderr that nothing was added."""
    print(f"osqueue: {answer.job_id} was in the queue already; nothing was added", file=sys.stderr)


def submit_lines(lines: Lines, *, url: str | None, timeout_s: float, as_json: bool) -> None:
    """Submit many jobs and print how many, or with `as_json` their ids.

    Raises:
        CommandError: a line was wrong or a batch refused; says how many jobs are in the queue.
    """
    job_ids: list[str] = []
    duplicates: list[int] = []

    async def submit_all(client: Client) -> None:
        with progress_bar(lines.size) as progress:
            for batch in lines.batches():
                answer = await submit_batch(client, batch, len(job_ids))
                duplicates.extend(len(job_ids) + index for index in answer.duplicates)
                job_ids.extend(answer.job_ids)
                progress.advance_to(lines.bytes_read, len(job_ids))

    try:
        ask(submit_all, url=url, timeout_s=timeout_s)
    except CommandError as error:
        if not error.advice and job_ids:
            error.advice = told_before(len(job_ids), "before its batch")
        if job_ids and error.status in (ExitStatus.USAGE, ExitStatus.UNREACHABLE):
            error.status = ExitStatus.REFUSED  # Those two promise that nothing was begun.
        raise
    except (KeyboardInterrupt, BaseExceptionGroup):  # Ctrl-C, mostly in the group of a nursery.
        first = f"{jobs_text(len(job_ids))} {'is' if len(job_ids) == 1 else 'are'} in the queue"
        told = f"osqueue: {first}, perhaps a batch more"
        print(told, file=sys.stderr)
        raise
    if as_json:
        print_json(SubmittedJobs(job_ids, duplicates))
        return
    known = ""
    if duplicates:
        were = "was" if len(duplicates) == 1 else "were"
        known = f", {len(duplicates):,} of them {were} in the queue already"
    print(f"{jobs_text(len(job_ids))} submitted{known}")


def told_before(count: int, before: str) -> str:
    """What has become of the jobs before something that failed."""
    return f"the {jobs_text(count)} {before} {'is' if count == 1 else 'are'} in the queue"


async def submit_batch(client: Client, batch: Batch, submitted: int) -> SubmittedJobs:
    """Submit a batch; a refusal says which lines it is about.

    Raises:
        CommandError: nothing of the batch was applied, or that is unknown.
    """
    try:
        return await client.submit_many(batch.jobs)
    except QueueError as error:
        from osqueue.cli.endings import ending_of

        ending = ending_of(error)
        fate = "may be" if ending.status is ExitStatus.UNKNOWN else "are not"
        raise CommandError(
            f"{error.message}: lines {batch.first_line} to {batch.last_line} {fate} in the queue",
            advice=f"{ending.advice}; {told_before(submitted, 'before')}",
            status=ending.status,
        ) from error


class Progress(Protocol):
    """Shows how far a submit has come."""

    def advance_to(self, bytes_read: int, jobs: int) -> None:
        """So many bytes are read, and so many jobs durable."""
        ...


class NoProgress:
    """For programs, which want no moving pictures."""

    def advance_to(self, bytes_read: int, jobs: int) -> None:
        """Nothing to show."""


class ProgressBar:
    """A bar on a terminal; without a known size it pulses."""

    def __init__(self, bar: Any, size: int | None) -> None:  # noqa: ANN401
        self._bar = bar
        self._task = bar.add_task("submitting", total=size, jobs=0)

    def advance_to(self, bytes_read: int, jobs: int) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=bytes_read, jobs=jobs)


@contextmanager
def progress_bar(size: int | None) -> Generator[Progress]:
    """A progress bar on stderr where that is a terminal; `size` in bytes, where it is known."""
    if not sys.stderr.isatty():
        yield NoProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[jobs]:,} jobs"),
        TimeElapsedColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield ProgressBar(bar, size)

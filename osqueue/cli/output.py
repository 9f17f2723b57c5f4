"""What a command does when its output cannot be written: a full disk, a pipe that nobody reads."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import click

from osqueue.cli.endings import Ending, ExitStatus, end_with_line, first_leaf

__all__ = ["Commands", "guarding_output"]

FAILURES = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a system says of a file that takes no more. Stores and sockets have errors of their own."""


class Commands(click.Group):
    """Commands whose output is written, or else they end with one line that says so."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401
        """Run a command; see `click.Group.main`."""
        with guarding_output():
            return super().main(*args, **extra)


@contextmanager
def guarding_output() -> Generator[None]:
    """See to it that what the body prints arrives, or end in one line.

    A reader that has closed its pipe has what it wanted: that is not worth a line.

    Raises:
        SystemExit: with status 1, where the output could not be written.
    """
    replace_closed()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (OSError, BaseExceptionGroup) as error:
        failure = failure_in(error)
        if failure is None:
            raise
        drop_rest(sys.stdout)
        if failure.errno != errno.EPIPE:
            message = f"the output cannot be written: {failure.strerror}"
            advice = "what was asked for may be done all the same"
            ending = Ending(
                status=ExitStatus.REFUSED, tag="OutputError", message=message, advice=advice
            )
            end_with_line(as_json=False)(ending)
        raise SystemExit(ExitStatus.REFUSED) from None
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            # Of a log that could not be written there may be a rest; its lines were counted.
            drop_rest(sys.stderr)


def replace_closed() -> None:
    """Let what the caller has closed (`>&-`, `2>&-`) be forgotten: that is no reason to fail.

    In this order each gets its own number again, which else would become a file's or a socket's.
    """
    nothing = Path(os.devnull)
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdout = nothing.open("w", encoding="utf-8")
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stderr = nothing.open("w", encoding="utf-8")


def failure_in(error: OSError | BaseExceptionGroup[BaseException]) -> OSError | None:
    """The failure to write, where the error is nothing else."""
    if isinstance(error, BaseExceptionGroup):
        failures, others = error.split(is_failure)
        if failures is None or others is not None:
            return None
        leaf = first_leaf(failures)
        assert isinstance(leaf, OSError), "that is what was split off"
        return leaf
    return error if is_failure(error) else None


def is_failure(error: BaseException) -> bool:
    """Whether it tells of a write to what was open already: others name a file."""
    return isinstance(error, OSError) and error.errno in FAILURES and error.filename is None


def drop_rest(stream: TextIO) -> None:
    """Send what is still buffered nowhere: Python would try again at its end, and complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

"""How a command ends: its exit status, and the one line that says why.

What can be expected to go wrong becomes a line with an advice; a bug keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import IntEnum
from typing import cast

import msgspec

from osqueue.core.errors import (
    NotLeader,
    OutcomeUnknown,
    QueueError,
    StoredDataInvalid,
    Unavailable,
)
from osqueue.settings import SettingsError
from storage_adapters.contract import (
    NotApplied,
    StoreError,
    StoreUnavailable,
    WriteOutcomeUnknown,
)

__all__ = [
    "CommandError",
    "Ending",
    "ExitStatus",
    "advice_of",
    "end_with_line",
    "ending_of",
    "first_leaf",
    "printable",
    "reporting",
]


class ExitStatus(IntEnum):
    """What a command's exit status means; docs/operations.md has the same table."""

    DONE = 0
    """What was asked for is done."""
    REFUSED = 1
    """The queue or the store refused, or something failed; the message says what."""
    USAGE = 2
    """The command line, a setting, or the address to listen on is wrong: nothing was begun."""
    UNREACHABLE = 3
    """No leading broker could be reached in time: nothing was applied. Try again."""
    UNKNOWN = 4
    """It may have been applied or not: look it up."""
    UNFINISHED = 5
    """What was waited for has not happened in time: wait again."""
    DATA_INVALID = 6
    """The stored queue is damaged, has vanished, or is of a newer format. Whoever starts a broker
    again must see to that first."""


class CommandError(Exception):
    """The command cannot go on; `advice` is what its user should do."""

    def __init__(
        self, message: str, *, advice: str = "", status: ExitStatus = ExitStatus.USAGE
    ) -> None:
        super().__init__(message)
        self.advice = advice
        self.status = status


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """Why a command ends before it is done."""

    status: ExitStatus
    tag: str
    """The class of the error."""
    message: str
    advice: str = ""
    fields: dict[str, object] = {}
    """What else the error says, by the names of the wire."""

    def line(self) -> str:
        """For people."""
        advice = f" ({self.advice})" if self.advice else ""
        return f"osqueue: {printable(self.message)}{advice}"

    def json_line(self) -> str:
        """For programs: the error object of the wire."""
        error = {"_tag": self.tag, "message": self.message, "advice": self.advice, **self.fields}
        return msgspec.json.encode(error).decode()


EXPECTED = (QueueError, StoreError, SettingsError, CommandError)


def ending_of(error: Exception) -> Ending:
    """The status and the words for an expected error."""
    tag, message = type(error).__name__, str(error)
    match error:
        case QueueError():
            status = ExitStatus.REFUSED
            if isinstance(error, Unavailable | NotLeader):
                status = ExitStatus.UNREACHABLE
            elif isinstance(error, OutcomeUnknown):
                status = ExitStatus.UNKNOWN
            elif isinstance(error, StoredDataInvalid):
                status = ExitStatus.DATA_INVALID
            return Ending(
                status=status,
                tag=tag,
                message=error.message,
                advice=error.advice,
                fields=error.fields(),
            )
        case StoreError():
            advice = advice_of(error)
            return Ending(status=ExitStatus.REFUSED, tag=tag, message=message, advice=advice)
        case SettingsError():
            advice = "fix the setting; osqueue server --help lists them all"
            return Ending(status=ExitStatus.USAGE, tag=tag, message=message, advice=advice)
        case CommandError():
            return Ending(status=error.status, tag=tag, message=message, advice=error.advice)
        case _:
            raise AssertionError(f"not an expected error: {error!r}")


def advice_of(error: StoreError) -> str:
    """What an operator should do, to whom the advice for the next attempt of a program is none."""
    if isinstance(error, NotApplied | WriteOutcomeUnknown | StoreUnavailable):
        return "check the store's address and the way to it, then try again"
    return error.advice


def end_with_line(*, as_json: bool) -> Callable[[Ending], None]:
    """Tell of an ending on stderr, as a line for people or as JSON."""

    def tell(ending: Ending) -> None:
        print(ending.json_line() if as_json else ending.line(), file=sys.stderr, flush=True)

    return tell


@contextmanager
def reporting(tell: Callable[[Ending], None]) -> Generator[None]:
    """Turn an expected error into its line and its exit status; anything else is raised on.

    Trio's nurseries wrap errors in groups: a group of nothing but expected ones is told of by its
    first.

    Raises:
        SystemExit: with the status.
    """
    try:
        yield
    except EXPECTED as error:
        ending = ending_of(error)
    except BaseExceptionGroup as group:
        expected, bugs = group.split(EXPECTED)
        if bugs is not None and bugs.split(KeyboardInterrupt)[1] is None:
            raise KeyboardInterrupt from None
        if bugs is not None or expected is None:
            raise
        ending = ending_of(first_leaf(expected))
    else:
        return
    tell(ending)
    raise SystemExit(ending.status)


def first_leaf(group: BaseExceptionGroup[BaseException]) -> Exception:
    """The first error inside groups of groups."""
    found = group.exceptions[0]
    if isinstance(found, BaseExceptionGroup):
        return first_leaf(cast("BaseExceptionGroup[BaseException]", found))
    assert isinstance(found, Exception), "what else ends a process is not told of by a line"
    return found


def printable(text: str) -> str:
    """The text in one line, without the characters by which it could command a terminal."""
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "\ufffd"
        for character in text
    )

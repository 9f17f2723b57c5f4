"""How an attempt ends, and what a handler raises to say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import msgspec
import trio

from osqueue.client import NewJob
from osqueue.core.limits import DELAY_MS_MAX, SNOOZE_MS_MIN

__all__ = [
    "Dead",
    "Exited",
    "Failed",
    "Outcome",
    "Snooze",
    "Snoozed",
    "Succeeded",
    "TimeLimitExceeded",
    "failure_of",
    "outcome_of",
]


class Snooze(Exception):
    """Raised by a handler: not now. The job comes again later, and no attempt is spent.

    Args:
        delay_ms: after how long, 1,000 to ten years.

    Raises:
        ValueError: the delay is out of bounds.
    """

    def __init__(self, delay_ms: int) -> None:
        if not SNOOZE_MS_MIN <= delay_ms <= DELAY_MS_MAX:
            raise ValueError(f"a snooze takes {SNOOZE_MS_MIN} to {DELAY_MS_MAX} ms, not {delay_ms}")
        super().__init__(delay_ms)
        self.delay_ms = delay_ms


class Dead(Exception):
    """Raised by a handler: no attempt can succeed. The job becomes a dead letter at once.

    Args:
        reason: kept with the job, for whoever looks at the dead letters.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TimeLimitExceeded(Exception):
    """The attempt took longer than its handler's time limit."""


class Exited(Exception):
    """The handler raised what is meant to end a process: SystemExit, KeyboardInterrupt, a group of
    such. A job cannot end its worker: that would take all other jobs along, and then the next one.
    """


class Succeeded(msgspec.Struct, frozen=True):
    """The handler returned."""

    result: msgspec.Raw
    value: object = None
    """The result as it was returned."""
    submit: Sequence[NewJob] = ()
    """What it wants enqueued with its completion."""


class Failed(msgspec.Struct, frozen=True):
    """The handler raised, took too long, or could not take the payload."""

    error: Exception
    is_final: bool = False
    """No further attempt can succeed: to the dead letters."""


class Snoozed(msgspec.Struct, frozen=True):
    """The handler wants the job to come again later."""

    delay_ms: int


Outcome = Succeeded | Failed | Snoozed


def outcome_of(error: Exception) -> Failed | Snoozed:
    """What a handler means by what it raised."""
    match _innermost(error):
        case Snooze() as snooze:
            return Snoozed(snooze.delay_ms)
        case Dead():
            return Failed(error, is_final=True)
        case _:
            return Failed(error)


def failure_of(error: BaseException) -> Exception | None:
    """What a handler has raised, as its failure; None: it was merely cancelled.

    A handler that was cancelled may leave a group of that and of errors while it cleaned up: then
    the errors are its failure.
    """
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        _, own = group.split(trio.Cancelled)
    else:
        own = None if isinstance(error, trio.Cancelled) else error
    if own is None or isinstance(own, Exception):
        return own
    exited = Exited(", ".join(f"{type(leaf).__name__}: {leaf}" for leaf in _leaves(own)))
    exited.__cause__ = own
    return exited


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _innermost(error: Exception) -> Exception:
    """Out of the groups that nurseries put around the one error of a task."""
    if isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        if len(group.exceptions) == 1:
            return _innermost(group.exceptions[0])
        return group
    return error

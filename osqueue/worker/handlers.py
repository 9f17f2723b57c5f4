"""Handlers: which function takes which type of job, and how it is called.

Whatever a handler raises becomes the error of its job's attempt, so any exception is caught here;
otherwise only what hooks raise is, in `hooks.py`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal, cast

import msgspec
import trio

from osqueue.client import ClaimedJob
from osqueue.client.values import encode_value
from osqueue.worker.hooks import CallNext
from osqueue.worker.job import Job
from osqueue.worker.outcomes import (
    Failed,
    Outcome,
    Succeeded,
    TimeLimitExceeded,
    failure_of,
    outcome_of,
)

__all__ = ["Handler", "Registry", "RunInThread", "run_handler"]

HandlerFunction = Callable[..., Any]
Argument = Literal["payload", "job"]
RunInThread = Callable[[Callable[[], object]], Awaitable[object]]
"""Runs a plain function away from Trio's thread; cancelling it leaves the function running."""
_ARGUMENTS_MAX = 2


class Handler:
    """One function, and what it takes."""

    def __init__(
        self,
        function: HandlerFunction,
        *,
        payload_type: type[Any] | None,
        time_limit_s: float | None,
    ) -> None:
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function)
        self.time_limit_s = time_limit_s
        self._arguments, annotation = _read_signature(function, has_type=payload_type is not None)
        self._payload_type = annotation if payload_type is None else payload_type
        _check_payload_type(function, self._payload_type)

    def bind(self, claimed: ClaimedJob[Any], job: Job) -> list[object]:
        """The arguments for one job.

        Raises:
            msgspec.ValidationError: the payload does not fit the handler's type.
        """
        given: dict[Argument, Callable[[], object]] = {
            "payload": lambda: (
                claimed.payload
                if self._payload_type is None
                else claimed.payload_as(self._payload_type)
            ),
            "job": lambda: job,
        }
        return [given[argument]() for argument in self._arguments]


class Registry:
    """The handlers of one worker, by type."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    @property
    def types(self) -> list[str]:
        """The types that have a handler, in the order of their registration."""
        return list(self._handlers)

    def add(self, job_type: str, handler: Handler) -> None:
        """Register a handler.

        Raises:
            ValueError: the type has one already.
        """
        if job_type in self._handlers:
            raise ValueError(f"the type {job_type!r} has a handler already")
        self._handlers[job_type] = handler

    def find(self, job_type: str) -> Handler | None:
        """The handler for a type; None: it has none."""
        return self._handlers.get(job_type)


async def run_handler(
    handler: Handler,
    claimed: ClaimedJob[Any],
    job: Job,
    *,
    wrap: Callable[[Job, CallNext], CallNext],
    run_in_thread: RunInThread,
    thread_scope: trio.CancelScope,
) -> Outcome:
    """Run one attempt to its end.

    Args:
        handler: what to call.
        claimed: the job.
        job: the same, for the handler.
        wrap: puts the middleware around the call.
        run_in_thread: for plain functions.
        thread_scope: cancelling it leaves a handler's thread behind, which nothing else does.

    Cancellation: an async handler is cancelled; a threaded one is waited for.
    """
    try:
        arguments = handler.bind(claimed, job)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        return Failed(error, is_final=True)
    except Exception as error:
        return Failed(error)  # Of the type's own code: that may be different next time.

    async def call() -> object:
        if handler.is_async:
            return await cast("Awaitable[object]", handler.function(*arguments))
        return await _run_in_thread(handler, arguments, run_in_thread, thread_scope)

    limit_s = handler.time_limit_s
    job.start(limit_s)
    with trio.move_on_after(float("inf") if limit_s is None else limit_s):
        try:
            value = await wrap(job, call)()
            if not job.is_late:
                return Succeeded(encode_value(value), value, job.follow_ups)
        except KeyboardInterrupt:
            raise  # In Trio's thread it is Ctrl-C.
        except BaseException as error:
            failure = failure_of(error)
            if failure is None:
                raise
            return outcome_of(failure)
    return Failed(TimeLimitExceeded(f"the attempt took longer than {limit_s} s"))


async def _run_in_thread(
    handler: Handler,
    arguments: list[object],
    run_in_thread: RunInThread,
    thread_scope: trio.CancelScope,
) -> object:
    # The scope is shielded: a stopped attempt that has not begun must not begin in there.
    await trio.lowlevel.checkpoint_if_cancelled()
    with thread_scope:
        return await run_in_thread(partial(_call, handler.function, arguments))
    await trio.lowlevel.checkpoint_if_cancelled()
    raise AssertionError("a thread is left behind only when its attempt is cancelled")


def _call(function: HandlerFunction, arguments: list[object]) -> object:
    """Call a plain function in a thread, where even KeyboardInterrupt is its own doing."""
    try:
        return function(*arguments)
    except BaseException as error:
        failure = failure_of(error)
        if failure is None or failure is error:
            raise
        raise failure from error


def _read_signature(
    function: HandlerFunction, *, has_type: bool
) -> tuple[list[Argument], type[Any] | None]:
    """What the function takes, and the annotation of its payload."""
    parameters = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    if len(parameters) > _ARGUMENTS_MAX:
        raise TypeError(f"{_name(function)} takes more than a payload and a job: {parameters}")
    hints = _read_hints(function, has_type=has_type)
    annotations = [hints.get(parameter.name) for parameter in parameters]
    if annotations and annotations[0] is Job:
        return ["job"], None
    arguments: list[Argument] = ["payload", "job"]
    payload_type = annotations[0] if annotations else None
    return arguments[: len(parameters)], None if payload_type is Any else payload_type


def _read_hints(function: HandlerFunction, *, has_type: bool) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        if has_type:
            return {}
        raise TypeError(
            f"the annotations of {_name(function)} cannot be resolved ({error}); "
            "define the types at module level, or pass payload_type="
        ) from error


def _check_payload_type(function: HandlerFunction, payload_type: type[Any] | None) -> None:
    if payload_type is None:
        return
    try:
        msgspec.json.Decoder(payload_type)
    except TypeError as error:
        raise TypeError(f"the payload of {_name(function)} cannot be decoded: {error}") from error


def _name(function: HandlerFunction) -> str:
    return getattr(function, "__qualname__", repr(function))

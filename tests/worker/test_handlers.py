"""What a handler takes, and what becomes of what it does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
import trio
import trio.testing

from osqueue.worker.handlers import Handler, Registry, run_handler
from osqueue.worker.hooks import Extensions, Middleware
from osqueue.worker.job import Job
from osqueue.worker.outcomes import (
    Dead,
    Exited,
    Failed,
    Outcome,
    Snooze,
    Snoozed,
    Succeeded,
    TimeLimitExceeded,
)
from tests.worker.builders import make_claimed

__all__: list[str] = []


class Email(msgspec.Struct):
    to: str


def make_handler(
    function: Callable[..., Any],
    *,
    payload_type: type | None = None,
    time_limit_s: float | None = None,
) -> Handler:
    return Handler(function, payload_type=payload_type, time_limit_s=time_limit_s)


async def run(handler: Handler, payload: object = None, *middleware: Middleware) -> Outcome:
    claimed = make_claimed(payload)
    extensions = Extensions()
    extensions.middleware += middleware
    return await run_handler(
        handler,
        claimed,
        Job(claimed),
        wrap=extensions.wrap,
        run_in_thread=partial(trio.to_thread.run_sync, abandon_on_cancel=True),
        thread_scope=trio.CancelScope(shield=True),
    )


def result_of(outcome: Outcome) -> object:
    assert isinstance(outcome, Succeeded), outcome
    return msgspec.msgpack.decode(outcome.result)


async def take_nothing() -> str:
    return "nothing"


async def take_plain(payload: Any) -> object:
    return payload


async def take_email(email: Email) -> str:
    return email.to


async def take_both(email: Email, job: Job) -> list[object]:
    return [email.to, job.job_id, job.attempt]


async def take_job(job: Job) -> str:
    return job.job_id


def take_in_thread(payload: list[int]) -> object:
    return [sum(payload), threading.current_thread() is threading.main_thread()]


@pytest.mark.parametrize(
    ("function", "payload", "result"),
    [
        (take_nothing, None, "nothing"),
        (take_plain, {"x": [1]}, {"x": [1]}),
        (take_email, {"to": "a"}, "a"),
        (take_both, {"to": "a"}, ["a", "j", 1]),
        (take_job, None, "j"),
        (take_in_thread, [1, 2], [3, False]),
        (lambda payload: payload, 7, 7),
    ],
)
async def test_handlers_get_what_they_take(
    function: Callable[..., Any], payload: object, result: object
) -> None:
    assert result_of(await run(make_handler(function), payload)) == result


async def test_the_type_can_be_named_in_place_of_an_annotation() -> None:
    handler = make_handler(lambda email: email.to, payload_type=Email)
    assert result_of(await run(handler, {"to": "a"})) == "a"


def test_a_type_that_cannot_be_resolved_is_refused() -> None:
    class Local(msgspec.Struct):
        to: str

    async def take_local(local: Local) -> None: ...

    with pytest.raises(TypeError, match="payload_type="):
        make_handler(take_local)
    make_handler(take_local, payload_type=Local)


def test_a_handler_that_takes_too_much_is_refused() -> None:
    with pytest.raises(TypeError, match="more than"):
        make_handler(lambda payload, job, more: None)


def test_a_type_that_cannot_be_decoded_is_refused() -> None:
    odd: Any = dict[int, int] | dict[str, str]
    with pytest.raises(TypeError, match="cannot be decoded"):
        make_handler(lambda payload: None, payload_type=odd)


async def test_a_payload_that_does_not_fit_fails_for_good() -> None:
    outcome = await run(make_handler(take_email), {"to": 1})
    assert isinstance(outcome, Failed)
    assert outcome.is_final
    assert isinstance(outcome.error, msgspec.ValidationError)


async def test_what_a_handler_raises_is_its_failure() -> None:
    async def fail() -> None:
        raise ValueError("no")

    outcome = await run(make_handler(fail))
    assert isinstance(outcome, Failed)
    assert not outcome.is_final
    assert str(outcome.error) == "no"


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        GeneratorExit(),
        KeyboardInterrupt(),
        BaseExceptionGroup("g", [ValueError("x"), SystemExit(3)]),
    ],
)
async def test_a_thread_that_wants_to_end_the_process_has_failed(error: BaseException) -> None:
    def leave() -> None:
        raise error

    outcome = await run(make_handler(leave))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, Exited)
    assert outcome.error.__cause__ is error


async def test_a_task_that_wants_to_end_the_process_has_failed() -> None:
    async def leave() -> None:
        raise SystemExit("enough")

    outcome = await run(make_handler(leave))
    assert isinstance(outcome, Failed)
    assert not outcome.is_final
    assert str(outcome.error) == "SystemExit: enough"


async def test_a_task_interrupted_by_the_keyboard_ends_the_worker() -> None:
    async def leave() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run(make_handler(leave))


async def test_what_fails_while_a_task_is_cancelled_is_its_failure(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def clean_up_badly() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while cleaning up")

    async def linger() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clean_up_badly)
            await trio.sleep_forever()

    outcome = await run(make_handler(linger, time_limit_s=7))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, ExceptionGroup)


async def test_a_type_whose_own_code_fails_is_the_attempts_failure() -> None:
    class Picky(msgspec.Struct):
        to: str

        def __post_init__(self) -> None:
            raise KeyError(self.to)

    outcome = await run(make_handler(lambda picky: None, payload_type=Picky), {"to": "a"})
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, KeyError)
    assert not outcome.is_final


async def test_a_result_without_a_json_form_is_a_failure() -> None:
    outcome = await run(make_handler(lambda: object()))
    assert isinstance(outcome, Failed)


async def test_a_task_is_stopped_at_its_time_limit(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def linger() -> None:
        await trio.sleep(1_000)

    outcome = await run(make_handler(linger, time_limit_s=7))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, TimeLimitExceeded)
    assert trio.current_time() == 7


async def test_a_thread_beyond_its_time_limit_fails_when_it_ends() -> None:
    def linger(job: Job) -> None:
        while not job.should_stop:
            pass

    outcome = await run(make_handler(linger, time_limit_s=0.01))
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, TimeLimitExceeded)


async def test_a_stopped_thread_is_waited_for() -> None:
    started = trio.Event()
    leave = threading.Event()
    ended: list[bool] = []

    def linger() -> None:
        trio.from_thread.run_sync(started.set)
        leave.wait(10)
        ended.append(True)

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:

            async def stop() -> None:
                await started.wait()
                scope.cancel()
                await trio.testing.wait_all_tasks_blocked()
                assert ended == []
                leave.set()

            nursery.start_soon(stop)
            await run(make_handler(linger))
    assert ended == [True]


async def test_a_stopped_attempt_that_has_not_begun_never_does() -> None:
    began: list[bool] = []
    with trio.CancelScope() as scope:
        scope.cancel()
        await run(make_handler(lambda: began.append(True)))
    assert scope.cancelled_caught
    assert began == []


def test_a_type_has_one_handler() -> None:
    registry = Registry()
    registry.add("t", make_handler(take_nothing))
    with pytest.raises(ValueError, match="already"):
        registry.add("t", make_handler(take_plain))
    assert registry.types == ["t"]
    assert registry.find("other") is None


async def test_a_handler_can_put_its_job_off() -> None:
    async def put_off() -> None:
        raise Snooze(5_000)

    assert await run(make_handler(put_off)) == Snoozed(5_000)


async def test_a_handler_can_give_its_job_up() -> None:
    def give_up() -> None:
        raise Dead("there is no such customer")

    outcome = await run(make_handler(give_up))
    assert isinstance(outcome, Failed)
    assert outcome.is_final
    assert str(outcome.error) == "there is no such customer"


async def test_follow_ups_come_with_success_only() -> None:
    async def submit(payload: object, job: Job) -> None:
        job.submit("next", type="other")
        if payload:
            raise ValueError("no")

    outcome = await run(make_handler(submit), False)
    assert isinstance(outcome, Succeeded)
    assert [job.type for job in outcome.submit] == ["other"]
    assert isinstance(await run(make_handler(submit), True), Failed)


async def test_the_first_middleware_is_outermost_and_all_see_the_job() -> None:
    seen: list[str] = []

    async def outer(job: Job, call_next: Callable[[], Any]) -> object:
        seen.append(f"outer {job.payload}")
        result = await call_next()
        seen.append("outer again")
        return [result]

    async def inner(job: Job, call_next: Callable[[], Any]) -> object:
        seen.append("inner")
        return await call_next()

    assert result_of(await run(make_handler(take_plain), 7, outer, inner)) == [7]
    assert seen == ["outer 7", "inner", "outer again"]


async def test_what_middleware_raises_counts_as_raised_by_the_handler() -> None:
    async def refuse(job: Job, call_next: Callable[[], Any]) -> object:
        await call_next()
        raise Snooze(1_000)

    assert await run(make_handler(take_nothing), None, refuse) == Snoozed(1_000)


async def test_middleware_can_answer_by_itself_and_bear_failures() -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def bear(job: Job, call_next: Callable[[], Any]) -> object:
        try:
            return await call_next()
        except ValueError as error:
            return f"bore {error}"

    assert result_of(await run(make_handler(fail), None, bear)) == "bore no"


async def test_the_time_limit_includes_middleware(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def linger(job: Job, call_next: Callable[[], Any]) -> object:
        await trio.sleep(1_000)
        return await call_next()

    outcome = await run(make_handler(take_nothing, time_limit_s=7), None, linger)
    assert isinstance(outcome, Failed)
    assert trio.current_time() == 7

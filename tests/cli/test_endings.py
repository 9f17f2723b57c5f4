"""Errors become one line and a status; bugs stay bugs."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from osqueue.cli.endings import (
    CommandError,
    Ending,
    ExitStatus,
    end_with_line,
    ending_of,
    printable,
    reporting,
)
from osqueue.core.errors import (
    ERROR_CLASSES,
    InvalidRequest,
    NotLeader,
    OutcomeUnknown,
    QueueFull,
    StoredDataInvalid,
    Unavailable,
)
from osqueue.settings import SettingsError
from storage_adapters.contract import (
    AccessDenied,
    NotApplied,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
    WriteOutcomeUnknown,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidRequest("x"), 1),
        (QueueFull("x"), 1),
        (StoredDataInvalid("x"), 6),
        (AccessDenied("x"), 1),
        (StoreMisconfigured("x"), 1),
        (SettingsError("x"), 2),
        (CommandError("x"), 2),
        (Unavailable("x"), 3),
        (NotLeader("x"), 3),
        (OutcomeUnknown("x"), 4),
    ],
)
def test_status_says_what_the_caller_should_do(error: Exception, status: int) -> None:
    assert ending_of(error).status == status


@pytest.mark.parametrize(
    "error", [NotApplied("x"), WriteOutcomeUnknown("x"), StoreUnavailable("x")]
)
def test_advice_for_the_next_attempt_is_none_for_an_operator(error: StoreError) -> None:
    assert ending_of(error).line() == (
        "osqueue: x (check the store's address and the way to it, then try again)"
    )


def test_every_error_of_the_queue_has_an_ending_with_its_advice() -> None:
    for error_class in ERROR_CLASSES:
        ending = ending_of(error_class("what happened"))
        assert ending.line() == f"osqueue: what happened ({error_class.advice})"


def test_json_line_is_the_error_object_of_the_wire() -> None:
    line = ending_of(QueueFull("full", retry_after_ms=5)).json_line()
    assert msgspec.json.decode(line) == {
        "_tag": "QueueFull",
        "message": "full",
        "advice": "retry later",
        "retryAfterMs": 5,
    }


def test_reporting_tells_and_exits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, reporting(end_with_line(as_json=False)):
        raise Unavailable("nobody\nanswers")
    assert caught.value.code == ExitStatus.UNREACHABLE
    assert capsys.readouterr().err == "osqueue: nobody answers (retry later)\n"


def test_reporting_lets_success_pass() -> None:
    with reporting(unexpected):
        pass


def test_reporting_looks_into_groups() -> None:
    told: list[Ending] = []
    inner = ExceptionGroup("inner", [StoredDataInvalid("unreadable")])
    with pytest.raises(SystemExit) as caught, reporting(told.append):
        raise ExceptionGroup("outer", [inner])
    assert caught.value.code == 6
    assert [ending.tag for ending in told] == ["StoredDataInvalid"]


def test_reporting_raises_bugs_on_even_beside_expected_errors() -> None:
    with pytest.raises(ExceptionGroup), reporting(unexpected):
        raise ExceptionGroup("both", [Unavailable("x"), AssertionError("a bug")])
    with pytest.raises(AssertionError), reporting(unexpected):
        raise AssertionError("a bug")


def test_reporting_of_an_interrupt_is_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), reporting(unexpected):
        raise BaseExceptionGroup("group", [KeyboardInterrupt()])


def unexpected(ending: Ending) -> None:
    raise AssertionError(f"told of {ending}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 日", "plain ä 日"),
        ("two\nlines\tand", "two lines and"),
        ("\x1b[31m\x07\x9b\u202e", "\ufffd[31m\ufffd\ufffd\ufffd"),
    ],
)
def test_printable_is_one_harmless_line(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("as_json", [True, False])
def test_ending_goes_to_stderr(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    tell: Callable[[Ending], None] = end_with_line(as_json=as_json)
    tell(ending_of(InvalidRequest("no")))
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1

"""Every error has an advice, and carries what a program needs."""

import pytest

from osqueue.core import errors
from osqueue.core.errors import (
    ERROR_CLASSES,
    JobNotFound,
    NotLeader,
    QueueError,
    QueueFull,
    Unavailable,
)


def test_error_classes_are_all_that_there_are() -> None:
    # The client has one of its own, which never travels.
    here = {kind for kind in QueueError.__subclasses__() if kind.__module__ == errors.__name__}
    assert set(ERROR_CLASSES) == here
    assert {error.__name__ for error in ERROR_CLASSES} < set(errors.__all__)


@pytest.mark.parametrize("error", ERROR_CLASSES)
def test_error_class_tells_its_advice_and_is_drawn_in_the_picture(error: type[QueueError]) -> None:
    assert error.advice
    assert f"── {error.__name__} " in (errors.__doc__ or "")
    assert error("why").message == "why"


def test_error_without_fields_has_only_its_message() -> None:
    assert JobNotFound("gone").fields() == {}


@pytest.mark.parametrize("error", [QueueFull, Unavailable])
def test_error_to_be_retried_says_after_how_long(error: type[QueueFull | Unavailable]) -> None:
    assert error("full", retry_after_ms=7).fields() == {"retryAfterMs": 7}


def test_not_leader_names_the_leader_only_where_it_is_known() -> None:
    assert NotLeader("no").fields() == {"epoch": 0}
    known = NotLeader("no", epoch=3, broker_address="10.0.0.7:8080")
    assert known.fields() == {"epoch": 3, "brokerAddress": "10.0.0.7:8080"}

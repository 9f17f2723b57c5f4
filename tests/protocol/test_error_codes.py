"""Every error crosses the wire and comes back as it was; unknown ones as what their advice says."""

import pytest

from osqueue.core.errors import (
    ERROR_CLASSES,
    NotLeader,
    OutcomeUnknown,
    QueueError,
    QueueFull,
    Unavailable,
)
from osqueue.protocol.error_codes import ERROR_TAGS, error_from_wire, error_to_wire
from osqueue.protocol.messages import WireError


@pytest.mark.parametrize("kind", ERROR_CLASSES)
def test_error_comes_back_as_it_was(kind: type[QueueError]) -> None:
    error = kind("jobId is missing")
    returned = error_from_wire(error_to_wire(error))
    assert type(returned) is kind
    assert (returned.message, returned.fields()) == (error.message, error.fields())


def test_fields_come_back() -> None:
    full = error_from_wire(error_to_wire(QueueFull("full", retry_after_ms=0)))
    assert full.fields() == {"retryAfterMs": 0}
    moved = NotLeader("moved", epoch=8, broker_address="10.0.0.8:8080")
    assert error_from_wire(error_to_wire(moved)).fields() == moved.fields()


def test_wire_form_carries_tag_and_advice() -> None:
    wire = error_to_wire(Unavailable("no store"))
    assert (wire.tag, wire.advice) == ("Unavailable", "retry later")
    assert ERROR_TAGS["Unavailable"] is Unavailable


def test_fields_that_are_missing_have_defaults() -> None:
    assert error_from_wire(WireError(tag="QueueFull", message="")).fields() == {
        "retryAfterMs": 1_000
    }
    assert error_from_wire(WireError(tag="NotLeader", message="")).fields() == {"epoch": 0}


@pytest.mark.parametrize("kind", ERROR_CLASSES)
def test_unknown_tag_becomes_what_its_advice_says(kind: type[QueueError]) -> None:
    error = error_from_wire(WireError(tag="Later", message="m", advice=kind.advice))
    assert error.advice == kind.advice
    assert error.message == "Later: m"


def test_unknown_tag_with_unknown_advice_promises_nothing() -> None:
    error = error_from_wire(WireError(tag="Later", message="m", advice="pray"))
    assert type(error) is OutcomeUnknown

"""What callers are told when a term or a batch ends badly."""

import pytest

from osqueue.core.errors import NotLeader, OutcomeUnknown, StoredDataInvalid, Unavailable
from osqueue.core.writes.endings import (
    broker_draining,
    deposed_by,
    document_vanished,
    nobody_leads,
    outcome_unknown,
    store_takes_nothing,
)
from tests.builders import make_header


@pytest.mark.parametrize(
    ("broker", "address"),
    [("10.0.0.7:8080", "10.0.0.7:8080"), (None, ""), ("10.0.0.1:8080", "")],
)
def test_deposed_broker_names_its_successor_but_never_itself(
    broker: str | None, address: str
) -> None:
    refusal = deposed_by(make_header(broker=broker, epoch=8), "10.0.0.1:8080")
    assert (refusal.epoch, refusal.broker_address) == (8, address)


def test_endings_have_the_class_that_says_what_to_do() -> None:
    assert isinstance(nobody_leads(3), NotLeader)
    assert nobody_leads(3).epoch == 3
    assert isinstance(outcome_unknown(), OutcomeUnknown)
    assert isinstance(document_vanished(), StoredDataInvalid)
    for refusal in (store_takes_nothing(), broker_draining()):
        assert isinstance(refusal, Unavailable)
        assert "nothing was applied" in refusal.message

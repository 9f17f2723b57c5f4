"""Tickets before anything has become of them."""

from osqueue.core.mutations import ReadStats
from osqueue.core.writes.tickets import Ticket


def test_new_ticket_waits_for_every_outcome() -> None:
    ticket = Ticket([ReadStats(), ReadStats()])
    assert ticket.outcomes == [None, None]
    assert ticket.unsettled_count == 2
    assert not ticket.is_abandoned

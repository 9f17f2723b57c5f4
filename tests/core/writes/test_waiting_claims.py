"""Who waits, and who is served first."""

from __future__ import annotations

from osqueue.core.mutations import ClaimJobs
from osqueue.core.writes.tickets import Ticket
from osqueue.core.writes.waiting_claims import WaitingClaim, WaitingClaims
from tests.builders import make_repeat


def add(
    claims: WaitingClaims, *types: str, worker_id: str = "worker-1", **fields: object
) -> Ticket:
    """One more claim of these types, in a ticket of its own."""
    claim = ClaimJobs(
        worker_id=worker_id,
        types=list(types),
        **({"wait_until_ms": 1_000} | fields),
    )
    ticket = Ticket([claim])
    claims.add(ticket, 0, claim)
    return ticket


def tickets(waiting: list[WaitingClaim]) -> list[Ticket]:
    return [each.ticket for each in waiting]


def test_claims_are_found_by_type_in_order_of_arrival() -> None:
    claims = WaitingClaims()
    b, any_type, ab = add(claims, "b"), add(claims), add(claims, "a", "b", "a")
    add(claims, "c")
    assert tickets(claims.for_types(["a"])) == [any_type, ab]
    assert tickets(claims.for_types(["b", "a"])) == [b, any_type, ab]
    assert tickets(claims.for_types([])) == [any_type]


def test_empty_type_is_a_type_of_its_own() -> None:
    claims = WaitingClaims()
    named, any_type = add(claims, ""), add(claims)
    assert tickets(claims.for_types([""])) == [named, any_type]
    assert tickets(claims.for_types(["a"])) == [any_type]


def test_removed_claim_is_found_no_more() -> None:
    claims = WaitingClaims()
    add(claims, "a", claim_id="claim-1")
    [waiting] = claims.all()
    assert waiting in claims
    claims.remove(waiting)
    assert waiting not in claims
    assert (len(claims), claims.all(), claims.for_types(["a"])) == (0, [], [])
    assert claims.next_ms() is None


def test_claims_with_one_worker_and_id_share_their_answer() -> None:
    claims = WaitingClaims()
    first, second = add(claims, claim_id="claim-1"), add(claims, claim_id="claim-1")
    add(claims, claim_id="claim-1", worker_id="worker-2")
    add(claims, claim_id="claim-2")
    [waiting, *_] = claims.all()
    assert tickets(claims.sharers_of(waiting)) == [first, second]
    claims.remove(waiting)
    assert tickets(claims.sharers_of(claims.all()[0])) == [second]


def test_claims_with_one_sequence_share_their_answer() -> None:
    claims = WaitingClaims()
    both = [add(claims, repeat=make_repeat(3)) for _ in range(2)]
    assert tickets(claims.sharers_of(claims.all()[0])) == both


def test_claim_that_cannot_be_repeated_is_alone() -> None:
    claims = WaitingClaims()
    alone = add(claims)
    add(claims)
    assert tickets(claims.sharers_of(claims.all()[0])) == [alone]


def test_abandoned_ticket_leaves_with_all_its_claims() -> None:
    claims = WaitingClaims()
    claim = ClaimJobs(worker_id="worker-1", wait_until_ms=5)
    gone, stays = Ticket([claim, claim]), add(claims)
    claims.add(gone, 0, claim)
    claims.add(gone, 1, claim)
    claims.abandon(gone)
    claims.abandon(gone)
    assert tickets(claims.all()) == [stays]


def test_claims_whose_time_has_come_are_taken_out() -> None:
    claims = WaitingClaims()
    later, sooner = add(claims, wait_until_ms=20), add(claims, wait_until_ms=10)
    assert claims.next_ms() == 10
    assert tickets(claims.due(9)) == []
    assert tickets(claims.due(10)) == [sooner]
    assert tickets(claims.all()) == [later]
    assert tickets(claims.due(99)) == [later]

"""Brokers that follow a leader, driven by facts until there is a reason to lead."""

from __future__ import annotations

from osqueue.core.election.trust import evidence_wait_ms
from osqueue.core.leadership import Elected
from osqueue.core.writes.effects import ProbeLeader, WaitUntil, WriteDocument
from tests.core.driven import TIMEOUT_MS, DrivenBroker, StoredObject

__all__ = ["EVIDENCE_MS", "follow", "standby", "until_probe", "until_takeover"]

EVIDENCE_MS = evidence_wait_ms(TIMEOUT_MS)


def standby(stored: StoredObject, number: int = 2, **fields: object) -> DrivenBroker:
    """A broker that has seen the document, and has nothing to do but to follow."""
    broker = DrivenBroker(stored, number, **fields)  # type: ignore[arg-type]
    follow(broker)
    return broker


def follow(broker: DrivenBroker, *, within_ms: int = 0) -> None:
    """Do what there is to do for so long, with a store that works and a leader that is silent."""
    last_ms = broker.steady_ms + within_ms
    while True:
        effect = broker.next()
        assert not isinstance(effect, Elected | WriteDocument), effect
        if isinstance(effect, WaitUntil) and (effect.steady_ms or 0) > last_ms:
            broker.steady_ms = last_ms
            return
        broker.do(effect)


def until_takeover(broker: DrivenBroker) -> WriteDocument:
    """Go on until the takeover is to be written."""
    while not isinstance(effect := broker.next(), WriteDocument):
        broker.do(effect)
    return effect


def until_probe(broker: DrivenBroker) -> ProbeLeader:
    """Go on until the leader is to be asked for its name."""
    while not isinstance(effect := broker.next(), ProbeLeader):
        broker.do(effect)
    return effect

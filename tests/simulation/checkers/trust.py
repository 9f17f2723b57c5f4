"""Once another broker has taken over, nobody trusts itself to answer without a write.

The one checker that asks a broker something. After an older copy was restored, a broker that never
saw anything newer than the copy cannot know of the leader that wrote it: that is excused. So is
one that saw nothing of how much longer the leader's timeout had become since the copy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.simulation.checkers.ledger import Ledger
from tests.simulation.checkers.views import StoredVersion, Violation

if TYPE_CHECKING:
    from tests.simulation.cast.brokers import BrokerProcess
    from tests.simulation.world import World

__all__ = ["TrustChecker"]

_KNOWN_SHARE = 0.6
"""Who waits for this share of the leader's timeout surely waits until its trust is over: half."""
_COMMIT_ID = re.compile(rb'"commitId"\s*:\s*"([^"]+)"')


class TrustChecker:
    """Looks at each takeover as it lands."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger
        self._index_of: dict[str, int] = {}
        """By commit id: the newest version of that name."""
        self._found: dict[str, set[int]] = {}
        """By broker: what reads have told it of."""
        self._copies: list[int] = []
        """Indices of the versions that were restored."""

    def found(self, broker: BrokerProcess, body: bytes) -> None:
        """A read has told a broker what is stored."""
        match = _COMMIT_ID.search(body)
        if match is not None:  # Missing in the head of one that was reformatted.
            found = self._found.setdefault(broker.name, set())
            found.add(self._index_of[match[1].decode()])

    def landed(self) -> None:
        """The object has changed."""
        versions = self._ledger.versions
        newest = versions[-1]
        self._index_of[newest.commit_id] = newest.index
        if newest.copy_of is not None:
            self._copies.append(newest.index)
        if len(versions) < 2 or newest.copy_of is not None:
            return
        if newest.document.epoch == versions[-2].document.epoch:
            return
        for site in self._world.sites:
            process = site.process
            if process is None or process.term is None or process.name == newest.writer:
                continue
            is_trusted = process.term.is_trusted(process.steady_ms())
            if is_trusted and self._can_know(newest, process):
                raise Violation("trust", f"{process} is trusted, {newest.commit_id} took over")

    def _can_know(self, takeover: StoredVersion, other: BrokerProcess) -> bool:
        """Whether who took over had reason to know that another may trust itself."""
        versions = self._ledger.versions
        last = next(
            one for one in reversed(versions) if one.writer == other.name and one.copy_of is None
        )
        restored = next((index for index in self._copies if index > last.index), None)
        if restored is None:
            return True
        # As it was there last: whoever saw it then and nothing since sees no difference.
        name = versions[restored].commit_id
        copied = next(one for one in reversed(versions[:restored]) if one.commit_id == name)
        told = self._found.get(takeover.writer, set())
        own = {one.index for one in versions if one.writer == takeover.writer}
        # A slow store makes timeouts longer: who saw only shorter ones cannot wait for this one.
        timeout_ms = last.document.broker_timeout_ms
        return any(
            copied.index < index < restored
            and versions[index].document.broker_timeout_ms >= timeout_ms * _KNOWN_SHARE
            for index in told | own
        )

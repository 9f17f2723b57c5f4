"""Where the leading broker may be, and when to try there: decided from what happened.

Rules of this file: no Trio, no clock, no sockets; times come in as ms of the steady clock. A
leader that was named (by a NotLeader answer, or by the store) is tried first, the highest epoch
counts; where it does not serve, the configured brokers are tried in turn.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

__all__ = ["BrokerUrl", "Route"]

_TRY_MS_MIN = 50
_TRY_MS_MAX = 1_000
_TRY_SHARE = 0.1
"""The wait before a try, as a share of the time that nobody has answered."""


class BrokerUrl(msgspec.Struct, frozen=True):
    """Where one broker listens."""

    host: str
    port: int
    is_tls: bool = False
    path: str = ""
    """In front of every path, without a slash at its end; for brokers behind a proxy."""

    @classmethod
    def parse(cls, url: str) -> BrokerUrl:
        """Read http://host:port (https, ws and wss too).

        Raises:
            ValueError: it is something else.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError(f"a broker's URL is like http://127.0.0.1:8080, not {url!r}")
        is_tls = parts.scheme in ("https", "wss")
        try:
            port = parts.port or (443 if is_tls else 80)
        except ValueError as error:
            raise ValueError(f"the port is a number from 1 to 65535, not as in {url!r}") from error
        return cls(parts.hostname, port, is_tls, parts.path.rstrip("/"))

    def at_address(self, address: str) -> BrokerUrl:
        """The broker at `host:port`, reached in the same way as this one.

        Raises:
            ValueError: the address is not `host:port`.
        """
        return BrokerUrl.parse(f"{'https' if self.is_tls else 'http'}://{address}{self.path}")

    @property
    def address(self) -> str:
        """As `host:port`, an IPv6 host in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def http_url(self) -> str:
        """For HTTP requests, without a slash at its end."""
        return f"{'https' if self.is_tls else 'http'}://{self.address}{self.path}"

    @property
    def websocket_path(self) -> str:
        """The resource of the WebSocket."""
        return f"{self.path}/v1/ws"


class Route:
    """Decides which broker to try next, and when.

    Args:
        brokers: as configured, in order; empty: the store names the leader.
        random: for the jitter.
    """

    def __init__(self, brokers: Sequence[BrokerUrl], random: random_module.Random) -> None:
        self._brokers = list(brokers)
        self._random = random
        self._turn = 0
        self._leader: BrokerUrl | None = None
        self._epoch = -1
        self._trouble_since_ms: float | None = None
        self._tries = 0

    @property
    def broker(self) -> BrokerUrl | None:
        """Which broker to try now; None: look into the store first."""
        if self._leader is not None:
            return self._leader
        return self._brokers[self._turn % len(self._brokers)] if self._brokers else None

    def wait_ms(self, now_ms: float) -> float:
        """How long to wait before the next try: nothing at first, then ever longer, to a second."""
        if self._trouble_since_ms is None or self._tries <= 1:
            return 0
        share_ms = (now_ms - self._trouble_since_ms) * _TRY_SHARE
        longest_ms = min(max(share_ms, 2 * _TRY_MS_MIN), _TRY_MS_MAX)
        return longest_ms * (0.5 + self._random.random() / 2)

    def served(self) -> None:
        """The broker answered as the leader: all is well."""
        self._trouble_since_ms = None
        self._tries = 0

    def failed(self, now_ms: float) -> None:
        """The broker could not be reached, or the connection to it ended: the next one's turn."""
        self._note_trouble(now_ms)
        if self._leader is not None:
            self._leader = None
        else:
            self._turn += 1

    def refused(self, now_ms: float, *, epoch: int, address: str) -> None:
        """The broker does not lead; `address` says who does, where that is known (else empty)."""
        self._note_trouble(now_ms)
        if not self.named(epoch=epoch, address=address):
            self._leader = None
            self._turn += 1

    def named(self, *, epoch: int, address: str) -> bool:
        """Somebody named the leader of a term; returns whether that is news to follow."""
        if not address or epoch < self._epoch:
            return False
        try:
            leader = (self._leader or self.broker or _PLAIN).at_address(address)
        except ValueError:
            return False
        if epoch == self._epoch and leader == self._leader:
            return False
        self._epoch = epoch
        self._leader = leader
        return True

    def found(self, *, epoch: int, address: str) -> None:
        """The store names the leader, however old the term: it is what there is to try.

        Raises:
            ValueError: the address is not `host:port`.
        """
        self._epoch = max(self._epoch, epoch)
        self._leader = _PLAIN.at_address(address)

    def _note_trouble(self, now_ms: float) -> None:
        self._tries += 1
        if self._trouble_since_ms is None:
            self._trouble_since_ms = now_ms


_PLAIN = BrokerUrl("127.0.0.1", 80)

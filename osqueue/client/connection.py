"""The client as a context manager: from its target to a running session, and back."""

from __future__ import annotations

import os
import random as random_module
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Literal, Self, TypeVar

import httpx
import trio
from msgspec.msgpack import Decoder

from osqueue.client.discovery import Discovery, is_store_url
from osqueue.client.requests import RequestMaker, encode_params
from osqueue.client.route import BrokerUrl
from osqueue.client.session import Session
from osqueue.client.transports.http_transport import HttpTransport
from osqueue.client.transports.traffic import Traffic, Transport
from osqueue.client.transports.websocket_transport import WebSocketTransport
from osqueue.clocks import Clock, SleepCountingClock
from osqueue.core.limits import CLIENT_REPEAT_MS_MAX
from osqueue.protocol.params import Params

__all__ = ["BROKER_URL_DEFAULT", "Connection", "TransportKind"]

BROKER_URL_DEFAULT = "http://127.0.0.1:8080"
HEALTH_S = 5.0

TransportKind = Literal["websocket", "http"] | Callable[[Traffic], Transport]
"""The name of a transport, or what makes one."""

ResultT = TypeVar("ResultT")


class Connection:
    """What `Client` is made of, beside the methods of the queue."""

    def __init__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        transport: TransportKind = "websocket",
        timeout_s: float = CLIENT_REPEAT_MS_MAX / 1_000,
        random: random_module.Random | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not 0 < timeout_s * 1_000 <= CLIENT_REPEAT_MS_MAX:
            raise ValueError(
                f"timeout_s is above 0 and at most {CLIENT_REPEAT_MS_MAX // 1_000}, not {timeout_s}"
            )
        self._brokers, self._discovery = _resolve(target)
        self._make_transport = _find_transport(transport)
        self._is_networked = not callable(transport)
        self._timeout_ms = int(timeout_s * 1_000) or 1
        self._clock = clock or SleepCountingClock()
        self._random = random or random_module.Random()
        self._make = RequestMaker(self._random)
        self._session: Session | None = None
        self._has_crashed = False
        """A bug in here has ended the session: its error is what the user gets."""
        self._nursery: trio.Nursery | None = None
        self._nursery_manager: AbstractAsyncContextManager[trio.Nursery] | None = None

    async def __aenter__(self) -> Self:
        if self._nursery_manager is not None:
            raise RuntimeError("a client is entered once; make another one")
        self._session = Session(
            self._brokers,
            discovery=self._discovery,
            transport=self._make_transport,
            timeout_ms=self._timeout_ms,
            clock=self._clock,
            random=self._random,
        )
        self._nursery_manager = trio.open_nursery()
        self._nursery = await self._nursery_manager.__aenter__()
        self._nursery.start_soon(self._run, self._session)
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        assert self._session is not None
        assert self._nursery is not None
        assert self._nursery_manager is not None
        if error is None:
            await self._session.close()
        else:
            self._session.stop()
        self._nursery.cancel_scope.cancel()
        try:
            return await self._nursery_manager.__aexit__(error_type, error, traceback)
        except BaseExceptionGroup:
            if error is not None and not self._has_crashed:
                return False  # The body's own error, which the nursery has wrapped.
            raise

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        except* (Exception, KeyboardInterrupt, SystemExit):
            self._has_crashed = True
            raise

    async def health(self) -> bool:
        """Whether the broker that this client would ask now leads and is trusted (its /readyz)."""
        broker = self._open_session.traffic.route.broker
        if broker is None or not self._is_networked:
            return self.is_connected
        try:
            tls = self._open_session.traffic.tls if broker.is_tls else True
            async with httpx.AsyncClient(timeout=HEALTH_S, verify=tls) as http:
                response = await http.get(f"{broker.http_url}/readyz")
        except httpx.HTTPError:
            return False
        return response.status_code == 200

    @property
    def is_connected(self) -> bool:
        """Whether a broker has the connection now; without it, calls wait for one, or time out."""
        return self._session is not None and self._session.traffic.is_connected

    @property
    def _open_session(self) -> Session:
        if self._session is None:
            raise RuntimeError("enter the client first: async with Client(...) as client")
        return self._session

    async def _read(self, method: str, params: Params, result: Decoder[ResultT]) -> ResultT:
        """Call what carries no sequence: reads and heartbeats."""
        return result.decode(
            await self._open_session.call(method, encode_params(params), is_sequenced=False)
        )

    async def _mutate(self, method: str, params: Params, result: Decoder[ResultT]) -> ResultT:
        """Call what is applied once, however often it is repeated."""
        return result.decode(
            await self._open_session.call(method, encode_params(params), is_sequenced=True)
        )


def _resolve(
    target: str | Sequence[str] | None,
) -> tuple[list[BrokerUrl], Discovery | None]:
    """The brokers to ask, or the store that names the leader.

    Raises:
        ValueError: the target is neither.
        StoreMisconfigured: it is a store's URL, and no store can be opened there.
    """
    if target is None:
        target = os.environ.get("BROKER_URL") or BROKER_URL_DEFAULT
    urls = target.split(",") if isinstance(target, str) else list(target)
    urls = [url.strip() for url in urls if url.strip()]
    if len(urls) == 1 and is_store_url(urls[0]):
        return [], Discovery(urls[0])
    if not urls:
        raise ValueError("the client needs a broker's URL, several, or a store's URL")
    return [BrokerUrl.parse(url) for url in urls], None


def _find_transport(kind: TransportKind) -> Callable[[Traffic], Transport]:
    """What makes the transports of a kind.

    Raises:
        ValueError: there is no such kind.
    """
    if callable(kind):
        return kind
    if kind == "websocket":
        return WebSocketTransport
    if kind == "http":
        return HttpTransport
    raise ValueError(f"transport is 'websocket' or 'http', not {kind!r}")

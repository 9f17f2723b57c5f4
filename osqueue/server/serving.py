"""The sockets, and the server behind them: from bind to stop.

The order of a life: `bind` (before the broker stands for election, so that the address is surely
ours), `run` (serves until `stop`), `begin_drain` (waiting claims return, WebSockets say goodbye,
new requests are refused), then the owner drains the broker, then `stop` closes the listener. No
client can hold up a stop: what is still open when the drain's time is over is cut.
"""

from __future__ import annotations

import errno
import random as random_module
import socket
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.worker_context import WorkerContext

from osqueue.server.app import FrontDoor
from osqueue.server.http.intake import Intake
from osqueue.server.hypercorn_guard import StructuredLogger, serve_connection
from osqueue.settings import Settings, join_address

if TYPE_CHECKING:
    from osqueue.broker.broker import Broker

__all__ = ["ListenError", "Server"]

log = structlog.get_logger(__name__)

BACKLOG = 2_048
"""With the usual 100, a burst of clients waits seconds for retransmitted SYNs."""
KEEP_ALIVE_TIMEOUT_S = 75
"""Longer than any client keeps an idle connection, so that the client is the one to close it."""
NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What the system says of an address that is another machine's, or of a family that is off."""
SocketAddress = tuple[socket.AddressFamily, tuple[Any, ...]]
KEEP_ALIVE_REQUESTS_MAX = 2**31
KEEPALIVE_IDLE_S = 30
KEEPALIVE_INTERVAL_S = 10
KEEPALIVE_PROBES = 3
STOP_GRACE_MS = 500
"""What an answer under way gets at least, however late the stop comes."""


class ListenError(Exception):
    """The address to listen on cannot be had; the message names the setting to change."""


class Server:
    """The broker's address: accepts connections and serves them."""

    def __init__(self, broker: Broker, settings: Settings, *, random: random_module.Random) -> None:
        self.broker = broker
        self.settings = settings
        self.front_door = FrontDoor(broker, settings, random)
        self.intake = Intake(settings.received_bytes_max)
        self._hypercorn_config = hypercorn_config(settings)
        self._sockets: list[socket.socket] = []
        self._stopping = trio.Event()
        self._drain_started: float | None = None
        self._connection_count = 0

    @property
    def address(self) -> str:
        """HOST:PORT as bound; the port is the real one where the setting is 0."""
        return join_address(self.settings.broker_host, self.port)

    @property
    def port(self) -> int:
        """The port that is bound."""
        assert self._sockets, "bind comes first"
        return self._sockets[0].getsockname()[1]

    @property
    def connection_count(self) -> int:
        """Connections that are open."""
        return self._connection_count

    def bind(self) -> None:
        """Take the address; connections queue up from now on until `run` serves them.

        Raises:
            ListenError: it is taken, not allowed, or not this machine's.
        """
        host, port = self.settings.broker_host, self.settings.broker_port
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            addresses = [(family, where) for family, _, _, _, where in found]
            self._sockets = open_sockets(addresses, self.settings)
        except OSError as error:
            raise ListenError(explain(error, host, port)) from error

    def close(self) -> None:
        """Close sockets that `run` never came to serve."""
        for listener in self._sockets:
            listener.close()
        self._sockets.clear()

    def open_listeners(self) -> list[trio.abc.Listener[trio.SocketStream]]:
        """What connections are accepted from: the bound sockets."""
        return [
            trio.SocketListener(trio.socket.from_stdlib_socket(bound)) for bound in self._sockets
        ]

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop`.

        Args:
            task_status: started with the address, once connections are served.

        Cancellation: closes the listener and every connection at once.
        """
        context = WorkerContext(None)
        listeners = self.open_listeners()
        async with trio.open_nursery() as connections:
            async with trio.open_nursery() as accepting:
                await accepting.start(
                    partial(
                        trio.serve_listeners,
                        partial(self._serve_stream, context),
                        listeners,
                        handler_nursery=connections,
                    )
                )
                accepting.start_soon(self._watch_lead)
                task_status.started(self.address)
                log.info("serving", address=self.address)
                await self._stopping.wait()
                accepting.cancel_scope.cancel()
            await context.terminated.set()
            connections.cancel_scope.deadline = self._cut_off()

    def begin_drain(self, reason: str) -> None:
        """Answer waiting claims, say goodbye to WebSockets, refuse what comes from now on.

        The listener stays, so that probes still see the process, until `stop`.
        """
        self._drain_started = trio.current_time()
        self.front_door.begin_drain(reason)

    def stop(self) -> None:
        """Close the listener, and every connection that is idle or becomes so in time."""
        self._stopping.set()

    async def _watch_lead(self) -> None:
        """Close the WebSockets when the lead is lost: their clients look for the new leader."""
        while True:
            await self.broker.wait_lead_lost()
            self.front_door.websockets.close_all("this broker has lost the lead")

    async def _serve_stream(self, context: WorkerContext, stream: trio.SocketStream) -> None:
        self._connection_count += 1
        try:
            await serve_connection(
                ASGIWrapper(self.front_door),  # type: ignore[arg-type]
                self._hypercorn_config,
                context,
                stream,
                write_deadline_ms=self.settings.write_deadline_ms,
                intake=self.intake,
            )
        finally:
            self._connection_count -= 1

    def _cut_off(self) -> float:
        """When connections that are still open are cut."""
        now = trio.current_time()
        started = now if self._drain_started is None else self._drain_started
        return max(now + STOP_GRACE_MS / 1_000, started + self.settings.drain_timeout_ms / 1_000)


def hypercorn_config(settings: Settings) -> Config:
    """What is set of Hypercorn; `read_timeout` stays off, since it would cut idle long polls."""
    config = Config()
    config.logger_class = StructuredLogger
    config.errorlog = None
    config.include_server_header = False
    config.keep_alive_timeout = KEEP_ALIVE_TIMEOUT_S
    config.keep_alive_max_requests = KEEP_ALIVE_REQUESTS_MAX
    config.websocket_max_message_size = settings.limits.frame_bytes_max
    return config


def open_sockets(addresses: Sequence[SocketAddress], settings: Settings) -> list[socket.socket]:
    """Listen on all addresses of a name, on one port: where that is 0, on the first one's.

    Those that this machine does not have are passed over (`::1` where IPv6 is off, although the
    name has it), as long as there is one that it has.

    Raises:
        OSError: it has none of them, or one is taken or not allowed; nothing stays open.
    """
    opened: list[socket.socket] = []
    missing: list[tuple[str, OSError]] = []
    try:
        for family, where in addresses:
            port = opened[0].getsockname()[1] if opened else where[1]
            try:
                opened.append(open_listener(family, (where[0], port, *where[2:]), settings))
            except OSError as error:
                if error.errno not in NOT_HERE:
                    raise
                missing.append((where[0], error))
        if missing and not opened:
            raise missing[0][1]
    except OSError:
        for listener in opened:
            listener.close()
        raise
    for address, error in missing:
        log.info("address passed over", address=address, reason=error.strerror)
    return opened


def open_listener(
    family: socket.AddressFamily, where: tuple[str | int, ...], settings: Settings
) -> socket.socket:
    """A listening socket whose connections die when their peer stops acknowledging."""
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # Accepted connections inherit these. They are Linux's names; elsewhere the defaults serve.
        for name, value in (
            ("TCP_USER_TIMEOUT", settings.write_deadline_ms),
            ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
            ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
            ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ):
            if hasattr(socket, name):
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, where[0] != "::")
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def explain(error: OSError, host: str, port: int) -> str:
    """Say which setting to change."""
    if error.errno == errno.EADDRINUSE:
        return f"BROKER_PORT {port} on {host} is in use by another program; choose another port"
    if error.errno == errno.EACCES:
        return f"BROKER_PORT {port} is not allowed for this user; choose one above 1023"
    return f"BROKER_HOST {host!r} cannot be listened on: {error.strerror or error}"

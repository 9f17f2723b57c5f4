"""Sockets in memory, with what happens to connections: latency, breaks, silence, refusals.

`Network.dial` stands in for `trio.open_tcp_stream`, `Network.listen` for a listening socket. Sends
wait while the peer does not read, and one that is cancelled may have sent a part.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from tests.simulation.shells.world import World

__all__ = ["MemoryListener", "MemorySocket", "Network"]

BUFFER_BYTES = 16_384
"""What a connection holds of bytes that were sent and not read."""
PIECE_BYTES = 4_096
DIAL_TIMEOUT_S = 30.0
"""How long a machine tries where nobody answers."""


class _Way:
    """One direction of a connection."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._last_due = 0.0
        self.silent_until = 0.0
        self.is_ended = False
        """Its sender has closed."""
        self.is_broken = False
        """Nothing comes through any more."""
        self.changed = trio.Event()

    def notify(self) -> None:
        self.changed.set()
        self.changed = trio.Event()

    def room(self) -> int:
        return min(BUFFER_BYTES - self._bytes, PIECE_BYTES)

    def put(self, piece: bytes) -> None:
        due = trio.current_time() + self._world.network_latency_s()
        # What was sent first arrives first.
        due = self._last_due = max(due, self._last_due, self.silent_until)
        self._pieces.append((due, piece))
        self._bytes += len(piece)
        self.notify()

    def mend(self) -> None:
        """What was held up arrives."""
        now = trio.current_time()
        self.silent_until, self._last_due = 0.0, min(self._last_due, now)
        self._pieces = deque((min(due, now), piece) for due, piece in self._pieces)
        self.notify()

    def due(self) -> float | None:
        return self._pieces[0][0] if self._pieces else None

    def take(self, max_bytes: int | None) -> bytes:
        due, piece = self._pieces.popleft()
        if max_bytes is not None and len(piece) > max_bytes:
            self._pieces.appendleft((due, piece[max_bytes:]))
            piece = piece[:max_bytes]
        self._bytes -= len(piece)
        self.notify()
        return piece

    def end(self) -> None:
        self.is_ended = True
        self.notify()

    def cut(self) -> None:
        self.is_broken = True
        self._pieces.clear()
        self._bytes = 0
        self.notify()


class MemorySocket(trio.abc.HalfCloseableStream):
    """One end of a connection; also its own `socket`, which is asked for names only."""

    def __init__(self, inward: _Way, outward: _Way, *, own: str, peer: str) -> None:
        self._in = inward
        self._out = outward
        self._names = own, peer
        self._is_closed = False

    @property
    def socket(self) -> MemorySocket:
        return self

    def getsockname(self) -> tuple[str, int]:
        return _split(self._names[0])

    def getpeername(self) -> tuple[str, int]:
        return _split(self._names[1])

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        rest = memoryview(bytes(data))
        while True:
            if self._is_closed:
                raise trio.ClosedResourceError("closed here")
            if self._out.is_broken:
                raise trio.BrokenResourceError("the connection was reset")
            if not rest:
                return
            if (room := self._out.room()) > 0:
                self._out.put(bytes(rest[:room]))
                rest = rest[room:]
            else:
                await self._out.changed.wait()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        way = self._in
        while True:
            if self._is_closed:
                raise trio.ClosedResourceError("closed here")
            if way.is_broken:
                raise trio.BrokenResourceError("the connection was reset")
            due = way.due()
            if due is None:
                if way.is_ended:
                    return b""
                await way.changed.wait()
            elif due <= trio.current_time():
                return way.take(max_bytes)
            else:
                with trio.move_on_at(due):
                    await way.changed.wait()

    async def send_eof(self) -> None:
        self._out.end()
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._out.end()
            self._in.cut()
        await trio.lowlevel.checkpoint()

    @property
    def is_open(self) -> bool:
        return not self._is_closed and not (self._in.is_broken and self._out.is_broken)

    def cut(self) -> None:
        """A reset, seen by both ends; what is under way is lost."""
        self._in.cut()
        self._out.cut()

    def fall_silent(self, until: float) -> None:
        """Nothing arrives before that moment, at either end."""
        self._in.silent_until = self._out.silent_until = until

    def mend(self) -> None:
        """The silence is over."""
        self._in.mend()
        self._out.mend()


class MemoryListener(trio.abc.Listener[MemorySocket]):
    """Where a server takes its connections from."""

    def __init__(self, network: Network, address: str) -> None:
        self._network = network
        self._address = address
        self._arrived: deque[MemorySocket] = deque()
        self._has_arrived = trio.Event()

    def put(self, stream: MemorySocket) -> None:
        self._arrived.append(stream)
        self._has_arrived.set()

    async def accept(self) -> MemorySocket:
        while not self._arrived:
            self._has_arrived = trio.Event()
            await self._has_arrived.wait()
        await trio.lowlevel.checkpoint()
        return self._arrived.popleft()

    async def aclose(self) -> None:
        self._network.closed(self._address, self)
        for stream in self._arrived:
            stream.cut()
        await trio.lowlevel.checkpoint()


class Network:
    """All listeners and connections of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._listeners: dict[str, MemoryListener] = {}
        self._connections: dict[str, list[MemorySocket]] = {}
        """By the address that was dialled: the end of the server."""
        self._dialled = 0

    def listen(self, address: str) -> MemoryListener:
        assert address not in self._listeners, f"{address} is taken"
        listener = self._listeners[address] = MemoryListener(self, address)
        return listener

    def closed(self, address: str, listener: MemoryListener) -> None:
        if self._listeners.get(address) is listener:
            del self._listeners[address]

    async def dial(self, host: str, port: int) -> MemorySocket:
        """A connection to HOST:PORT.

        Raises:
            OSError: refused, or nobody answers.
        """
        world, address = self._world, f"{host}:{port}"
        if world.strikes("dialling hangs"):
            await trio.sleep(DIAL_TIMEOUT_S)
            raise TimeoutError(f"{address} does not answer")
        await trio.sleep(world.network_latency_s())
        listener = self._listeners.get(address)
        # Whoever listens there: a proxy is down, a rule rejects.
        if listener is None or world.strikes("dialling refused"):
            raise ConnectionRefusedError(f"nobody listens at {address}")
        self._dialled += 1
        there, back = _Way(world), _Way(world)
        caller = f"10.9.0.{self._dialled % 250}:{40_000 + self._dialled % 20_000}"
        client = MemorySocket(back, there, own=caller, peer=address)
        server = MemorySocket(there, back, own=address, peer=caller)
        listener.put(server)
        self._connections.setdefault(address, []).append(server)
        return client

    def open_connections(self, address: str) -> list[MemorySocket]:
        """Those to an address that are still open."""
        found = [one for one in self._connections.get(address, []) if one.is_open]
        self._connections[address] = found
        return found

    def mend(self) -> None:
        """Every silence is over."""
        for address in list(self._connections):
            for stream in self.open_connections(address):
                stream.mend()

    def cut(self, address: str) -> None:
        """The machine at an address is gone: so is all that it had under way."""
        for stream in self.open_connections(address):
            stream.cut()


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)

"""A proxy that loses replies, or speaks TLS: what lies between clients and brokers."""

from __future__ import annotations

import ssl

import trio

__all__ = ["FlakyProxy"]


class FlakyProxy:
    """Passes bytes to a port of this machine, and back as long as it is told to."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._upstream_port = port
        self._connections: set[trio.CancelScope] = set()
        self._tls = tls
        self.port = 0
        self.connection_count = 0
        self.replies_to_lose = 0
        """So many connections will be cut when the next bytes come back on one."""
        self.has_lost = trio.Event()
        self.may_pass = trio.Event()
        """Until it is set, connections are accepted and nothing more."""
        self.may_pass.set()

    @property
    def url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            await nursery.start(trio.serve_listeners, self._pass_on, listeners)
            task_status.started()

    def cut(self) -> None:
        """End all connections."""
        for scope in self._connections:
            scope.cancel()

    async def _pass_on(self, connection: trio.SocketStream) -> None:
        self.connection_count += 1
        await self.may_pass.wait()
        client: trio.abc.Stream = connection
        if self._tls is not None:
            client = trio.SSLStream(connection, self._tls, server_side=True, https_compatible=True)
        with trio.CancelScope() as scope:
            self._connections.add(scope)
            try:
                broker = await trio.open_tcp_stream("127.0.0.1", self._upstream_port)
                async with broker, trio.open_nursery() as nursery:
                    nursery.start_soon(self._pump, client, broker, False, scope)
                    await self._pump(broker, client, True, scope)
            except* (OSError, trio.BrokenResourceError):
                pass
        self._connections.discard(scope)
        await trio.aclose_forcefully(client)

    async def _pump(
        self,
        source: trio.abc.Stream,
        target: trio.abc.Stream,
        is_back: bool,
        scope: trio.CancelScope,
    ) -> None:
        try:
            while data := await source.receive_some():
                if is_back and self.replies_to_lose:
                    self.replies_to_lose -= 1
                    self.has_lost.set()
                    break
                await target.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()

"""A TCP proxy that loses replies: what was asked is done, and nobody hears of it."""

from __future__ import annotations

import trio

__all__ = ["FlakyProxy"]


class FlakyProxy:
    """Passes bytes to a port of this machine, and back as long as it is told to."""

    def __init__(self, port: int) -> None:
        self._upstream_port = port
        self._connections: set[trio.CancelScope] = set()
        self.port = 0
        self.connection_count = 0
        self.replies_to_lose = 0
        """So many connections will be cut when the next bytes come back on one."""
        self.has_lost = trio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

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

    async def _pass_on(self, client: trio.SocketStream) -> None:
        self.connection_count += 1
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
        source: trio.SocketStream,
        target: trio.SocketStream,
        is_back: bool,
        scope: trio.CancelScope,
    ) -> None:
        try:
            async for data in source:
                if is_back and self.replies_to_lose:
                    self.replies_to_lose -= 1
                    self.has_lost.set()
                    break
                await target.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()

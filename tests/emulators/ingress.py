"""An ingress before a bucket: it forwards, and for a while it answers everything by itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from tests.emulators.fault_proxy import ask_bucket, receive_message

__all__ = ["Ingress"]


class Ingress:
    """Forwards to the bucket at 127.0.0.1:`port`, except while `status` is not 0."""

    def __init__(self, port: int) -> None:
        self.url = ""
        self.status = 0
        """It answers everything with this, and with a page of HTML."""
        self.answered_count = 0
        self._port = port
        self._answers = trio.lowlevel.ParkingLot()

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[Ingress]:
        """Listen while inside."""
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, self._serve_connection, 0)
            self.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
            yield self
            nursery.cancel_scope.cancel()

    async def wait_for_answers(self, count: int) -> None:
        """Wait until it has answered so many requests from now on."""
        until = self.answered_count + count
        while self.answered_count < until:
            await self._answers.park()

    async def _serve_connection(self, client: trio.SocketStream) -> None:
        try:
            async with client, await trio.open_tcp_stream("127.0.0.1", self._port) as bucket:
                while request := await receive_message(client):
                    if self.status:
                        self.answered_count += 1
                        self._answers.unpark_all()
                        await client.send_all(_page(self.status))
                    else:
                        await client.send_all(await ask_bucket(bucket, request))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # The client has given up this connection, as clients do after a timeout.
            return


def _page(status: int) -> bytes:
    body = f"<html><head><title>{status}</title></head><body>nginx</body></html>"
    head = f"HTTP/1.1 {status} Told\r\nserver: nginx\r\ncontent-type: text/html\r\n"
    # As a static page is answered.
    return f'{head}etag: "65a1b2c3-264"\r\ncontent-length: {len(body)}\r\n\r\n{body}'.encode()

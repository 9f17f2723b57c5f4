"""Calls over HTTP: two senders gather them into POST /v1/batch, long polls travel by themselves.

httpx 0.28 loses connections for good when a request is cancelled under contention, and its pool is
slow with many connections. So there are eight at most, one task for each, and no request is ever
cancelled by a caller; a pool that ran dry all the same is replaced with its client.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import msgspec
import trio

from osqueue.client.calls import Call
from osqueue.client.route import BrokerUrl
from osqueue.client.transports.frames import NO_RESULT, decode_error, decode_frame, encode_frame
from osqueue.client.transports.traffic import RETIRE_S, Traffic, describe_trouble
from osqueue.core.errors import NotLeader, QueueError
from osqueue.core.limits import Limits
from osqueue.protocol.messages import METHODS

__all__ = ["HttpTransport"]

BATCH_SENDERS = 2
WAITING_SENDERS = 6
CONNECTIONS_MAX = BATCH_SENDERS + WAITING_SENDERS
BATCH_BYTES_WANTED = 262_144
BATCH_REQUESTS_MAX = 1_000
CONNECT_S = 2.0
ANSWER_S = 30.0
"""For one batch; on top of what a long poll may wait."""

_TIMEOUT = httpx.Timeout(ANSWER_S, connect=CONNECT_S, pool=CONNECT_S)
_MESSAGEPACK = "application/msgpack"
_LIMITS = Limits()

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_UNREADABLE = (httpx.HTTPError, msgspec.DecodeError)


class _Withdrawn(Exception):
    """A caller was told that nothing was sent, so nothing is."""


class HttpTransport:
    """Keeps a few HTTP connections to the leader, for as long as it runs."""

    long_polls_max = WAITING_SENDERS
    has_events = False

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    async def run(self) -> None:
        """Serve one broker after the other, until cancelled."""
        while True:
            broker = await self._traffic.next_broker()
            visit = _Visit(self._traffic, broker)
            try:
                await visit.serve()
            finally:
                self._traffic.calls.attempts_lost(reason=f"{broker.address}: {visit.ended}")
            if visit.not_leader is not None:
                self._traffic.refused(visit.not_leader)
            else:
                self._traffic.failed(broker, visit.ended)

    async def close(self) -> None:
        """HTTP needs no goodbye."""


class _Visit:
    """The time with one broker, until there is trouble."""

    def __init__(self, traffic: Traffic, broker: BrokerUrl) -> None:
        self.ended = "closed"
        """Why."""
        self.not_leader: NotLeader | None = None
        self._traffic = traffic
        self._is_leaving = trio.Event()
        self._http = httpx.AsyncClient(
            base_url=broker.http_url,
            headers={
                "Content-Type": _MESSAGEPACK,
                "Accept": _MESSAGEPACK,
                "Osqueue-Client-Id": traffic.client_id,
            },
            timeout=_TIMEOUT,
            verify=traffic.tls if broker.is_tls else True,
            limits=httpx.Limits(
                max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX
            ),
        )

    async def serve(self) -> None:
        """Returns when there was trouble; raises nothing but Cancelled."""
        self._traffic.is_connected = True
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(BATCH_SENDERS):
                    nursery.start_soon(self._send_batches)
                for _ in range(WAITING_SENDERS):
                    nursery.start_soon(self._send_waiting)
                await self._is_leaving.wait()
                # Other requests may be on their way; with the client their connections go too.
                nursery.cancel_scope.deadline = trio.current_time() + RETIRE_S
                self._traffic.outbox.ring()
        finally:
            self._traffic.is_connected = False
            with trio.move_on_after(RETIRE_S, shield=True):
                await self._http.aclose()

    def _leave(self, reason: str) -> None:
        self.ended = reason
        self._is_leaving.set()

    async def _send_batches(self) -> None:
        calls = self._traffic.calls
        while not self._is_leaving.is_set():
            frame = calls.take_frame(
                now_ms=self._traffic.steady_ms(),
                bytes_wanted=BATCH_BYTES_WANTED,
                bytes_max=_LIMITS.frame_bytes_max,
                requests_max=BATCH_REQUESTS_MAX,
                with_waiting=False,
            )
            if frame:
                await self._send_batch(frame)
            else:
                await self._traffic.outbox.wait()

    async def _send_batch(self, frame: list[Call]) -> None:
        calls = self._traffic.calls
        floor = calls.floor
        try:
            request = self._post("/v1/batch", encode_frame(frame, floor=floor), frame)
            request.headers["Osqueue-First-Incomplete"] = str(floor)
            response = await self._http.send(request)
            if response.is_success:
                not_leader = await self._traffic.deliver(decode_frame(response.content))
            else:
                error = decode_error(response.content)
                for call in frame:
                    calls.answered_error(call.call_id, error, now_ms=self._traffic.steady_ms())
                self._traffic.clock.ring()
                not_leader = error if isinstance(error, NotLeader) else None
        except _Withdrawn:
            calls.attempts_not_made(frame, reason="another call of its frame was given up")
            self._traffic.outbox.ring()
        except _NOT_SENT as error:
            calls.attempts_not_made(frame, reason=describe_trouble(error))
            self._leave(describe_trouble(error))
        except _UNREADABLE as error:
            calls.attempts_lost(frame, reason=describe_trouble(error))
            self._leave(describe_trouble(error))
        else:
            calls.attempts_lost(frame, reason="the broker left it out of its answer")
            self._note_not_leader(not_leader)

    async def _send_waiting(self) -> None:
        while not self._is_leaving.is_set():
            call = self._traffic.calls.take_waiting(now_ms=self._traffic.steady_ms())
            if call is not None:
                await self._send_one(call)
            else:
                await self._traffic.outbox.wait()

    async def _send_one(self, call: Call) -> None:
        calls = self._traffic.calls
        try:
            response = await self._http.send(self._waiting_request(call))
            if response.is_success:
                body = response.content
                calls.answered_ok(call.call_id, msgspec.Raw(body) if body else NO_RESULT)
                self._traffic.route.served()
            else:
                error = decode_error(response.content)
                calls.answered_error(call.call_id, error, now_ms=self._traffic.steady_ms())
                self._traffic.clock.ring()
                self._note_not_leader(error)
        except _Withdrawn:
            pass  # It was the only one.
        except _NOT_SENT as error:
            calls.attempts_not_made([call], reason=describe_trouble(error))
            self._leave(describe_trouble(error))
        except _UNREADABLE as error:
            calls.attempts_lost([call], reason=describe_trouble(error))
            self._leave(describe_trouble(error))

    def _waiting_request(self, call: Call) -> httpx.Request:
        method = METHODS[call.method]
        wait_s = call.wait_ms / 1_000
        timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S, pool=CONNECT_S, read=ANSWER_S + wait_s)
        params: dict[str, Any] = msgspec.msgpack.decode(call.params, type=dict[str, Any])
        if method.name == "claimJobs":
            # On the path that both share, a claim without a limit is a claimJob.
            body = msgspec.msgpack.encode({"limit": 1, **params})
            return self._post(method.http_path, body, [call], timeout=timeout)
        path = method.http_path.format(jobId=params.pop("jobId"))
        return self._http.build_request(method.http_method, path, params=params, timeout=timeout)

    def _post(
        self,
        path: str,
        body: bytes,
        calls: Sequence[Call],
        *,
        timeout: httpx.Timeout | None = None,
    ) -> httpx.Request:
        """A request that carries these calls, which are not on the wire before its body is."""
        request = self._http.build_request(
            "POST", path, headers={"Content-Length": str(len(body))}, timeout=timeout or _TIMEOUT
        )
        self._traffic.calls.hold(calls)
        request.stream = _Body(body, self._traffic, calls)
        return request

    def _note_not_leader(self, error: QueueError | None) -> None:
        if isinstance(error, NotLeader):
            self.not_leader = error
            self._leave("it does not lead")


class _Body(httpx.AsyncByteStream):
    """A body in one piece, which is sent only if all its calls are still open by then.

    Its headers alone mean nothing to a broker: they announce bytes that then do not come.

    httpx reads bytes through an async generator, which it leaves to the garbage collector when a
    connection breaks: Trio then warns of it.
    """

    def __init__(self, body: bytes, traffic: Traffic, calls: Sequence[Call]) -> None:
        self._pieces = iter((body,))
        self._traffic = traffic
        self._calls = calls

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            traffic = self._traffic
            if not traffic.calls.release(self._calls, now_ms=traffic.steady_ms()):
                raise _Withdrawn
            return piece
        raise StopAsyncIteration

"""The HTTP front end as raw ASGI: /v1, /state and the probes, over the shared dispatch.

An HTTP request becomes a frame of one request and takes the same road as a WebSocket frame. What is
HTTP's own stands here: statuses, headers, bodies, CORS, and the client that leaves while it waits.
Which method a path means stands in `routes.py`.
"""

from __future__ import annotations

import trio

from osqueue.core.errors import InvalidRequest, NotLeader, QueueError, Unavailable
from osqueue.protocol.codec import Encoding, Frame, decode_frame, encode_message, encode_replies
from osqueue.protocol.error_codes import error_from_wire, error_to_wire
from osqueue.protocol.messages import WireErrorReply, WireRequest
from osqueue.protocol.results import EmptyResult, HeartbeatResult
from osqueue.server.bounds import check_name
from osqueue.server.dispatch import Caller, Dispatcher, Reply, Ticket
from osqueue.server.http.asgi import (
    App,
    Head,
    Receive,
    Scope,
    Send,
    accepted_encoding,
    body_encoding,
    read_head,
)
from osqueue.server.http.bodies import (
    BodyLimits,
    ClientGone,
    discard_body,
    read_body,
    wait_until_gone,
)
from osqueue.server.http.intake import HOLDING, Holding
from osqueue.server.http.origins import OriginGuard
from osqueue.server.http.routes import (
    Target,
    asks_for_confirmation,
    find_target,
    is_ours,
    make_params,
)
from osqueue.server.http.statuses import HttpRefusal, retry_after_s, status_of

__all__ = ["RestFrontEnd"]

Headers = list[tuple[bytes, bytes]]
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
TOO_SLOW = 408
UTF_8 = frozenset({"", "utf-8", "utf8", "us-ascii"})
"""Charsets of a JSON body that mean the only encoding it may have (RFC 8259, section 8.1)."""
SHOWN_CHARS_MAX = 80
WHOLE_BODY = 2**63 - 1
"""An HTTP answer has one body, whatever its size; what goes into it was bounded before."""


class Response:
    """The answer to one request; sends the headers that every answer has."""

    def __init__(self, send: Send, common_headers: Headers, encoding: Encoding) -> None:
        self._send = send
        self._common_headers = common_headers
        self.encoding = encoding

    async def send(self, status: int, body: bytes = b"", headers: Headers | tuple[()] = ()) -> None:
        """Send a whole answer; a body is in the response's encoding."""
        await self.start(status, len(body), self.encoding.value if body else "", headers)
        await self._send({"type": "http.response.body", "body": body})

    async def start(
        self, status: int, length: int, media_type: str, headers: Headers | tuple[()] = ()
    ) -> None:
        """Send the head of an answer."""
        all_headers = [*self._common_headers, *headers, (b"cache-control", b"no-store")]
        if media_type:
            all_headers.append((b"content-type", media_type.encode()))
        # An answer without content says no length (RFC 9110, section 8.6).
        if status != 204:
            all_headers.append((b"content-length", str(length).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": all_headers})

    async def chunk(self, body: bytes, *, more: bool) -> None:
        """Send a piece of a body."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def refuse(self, refusal: HttpRefusal) -> None:
        """Send an error object as the answer."""
        headers = [*refusal.headers]
        retry_after = retry_after_s(refusal.error)
        if retry_after is not None:
            headers.append((b"retry-after", str(retry_after).encode()))
        body = encode_message(error_to_wire(refusal.error), self.encoding)
        await self.send(refusal.status, body, headers)


class RestFrontEnd:
    """Answers HTTP requests for the queue; everything else goes to the pages."""

    def __init__(
        self, dispatcher: Dispatcher, origins: OriginGuard, pages: App, body_limits: BodyLimits
    ) -> None:
        self.dispatcher = dispatcher
        self.origins = origins
        self.pages = pages
        self.body_limits = body_limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request.

        Cancellation: as the dispatcher's.
        """
        head = read_head(scope)
        response = Response(send, self.origins.cors_headers(head), accepted_encoding(head))
        holding: Holding = scope[HOLDING]
        try:
            if is_ours(head):
                body = await self._read_body(head, receive, holding)
                self._check_caller(head)
                await self._answer(head, body, receive, response)
            else:
                self._check_caller(head)
                await self.pages(scope, receive, send)
        except ClientGone:
            return
        except HttpRefusal as refusal:
            await response.refuse(refusal)
        except QueueError as error:
            await response.refuse(HttpRefusal(status_of(error), error))
        finally:
            holding.close()

    async def _read_body(self, head: Head, receive: Receive, holding: Holding) -> bytes:
        """Read the body first, whatever becomes of the request: a client reads no answer before."""
        try:
            return await read_body(head, receive, self.body_limits, holding)
        except HttpRefusal as refusal:
            if refusal.status != TOO_SLOW:
                await discard_body(receive, self.body_limits)
            raise

    def _check_caller(self, head: Head) -> None:
        self.origins.check_host(head)
        if head.method not in SAFE_METHODS:
            self.origins.check_origin(head)

    async def _answer(self, head: Head, body: bytes, receive: Receive, response: Response) -> None:
        if head.method == "OPTIONS":
            self.origins.check_origin(head)
            await response.send(204, headers=self.origins.preflight_headers(head))
            return
        target = find_target(head, body)
        match target.method:
            case "health":
                await response.send(200, encode_message({"status": "ok"}, response.encoding))
            case "ready":
                await self._answer_ready(response)
            case "state":
                await self._stream_document(response, is_confirmed=asks_for_confirmation(head))
            case "batch":
                await self._answer_batch(head, body, receive, response)
            case _:
                await self._answer_method(head, target, body, receive, response)

    async def _answer_ready(self, response: Response) -> None:
        broker = self.dispatcher.broker
        if broker.is_trusted_leader and not self.dispatcher.is_draining:
            await response.send(200, encode_message({"status": "ok"}, response.encoding))
            return
        if broker.stall and not self.dispatcher.is_draining:
            stalled = Unavailable(f"This broker leads, but is stalled: {broker.stall}")
            await response.refuse(HttpRefusal(503, stalled))
            return
        error = NotLeader(
            "; ".join(filter(None, ("This broker does not lead, or is stopping", broker.obstacle))),
            epoch=broker.epoch,
            broker_address=broker.leader_address,
        )
        await response.refuse(HttpRefusal(503, error))

    async def _stream_document(self, response: Response, *, is_confirmed: bool) -> None:
        chunks = await self.dispatcher.read_document(is_confirmed=is_confirmed)
        await response.start(200, sum(map(len, chunks)), Encoding.JSON.value)
        for chunk in chunks:
            await response.chunk(chunk, more=True)
        await response.chunk(b"", more=False)

    async def _answer_batch(
        self, head: Head, body: bytes, receive: Receive, response: Response
    ) -> None:
        response.encoding = encoding = checked_encoding(head)
        frame = decode_frame(body, encoding, self.dispatcher.limits)
        caller = Caller(client_id=self._client_id(head), allows_wait=False)
        tickets = self.dispatcher.read(frame, caller)
        assert len(tickets) <= 1, "nothing in a batch waits, so that it is one ticket"
        replies = await self._ask(tickets[0], receive) if tickets else []
        [answer] = encode_replies(
            replies, is_array=frame.is_array, encoding=encoding, bytes_max=WHOLE_BODY
        )
        await response.send(200, answer)

    async def _answer_method(
        self, head: Head, target: Target, body: bytes, receive: Receive, response: Response
    ) -> None:
        encoding = checked_encoding(head) if head.method == "POST" else Encoding.JSON
        wire = WireRequest(
            method=target.method,
            params=make_params(target, head, body, encoding),
            sequence=number_header(head, "osqueue-sequence"),
            first_incomplete=number_header(head, "osqueue-first-incomplete"),
        )
        caller = Caller(client_id=self._client_id(head))
        [ticket] = self.dispatcher.read(Frame([wire], False, encoding), caller)
        ticket.encoding = response.encoding
        [reply] = await self._ask(ticket, receive)
        if isinstance(reply, WireErrorReply):
            raise error_from_wire(reply.error)
        result = reply.result
        if isinstance(result, EmptyResult) or result == HeartbeatResult():
            await response.send(204)
        else:
            await response.send(200, encode_message(result, response.encoding))

    def _client_id(self, head: Head) -> str:
        client_id = head.headers.get("osqueue-client-id", "")
        if client_id:
            check_name("Osqueue-Client-Id", client_id, self.dispatcher.limits)
        return client_id

    async def _ask(self, ticket: Ticket, receive: Receive) -> list[Reply]:
        """Ask the broker, and stop waiting when the client leaves."""
        replies: list[Reply] = []

        async def leave_with_client() -> None:
            await wait_until_gone(receive)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave_with_client)
            replies = await self.dispatcher.answer(ticket)
            nursery.cancel_scope.cancel()
        if not replies:
            raise ClientGone
        return replies


def checked_encoding(head: Head) -> Encoding:
    """The encoding of a body.

    Raises:
        HttpRefusal: 415.
    """
    encoding = body_encoding(head)
    if encoding is None:
        raise HttpRefusal(
            415,
            InvalidRequest(
                f"Content-Type is {head.media_type()[:100]!r}; it must be application/json"
                " or application/msgpack"
            ),
        )
    charset = head.charset()
    if encoding is Encoding.JSON and charset not in UTF_8:
        raise HttpRefusal(
            415,
            InvalidRequest(
                f"Content-Type has charset {charset[:SHOWN_CHARS_MAX]!r}; JSON must be in utf-8"
            ),
        )
    return encoding


def number_header(head: Head, name: str) -> int | None:
    """A header that is a whole number; None: absent.

    Raises:
        InvalidRequest: it is something else.
    """
    text = head.headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 16):
        raise InvalidRequest(f"{name} must be a whole number")
    return int(text)

"""From a frame of requests to a frame of replies, by way of the broker.

The requests of a frame go to the broker as one ticket, and come back together; only a claim that
may wait gets a ticket of its own, so that nothing else waits with it. Each request succeeds or
fails alone: one that is malformed or out of bounds is answered without the broker, beside the
others.

Both front ends (`http/rest.py`, `websocket.py`) call this file, and so does `osqueue.testing`.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import trio
from msgspec import Raw

from osqueue.core.errors import BrokerProtocolError, InvalidRequest, QueueError, Unavailable
from osqueue.core.limits import Limits
from osqueue.core.mutations import (
    ClaimJobs,
    ReadDocument,
    ReadJob,
    ReadLineage,
    ReadStats,
    Request,
)
from osqueue.core.outcomes import (
    DocumentRead,
    JobRead,
    JobsClaimed,
    JobsListed,
    LineageRead,
    Outcome,
    PastTerm,
    QueueStats,
)
from osqueue.protocol.codec import (
    Encoding,
    Frame,
    MalformedRequest,
    null_id,
    read_params,
)
from osqueue.protocol.error_codes import error_to_wire
from osqueue.protocol.messages import (
    PROTOCOL_VERSION,
    TypedRequest,
    WireErrorReply,
    WireReply,
    WireRequest,
)
from osqueue.protocol.params import (
    HelloParams,
    QueueParams,
    SubscribeParams,
    WithdrawClaimParams,
)
from osqueue.protocol.results import EmptyResult, HelloResult, Result, ThrottleStatsResult
from osqueue.server.bounds import check_name
from osqueue.server.events import check_event_names
from osqueue.server.replies import Renderer
from osqueue.server.requests import RequestBuilder, RequestContext, cut_budgets
from osqueue.settings import Settings

if TYPE_CHECKING:
    from osqueue.broker.broker import Broker

__all__ = ["Call", "Caller", "Dispatcher", "Reply", "Ticket", "refuse"]

Reply = WireReply | WireErrorReply
ANSWERED_HERE = frozenset({"hello", "getThrottleStats", "subscribe", "withdrawClaim"})
"""Methods that the core knows nothing of."""
SCOPES = ["read", "work", "submit", "admin"]
"""What a caller may do; everything, as long as there are no tokens."""


ClaimKey = tuple[str, str]


class Caller(msgspec.Struct):
    """Who sends the frames: one WebSocket connection, or one HTTP request."""

    client_id: str = ""
    """What sequences count under; set by `hello` or by the HTTP header."""
    is_websocket: bool = False
    allows_wait: bool = True
    """Not in HTTP batches, which have one answer."""
    events: frozenset[str] = frozenset()
    """What it has subscribed to."""


class Call(msgspec.Struct, gc=False):
    """One request on its way, and then its reply."""

    id: Raw
    method: str
    request: Request | None
    reply: Reply | None = None


class Ticket(msgspec.Struct):
    """Calls that go to the broker together and are answered together."""

    calls: list[Call]
    encoding: Encoding
    is_waiting: bool = False
    """It holds one call that may wait, and nothing else."""
    withdrawn: list[ClaimKey] = []
    """The waiting claims that it ends, by worker id and claim id."""


class Dispatcher:
    """The one road to the broker for every front end."""

    def __init__(self, broker: Broker, settings: Settings, random: random_module.Random) -> None:
        self.broker = broker
        self.settings = settings
        self.limits = settings.limits
        self._builder = RequestBuilder(settings, random)
        self._waits: set[trio.CancelScope] = set()
        self._claims: dict[ClaimKey, set[trio.CancelScope]] = {}
        """Those of claims, by what they can be withdrawn."""
        self._drain_reason = ""

    @property
    def is_draining(self) -> bool:
        """Whether requests are refused because the broker stops."""
        return bool(self._drain_reason)

    def begin_drain(self, reason: str) -> None:
        """Answer every waiting claim with nothing, and refuse what comes from now on."""
        self._drain_reason = reason
        for scope in self._waits:
            scope.cancel()

    def read(self, frame: Frame, caller: Caller) -> list[Ticket]:
        """Turn a frame into tickets, the one that does not wait first.

        `hello` is answered here, and names the caller for the requests behind it in the same frame.
        """
        context = RequestContext(
            encoding=frame.encoding,
            now_ms=self.broker.now_ms(),
            steady_ms=self.broker.steady_ms(),
            client_id=caller.client_id,
            allows_wait=caller.allows_wait,
        )
        prompt = Ticket([], frame.encoding)
        waiting: list[Ticket] = []
        for wire in frame.requests:
            call = self._read_one(wire, caller, context, prompt)
            request = call.request
            if (type(request) is ClaimJobs or type(request) is ReadJob) and request.wait_until_ms:
                waiting.append(Ticket([call], frame.encoding, is_waiting=True))
            else:
                prompt.calls.append(call)
        requests = [call.request for call in prompt.calls if call.request is not None]
        cut_budgets(requests, self.limits)
        for ticket in waiting:
            cut_budgets([call.request for call in ticket.calls if call.request], self.limits)
        return [prompt, *waiting] if prompt.calls else waiting

    def _read_one(
        self,
        wire: TypedRequest | WireRequest | MalformedRequest,
        caller: Caller,
        context: RequestContext,
        prompt: Ticket,
    ) -> Call:
        call_id = wire.id if len(wire.id) else null_id(context.encoding)
        if type(wire) is MalformedRequest:
            return Call(call_id, "", None, refuse(call_id, wire.error))
        try:
            if wire.method in ANSWERED_HERE:
                result = self._answer_here(wire, caller, context, prompt)
                return Call(call_id, wire.method, None, WireReply(call_id, True, result))
            return Call(call_id, wire.method, self._builder.build(wire, context))
        except QueueError as error:
            return Call(call_id, wire.method, None, refuse(call_id, error))

    def _answer_here(
        self,
        wire: TypedRequest | WireRequest,
        caller: Caller,
        context: RequestContext,
        ticket: Ticket,
    ) -> Result:
        """Answer one of the methods that the core knows nothing of; it comes into this ticket."""
        match wire.method:
            case "hello":
                if not caller.is_websocket:
                    raise InvalidRequest("hello exists on the WebSocket only")
                params = read_params(wire, HelloParams, context.encoding)
                return self._hello(params, caller, context)
            case "getThrottleStats":
                read_params(wire, QueueParams, context.encoding)
                return self._throttle_stats()
            case "subscribe":
                if not caller.is_websocket:
                    raise InvalidRequest("subscribe exists on the WebSocket only")
                wanted = read_params(wire, SubscribeParams, context.encoding)
                caller.events = check_event_names(wanted.events)
                return EmptyResult()
            case "withdrawClaim":
                claim = read_params(wire, WithdrawClaimParams, context.encoding)
                check_name("workerId", claim.worker_id, self.limits)
                check_name("claimId", claim.claim_id, self.limits)
                ticket.withdrawn.append((claim.worker_id, claim.claim_id))
                return EmptyResult()
            case _:
                raise AssertionError(f"{wire.method} is not answered here")

    def _throttle_stats(self) -> ThrottleStatsResult:
        counts = self.broker.throttle_counts()
        if counts is None:
            return ThrottleStatsResult(throttling=False)
        return ThrottleStatsResult(
            total_reads=counts.total_reads,
            total_writes=counts.total_writes,
            throttled_reads=counts.throttled_reads,
            throttled_writes=counts.throttled_writes,
            total_read_delay_ms=counts.total_read_delay_ms,
            total_write_delay_ms=counts.total_write_delay_ms,
            daily_write_count=counts.daily_write_count,
            daily_budget_exceeded=counts.daily_budget_exceeded,
        )

    def _hello(self, params: HelloParams, caller: Caller, context: RequestContext) -> HelloResult:
        if params.protocol not in (None, PROTOCOL_VERSION):
            raise BrokerProtocolError(
                f"protocol is {params.protocol}; this broker speaks version {PROTOCOL_VERSION}"
            )
        if params.client_id is not None:
            caller.client_id = check_name("clientId", params.client_id, self.limits)
            context.client_id = caller.client_id
        return HelloResult(
            broker_name=self.broker.name,
            epoch=self.broker.epoch,
            broker_address=self.broker.leader_address,
            limits=wire_limits(self.limits),
            scopes=SCOPES,
        )

    async def answer(self, ticket: Ticket) -> list[Reply]:
        """Ask the broker, and give the replies in the order of the calls.

        Cancellation: the caller stops waiting, and hears nothing, not even if all was settled in
        the same moment; mutations may still be committed, and jobs claimed for it are given back.
        """
        if ticket.withdrawn:
            # A claim that came before this, and be it in the same frame, waits after a checkpoint.
            await trio.lowlevel.checkpoint()
            for key in ticket.withdrawn:
                for scope in self._claims.get(key, ()):
                    scope.cancel()
        requests = [call.request for call in ticket.calls if call.request is not None]
        outcomes = iter(await self._ask(requests, ticket.is_waiting) if requests else ())
        renderer = Renderer(self.broker, ticket.encoding)
        reply_bytes = 0
        replies: list[Reply] = []
        for call in ticket.calls:
            reply = call.reply
            if reply is None:
                outcome = next(outcomes)
                if type(outcome) is JobRead or type(outcome) is JobsListed:
                    reply_bytes += read_bytes(outcome)
                reply = self._render(call, outcome, renderer, reply_bytes)
            replies.append(reply)
        return replies

    async def read_document(self, *, is_confirmed: bool = False) -> Sequence[bytes]:
        """The whole document as committed, in chunks.

        Raises:
            QueueError: this broker does not lead, or cannot tell.
        """
        [outcome] = await self._ask([ReadDocument(is_confirmed=is_confirmed)], False)
        if isinstance(outcome, QueueError):
            raise outcome
        assert isinstance(outcome, DocumentRead), "ReadDocument has one outcome"
        return outcome.chunks

    async def read_stats(self) -> QueueStats:
        """Counts of the committed queue.

        Raises:
            QueueError: this broker does not lead, or cannot tell.
        """
        [outcome] = await self._ask([ReadStats()], False)
        if isinstance(outcome, QueueError):
            raise outcome
        assert isinstance(outcome, QueueStats), "ReadStats has one outcome"
        return outcome

    async def read_terms(self) -> list[PastTerm]:
        """Who has led, the newest last.

        Raises:
            QueueError: this broker does not lead, or cannot tell.
        """
        [outcome] = await self._ask([ReadLineage()], False)
        if isinstance(outcome, QueueError):
            raise outcome
        assert isinstance(outcome, LineageRead), "ReadLineage has one outcome"
        return outcome.terms

    async def read_stats_result(self) -> Result:
        """Counts of the committed queue, as getStats returns them.

        Raises:
            QueueError: this broker does not lead, or cannot tell.
        """
        return Renderer(self.broker, Encoding.JSON).render("getStats", await self.read_stats())

    async def _ask(self, requests: Sequence[Request], is_waiting: bool) -> Sequence[Outcome]:
        # A broker that drains still answers repeats of what it has applied, so it decides.
        if self._drain_reason and (is_waiting or not self.broker.is_draining):
            refusal = Unavailable(f"The broker is stopping: {self._drain_reason}")
            return [refusal] * len(requests)
        if not is_waiting:
            # The memory of a client that has left is free when its requests are out of it.
            return await self.broker.submit(requests, until_settled=True)
        [request] = requests
        outcome: Outcome = Unavailable(f"The broker is stopping: {self._drain_reason}")
        if isinstance(request, ClaimJobs):
            outcome = JobsClaimed([])
        with trio.CancelScope() as scope:
            self._waits.add(scope)
            key = claim_key(request)
            if key is not None:
                self._claims.setdefault(key, set()).add(scope)
            try:
                if isinstance(request, ReadJob):
                    outcome = await self.broker.wait_until_ended(
                        request.job_id,
                        request.wait_until_ms,
                        is_confirmed=request.is_confirmed,
                    )
                else:
                    [outcome] = await self.broker.submit(requests)
            finally:
                self._waits.discard(scope)
                if key is not None:
                    self._claims[key].discard(scope)
                    if not self._claims[key]:
                        del self._claims[key]
        return [outcome]

    def _render(self, call: Call, outcome: Outcome, renderer: Renderer, reply_bytes: int) -> Reply:
        if isinstance(outcome, QueueError):
            return refuse(call.id, outcome)
        if reply_bytes > self.limits.frame_bytes_max and isinstance(outcome, JobRead | JobsListed):
            return refuse(
                call.id,
                InvalidRequest(
                    f"The replies to this frame exceed {self.limits.frame_bytes_max} bytes"
                    " (frame_bytes_max); ask for less in one frame"
                ),
            )
        try:
            return WireReply(call.id, True, renderer.render(call.method, outcome))
        except QueueError as error:
            return refuse(call.id, error)


def refuse(call_id: Raw, error: QueueError) -> WireErrorReply:
    """The reply to a call that failed."""
    return WireErrorReply(call_id, False, error_to_wire(error))


def claim_key(request: Request) -> ClaimKey | None:
    """By what a waiting claim can be withdrawn; None: by nothing."""
    if isinstance(request, ClaimJobs) and request.claim_id:
        return request.worker_id, request.claim_id
    return None


def wire_limits(limits: Limits) -> dict[str, int]:
    """The limits by their names on the wire: `frame_bytes_max` is `frameBytesMax`."""
    named: dict[str, int] = {}
    for name, value in msgspec.structs.asdict(limits).items():
        first, *rest = name.split("_")
        named[first + "".join(map(str.capitalize, rest))] = value
    return named


def read_bytes(outcome: JobRead | JobsListed) -> int:
    """About how much a read puts into a reply; claims were bounded before they were made."""
    jobs = outcome.jobs if isinstance(outcome, JobsListed) else [outcome.job]
    return sum(len(job.payload) for job in jobs)

"""The frames around requests and replies, and the table of all methods.

Their params stand in `params.py`, their results in `results.py`, the bytes in `codec.py`.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, ClassVar, final

import msgspec
from msgspec import Raw

from osqueue.protocol.figures import HistoryResult, ListWorkersResult, StatsResult
from osqueue.protocol.params import (
    ABSENT,
    ChangeJobsParams,
    ClaimJobParams,
    ClaimJobsParams,
    CompleteJobParams,
    CompleteJobsParams,
    EventName,
    FailJobParams,
    GetHistoryParams,
    GetJobParams,
    HeartbeatJobsParams,
    HeartbeatParams,
    HelloParams,
    JobParams,
    ListDeadGroupsParams,
    ListJobsParams,
    ListWorkersParams,
    Params,
    PauseQueueParams,
    QueueParams,
    ReadParams,
    RedriveDeadParams,
    SnoozeJobParams,
    SubmitJobParams,
    SubmitJobsParams,
    SubscribeParams,
    WithdrawClaimParams,
)
from osqueue.protocol.results import (
    CancelJobResult,
    ChangeJobsResult,
    ClaimJobResult,
    ClaimJobsResult,
    CompleteJobsResult,
    EmptyResult,
    FailJobResult,
    HeartbeatJobsResult,
    HeartbeatResult,
    HelloResult,
    JobChangeView,
    JobView,
    ListDeadGroupsResult,
    ListJobsResult,
    Result,
    SnoozeJobResult,
    SubmitJobResult,
    SubmitJobsResult,
    ThrottleStatsResult,
)

__all__ = [
    "METHODS",
    "PROTOCOL_VERSION",
    "AnyTypedRequest",
    "Method",
    "TypedRequest",
    "WireError",
    "WireErrorReply",
    "WireEvent",
    "WireReply",
    "WireRequest",
    "WireResult",
]

PROTOCOL_VERSION = 1
"""What `hello` names; a broker refuses every other."""


@final
class WireRequest(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """One request of a frame, or a frame by itself."""

    method: str
    id: Raw = ABSENT
    """Any value in the encoding of the frame, echoed as it came; absent: null."""
    params: Raw = ABSENT
    """In the encoding of the frame; absent and null: no params."""
    sequence: int | None = None
    """Makes a repeat of a mutation recognisable, from 1; needs a client id (`hello` or header)."""
    first_incomplete: int | None = None
    """The lowest sequence that the client still waits for."""


class TypedRequest(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """A `WireRequest` that was decoded with its params, as nearly all can be."""

    method: ClassVar[str]
    params: Params
    id: Raw = ABSENT
    sequence: int | None = None
    first_incomplete: int | None = None


class WireReply(msgspec.Struct, rename="camel", gc=False):
    """One answer that is ok."""

    id: Raw
    """As it came, in the encoding of the request."""
    ok: bool
    result: msgspec.Struct


class WireError(msgspec.Struct, rename="camel", omit_defaults=True):
    """One error, as the error of a reply and as the body of an HTTP answer."""

    tag: str = msgspec.field(name="_tag")
    """The class of `osqueue.core.errors`."""
    message: str
    advice: str = ""
    """What the caller should do."""
    retry_after_ms: int | None = None
    epoch: int | None = None
    """The highest term that the answering broker knows."""
    broker_address: str = ""
    """Where the leader is, if that is known."""


class WireErrorReply(msgspec.Struct, rename="camel", gc=False):
    """One answer that is not ok."""

    id: Raw
    ok: bool
    error: WireError


class WireResult(msgspec.Struct, rename="camel"):
    """A reply as a client decodes it: of either kind, or an event."""

    id: int | None = None
    """Clients number their requests; None: the answer to a frame that could not be read."""
    ok: bool = False
    result: Raw = ABSENT
    error: WireError | None = None
    event: str = ""
    """Set for events, which have no id."""
    data: Raw = ABSENT


class WireEvent(msgspec.Struct, rename="camel", omit_defaults=True):
    """Something that happened, sent to a subscriber."""

    event: EventName
    data: msgspec.Struct | list[JobChangeView]
    missed: int = 0
    """Jobs whose changes were dropped, because the subscriber reads too slowly."""


class Method(msgspec.Struct, frozen=True):
    """One method of the protocol."""

    name: str
    params: type[Params]
    result: type[Result]
    http_method: str
    """Empty where the method exists on the WebSocket only."""
    http_path: str
    """`{jobId}` in it is the job id."""
    is_mutation: bool
    """Whether it may carry a sequence."""


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("submitJob", SubmitJobParams, SubmitJobResult, "POST", "/v1/jobs", True),
        Method("submitJobs", SubmitJobsParams, SubmitJobsResult, "POST", "/v1/jobs/batch", True),
        Method("claimJob", ClaimJobParams, ClaimJobResult, "POST", "/v1/jobs/claim", True),
        Method("claimJobs", ClaimJobsParams, ClaimJobsResult, "POST", "/v1/jobs/claim", True),
        Method(
            "heartbeat",
            HeartbeatParams,
            HeartbeatResult,
            "POST",
            "/v1/jobs/{jobId}/heartbeat",
            False,
        ),
        Method(
            "heartbeatJobs",
            HeartbeatJobsParams,
            HeartbeatJobsResult,
            "POST",
            "/v1/jobs/heartbeat",
            False,
        ),
        Method(
            "completeJob",
            CompleteJobParams,
            EmptyResult,
            "POST",
            "/v1/jobs/{jobId}/complete",
            True,
        ),
        Method(
            "completeJobs",
            CompleteJobsParams,
            CompleteJobsResult,
            "POST",
            "/v1/jobs/complete",
            True,
        ),
        Method("failJob", FailJobParams, FailJobResult, "POST", "/v1/jobs/{jobId}/fail", True),
        Method(
            "snoozeJob", SnoozeJobParams, SnoozeJobResult, "POST", "/v1/jobs/{jobId}/snooze", True
        ),
        Method("cancelJob", JobParams, CancelJobResult, "POST", "/v1/jobs/{jobId}/cancel", True),
        Method("deleteJob", JobParams, EmptyResult, "DELETE", "/v1/jobs/{jobId}", True),
        Method("retryJob", JobParams, EmptyResult, "POST", "/v1/jobs/{jobId}/retry", True),
        Method("cancelJobs", ChangeJobsParams, ChangeJobsResult, "POST", "/v1/jobs/cancel", True),
        Method("deleteJobs", ChangeJobsParams, ChangeJobsResult, "POST", "/v1/jobs/delete", True),
        Method("retryJobs", ChangeJobsParams, ChangeJobsResult, "POST", "/v1/jobs/retry", True),
        Method(
            "redriveDead", RedriveDeadParams, ChangeJobsResult, "POST", "/v1/dead/redrive", True
        ),
        Method(
            "listDeadGroups",
            ListDeadGroupsParams,
            ListDeadGroupsResult,
            "GET",
            "/v1/dead/groups",
            False,
        ),
        Method("getJob", GetJobParams, JobView, "GET", "/v1/jobs/{jobId}", False),
        Method("listJobs", ListJobsParams, ListJobsResult, "GET", "/v1/jobs", False),
        Method("listWorkers", ListWorkersParams, ListWorkersResult, "GET", "/v1/workers", False),
        Method("getStats", ReadParams, StatsResult, "GET", "/v1/stats", False),
        Method("getHistory", GetHistoryParams, HistoryResult, "GET", "/v1/history", False),
        Method(
            "getThrottleStats",
            QueueParams,
            ThrottleStatsResult,
            "GET",
            "/v1/throttle-stats",
            False,
        ),
        Method("pauseQueue", PauseQueueParams, EmptyResult, "POST", "/v1/queue/pause", True),
        Method("resumeQueue", PauseQueueParams, EmptyResult, "POST", "/v1/queue/resume", True),
        Method(
            "withdrawClaim",
            WithdrawClaimParams,
            EmptyResult,
            "POST",
            "/v1/jobs/claim/withdraw",
            False,
        ),
        Method("closeClient", QueueParams, EmptyResult, "POST", "/v1/client/close", False),
        Method("subscribe", SubscribeParams, EmptyResult, "", "", False),
        Method("hello", HelloParams, HelloResult, "", "", False),
    )
}
"""Every method by its name. `claimJob` and `claimJobs` share a path: `limit` tells them apart."""

_typed_requests: list[Any] = [
    msgspec.defstruct(
        f"{name}Request",
        [("params", method.params)],
        bases=(TypedRequest,),
        namespace={"method": name},
        tag_field="method",
        tag=name,
        kw_only=True,
    )
    for name, method in METHODS.items()
]
AnyTypedRequest: Any = reduce(lambda one, other: one | other, _typed_requests)
"""The union of all typed requests, one for each method, which tells them apart."""

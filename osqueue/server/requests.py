"""From the params of a method to a mutation or query of the core, every bound checked on the way.

What types can say was checked by decoding. Here are lengths, ranges and characters; each error
names the field, its value and the limit. Ids and times that the caller left open are fixed here,
before the first attempt. What a request does, and when, is decided elsewhere.
"""

from __future__ import annotations

import random as random_module
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Raw

from osqueue.core.errors import BrokerProtocolError, InvalidRequest
from osqueue.core.ids import make_uuid7
from osqueue.core.job import JobError
from osqueue.core.limits import DELAY_MS_MAX, PRIORITY_MAX, PRIORITY_MIN, SNOOZE_MS_MIN, Limits
from osqueue.core.mutations import (
    CancelJob,
    ClaimJobs,
    CloseClient,
    CompleteJobs,
    Completion,
    CountJobs,
    DeleteJob,
    FailJob,
    HeartbeatJobs,
    Lease,
    ListJobs,
    Mutation,
    NewJob,
    PauseQueue,
    Query,
    ReadJob,
    ReadStats,
    RepeatKey,
    Request,
    ResumeQueue,
    RetryJob,
    SnoozeJob,
    SubmitJobs,
)
from osqueue.protocol.codec import Encoding, read_params
from osqueue.protocol.messages import METHODS, TypedRequest, WireRequest
from osqueue.protocol.params import (
    ChangeJobsParams,
    ClaimJobParams,
    ClaimJobsParams,
    CompleteJobParams,
    CompleteJobsParams,
    CompletionParams,
    FailJobParams,
    FollowingClaimParams,
    GetHistoryParams,
    GetJobParams,
    HeartbeatJobsParams,
    HeartbeatParams,
    JobParams,
    LeaseParams,
    ListDeadGroupsParams,
    ListJobsParams,
    ListWorkersParams,
    NewJobParams,
    Params,
    PauseQueueParams,
    QueueParams,
    ReadParams,
    RedriveDeadParams,
    SnoozeJobParams,
    SubmitJobParams,
    SubmitJobsParams,
    WorkerJobParams,
)
from osqueue.protocol.payloads import admit_payload
from osqueue.server.bounds import (
    WHOLE_NUMBER_MAX,
    check_job_id,
    check_list,
    check_name,
    check_range,
    check_retry,
)
from osqueue.server.queries import selections
from osqueue.settings import Settings

__all__ = ["QUEUE_NAME", "RequestBuilder", "RequestContext", "cut_budgets"]

QUEUE_NAME = "queue"
"""The only queue there is so far."""
LISTED_JOB_BYTES_IN_REPLY = 4_096
"""What a job takes in a list beside its payload, likewise."""
JOB_BYTES_IN_REPLY = 2_048
"""What a job takes in a reply beside its payload, at the very most: each byte of a name escaped."""
FRAME_LISTS_MAX = 10
"""How many full lists of new jobs one frame may hold: an empty job is one byte of the frame, and
some hundred once it is made."""
NAME_CHARS_SHOWN = 80
"""How much of a wrong name an error repeats."""
RANDOM_BITS = 74
"""Of the ids made here."""


class RequestContext(msgspec.Struct, kw_only=True):
    """What all requests of one frame share."""

    encoding: Encoding
    now_ms: int
    """Wall clock."""
    steady_ms: int
    """Steady clock: when the frame arrived."""
    client_id: str = ""
    """Empty: the caller has not named itself, so nothing can carry a sequence."""
    is_sequenced: bool = False
    """Whether the request at hand carries a sequence."""
    new_jobs_count: int = 0
    """In lists, of the requests so far."""
    allows_wait: bool = True
    """Whether a claim may wait; not in HTTP batches, which have one answer."""


class RequestBuilder:
    """Makes requests of the core; holds what they need beside their params."""

    def __init__(self, settings: Settings, random: random_module.Random) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.random = random

    def build(self, wire: TypedRequest | WireRequest, context: RequestContext) -> Request:
        """Make the mutation or query that a request asks for.

        Raises:
            BrokerProtocolError: the method is unknown.
            InvalidRequest: a field is missing, of the wrong type or out of its bounds.
        """
        row = BUILDERS.get(wire.method)
        if row is None:
            raise BrokerProtocolError(f"Unsupported WS method: {wire.method[:NAME_CHARS_SHOWN]}")
        kind, build = row
        params = read_params(wire, kind, context.encoding)
        queue = getattr(params, "queue", None)
        if queue is not None and queue != QUEUE_NAME:
            raise InvalidRequest(
                f"queue is {queue[:NAME_CHARS_SHOWN]!r}; this broker serves only {QUEUE_NAME!r}"
            )
        context.is_sequenced = wire.sequence is not None
        request = build(self, params, context)
        if isinstance(request, Query) and getattr(params, "confirm", None):
            request.is_confirmed = True
        if context.is_sequenced and METHODS[wire.method].is_mutation:
            if type(request) is CountJobs:
                # Asked to change nothing, it has nothing to be recognised by.
                return request
            assert isinstance(request, Mutation), f"{wire.method} is no mutation"
            self._mark_repeat(request, wire, context)
        return request

    def _mark_repeat(
        self, request: Mutation, wire: TypedRequest | WireRequest, context: RequestContext
    ) -> None:
        """Give a mutation its sequence, by which a repeat is recognised."""
        assert wire.sequence is not None, "the caller has checked"
        if not context.client_id:
            raise InvalidRequest(
                "sequence needs a client id: say hello with clientId,"
                " or over HTTP send the header Osqueue-Client-Id"
            )
        sequence, floor = wire.sequence, wire.first_incomplete
        check_range("sequence", sequence, 1, WHOLE_NUMBER_MAX)
        if floor is not None:
            check_range("firstIncomplete", floor, 1, sequence)
        request.repeat = RepeatKey(context.client_id, sequence, floor or 0)

    def submit_job(self, params: SubmitJobParams, context: RequestContext) -> SubmitJobs:
        return SubmitJobs(jobs=[self._new_job(params, context)])

    def submit_jobs(self, params: SubmitJobsParams, context: RequestContext) -> SubmitJobs:
        return SubmitJobs(jobs=self._new_jobs("jobs", params.jobs, context))

    def _new_jobs(
        self, field: str, jobs: Sequence[NewJobParams], context: RequestContext
    ) -> list[NewJob]:
        check_list(field, jobs, self.limits)
        context.new_jobs_count += len(jobs)
        if context.new_jobs_count > self.limits.list_items_max * FRAME_LISTS_MAX:
            raise InvalidRequest(
                f"{field}: the lists of this frame have {context.new_jobs_count} jobs by now; the"
                f" limit is {FRAME_LISTS_MAX} times {self.limits.list_items_max} (list_items_max)"
            )
        made: list[NewJob] = []
        for index, params in enumerate(jobs):
            try:
                made.append(self._new_job(params, context))
            except InvalidRequest as error:
                raise InvalidRequest(f"{field}[{index}].{error.message}") from None
        return made

    def _new_job(self, params: NewJobParams, context: RequestContext) -> NewJob:
        limits = self.limits
        job = NewJob(
            id=self._job_id(params, context),
            payload=admit_payload(params.payload, context.encoding, limits),
            max_attempts=self.settings.max_attempts,
        )
        if params.type:
            job.type = check_name("type", params.type, limits)
        if params.max_attempts is not None:
            job.max_attempts = check_range(
                "maxAttempts", params.max_attempts, 1, limits.attempts_max, "attempts_max"
            )
        if params.priority is not None:
            job.priority = check_range("priority", params.priority, PRIORITY_MIN, PRIORITY_MAX)
        if params.unique_key is not None:
            job.unique_key = check_name("uniqueKey", params.unique_key, limits)
        if params.result_ttl_ms is not None:
            job.result_ttl_ms = check_range("resultTtlMs", params.result_ttl_ms, 0, DELAY_MS_MAX)
        if params.retry is not None:
            job.retry = check_retry("retry", params.retry, DELAY_MS_MAX)
        if params.delay_ms is not None or params.run_at is not None:
            self._set_time(job, params, context)
        return job

    def _job_id(self, params: NewJobParams, context: RequestContext) -> str:
        if params.job_id is not None:
            return check_job_id("jobId", params.job_id, self.limits)
        if context.is_sequenced:
            raise InvalidRequest("jobId is missing; a submit with a sequence names its job ids")
        return make_uuid7(context.now_ms, self.random.getrandbits(RANDOM_BITS))

    def _set_time(self, job: NewJob, params: NewJobParams, context: RequestContext) -> None:
        if params.delay_ms is not None and params.run_at is not None:
            raise InvalidRequest("runAt and delayMs exclude each other")
        if params.delay_ms is not None:
            job.delay_ms = check_range("delayMs", params.delay_ms, 0, DELAY_MS_MAX)
        if params.run_at is not None:
            job.run_at = check_range("runAt", params.run_at, 0, context.now_ms + DELAY_MS_MAX)

    def claim_jobs(
        self, params: ClaimJobParams | ClaimJobsParams, context: RequestContext
    ) -> ClaimJobs:
        """Both spellings: claimJob is claimJobs without a limit."""
        claim = self._claim(params.worker_id, params)
        claim.wait_until_ms = self._wait_until(params.wait_ms, context)
        return claim

    def _wait_until(self, wait_ms: int | None, context: RequestContext) -> int:
        """Steady time; 0: not at all."""
        if not wait_ms:
            return 0
        check_range("waitMs", wait_ms, 0, self.limits.wait_ms_max, "wait_ms_max")
        if not context.allows_wait:
            raise InvalidRequest(f"waitMs is {wait_ms}; in a batch over HTTP nothing may wait")
        return context.steady_ms + wait_ms

    def _claim(
        self, worker_id: str, params: ClaimJobParams | ClaimJobsParams | FollowingClaimParams
    ) -> ClaimJobs:
        limits = self.limits
        claim = ClaimJobs(
            worker_id=check_name("workerId", worker_id, limits),
            byte_budget=limits.frame_bytes_max,
        )
        if params.types:
            check_list("types", params.types, limits)
            for index, name in enumerate(params.types):
                check_name(f"types[{index}]", name, limits, may_be_empty=True)
            claim.types = params.types
        if not isinstance(params, ClaimJobParams) or isinstance(params, ClaimJobsParams):
            limit = 1 if params.limit is None else params.limit
            claim.limit = check_range("limit", limit, 1, limits.claim_jobs_max, "claim_jobs_max")
        if params.lease_ms is not None:
            claim.lease_ms = check_range(
                "leaseMs",
                params.lease_ms,
                limits.lease_ms_min,
                limits.lease_ms_max,
                "lease_ms_min, lease_ms_max",
            )
        if params.claim_id is not None:
            claim.claim_id = check_name("claimId", params.claim_id, limits)
        return claim

    def heartbeat(self, params: HeartbeatParams, context: RequestContext) -> HeartbeatJobs:
        return HeartbeatJobs(
            worker_id=check_name("workerId", params.worker_id, self.limits),
            leases=[self._lease(params)],
            arrived_ms=context.steady_ms,
        )

    def heartbeat_jobs(self, params: HeartbeatJobsParams, context: RequestContext) -> HeartbeatJobs:
        check_list("jobs", params.jobs, self.limits)
        return HeartbeatJobs(
            worker_id=check_name("workerId", params.worker_id, self.limits),
            leases=[self._lease(job, f"jobs[{index}].") for index, job in enumerate(params.jobs)],
            arrived_ms=context.steady_ms,
        )

    def _lease(self, params: LeaseParams | WorkerJobParams, prefix: str = "") -> Lease:
        job_id = check_job_id(f"{prefix}jobId", params.job_id, self.limits)
        if params.attempt is not None:
            check_range(f"{prefix}attempt", params.attempt, 1, WHOLE_NUMBER_MAX)
        return Lease(job_id, params.attempt)

    def complete_job(self, params: CompleteJobParams, context: RequestContext) -> CompleteJobs:
        return CompleteJobs(
            worker_id=check_name("workerId", params.worker_id, self.limits),
            completions=[
                Completion(lease=self._lease(params), result=self._result(params, context))
            ],
            is_single=True,
        )

    def complete_jobs(self, params: CompleteJobsParams, context: RequestContext) -> CompleteJobs:
        check_list("jobs", params.jobs, self.limits)
        worker_id = check_name("workerId", params.worker_id, self.limits)
        completions = [
            self._completion(f"jobs[{index}].", job, context)
            for index, job in enumerate(params.jobs)
        ]
        # Each list was bounded by itself; all of them become one write.
        check_list(
            "submit of all jobs together",
            [job for one in completions for job in one.submit],
            self.limits,
        )
        claim = None
        if params.claim is not None:
            if params.claim.worker_id not in (None, worker_id):
                raise InvalidRequest("claim.workerId is not the workerId of the completions")
            try:
                claim = self._claim(worker_id, params.claim)
            except InvalidRequest as error:
                raise InvalidRequest(f"claim.{error.message}") from None
        return CompleteJobs(worker_id=worker_id, completions=completions, claim=claim)

    def _completion(
        self, prefix: str, params: CompletionParams, context: RequestContext
    ) -> Completion:
        return Completion(
            lease=self._lease(params, prefix),
            result=self._result(params, context, prefix),
            submit=self._new_jobs(f"{prefix}submit", params.submit, context)
            if params.submit
            else [],
        )

    def _result(
        self,
        params: CompleteJobParams | CompletionParams,
        context: RequestContext,
        prefix: str = "",
    ) -> Raw | None:
        if not len(params.result):
            return None
        return admit_payload(params.result, context.encoding, self.limits, field=f"{prefix}result")

    def fail_job(self, params: FailJobParams, context: RequestContext) -> FailJob:
        """A failure is never refused for the length of its error: that is cut, not checked."""
        if params.retry_in_ms is not None:
            check_range("retryInMs", params.retry_in_ms, 0, DELAY_MS_MAX)
        error = params.error
        return FailJob(
            worker_id=check_name("workerId", params.worker_id, self.limits),
            lease=self._lease(params),
            error=JobError(error.type, error.message, error.traceback or ""),
            retry_in_ms=params.retry_in_ms,
            is_final=bool(params.final),
        )

    def snooze_job(self, params: SnoozeJobParams, context: RequestContext) -> SnoozeJob:
        return SnoozeJob(
            worker_id=check_name("workerId", params.worker_id, self.limits),
            lease=self._lease(params),
            delay_ms=check_range("delayMs", params.delay_ms, SNOOZE_MS_MIN, DELAY_MS_MAX),
        )

    def cancel_job(self, params: JobParams, context: RequestContext) -> CancelJob:
        return CancelJob(job_id=check_job_id("jobId", params.job_id, self.limits))

    def delete_job(self, params: JobParams, context: RequestContext) -> DeleteJob:
        return DeleteJob(job_id=check_job_id("jobId", params.job_id, self.limits))

    def retry_job(self, params: JobParams, context: RequestContext) -> RetryJob:
        return RetryJob(job_id=check_job_id("jobId", params.job_id, self.limits))

    def get_job(self, params: GetJobParams, context: RequestContext) -> ReadJob:
        return ReadJob(
            job_id=check_job_id("jobId", params.job_id, self.limits),
            wait_until_ms=self._wait_until(params.wait_ms, context),
        )

    def get_stats(self, params: ReadParams, context: RequestContext) -> ReadStats:
        return ReadStats()

    def pause_queue(self, params: PauseQueueParams, context: RequestContext) -> PauseQueue:
        return PauseQueue(type=self._paused_type(params))

    def resume_queue(self, params: PauseQueueParams, context: RequestContext) -> ResumeQueue:
        return ResumeQueue(type=self._paused_type(params))

    def _paused_type(self, params: PauseQueueParams) -> str | None:
        if params.type is not None:
            check_name("type", params.type, self.limits, may_be_empty=True)
        return params.type

    def close_client(self, params: QueueParams, context: RequestContext) -> CloseClient:
        if not context.client_id:
            raise InvalidRequest("closeClient needs the client id that hello or the header gives")
        return CloseClient(client_id=context.client_id)


def cut_budgets(requests: Sequence[Request], limits: Limits) -> None:
    """Share the bytes of one reply frame among those requests that return many jobs.

    A job takes its payload and at most `JOB_BYTES_IN_REPLY` more. A claim asks for no more jobs
    than fit into half of its share without payloads, because what was claimed must also be told.
    """
    greedy: list[ClaimJobs | ListJobs] = []
    for request in requests:
        if type(request) is ClaimJobs or type(request) is ListJobs:
            greedy.append(request)
        elif type(request) is CompleteJobs and request.claim is not None:
            greedy.append(request.claim)
    if not greedy:
        return
    share = limits.frame_bytes_max // len(greedy)
    limit_max = max(1, share // 2 // JOB_BYTES_IN_REPLY)
    for request in greedy:
        if request.limit > limit_max:
            request.limit = limit_max
        is_list = type(request) is ListJobs
        job_bytes = LISTED_JOB_BYTES_IN_REPLY if is_list else JOB_BYTES_IN_REPLY
        request.byte_budget = max(1, share - request.limit * job_bytes)


BUILDERS: dict[
    str, tuple[type[Params], Callable[[RequestBuilder, Any, RequestContext], Request]]
] = {
    "submitJob": (SubmitJobParams, RequestBuilder.submit_job),
    "submitJobs": (SubmitJobsParams, RequestBuilder.submit_jobs),
    "claimJob": (ClaimJobParams, RequestBuilder.claim_jobs),
    "claimJobs": (ClaimJobsParams, RequestBuilder.claim_jobs),
    "heartbeat": (HeartbeatParams, RequestBuilder.heartbeat),
    "heartbeatJobs": (HeartbeatJobsParams, RequestBuilder.heartbeat_jobs),
    "completeJob": (CompleteJobParams, RequestBuilder.complete_job),
    "completeJobs": (CompleteJobsParams, RequestBuilder.complete_jobs),
    "failJob": (FailJobParams, RequestBuilder.fail_job),
    "snoozeJob": (SnoozeJobParams, RequestBuilder.snooze_job),
    "cancelJob": (JobParams, RequestBuilder.cancel_job),
    "deleteJob": (JobParams, RequestBuilder.delete_job),
    "retryJob": (JobParams, RequestBuilder.retry_job),
    "cancelJobs": (ChangeJobsParams, selections.cancel_jobs),
    "deleteJobs": (ChangeJobsParams, selections.delete_jobs),
    "retryJobs": (ChangeJobsParams, selections.retry_jobs),
    "redriveDead": (RedriveDeadParams, selections.redrive_dead),
    "listDeadGroups": (ListDeadGroupsParams, selections.list_dead_groups),
    "getJob": (GetJobParams, RequestBuilder.get_job),
    "listJobs": (ListJobsParams, selections.list_jobs),
    "getStats": (ReadParams, RequestBuilder.get_stats),
    "listWorkers": (ListWorkersParams, selections.list_workers),
    "getHistory": (GetHistoryParams, selections.get_history),
    "pauseQueue": (PauseQueueParams, RequestBuilder.pause_queue),
    "resumeQueue": (PauseQueueParams, RequestBuilder.resume_queue),
    "closeClient": (QueueParams, RequestBuilder.close_client),
}
"""For each method that becomes a request of the core: its params, and what makes the request."""

"""Which jobs a request means: filters, lists and cursors of the protocol, in the core's terms."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from osqueue.core.errors import InvalidRequest
from osqueue.core.job import JobStatus
from osqueue.core.limits import ERROR_LINE_CHARS_MAX, Limits
from osqueue.core.mutations import (
    CancelJobs,
    ChangeJobs,
    CountJobs,
    DeleteJobs,
    JobFilter,
    JobSelection,
    ListDeadGroups,
    ListJobs,
    ListWorkers,
    ReadLineage,
    RedriveDead,
    Request,
    RetryJobs,
)
from osqueue.protocol.params import (
    ChangeJobsParams,
    ErrorFilterParams,
    GetHistoryParams,
    ListDeadGroupsParams,
    ListJobsParams,
    ListWorkersParams,
    RedriveDeadParams,
)
from osqueue.server.bounds import (
    WHOLE_NUMBER_MAX,
    check_job_id,
    check_list,
    check_name,
    check_range,
)
from osqueue.server.queries.history import HISTORY_SECONDS, HISTORY_SECONDS_MAX

if TYPE_CHECKING:
    from osqueue.server.requests import RequestBuilder, RequestContext

__all__ = [
    "LIST_JOBS_MAX",
    "cancel_jobs",
    "delete_jobs",
    "get_history",
    "list_dead_groups",
    "list_jobs",
    "list_workers",
    "redrive_dead",
    "retry_jobs",
]

LIST_JOBS_MAX = 1_000
"""Jobs on one page of listJobs."""
LIST_MAX = 1_000
"""Workers, and groups of dead jobs, in one answer."""
LIST_DEFAULT = 100
CURSOR = re.compile(r"(-?)([0-9]{1,15})\Z")
"""The order number of the last job that was looked at, after a minus where the newest come first;
to clients it is opaque."""


def list_jobs(builder: RequestBuilder, params: ListJobsParams, context: RequestContext) -> ListJobs:
    request = ListJobs(
        filter=_filter(params, builder.limits, status=params.status),
        is_descending=params.order == "desc",
        limit=_limit(params.limit, LIST_JOBS_MAX),
        byte_budget=builder.limits.frame_bytes_max,
        with_payloads=params.payloads is not False,
    )
    if params.cursor is not None:
        request.after_order = _after_order(params.cursor, is_descending=request.is_descending)
    if params.offset is not None:
        request.offset = check_range("offset", params.offset, 0, WHOLE_NUMBER_MAX)
        if params.cursor is not None:
            raise InvalidRequest("offset and cursor exclude each other")
        if not request.filter.is_indexed:
            raise InvalidRequest(
                "offset goes with status and type only: with text, errorType or errorMessage"
                " go on by the cursor"
            )
    return request


def cancel_jobs(
    builder: RequestBuilder, params: ChangeJobsParams, context: RequestContext
) -> Request:
    return _change(CancelJobs, params, _selection(params, builder.limits))


def delete_jobs(
    builder: RequestBuilder, params: ChangeJobsParams, context: RequestContext
) -> Request:
    return _change(DeleteJobs, params, _selection(params, builder.limits))


def retry_jobs(
    builder: RequestBuilder, params: ChangeJobsParams, context: RequestContext
) -> Request:
    return _change(RetryJobs, params, _selection(params, builder.limits))


def redrive_dead(
    builder: RequestBuilder, params: RedriveDeadParams, context: RequestContext
) -> Request:
    wanted = _filter(params, builder.limits)
    if params.job_ids is not None and wanted != JobFilter():
        raise InvalidRequest("jobIds and type, text, errorType, errorMessage exclude each other")
    return _change(RedriveDead, params, _select(params, wanted, builder.limits))


def list_dead_groups(
    builder: RequestBuilder, params: ListDeadGroupsParams, context: RequestContext
) -> ListDeadGroups:
    if params.type is not None:
        check_name("type", params.type, builder.limits, may_be_empty=True)
    return ListDeadGroups(type=params.type, limit=_limit(params.limit, LIST_MAX, LIST_DEFAULT))


def list_workers(
    builder: RequestBuilder, params: ListWorkersParams, context: RequestContext
) -> ListWorkers:
    return ListWorkers(limit=_limit(params.limit, LIST_MAX, LIST_DEFAULT))


def get_history(
    builder: RequestBuilder, params: GetHistoryParams, context: RequestContext
) -> ReadLineage:
    seconds = HISTORY_SECONDS if params.seconds is None else params.seconds
    return ReadLineage(seconds=check_range("seconds", seconds, 1, HISTORY_SECONDS_MAX))


def _change(
    kind: Callable[..., ChangeJobs],
    params: ChangeJobsParams | RedriveDeadParams,
    selection: JobSelection,
) -> Request:
    change = kind(selection=selection)
    return CountJobs(change=change) if params.dry_run else change


def _selection(params: ChangeJobsParams, limits: Limits) -> JobSelection:
    if (params.job_ids is None) is (params.filter is None):
        raise InvalidRequest(
            "jobIds or filter: one of them says which jobs are meant, {} as filter means all"
        )
    wanted = JobFilter()
    if params.filter is not None:
        try:
            wanted = _filter(params.filter, limits, status=params.filter.status)
        except InvalidRequest as error:
            raise InvalidRequest(f"filter.{error.message}") from None
    return _select(params, wanted, limits)


def _select(
    params: ChangeJobsParams | RedriveDeadParams, wanted: JobFilter, limits: Limits
) -> JobSelection:
    if params.job_ids is not None:
        check_list("jobIds", params.job_ids, limits)
        for index, job_id in enumerate(params.job_ids):
            check_job_id(f"jobIds[{index}]", job_id, limits)
        if params.cursor is not None:
            raise InvalidRequest("cursor and jobIds exclude each other")
    return JobSelection(
        job_ids=params.job_ids,
        filter=wanted,
        limit=0
        if params.limit is None
        else check_range("limit", params.limit, 1, WHOLE_NUMBER_MAX),
        after_order=-1
        if params.cursor is None
        else _after_order(params.cursor, is_descending=False),
    )


def _filter(
    params: ErrorFilterParams, limits: Limits, *, status: JobStatus | None = None
) -> JobFilter:
    for field, value in (
        ("type", params.type),
        ("text", params.text),
        ("errorType", params.error_type),
    ):
        if value is not None:
            check_name(field, value, limits, may_be_empty=True)
    message = params.error_message
    if message is not None and len(message) > ERROR_LINE_CHARS_MAX:
        raise InvalidRequest(
            f"errorMessage is {len(message)} characters; errors are told apart by"
            f" {ERROR_LINE_CHARS_MAX}"
        )
    return JobFilter(
        status=status,
        type=params.type,
        text=params.text or "",
        error_type=params.error_type,
        error_message=message,
    )


def _limit(limit: int | None, most: int, default: int | None = None) -> int:
    if limit is None:
        return default or most
    return check_range("limit", limit, 1, most)


def _after_order(cursor: str, *, is_descending: bool) -> int:
    found = CURSOR.match(cursor)
    if found is None:
        raise InvalidRequest("cursor is none that a reply has given")
    if bool(found[1]) is not is_descending:
        raise InvalidRequest("cursor comes from a list in the other order")
    return int(found[2])

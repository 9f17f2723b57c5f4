"""Which method an HTTP request means, and its params: from path, query and body."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Raw

from osqueue.core.errors import InvalidRequest
from osqueue.protocol.codec import Encoding, encode_message
from osqueue.protocol.messages import METHODS
from osqueue.protocol.params import ABSENT
from osqueue.server.http.asgi import Head, body_encoding
from osqueue.server.http.statuses import HttpRefusal

__all__ = ["Target", "asks_for_confirmation", "find_target", "is_ours", "make_params"]

JOB_PATH = re.compile(r"/v1/jobs/(?P<job_id>[^/]+)(?P<action>/[a-z]+)?\Z")
QUERY_NUMBERS = frozenset({"limit", "offset", "seconds", "waitMs"})
QUERY_TRUTHS = frozenset({"confirm", "payloads"})
QUERY_BOOLEANS = {"true": True, "false": False}
QUERY_FIELDS_MAX = 20


class Target(msgspec.Struct, frozen=True):
    """What a request asks for."""

    method: str
    """A method of the protocol, or `health`, `ready`, `state`, `batch`."""
    job_id: str = ""
    """From the path."""


def table_of_routes() -> dict[str, dict[str, str]]:
    """For each path, as the table of methods writes it: HTTP method to method name."""
    routes: dict[str, dict[str, str]] = {
        "/healthz": {"GET": "health"},
        "/readyz": {"GET": "ready"},
        "/state": {"GET": "state"},
        "/v1/batch": {"POST": "batch"},
    }
    for method in METHODS.values():
        if method.http_path:
            routes.setdefault(method.http_path, {}).setdefault(method.http_method, method.name)
    return routes


ROUTES = table_of_routes()
"""`POST /v1/jobs/claim` stands here as claimJob; a body with `limit` makes it claimJobs."""


_NO_OBJECT = (b"", b"null", b"\xc0")


class _Limited(msgspec.Struct):
    """The one field that tells claimJobs from claimJob."""

    limit: Raw = ABSENT


_ABSENT_OR_NULL = (ABSENT, Raw(b"null"), Raw(b"\xc0"))
_claim_decoders: dict[Encoding, Any] = {
    Encoding.JSON: msgspec.json.Decoder(_Limited),
    Encoding.MSGPACK: msgspec.msgpack.Decoder(_Limited),
}
_object_decoders: dict[Encoding, Any] = {
    Encoding.JSON: msgspec.json.Decoder(dict[str, Raw]),
    Encoding.MSGPACK: msgspec.msgpack.Decoder(dict[str, Raw]),
}


def is_ours(head: Head) -> bool:
    """Whether the request is for the queue, not for a page."""
    path = head.path
    if path == "/state":
        return not head.accepts("text/html")
    return path.startswith("/v1/") or path in ROUTES


def find_target(head: Head, body: bytes) -> Target:
    """Find the method that a request means.

    Raises:
        HttpRefusal: 404, no such path; 405, not with this HTTP method.
    """
    asked = "GET" if head.method == "HEAD" else head.method
    by_http_method = dict(ROUTES.get(head.path, {}))
    job_id = ""
    if asked not in by_http_method and (match := JOB_PATH.match(head.path)):
        job_id = match["job_id"]
        by_http_method |= ROUTES.get("/v1/jobs/{jobId}" + (match["action"] or ""), {})
    if not by_http_method:
        raise HttpRefusal(404, InvalidRequest(f"There is no path {head.path[:200]!r}"))
    if asked not in by_http_method:
        allowed = ", ".join(sorted(by_http_method))
        raise HttpRefusal(
            405,
            InvalidRequest(f"{head.method[:20]} is not allowed here; {allowed} is"),
            ((b"allow", allowed.encode()),),
        )
    method = by_http_method[asked]
    if method == "claimJob" and _has_limit(head, body):
        method = "claimJobs"
    return Target(method, job_id)


def _has_limit(head: Head, body: bytes) -> bool:
    encoding = body_encoding(head)
    if encoding is None or not body:
        return False
    try:
        return _claim_decoders[encoding].decode(body).limit not in _ABSENT_OR_NULL
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # What is wrong with it is said when its params are decoded.
        return False


def make_params(target: Target, head: Head, body: bytes, encoding: Encoding) -> Raw:
    """The params of a method, in `encoding`: body or query, and the job id of the path.

    Raises:
        InvalidRequest: the body is no object, the query cannot be read, or a job was to be
            submitted without any body.
    """
    if head.method != "POST":
        return Raw(encode_message(_read_query(head, target.job_id), encoding))
    if not target.job_id:
        # All fields of a job may be absent, but a body that got lost must not become a job.
        if target.method == "submitJob" and body.strip() in _NO_OBJECT:
            raise InvalidRequest("The body is empty; a job is an object, at least {}")
        return Raw(body)
    fields: dict[str, Any] = {}
    if body:
        try:
            fields = _object_decoders[encoding].decode(body)
        except RecursionError:
            raise InvalidRequest("The body is nested too deeply") from None
        except (msgspec.MsgspecError, ValueError) as error:
            raise InvalidRequest(f"The body is no object: {error}") from None
    fields["jobId"] = target.job_id
    return Raw(encode_message(fields, encoding))


def asks_for_confirmation(head: Head) -> bool:
    """Whether the query of GET /state says `confirm=true`.

    Raises:
        InvalidRequest: the query cannot be read, or says something else.
    """
    confirm = _read_query(head, "").get("confirm", False)
    if not isinstance(confirm, bool):
        raise InvalidRequest(f"confirm is {str(confirm)[:20]!r}; it must be true or false")
    return confirm


def _read_query(head: Head, job_id: str) -> dict[str, str | int]:
    params: dict[str, str | int] = {}
    try:
        pairs = parse_qsl(
            head.query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=QUERY_FIELDS_MAX,
        )
    except ValueError as error:
        raise InvalidRequest(f"The query cannot be read: {error}") from None
    for name, value in pairs:
        is_number = name in QUERY_NUMBERS and value.isascii() and value.isdecimal()
        if is_number and len(value) <= 16:
            params[name] = int(value)
        else:
            params[name] = QUERY_BOOLEANS.get(value, value) if name in QUERY_TRUTHS else value
    if job_id:
        params["jobId"] = job_id
    return params

"""Paths: each method of the table is reached by its own, and by nothing else."""

import msgspec
import pytest

from osqueue.core.errors import InvalidRequest
from osqueue.protocol.codec import Encoding
from osqueue.protocol.messages import METHODS
from osqueue.server.http.asgi import Head
from osqueue.server.http.routes import Target, find_target, is_ours, make_params
from osqueue.server.http.statuses import HttpRefusal


def head(method: str, path: str, query: bytes = b"", **headers: str) -> Head:
    return Head(method, path, query, headers)


@pytest.mark.parametrize("method", [row for row in METHODS.values() if row.http_path])
def test_every_method_is_found_by_its_path(method: msgspec.Struct) -> None:
    assert hasattr(method, "http_path")
    row = METHODS[method.name]  # type: ignore[attr-defined]
    path = row.http_path.replace("{jobId}", "j-1")
    body = b'{"limit":5}' if row.name == "claimJobs" else b"{}"
    target = find_target(head(row.http_method, path), body)
    assert target == Target(row.name, "j-1" if "{jobId}" in row.http_path else "")


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("GET", "/healthz", Target("health")),
        ("HEAD", "/readyz", Target("ready")),
        ("GET", "/state", Target("state")),
        ("POST", "/v1/batch", Target("batch")),
        ("GET", "/v1/jobs/claim", Target("getJob", "claim")),
    ],
)
def test_other_paths(method: str, path: str, target: Target) -> None:
    assert find_target(head(method, path), b"") == target


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v1/jobs/", "/v1/jobs/j/what", "/v1/jobs/j/complete/x"]
)
def test_unknown_path_is_404(path: str) -> None:
    with pytest.raises(HttpRefusal) as refusal:
        find_target(head("POST", path), b"")
    assert refusal.value.status == 404


def test_wrong_http_method_is_405_and_names_the_right_ones() -> None:
    with pytest.raises(HttpRefusal) as refusal:
        find_target(head("PUT", "/v1/jobs"), b"")
    assert (refusal.value.status, refusal.value.headers) == (405, ((b"allow", b"GET, POST"),))
    with pytest.raises(HttpRefusal) as refusal:
        find_target(head("GET", "/v1/jobs/j/complete"), b"")
    assert refusal.value.headers == ((b"allow", b"POST"),)


@pytest.mark.parametrize("body", [b"", b"{", b'{"limits":1}', b"[" * 10_000, b'{"limit"'])
def test_claim_without_limit_is_claim_job(body: bytes) -> None:
    assert find_target(head("POST", "/v1/jobs/claim"), body).method == "claimJob"


def test_claim_of_an_unknown_media_type_is_left_to_the_415() -> None:
    asked = head("POST", "/v1/jobs/claim", **{"content-type": "text/plain"})
    assert find_target(asked, b'{"limit":1}').method == "claimJob"


def test_claim_with_limit_in_messagepack_is_claim_jobs() -> None:
    asked = head("POST", "/v1/jobs/claim", **{"content-type": "application/msgpack"})
    assert find_target(asked, msgspec.msgpack.encode({"limit": 3})).method == "claimJobs"


@pytest.mark.parametrize("encoding", Encoding)
def test_job_id_of_the_path_joins_the_body(encoding: Encoding) -> None:
    module = msgspec.json if encoding is Encoding.JSON else msgspec.msgpack
    body = module.encode({"workerId": "w", "jobId": "other", "result": [1, {"a": 2}]})
    params = make_params(Target("completeJob", "j"), head("POST", "/"), body, encoding)
    assert module.decode(params) == {"workerId": "w", "jobId": "j", "result": [1, {"a": 2}]}
    assert module.decode(
        make_params(Target("retryJob", "j"), head("POST", "/"), b"", encoding)
    ) == {"jobId": "j"}


def test_body_without_a_job_id_is_the_params() -> None:
    body = b'{"payload":1}'
    assert bytes(make_params(Target("submitJob"), head("POST", "/"), body, Encoding.JSON)) == body


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"[" * 10_000])
def test_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="The body is"):
        make_params(Target("completeJob", "j"), head("POST", "/"), body, Encoding.JSON)


def test_query_becomes_params() -> None:
    asked = head("GET", "/v1/jobs", b"status=dead&limit=5&type=&cursor=17&x=%C3%A4")
    params = make_params(Target("listJobs"), asked, b"", Encoding.JSON)
    assert msgspec.json.decode(params) == {
        "status": "dead", "limit": 5, "type": "", "cursor": "17", "x": "ä",
    }  # fmt: skip


def test_truth_in_a_query_becomes_one() -> None:
    asked = head("GET", "/", b"confirm=true&payloads=false&text=true")
    params = make_params(Target("listJobs"), asked, b"", Encoding.JSON)
    assert msgspec.json.decode(params) == {"confirm": True, "payloads": False, "text": "true"}


@pytest.mark.parametrize("query", [b"\xff", b"a=%ff", b"&".join([b"a=1"] * 50)])
def test_unreadable_query_is_refused(query: bytes) -> None:
    with pytest.raises(InvalidRequest, match="query"):
        make_params(Target("listJobs"), head("GET", "/", query), b"", Encoding.JSON)


def test_pages_are_not_ours() -> None:
    assert not is_ours(head("GET", "/"))
    assert not is_ours(head("GET", "/state", accept="text/html,*/*"))
    assert is_ours(head("GET", "/state", accept="*/*"))
    assert is_ours(head("GET", "/v1/nothing"))
    assert is_ours(head("GET", "/healthz"))


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"", Encoding.JSON), (b" null\n", Encoding.JSON), (b"\xc0", Encoding.MSGPACK)],
)
def test_body_that_got_lost_is_no_job_but_may_be_other_params(
    body: bytes, encoding: Encoding
) -> None:
    asked = head("POST", "/v1/jobs")
    with pytest.raises(InvalidRequest, match="The body is empty"):
        make_params(Target("submitJob"), asked, body, encoding)
    assert make_params(Target("pauseQueue"), asked, body, encoding) == msgspec.Raw(body)


@pytest.mark.parametrize("limit", [b"null", b"[]"])
def test_claim_with_a_limit_of_null_is_claim_job(limit: bytes) -> None:
    method = find_target(head("POST", "/v1/jobs/claim"), b'{"limit":%b}' % limit).method
    assert method == ("claimJob" if limit == b"null" else "claimJobs")

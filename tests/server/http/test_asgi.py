"""Reading a request's head: media types, and which encoding an answer gets."""

import pytest

from osqueue.protocol.codec import Encoding
from osqueue.server.http.asgi import Head, accepted_encoding, body_encoding, read_head

JSON, MSGPACK = Encoding.JSON, Encoding.MSGPACK


def head(**headers: str) -> Head:
    return Head(
        "POST", "/", b"", {name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_head_is_read_from_the_scope() -> None:
    scope = {
        "method": "GET",
        "path": "/v1/jobs",
        "query_string": b"limit=1",
        "headers": [(b"Host", b"a:1"), (b"accept", b"\xff")],
    }
    assert read_head(scope) == Head("GET", "/v1/jobs", b"limit=1", {"host": "a:1", "accept": "ÿ"})


@pytest.mark.parametrize(
    ("media_type", "encoding"),
    [
        ("application/json", JSON),
        ("Application/JSON; charset=utf-8", JSON),
        ("", JSON),
        ("application/msgpack", MSGPACK),
        ("application/vnd.msgpack", MSGPACK),
        ("text/plain", None),
        ("application/x-www-form-urlencoded", None),
    ],
)
def test_body_has_the_encoding_that_it_says(media_type: str, encoding: Encoding | None) -> None:
    assert body_encoding(head(content_type=media_type)) is encoding


@pytest.mark.parametrize(
    ("accept", "media_type", "encoding"),
    [
        ("", "", JSON),
        ("*/*", "application/json", JSON),
        ("*/*", "application/msgpack", MSGPACK),
        ("application/json", "application/msgpack", JSON),
        ("application/vnd.msgpack", "application/json", MSGPACK),
        ("text/html", "", JSON),
    ],
)
def test_answer_has_the_accepted_encoding(accept: str, media_type: str, encoding: Encoding) -> None:
    assert accepted_encoding(head(accept=accept, content_type=media_type)) is encoding

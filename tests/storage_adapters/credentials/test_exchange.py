"""Tests what an issuer at the other end of a wire can do to us: nothing but not answer."""

import ssl
from collections.abc import Callable

import httpx
import pytest
import trio
import trustme

from storage_adapters.contract import AccessDenied, NotApplied, StoreError, StoreMisconfigured
from storage_adapters.credentials.exchange import (
    Answer,
    Exchange,
    NoAnswer,
    SecretStruct,
    is_sendable,
    ms_of,
    reason_of,
    refusal,
)
from tests.storage_adapters.credentials.issuers import IssuerServer, Said, assert_hides

SECRET = "kept-from-everybody-0123456789"


class Told(SecretStruct):
    word: str


async def ask(exchange: Exchange, url: str, **changes: object) -> Answer:
    arguments = {"issuer": "the issuer", "timeout_s": 5.0, "is_local": True, **changes}
    return await exchange.ask("POST", url, **arguments)  # type: ignore[arg-type]


def answer_of(status: int, body: bytes = b"") -> Answer:
    return Answer(status, body, httpx.Headers())


async def test_request_arrives_as_it_was_given(exchange: Exchange, server: IssuerServer) -> None:
    server.says(Said('{"word": "yes", "more": [1]}', headers={"metadata-flavor": "Google"}))
    answer = await ask(exchange, f"{server.url}/a?b=c", headers={"x-a": SECRET}, content=b"a=b")
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/a?b=c", b"a=b")
    assert asked.headers["x-a"] == SECRET
    assert answer.status == 200
    assert answer.read(Told, issuer="the issuer").word == "yes"
    assert answer.headers["Metadata-Flavor"] == "Google"
    assert "yes" not in repr(answer)
    assert "yes" not in repr(Told("yes"))


async def test_issuer_that_is_not_there_is_no_answer(exchange: Exchange, closed_url: str) -> None:
    with pytest.raises(NoAnswer, match="the issuer cannot be reached"):
        await ask(exchange, closed_url)


async def test_issuer_that_never_answers_is_given_up(
    exchange: Exchange, server: IssuerServer
) -> None:
    server.says(None)
    with pytest.raises(NoAnswer, match=r"the issuer does not answer within 0\.05 s"):
        await ask(exchange, server.url, timeout_s=0.05)


async def test_issuer_that_hangs_up_is_no_answer(exchange: Exchange, nursery: trio.Nursery) -> None:
    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, hang_up, listeners)
    port = listeners[0].socket.getsockname()[1]
    with pytest.raises(NoAnswer, match="the issuer does not answer: RemoteProtocolError") as caught:
        await ask(exchange, f"http://127.0.0.1:{port}", content=SECRET.encode())
    assert_hides(caught.value, SECRET)


async def test_answer_without_end_is_cut_off(exchange: Exchange, server: IssuerServer) -> None:
    server.says(Said(b"a" * 10_000_000))
    with pytest.raises(NotApplied, match="longer than 262144 bytes"):
        await ask(exchange, server.url)
    server.says(Said(b"a" * 262_144))
    assert len((await ask(exchange, server.url)).body) == 262_144


async def test_redirect_is_not_followed(exchange: Exchange, server: IssuerServer) -> None:
    server.says(Said(status=302, headers={"location": f"{server.url}/elsewhere"}))
    answer = await ask(exchange, server.url)
    assert len(server.asked) == 1
    error = refusal(answer, issuer="the issuer")
    assert isinstance(error, StoreMisconfigured)
    assert "a redirect, which is not followed" in str(error)


@pytest.mark.parametrize("url", ["ftp://a/", "a", "http://", "http://a:b/", f"x-{SECRET}", ""])
async def test_address_that_is_none_is_misconfigured(exchange: Exchange, url: str) -> None:
    with pytest.raises(StoreMisconfigured, match="the address of the issuer") as caught:
        await ask(exchange, url)
    assert_hides(caught.value, SECRET)


@pytest.mark.parametrize("end", ["\r\nx: y", "\n", "\0", "é"])
async def test_header_that_is_none_is_misconfigured_and_not_shown(
    exchange: Exchange, server: IssuerServer, end: str
) -> None:
    with pytest.raises(StoreMisconfigured, match="sent to the issuer as authorization") as caught:
        await ask(exchange, server.url, headers={"authorization": SECRET + end})
    assert_hides(caught.value, SECRET)
    assert server.asked == []


async def test_https_is_checked_by_the_certificates_that_are_trusted(
    nursery: trio.Nursery,
) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    server = await IssuerServer.start(nursery, tls)
    server.says(Said("yes"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    assert (await ask(Exchange(tls=trusting), server.url)).body == b"yes"
    with pytest.raises(NoAnswer, match=r"cannot be reached: .*certificate verify failed"):
        await ask(Exchange(), server.url)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"word": 3}', b"<html>", b"\xff", b'{"word": "\xff"}', b"[" * 100_000],
    ids=["empty", "no field", "list", "number", "html", "binary", "no utf-8", "deep"],
)
def test_nonsense_is_no_credentials_now(body: bytes) -> None:
    with pytest.raises(NotApplied, match="unusable answer of the issuer"):
        answer_of(200, body).read(Told, issuer="the issuer")
    assert answer_of(400, body).peek(Told) is None


def test_malformed_answer_with_a_secret_is_not_shown() -> None:
    body = f'{{"word": ["{SECRET}"]}}'.encode()
    with pytest.raises(NotApplied) as caught:
        answer_of(200, body).read(Told, issuer="the issuer")
    assert_hides(caught.value, SECRET)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, NotApplied), (204, NotApplied), (301, StoreMisconfigured), (400, AccessDenied),
        (401, AccessDenied), (403, AccessDenied), (404, AccessDenied), (408, NotApplied),
        (429, NotApplied), (500, NotApplied), (503, NotApplied),
    ],
)  # fmt: skip
def test_refusal_is_for_the_operator_unless_it_will_pass(
    status: int, kind: type[StoreError]
) -> None:
    assert type(refusal(answer_of(status), issuer="the issuer")) is kind
    passing = refusal(answer_of(status), issuer="the issuer", will_pass=True)
    assert type(passing) is NotApplied


def test_refusal_quotes_code_and_words_in_one_short_line() -> None:
    error = refusal(
        answer_of(403), issuer="the issuer", code="Denied", words="no\n such\x1b[31m " + "a" * 500
    )
    assert str(error).startswith("no credentials: the issuer answered 403 (Denied no such [31m aaa")
    assert len(str(error)) < 320
    assert str(error).isprintable()


@pytest.mark.parametrize(
    "echo",
    [str, lambda secret: f"bad token {secret}!", lambda secret: f"bad token {secret[:9]}..."],
    ids=["whole", "inside", "in part"],
)
def test_refusal_does_not_quote_words_that_repeat_a_secret(echo: Callable[[str], str]) -> None:
    error = refusal(
        answer_of(400), issuer="the issuer", code="Bad", words=echo(SECRET), secrets=["", SECRET]
    )
    assert str(error) == "no credentials: the issuer answered 400 (Bad)"
    short = refusal(answer_of(400), issuer="the issuer", words="abc", secrets=["abc"])
    assert "abc" not in str(short)


def test_times_are_read_in_every_zone() -> None:
    assert ms_of("2023-11-14T22:13:20Z", issuer="the issuer") == 1_700_000_000_000
    assert ms_of("2023-11-14T22:13:20.250+00:00", issuer="the issuer") == 1_700_000_000_250
    assert ms_of("2023-11-14T22:13:20", issuer="the issuer") == 1_700_000_000_000
    with pytest.raises(NotApplied, match="its time of expiry is no time"):
        ms_of("soon", issuer="the issuer")


def test_what_a_header_can_hold_is_printable_ascii() -> None:
    assert is_sendable("ya29.a-b_c/d+e= ~")
    for value in ("a\nb", "é", "a\x7f", "\0", "a\tb"):
        assert not is_sendable(value)


def test_reason_is_that_of_the_first_error_that_has_one() -> None:
    error = httpx.ConnectError("")
    assert reason_of(error) == "ConnectError"
    error.__cause__ = trio.BrokenResourceError()
    error.__cause__.__context__ = ssl.SSLError("certificate verify failed")
    assert "certificate verify failed" in reason_of(error)
    assert reason_of(httpx.ConnectError("refused")) == "refused"

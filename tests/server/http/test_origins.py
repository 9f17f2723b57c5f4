"""Host and Origin: who may use the broker, and under which names it answers."""

import pytest

from osqueue.core.errors import Forbidden
from osqueue.server.http.asgi import Head
from osqueue.server.http.origins import OriginGuard
from osqueue.settings import Settings

SETTINGS = Settings(
    broker_host="10.0.0.7",
    allowed_origins=("https://Ops.example.org",),
    allowed_hosts=("queue.internal", "other.internal:9000"),
)
GUARD = OriginGuard(SETTINGS, "broker-7:8080")


def head(**headers: str) -> Head:
    return Head("POST", "/v1/jobs", b"", headers)


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8080", "LOCALHOST", "127.0.0.1:8080", "[::1]:8080", "10.0.0.7:8080",
        "broker-7:8080", "queue.internal", "queue.internal:80", "other.internal", "192.168.1.5",
    ],
)  # fmt: skip
def test_own_names_and_addresses_are_answered(host: str) -> None:
    GUARD.check_host(head(host=host))


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "localhost.evil.example", "", "[", "a@localhost@b"],
)
def test_other_names_are_refused_naming_the_setting(host: str) -> None:
    with pytest.raises(Forbidden, match="ALLOWED_HOSTS"):
        GUARD.check_host(head(host=host))


def test_program_without_host_or_origin_is_served() -> None:
    GUARD.check_host(head())
    GUARD.check_origin(head())


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8080", "localhost:8080"),
        ("https://queue.internal", "queue.internal"),
        ("https://ops.example.org", "localhost:8080"),
    ],
)
def test_own_page_and_allowed_origins_are_served(origin: str, host: str) -> None:
    GUARD.check_origin(head(origin=origin, host=host))
    headers = dict(GUARD.cors_headers(head(origin=origin, host=host)))
    assert headers[b"access-control-allow-origin"] == origin.encode()


@pytest.mark.parametrize(
    "origin", ["null", "", "http://localhost:9999", "http://evil.example", "https://example.org"]
)
def test_other_origins_are_refused_naming_the_setting(origin: str) -> None:
    page = head(origin=origin, host="localhost:8080")
    with pytest.raises(Forbidden, match="ALLOWED_ORIGINS"):
        GUARD.check_origin(page)
    assert GUARD.cors_headers(page) == [(b"vary", b"origin")]


def test_origin_without_host_is_refused() -> None:
    with pytest.raises(Forbidden, match="ALLOWED_ORIGINS"):
        GUARD.check_origin(head(origin=""))
    with pytest.raises(Forbidden, match="ALLOWED_ORIGINS"):
        GUARD.check_origin(head(origin="http://"))


def test_preflight_names_methods_and_headers() -> None:
    page = head(origin="https://ops.example.org", host="localhost")
    headers = dict(GUARD.preflight_headers(page))
    assert b"DELETE" in headers[b"access-control-allow-methods"]
    assert b"osqueue-sequence" in headers[b"access-control-allow-headers"]


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("http://10.0.0.8:8080", True),
        ("http://10.0.0.8:8081", False),
        ("https://10.0.0.8:8080", False),
        ("https://b.example", True),
        ("http://localhost:8081", True),
        ("http://[::1]:8081", True),
        ("http://localhost:8082", False),
        ("http://localhost.evil.example:8081", False),
        ("http://127.0.0.1:8081.evil.example", False),
        ("null", False),
    ],
)
def test_pages_of_peers_are_served(origin: str, is_allowed: bool) -> None:
    peers = ("http://10.0.0.8:8080", "https://b.example:443", "http://127.0.0.1:8081")
    guard = OriginGuard(Settings(peer_urls=peers), "10.0.0.7:8080")
    assert guard.is_allowed(origin, head(origin=origin, host="10.0.0.7:8080")) is is_allowed

"""Which web pages may use the broker, and under which names it answers.

A loopback address is no wall against a web page: any page that the user visits can send requests
to it. Two checks stand in its way. `Origin`: requests that change something, and WebSockets, are
accepted from the broker's own page, those of its peers (PEER_URLS) and ALLOWED_ORIGINS only (other
programs send no Origin).
`Host`: only names that are this broker's own are answered, so that a page cannot rebind its own
name to this address (DNS rebinding) and then read as if it were the broker's page.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from osqueue.core.errors import Forbidden
from osqueue.server.http.asgi import Head
from osqueue.settings import Settings

__all__ = ["OriginGuard"]

LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


class OriginGuard:
    """Checks Host and Origin, and says which CORS headers an answer gets."""

    def __init__(self, settings: Settings, advertised_address: str) -> None:
        allowed = (*settings.allowed_origins, *settings.peer_urls)
        self.allowed_origins = frozenset(plain_origin(origin) for origin in allowed)
        names = {settings.broker_host, host_name(advertised_address)}
        names.update(host_name(name) for name in settings.allowed_hosts)
        self.names = frozenset(name.lower() for name in names) | LOOPBACK_NAMES

    def check_host(self, head: Head) -> None:
        """Check the name that the client used for this broker.

        Raises:
            Forbidden: it is none of this broker's; ALLOWED_HOSTS can add it.
        """
        host = head.headers.get("host")
        if host is None:
            return
        name = host_name(host).lower()
        # Nobody can rebind an address: only names are looked up.
        if name in self.names or is_address(name):
            return
        raise Forbidden(f"Host {host[:100]!r} is not this broker's; add it to ALLOWED_HOSTS")

    def check_origin(self, head: Head) -> None:
        """Check the web page that a request comes from, if it comes from one.

        Raises:
            Forbidden: neither the broker's own page nor one of PEER_URLS or ALLOWED_ORIGINS.
        """
        origin = head.headers.get("origin")
        if origin is None or self.is_allowed(origin, head):
            return
        raise Forbidden(f"Origin {origin[:100]!r} is not allowed; add it to ALLOWED_ORIGINS")

    def is_allowed(self, origin: str, head: Head) -> bool:
        """Whether it is the broker's own page, or one of PEER_URLS or ALLOWED_ORIGINS."""
        origin = origin.lower()
        if plain_origin(origin) in self.allowed_origins:
            return True
        # The scheme may differ behind a proxy that ends TLS; the host was checked before.
        return origin.partition("://")[2] == head.headers.get("host", "").lower() != ""

    def cors_headers(self, head: Head) -> list[tuple[bytes, bytes]]:
        """What tells a browser that the page may read the answer; empty for all others."""
        origin = head.headers.get("origin")
        if origin is None:
            return []
        if not self.is_allowed(origin, head):
            return [(b"vary", b"origin")]
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", b"retry-after"),
            (b"vary", b"origin"),
        ]

    def preflight_headers(self, head: Head) -> list[tuple[bytes, bytes]]:
        """The answer to OPTIONS, for a page that `is_allowed`."""
        return [
            *self.cors_headers(head),
            (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
            (
                b"access-control-allow-headers",
                b"content-type, authorization, osqueue-client-id, osqueue-sequence,"
                b" osqueue-first-incomplete",
            ),
            (b"access-control-max-age", b"600"),
        ]


def plain_origin(origin: str) -> str:
    """One spelling of an origin: lower case, no port that its scheme implies, one loopback name.

    A page opened at localhost is the page of the broker that its peers know by 127.0.0.1.
    """
    scheme, _, host = origin.lower().partition("://")
    host = host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))
    if host_name(host) in ("localhost", "::1"):
        host = "127.0.0.1" + host.removeprefix("[::1]").removeprefix("localhost")
    return f"{scheme}://{host}"


def host_name(host: str) -> str:
    """The name in a `Host` header or HOST:PORT, without port and brackets; empty: unreadable."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_address(name: str) -> bool:
    """Whether it is a literal IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

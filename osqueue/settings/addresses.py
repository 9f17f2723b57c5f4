"""Host names, origins and addresses among the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from osqueue.settings.rows import SettingsError

if TYPE_CHECKING:
    from osqueue.settings.table import Settings

__all__ = ["advertised_address", "check_addresses", "is_web_address", "join_address"]

ANY_ADDRESS = ("0.0.0.0", "::")
"""Listening addresses that mean every interface; nobody can connect to one of them."""


def advertised_address(settings: Settings, *, host_name: str, port: int) -> str:
    """The HOST:PORT that others are told: the one that was set, or else derived.

    Args:
        host_name: this machine's name, put in the place of an address that means every interface.
        port: the one that is really bound, which differs from the setting where that is 0.
    """
    if settings.broker_advertised_address:
        return settings.broker_advertised_address
    host = host_name if settings.broker_host in ANY_ADDRESS else settings.broker_host
    return join_address(host, port)


def join_address(host: str, port: int) -> str:
    """HOST:PORT, with brackets around an IPv6 address (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_addresses(settings: Settings) -> None:
    """Check host names, origins and addresses; SettingsError names the first that is wrong."""
    host = settings.broker_host
    if not host or any(character in host for character in "/[]@ ") or host.count(":") == 1:
        raise SettingsError(
            f"BROKER_HOST must be a host name or address without port or brackets, not {host!r}"
        )
    advertised = settings.broker_advertised_address
    if advertised and not is_host_and_port(advertised):
        raise SettingsError(
            "BROKER_ADVERTISED_ADDRESS must be HOST:PORT that others can connect to,"
            f" not {advertised!r}"
        )
    named = {"ALLOWED_ORIGINS": settings.allowed_origins, "PEER_URLS": settings.peer_urls}
    for environment, origins in named.items():
        wrong = [origin for origin in origins if not is_web_address(origin, with_path=False)]
        # No wildcard: it would let any page that the user visits command the queue.
        if wrong:
            raise SettingsError(
                f"{environment} must be origins as https://example.org, not {wrong[0]!r}"
            )
    for name in settings.allowed_hosts:
        if any(character in name for character in "/*@ "):
            raise SettingsError(f"ALLOWED_HOSTS must be host names, not {name!r}")
    if not settings.broker_url:
        raise SettingsError("BROKER_URL must name at least one address")
    for address in settings.broker_url:
        if not is_web_address(address, with_path=True):
            raise SettingsError(
                f"BROKER_URL must be addresses as http://127.0.0.1:8080, not {address!r}"
            )


def is_web_address(text: str, *, with_path: bool) -> bool:
    """Whether it is http(s)://HOST[:PORT], with a path only where that is allowed."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or " " in text)
    return (
        parts.scheme in ("http", "https")
        and has_host
        and plain
        and (with_path or not parts.path)
        and "*" not in parts.netloc
    )


def is_host_and_port(text: str) -> bool:
    """Whether it is HOST:PORT of one machine: no address that means every interface."""
    try:
        parts = urlsplit(f"//{text}")
        return (
            parts.netloc == text and bool(parts.port) and parts.hostname not in ("", *ANY_ADDRESS)
        )
    except ValueError:
        return False

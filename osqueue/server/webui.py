"""The page as it was built from `webui/`: its files, and the headers that they are served with.

The browser gets one index for every address of the page, and assets whose names carry a hash of
their content. Everything is read once, at the start; nothing else of the disk can be asked for.

The content security policy lets the page load only from this broker and talk only to it and to
its peers (PEER_URLS), which is where the page goes on when this broker ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from html import escape
from pathlib import Path

import msgspec

__all__ = ["PAGE_PATHS", "STATIC_FOLDER", "WebFile", "WebPage", "load_page"]

STATIC_FOLDER = Path(__file__).with_name("static")
"""Where `make page` puts what it builds; it lies in the wheel, not in the repository."""
PAGE_PATHS = ("/", "/jobs", "/jobs/<job_id>", "/dead", "/producer", "/worker", "/state")
"""The addresses of the page, in Quart's spelling."""
MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
HTML = "text/html; charset=utf-8"
PEERS_MARK = '<meta name="osqueue-peers" content="">'
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Names with a hash never mean anything else; the index is asked for again each time.
ASSET_CACHING = "public, max-age=31536000, immutable"
INDEX_CACHING = "no-cache"

NOT_BUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>osqueue</title></head>
<body>
<h1>osqueue</h1>
<p>The broker runs, but its page was not built.</p>
<p>Build it with <code>make page</code> in the repository (which needs Node 20.19 or newer, with
npm), and start the broker again.</p>
<p>Without it: <code>osqueue top</code> shows the queue live, <code>osqueue --help</code> lists
what else there is, and docs/protocol.md says how programs talk to the broker.</p>
</body>
</html>
"""


class WebFile(msgspec.Struct, frozen=True):
    """One file as a browser gets it."""

    body: bytes
    media_type: str
    headers: dict[str, str]
    compressed: bytes | None = None
    """The body, gzipped; None where it was not worth it."""
    etag: str = ""
    """Without quotes; empty: the name says all."""


class WebPage(msgspec.Struct, frozen=True):
    """All that browsers can ask for."""

    index: WebFile
    assets: dict[str, WebFile]
    """By their names below /assets/."""


def load_page(peer_urls: Sequence[str], folder: Path = STATIC_FOLDER) -> WebPage:
    """Read the page that was built, or make the one that says how to build it.

    Args:
        peer_urls: the origins of the brokers that the page may go on with.
        folder: where the build put it.
    """
    try:
        index = (folder / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        return WebPage(index_file(NOT_BUILT, ()), {})
    assert PEERS_MARK in index, "the page and the broker agree on where the peers are told"
    told = PEERS_MARK.replace('""', f'"{escape(" ".join(peer_urls))}"')
    names = sorted(path.name for path in (folder / "assets").iterdir())
    assets = {
        name: asset_file(folder / "assets" / name) for name in names if not name.endswith(".gz")
    }
    return WebPage(index_file(index.replace(PEERS_MARK, told), peer_urls), assets)


def index_file(text: str, peer_urls: Sequence[str]) -> WebFile:
    """The index, under the policy that says what the page may do."""
    body = text.encode()
    headers = {
        **SECURITY_HEADERS,
        "Cache-Control": INDEX_CACHING,
        "Content-Security-Policy": content_security_policy(peer_urls),
    }
    return WebFile(body, HTML, headers, etag=hashlib.sha256(body).hexdigest()[:32])


def asset_file(path: Path) -> WebFile:
    """An asset; the build has put its compressed form beside it."""
    compressed = path.with_name(f"{path.name}.gz")
    return WebFile(
        path.read_bytes(),
        MEDIA_TYPES[path.suffix],
        {**SECURITY_HEADERS, "Cache-Control": ASSET_CACHING, "Vary": "Accept-Encoding"},
        compressed.read_bytes() if compressed.exists() else None,
    )


def content_security_policy(peer_urls: Sequence[str]) -> str:
    """No code, style or image but this broker's own; nobody to talk to but it and its peers."""
    # "ws" and "wss" from "http" and "https". 'self' holds for the broker's own WebSocket.
    peers = [f"{url} ws{url.removeprefix('http')}" for url in peer_urls]
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            # The thread whose timers go on in a hidden tab.
            "worker-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            " ".join(["connect-src 'self'", *peers]),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )

"""The page as files: what was built is served safely; what was not says how to build it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from osqueue.server.webui import PEERS_MARK, load_page

SCRIPT = b"console.log('osqueue');\n" * 50


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as `make page` leaves it."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(f"<!doctype html><head>{PEERS_MARK}</head>")
    (tmp_path / "assets" / "index-1a2b.js").write_bytes(SCRIPT)
    (tmp_path / "assets" / "index-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "assets" / "icon-3c4d.svg").write_bytes(b"<svg/>")
    return tmp_path


def test_page_that_was_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    page = load_page((), tmp_path / "nothing")
    assert b"make page" in page.index.body
    assert b"Node 20" in page.index.body
    assert b"<script" not in page.index.body
    assert not page.assets


def test_assets_never_change_under_their_name(built: Path) -> None:
    page = load_page((), built)
    script = page.assets["index-1a2b.js"]
    assert set(page.assets) == {"index-1a2b.js", "icon-3c4d.svg"}
    assert script.body == SCRIPT
    assert script.compressed is not None
    assert gzip.decompress(script.compressed) == SCRIPT
    assert script.headers["Cache-Control"].endswith("immutable")
    assert page.assets["icon-3c4d.svg"].compressed is None


def test_index_tells_the_page_its_peers_and_allows_them(built: Path) -> None:
    page = load_page(("http://10.0.0.7:8080", "https://b.example"), built)
    assert b'content="http://10.0.0.7:8080 https://b.example"' in page.index.body
    policy = page.index.headers["Content-Security-Policy"]
    assert (
        "connect-src 'self' http://10.0.0.7:8080 ws://10.0.0.7:8080"
        " https://b.example wss://b.example;" in policy
    )


def test_policy_allows_no_code_from_elsewhere_and_none_inline(built: Path) -> None:
    policy = load_page((), built).index.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_index_that_differs_has_another_etag(built: Path) -> None:
    alone, among_peers = load_page((), built), load_page(("http://a.example",), built)
    assert alone.index.etag
    assert alone.index.etag != among_peers.index.etag
    assert alone.index.headers["Cache-Control"] == "no-cache"


def test_peer_cannot_leave_its_attribute(built: Path) -> None:
    # The settings refuse such an address; the page does not rely on it.
    assert b'"><b>' not in load_page(('http://a"><b>',), built).index.body

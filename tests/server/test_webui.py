"""The page: counts, endpoints, and nothing that a browser would run."""

from __future__ import annotations

from osqueue.core.errors import NotLeader
from osqueue.protocol.messages import METHODS
from osqueue.server.webui import render_counts, render_endpoints, render_page, render_problem
from tests.server.harness import Served


async def test_page_shows_live_counts(served: Served) -> None:
    for _ in range(3):
        await served.request("POST", "/v1/jobs", {})
    stats = await served.server.front_door.dispatcher.read_stats()
    page = render_page(served.broker, stats, None)
    assert "<dt>waiting</dt><dd>3</dd>" in page
    assert served.broker.advertised_address in page
    assert '<meta http-equiv="refresh"' in page
    assert "<script" not in page


async def test_paused_queue_is_said(served: Served) -> None:
    await served.request("POST", "/v1/queue/pause")
    stats = await served.server.front_door.dispatcher.read_stats()
    assert "The queue is paused" in render_counts(stats)


def test_problem_is_escaped() -> None:
    assert "<b>" not in render_problem(NotLeader("<b>elsewhere</b>"))


def test_every_path_is_named() -> None:
    rows = render_endpoints()
    assert all(method.http_path in rows for method in METHODS.values())
    assert "/v1/ws" in rows

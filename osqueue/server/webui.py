"""The page at `/`, until the browser app is built: what the endpoints are, and live counts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from osqueue.core.errors import QueueError
from osqueue.core.outcomes import QueueStats
from osqueue.protocol.messages import METHODS

if TYPE_CHECKING:
    from osqueue.broker.broker import Broker

__all__ = ["render_page"]

REFRESH_S = 2
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; }
.quiet { opacity: .7; }
.counts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .75rem; }
.counts div { border: 1px solid #8886; border-radius: .5rem; padding: .5rem .75rem; }
.counts dd { font-size: 1.75rem; font-variant-numeric: tabular-nums; margin: 0; }
dl { margin: 1.5rem 0; } dt { font-size: .85rem; opacity: .7; }
.problem { border-left: 4px solid #c33; padding-left: .75rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; padding: .2rem .75rem .2rem 0; border-bottom: 1px solid #8883; }
code { font-family: ui-monospace, monospace; }
"""
OTHER_PATHS = (
    ("GET", "/v1/ws", "WebSocket: every method, many calls at once"),
    ("POST", "/v1/batch", "many calls in one request"),
    ("GET", "/state", "the whole document as committed (JSON)"),
    ("GET", "/healthz", "alive"),
    ("GET", "/readyz", "leads the queue"),
)


def render_page(broker: Broker, stats: QueueStats | None, error: QueueError | None) -> str:
    """The page as HTML; `error` is shown where there are no counts."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{REFRESH_S}">
<title>osqueue</title>
<style>{STYLE}</style>
</head>
<body>
<h1>osqueue</h1>
<p class="quiet">Broker {escape(broker.advertised_address)}, term {broker.epoch}</p>
{render_counts(stats) if stats is not None else ""}
{render_problem(error) if error is not None else ""}
<h2>Endpoints</h2>
<table>
<thead><tr><th>HTTP</th><th>Path</th><th>Method</th></tr></thead>
<tbody>
{render_endpoints()}
</tbody>
</table>
</body>
</html>
"""


def render_counts(stats: QueueStats) -> str:
    """The live counts."""
    counts = (
        ("waiting", stats.unclaimed),
        ("scheduled", stats.scheduled),
        ("in progress", stats.in_progress),
        ("dead", stats.dead),
        ("completed since the start", stats.completed_total),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{count:,}</dd></div>" for name, count in counts)
    paused = '<p class="problem">The queue is paused.</p>' if stats.paused else ""
    return (
        f'<dl class="counts">{cells}</dl>{paused}'
        f'<p class="quiet">Commit <code>{escape(stats.commit_id)}</code></p>'
    )


def render_problem(error: QueueError) -> str:
    """Why there are no counts."""
    return f'<p class="problem">{escape(error.message)} ({escape(error.advice)})</p>'


def render_endpoints() -> str:
    """The table of endpoints, from the table of methods."""
    rows = [
        (method.http_method, method.http_path, method.name)
        for method in METHODS.values()
        if method.http_path
    ]
    return "\n".join(
        f"<tr><td>{verb}</td><td><code>{escape(path)}</code></td><td>{escape(what)}</td></tr>"
        for verb, path, what in (*OTHER_PATHS, *rows)
    )

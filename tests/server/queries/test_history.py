"""What the leader has seen lately, over HTTP and as events."""

from __future__ import annotations

from typing import Any

from osqueue.core.outcomes import PastTerm
from osqueue.server.queries.history import render_history
from tests.server.harness import Served, WebSocketClient


async def next_history(client: WebSocketClient) -> dict[str, Any]:
    message = await client.receive()
    assert message["event"] == "history", message
    return message["data"]


async def subscribe(client: WebSocketClient, *events: str) -> None:
    await client.send_json({"id": 1, "method": "subscribe", "params": {"events": events}})
    assert (await client.receive())["ok"]


async def test_history_has_columns_of_equal_length_the_newest_writes_and_who_has_led(
    served: Served,
) -> None:
    await served.request("POST", "/v1/jobs", {"payload": 1})
    answer = (await served.request("GET", "/v1/history?seconds=60")).json()
    assert answer["bucketMs"] == 1_000
    assert answer["from"] <= answer["now"]
    lengths = {len(column) for column in answer["buckets"].values()}
    assert lengths == {answer["now"] // 1_000 - answer["from"] // 1_000}
    assert len(answer["buckets"]) == 13
    [commit] = answer["commits"]
    assert (commit["mutations"], commit["outcome"]) == (1, "landed")
    [takeover] = answer["takeovers"]
    assert (takeover["epoch"], takeover["brokerName"]) == (1, served.broker.name)
    assert takeover["at"] <= answer["now"]


async def test_history_begins_no_earlier_than_the_broker(served: Served) -> None:
    since = served.broker.statistics.totals.since
    answer = render_history(served.broker, 0, [], [PastTerm(1, "a", 0)])
    assert answer.begin == since // 1_000 * 1_000
    future = render_history(served.broker, 2**40, [], [])
    assert (future.begin, future.buckets.commits) == (future.now // 1_000 * 1_000, [])


async def test_subscriber_gets_everything_and_then_what_is_new(served: Served) -> None:
    await served.request("POST", "/v1/jobs", {"payload": 1})
    client = await served.open_websocket()
    await subscribe(client, "history")
    first = await next_history(client)
    assert [commit["mutations"] for commit in first["commits"]] == [1]
    assert len(first["takeovers"]) == 1
    await served.request("POST", "/v1/jobs", {"payload": 2})
    submitted = sum(first["buckets"]["submitted"])
    end = first["from"] + 1_000 * len(first["buckets"]["submitted"])
    commits: list[Any] = []
    while submitted < 2:
        event = await next_history(client)
        assert event["from"] == end
        end += 1_000 * len(event["buckets"]["submitted"])
        submitted += sum(event["buckets"]["submitted"])
        commits += event["commits"]
        assert event["takeovers"] == []
    assert [commit["mutations"] for commit in commits if commit["mutations"]] == [1]
    await client.aclose()

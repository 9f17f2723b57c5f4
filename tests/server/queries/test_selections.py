"""Lists and changes of many jobs, over HTTP, from the first page to the last."""

from __future__ import annotations

from typing import Any

import pytest

from tests.server.harness import Served


async def submit(served: Served, count: int) -> list[str]:
    jobs = [
        {"payload": {"n": number}, "type": ["even", "odd"][number % 2]} for number in range(count)
    ]
    answer = await served.request("POST", "/v1/jobs/batch", {"jobs": jobs})
    return answer.json()["jobIds"]


async def get(served: Served, path: str) -> Any:
    answer = await served.request("GET", path)
    assert answer.status == 200, answer
    return answer.json()


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_and_windows_tell_the_same(served: Served, order: str) -> None:
    job_ids = await submit(served, 10)
    expected = job_ids[1::2] if order == "asc" else job_ids[1::2][::-1]
    path = f"/v1/jobs?type=odd&limit=2&order={order}&payloads=false"
    paged: list[str] = []
    windows: list[str] = []
    cursor = ""
    while True:
        page = await get(served, f"{path}&cursor={cursor}" if cursor else path)
        assert page["matched"] == 5
        assert all("payload" not in job for job in page["jobs"])
        paged += [job["id"] for job in page["jobs"]]
        window = await get(served, f"{path}&offset={len(windows)}")
        windows += [job["id"] for job in window["jobs"]]
        cursor = page.get("cursor", "")
        if not cursor:
            break
    assert paged == windows == expected


async def test_text_is_found_and_not_counted(served: Served) -> None:
    job_ids = await submit(served, 4)
    page = await get(served, "/v1/jobs?text=%22n%22:3")
    assert [job["id"] for job in page["jobs"]] == job_ids[3:]
    assert "matched" not in page
    page = await get(served, f"/v1/jobs?text={job_ids[1]}")
    assert ([job["id"] for job in page["jobs"]], page["matched"]) == (job_ids[1:2], 1)


async def test_query_that_is_no_truth_is_refused(served: Served) -> None:
    answer = await served.request("GET", "/v1/jobs?payloads=maybe")
    assert answer.status == 400
    assert "payloads" in answer.json()["message"]


async def test_dead_letters_are_grouped_counted_and_redriven(served: Served) -> None:
    job_ids = await submit(served, 5)
    await served.request("POST", "/v1/jobs/claim", {"workerId": "w", "limit": 10})
    for job_id in job_ids:
        failure = {"workerId": "w", "final": True, "error": {"type": "E", "message": "no\nmore"}}
        await served.request("POST", f"/v1/jobs/{job_id}/fail", failure)
    listed = await get(served, "/v1/dead/groups")
    assert [(group["type"], group["count"]) for group in listed["groups"]] == [
        ("even", 3), ("odd", 2)
    ]  # fmt: skip
    group = {key: listed["groups"][1][key] for key in ("type", "errorType", "errorMessage")}
    counted = await served.request("POST", "/v1/dead/redrive", {**group, "dryRun": True})
    assert counted.json() == {"count": 2, "skipped": 0}
    redriven = await served.request("POST", "/v1/dead/redrive", group)
    assert redriven.json() == {"count": 2, "skipped": 0}
    assert (await get(served, "/v1/stats"))["deadByType"] == [{"type": "even", "count": 3}]


async def test_many_are_cancelled_deleted_and_retried(served: Served) -> None:
    job_ids = await submit(served, 6)
    named = {"jobIds": [*job_ids[:2], "nobody"]}
    cancelled = await served.request("POST", "/v1/jobs/cancel", named)
    assert cancelled.json() == {"count": 2, "skipped": 1}
    retried = await served.request("POST", "/v1/jobs/retry", {"filter": {}})
    assert retried.json() == {"count": 0, "skipped": 0}
    wanted = {"filter": {"type": "odd"}, "limit": 1}
    deleted = await served.request("POST", "/v1/jobs/delete", wanted)
    assert deleted.json() == {"count": 1, "skipped": 0}
    assert (await get(served, "/v1/jobs"))["total"] == 3

"""HTTP: the forerunner's shapes, statuses, headers, bodies, batches, and clients that leave."""

from tests.server.harness import Served


async def test_main_job_over_http_answers_as_the_forerunner(served: Served) -> None:
    submitted = await served.request("POST", "/v1/jobs", {"payload": {"a": [1, None]}, "type": "t"})
    assert submitted.status == 200
    job_id = submitted.json()["jobId"]
    assert submitted.json() == {"jobId": job_id}
    claimed = await served.request("POST", "/v1/jobs/claim", {"workerId": "w", "types": ["t"]})
    assert (claimed.status, claimed.json()["payload"]) == (200, {"a": [1, None]})
    heartbeat = await served.request("POST", f"/v1/jobs/{job_id}/heartbeat", {"workerId": "w"})
    assert (heartbeat.status, heartbeat.body) == (204, b"")
    completed = await served.request("POST", f"/v1/jobs/{job_id}/complete", {"workerId": "w"})
    assert (completed.status, completed.body) == (204, b"")
    stats = await served.request("GET", "/v1/stats")
    assert stats.json()["completedTotal"] == 1
    assert await served.is_honestly_served()

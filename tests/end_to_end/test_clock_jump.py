"""A leader on files whose wall clock is set two days ahead: nothing is due before its time."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
import trio

from osqueue.client import Client
from osqueue.core.errors import JobNotFound
from tests.end_to_end.processes import BrokerProcess

HOUR_MS = 60 * 60 * 1_000
TWO_DAYS_MS = 48 * HOUR_MS
SETTINGS = {
    "BROKER_HEARTBEAT_INTERVAL_MS": "100",
    "BROKER_HEARTBEAT_TIMEOUT_MS": "1000",
    "LEASE_MS": "2000",
    "LOG_FORMAT": "json",
}


def events(log_file: Path) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in log_file.read_bytes().splitlines()]


async def write_count(queue: Client) -> int:
    return (await queue.stats()).storage.writes


@pytest.mark.slow
async def test_wall_clock_of_a_leader_jumps(tmp_path: Path) -> None:
    jump_file = tmp_path / "jump-ms"
    jump_file.write_text("0")
    broker = BrokerProcess(tmp_path, SETTINGS, "tests.end_to_end.jumping_broker", str(jump_file))
    with trio.fail_after(30):
        async with broker.start() as process, Client(broker.url) as queue:
            kept = await queue.submit({}, type="kept", result_ttl_ms=HOUR_MS)
            [job] = await queue.claim("worker", types=["kept"])
            await queue.complete(job, "result")
            later = await queue.submit({}, type="later", delay_ms=HOUR_MS)

            set_ahead = tmp_path / "new"
            set_ahead.write_text(str(TWO_DAYS_MS))
            set_ahead.replace(jump_file)
            writes_before = await write_count(queue)
            while await write_count(queue) < writes_before + 3:
                pass
            assert (await queue.get_job(kept.job_id)).result == "result"
            assert (await queue.get_job(later.job_id)).status == "scheduled"
            assert (await queue.stats()).now < time.time() * 1_000 + HOUR_MS
            [jumped] = [one for one in events(tmp_path / "broker.log") if "jump_ms" in one]
            assert jumped["event"] == "the wall clock has jumped"
            process.terminate()
            assert await process.wait() == 0

        # The operator says that it is right: a new process begins with the machine's time.
        async with broker.start(), Client(broker.url) as queue:
            with pytest.raises(JobNotFound):
                await queue.get_job(kept.job_id)
            assert (await queue.get_job(later.job_id)).status == "unclaimed"

"""Real broker processes: start, stop, kill, and everything that keeps one from starting."""

from __future__ import annotations

import fcntl
import random
import signal
import socket
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import msgspec
import pytest
import trio
import trio.testing

from osqueue.broker.broker import Broker
from osqueue.cli.broker.process import BrokerProcess
from osqueue.client import Client
from osqueue.clocks import SystemClock
from osqueue.core.leadership import BrokerIdentity
from osqueue.server.serving import Server
from osqueue.settings import Settings
from storage_adapters.memory import MemoryStore
from tests.cli.processes import OsqueueProcess, run_osqueue, started_broker

pytestmark = pytest.mark.slow

QUEUE = Path("osqueue-data", "queue.json")
SLOW_MEMORY = {"STORAGE_BACKEND": "memory", "MEMORY_LATENCY_MS": "700"}


def read_document(directory: Path) -> dict[str, Any]:
    return msgspec.json.decode((directory / QUEUE).read_bytes())


def write_document(directory: Path, content: str) -> bytes:
    path = directory / QUEUE
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return path.read_bytes()


def is_gone(reason: str) -> bool:
    """Whether that is why it was elected: the system has told that the leader's process ended."""
    return reason.startswith("the leader's process ") and reason.endswith(" is gone")


def submit(url: str, payload: object = None) -> str:
    async def talk() -> str:
        async with Client(url, timeout_s=20) as client:
            return (await client.submit(payload, type="test")).job_id

    return trio.run(talk)


def test_broker_told_to_stop_releases_the_lead_and_ends_with_status_0(tmp_path: Path) -> None:
    with started_broker(tmp_path) as broker:
        job_id = submit(broker.url, {"n": 1})
        assert read_document(tmp_path)["broker"] == f"127.0.0.1:{broker.port}"
        broker.send(signal.SIGTERM)
        assert broker.wait_event("stopping")["signal"] == "SIGTERM"
        assert broker.wait_event("stopped")["released"] is True
        assert broker.wait_ended() == 0
    document = read_document(tmp_path)
    assert document["broker"] is None
    assert [job["id"] for job in document["jobs"]] == [job_id]


def test_broker_prints_address_and_place_and_logs_json(tmp_path: Path) -> None:
    with OsqueueProcess([], {"BROKER_PORT": "0"}, tmp_path, "osqueue.server") as broker:
        line = broker.wait_announced()
        assert line == f"osqueue broker on {broker.url}, queue in ./osqueue-data/queue.json"
        event = broker.wait_event("broker started")
    assert event["url"] == broker.url
    assert (event["leads"], event["epoch"], event["level"]) == (True, 1, "info")
    assert event["address"] == f"127.0.0.1:{broker.port}"


def test_broker_killed_and_restarted_on_its_port_serves_within_two_seconds(tmp_path: Path) -> None:
    with started_broker(tmp_path) as broker:
        first = submit(broker.url)
        broker.send(signal.SIGKILL)
        assert broker.wait_ended() == -signal.SIGKILL
        port, url = broker.port, broker.url
    started_at = time.monotonic()
    with started_broker(tmp_path, BROKER_PORT=port) as broker:
        second = submit(url)
        assert time.monotonic() - started_at < 2
        assert is_gone(broker.wait_event("elected")["reason"])
    document = read_document(tmp_path)
    assert document["epoch"] == 2
    assert [job["id"] for job in document["jobs"]] == [first, second]


def test_standby_says_who_leads_and_takes_over_when_the_leader_stops(tmp_path: Path) -> None:
    with (
        started_broker(tmp_path) as leader,
        OsqueueProcess(["--broker-port", "0"], {}, tmp_path, "osqueue.server") as standby,
    ):
        assert standby.wait_announced().endswith(f"standby of 127.0.0.1:{leader.port}")
        leader.send(signal.SIGTERM)
        assert leader.wait_ended() == 0
        assert standby.wait_event("elected")["reason"] == "the last leader has released the queue"
        submit(standby.url)


def test_brokers_behind_one_address_do_not_take_each_other_for_dead(tmp_path: Path) -> None:
    behind_proxy = {"BROKER_ADVERTISED_ADDRESS": "queue.example.org:80"}
    with (
        started_broker(tmp_path, **behind_proxy) as leader,
        OsqueueProcess(["--broker-port", "0"], behind_proxy, tmp_path, "osqueue.server") as standby,
    ):
        assert "standby of" in standby.wait_announced()
        submit(leader.url)
    assert read_document(tmp_path)["epoch"] == 1


def test_standby_takes_over_from_a_killed_leader_before_its_timeout(tmp_path: Path) -> None:
    patient = {"BROKER_HEARTBEAT_TIMEOUT_MS": "60000", "LEASE_MS": "120000"}
    with (
        started_broker(tmp_path, **patient) as leader,
        started_broker(tmp_path, LOG_LEVEL="debug", **patient) as standby,
    ):
        standby.wait_event("probed the leader")
        leader.send(signal.SIGKILL)
        reason = standby.wait_event("elected")["reason"]
    assert is_gone(reason)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_standby_that_seldom_looks_notices_at_once_that_the_leader_ends(
    tmp_path: Path, number: signal.Signals
) -> None:
    seldom = {
        "BROKER_HEARTBEAT_INTERVAL_MS": "60000",
        "BROKER_HEARTBEAT_TIMEOUT_MS": "180000",
        "LEASE_MS": "360000",
    }
    with (
        started_broker(tmp_path, **seldom) as leader,
        started_broker(tmp_path, LOG_LEVEL="debug", **seldom) as standby,
    ):
        standby.wait_event("probed the leader")
        leader.send(number)
        # Half a heartbeat interval is 30 s, longer than this waits for an event.
        standby.wait_event("elected")


def test_port_in_use_is_named_and_nothing_is_begun(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_osqueue(["server", "--log-format", "text"], tmp_path, {"BROKER_PORT": port})
    assert ended.returncode == 2
    assert f"osqueue: BROKER_PORT {port} on 127.0.0.1 is in use" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / QUEUE).exists()


def test_port_in_use_is_a_log_line_where_logs_are_json(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = run_osqueue(["server", "--json"], tmp_path, {"BROKER_PORT": port})
    assert ended.returncode == 2
    line = msgspec.json.decode(ended.stderr)
    assert line["event"].startswith(f"BROKER_PORT {port}")
    assert (line["level"], line["status"]) == ("critical", 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"BROKER_PORT": "many"}, "BROKER_PORT must be a whole number, not 'many'"),
        ({"LEASE_MS": "1500"}, "LEASE_MS (1500) must be at least 2 times"),
        ({"STORAGE_BACKEND": "s3"}, "STORAGE_BACKEND s3 needs S3_BUCKET"),
    ],
)
def test_bad_setting_is_one_line_and_status_2(
    tmp_path: Path, given: dict[str, str], words: str
) -> None:
    ended = run_osqueue(["server"], tmp_path, given)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "--help" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_directory_that_is_a_file_is_one_line_and_status_2(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for directory in ("taken", "taken/below"):
        ended = run_osqueue(
            ["server", "--log-format", "text", "--file-directory", directory],
            tmp_path,
            {"BROKER_PORT": "0"},
        )
        assert ended.returncode == 2
        assert f"{tmp_path / 'taken'} is a file, so the directory" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_flag_wins_over_environment_and_other_groups_do_not_matter(tmp_path: Path) -> None:
    given = {"BROKER_PORT": "nonsense", "BROKER_URL": "file:./osqueue-data"}
    with OsqueueProcess(["--broker-port", "0"], given, tmp_path, "osqueue.server") as broker:
        broker.wait_announced()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{broken", "cannot be used: JSON is malformed"),
        ('{"format": 99, "jobs": []}', "its format is 99, this version of osqueue reads up to 1"),
        ("", "Nothing was written"),
        ('{"format": 1, "broker": null, "commitId": "?", "jobs": []}', "missing"),
        (
            '{"format": 1, "broker": "10.0.0.1:8080", "brokerTimeoutMs": 86400000, "epoch": 1,'
            ' "commitId": "1-1-0000000000000001", "nextOrder": 2,\n"jobs": [{"id": ',
            "cannot be used: Input data was truncated",
        ),
    ],
)
def test_document_that_cannot_be_used_ends_the_broker_and_is_left_alone(
    tmp_path: Path, content: str, words: str
) -> None:
    before = write_document(tmp_path, content)
    ended = run_osqueue(["server", "--log-format", "text", "--broker-port", "0"], tmp_path)
    assert ended.returncode == 6
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("osqueue: the stored queue cannot be used")
    assert words in last
    assert last.endswith("(tell the operator)")
    assert "Traceback" not in ended.stderr
    assert (tmp_path / QUEUE).read_bytes() == before


def test_document_that_becomes_unreadable_ends_the_leader_and_is_left_alone(
    tmp_path: Path,
) -> None:
    with started_broker(tmp_path) as broker:
        broken = write_document(tmp_path, '{"format": 1, "broker": ')
        broker.wait_event("broker started")
        assert broker.wait_ended() == 6
        last = msgspec.json.decode(broker.rest_of_log().splitlines()[-1])
    assert (last["error"], last["level"]) == ("StoredDataInvalid", "critical")
    assert (tmp_path / QUEUE).read_bytes() == broken


def test_queue_that_vanishes_ends_the_leader_and_a_restart_makes_no_empty_one(
    tmp_path: Path,
) -> None:
    with started_broker(tmp_path) as broker:
        job_id = submit(broker.url)
        backup = (tmp_path / QUEUE).read_bytes()
        (tmp_path / QUEUE).unlink()
        assert broker.wait_ended() == 6
    ended = run_osqueue(["server", "--log-format", "text", "--broker-port", "0"], tmp_path)
    assert ended.returncode == 6
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("osqueue: the stored queue has vanished: ")
    mark = tmp_path / "osqueue-data" / ".file-store" / "stored" / "queue.json"
    assert f"Put it back from a backup; to begin anew without it, remove {mark} too" in last
    assert not (tmp_path / QUEUE).exists()
    (tmp_path / QUEUE).write_bytes(backup)
    with started_broker(tmp_path):
        assert [job["id"] for job in read_document(tmp_path)["jobs"]] == [job_id]


def test_queue_removed_with_its_mark_begins_anew(tmp_path: Path) -> None:
    with started_broker(tmp_path) as broker:
        submit(broker.url)
    (tmp_path / QUEUE).unlink()
    (tmp_path / "osqueue-data" / ".file-store" / "stored" / "queue.json").unlink()
    with started_broker(tmp_path):
        assert read_document(tmp_path)["epoch"] == 1


def test_second_signal_ends_at_once(tmp_path: Path) -> None:
    with started_broker(tmp_path, **SLOW_MEMORY) as broker:
        broker.send(signal.SIGTERM)
        broker.wait_event("stopping")
        broker.send(signal.SIGINT)
        broker.wait_event("ended by a second signal, the lead is not released")
        assert broker.wait_ended() == 128 + signal.SIGINT


HANGING_SERVER = """
import os, pathlib, threading
flush = os.fsync
def hang(descriptor):
    if pathlib.Path("hang").exists():
        print("hangs", flush=True)
        threading.Event().wait()
    flush(descriptor)
os.fsync = hang
from osqueue.cli import main
main(["server"])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_a_broker_whose_disk_hangs_past_the_drain(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "hanging.py").write_text(HANGING_SERVER)
    given = {"BROKER_PORT": "0", "DRAIN_TIMEOUT_MS": "100", "WRITE_DEADLINE_MS": "100"}
    with OsqueueProcess([], given, tmp_path, "hanging") as broker:
        broker.wait_announced()
        (tmp_path / "hang").touch()
        broker.send(signal.SIGTERM if number == signal.SIGINT else signal.SIGINT)
        assert broker.wait_event("stopped")["released"] is False
        broker.send(number)
        assert broker.wait_ended() == 128 + number


def test_signal_that_arrives_twice_at_once_is_one_request(tmp_path: Path) -> None:
    with started_broker(tmp_path, **SLOW_MEMORY) as broker:
        broker.send(signal.SIGTERM)
        broker.wait_event("stopping")
        broker.send(signal.SIGTERM)
        assert broker.wait_event("stopped")["released"] is True
        assert broker.wait_ended() == 0


def test_signal_before_the_election_ends_with_status_0(tmp_path: Path) -> None:
    given = {"BROKER_PORT": "0", "STORAGE_BACKEND": "memory", "MEMORY_LATENCY_MS": "30000"}
    with OsqueueProcess([], given, tmp_path, "osqueue.server") as broker:
        broker.wait_event("broker starting")
        broker.send(signal.SIGTERM)
        assert broker.wait_ended() == 0


def test_drain_that_takes_too_long_is_cut_and_told(tmp_path: Path) -> None:
    limits = {"DRAIN_TIMEOUT_MS": "100", "WRITE_DEADLINE_MS": "100"}
    with started_broker(tmp_path, **SLOW_MEMORY, **limits) as broker:
        broker.send(signal.SIGTERM)
        assert broker.wait_event("stopped")["released"] is False
        assert broker.wait_ended() == 1
        assert "not released within DRAIN_TIMEOUT_MS (100)" in broker.rest_of_log()


def test_release_that_the_store_does_not_take_is_told(tmp_path: Path) -> None:
    quick = {
        "BROKER_HEARTBEAT_INTERVAL_MS": "100",
        "BROKER_HEARTBEAT_TIMEOUT_MS": "500",
        "LEASE_MS": "1000",
    }
    lock_path = tmp_path / "osqueue-data" / ".file-store" / "lock"
    with started_broker(tmp_path, **quick) as broker, lock_path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        broker.send(signal.SIGTERM)
        assert broker.wait_event("stopped")["released"] is False
        assert broker.wait_ended() == 1
        assert "the lead was not released: the store took no write" in broker.rest_of_log()


def test_request_that_the_store_does_not_settle_holds_up_no_stop(tmp_path: Path) -> None:
    given = {
        "DRAIN_TIMEOUT_MS": "100",
        "WRITE_DEADLINE_MS": "100",
        "BROKER_HEARTBEAT_TIMEOUT_MS": "600000",
        "LEASE_MS": "1200000",
    }
    lock_path = tmp_path / "osqueue-data" / ".file-store" / "lock"
    with started_broker(tmp_path, **given) as broker, lock_path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        caller = socket.create_connection(("127.0.0.1", int(broker.port)))
        with caller:
            head = "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n"
            caller.sendall(f"{head}Content-Type: application/json\r\n\r\n{{}}".encode())
            # Answered after the submit has come in: the broker reads in turn.
            assert urlopen(f"{broker.url}/healthz").status == 200
            broker.send(signal.SIGTERM)
            assert broker.wait_ended() == 1
        assert "not released within DRAIN_TIMEOUT_MS (100)" in broker.rest_of_log()


def test_port_stays_open_until_the_lead_is_released(tmp_path: Path) -> None:
    lock_path = tmp_path / "osqueue-data" / ".file-store" / "lock"
    with started_broker(tmp_path) as broker, lock_path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        broker.send(signal.SIGTERM)
        broker.wait_event("stopping")
        # Refused, a standby would take the leader for dead, which may still answer from memory.
        while is_ready(broker.url):
            pass
        assert not is_ready(broker.url)
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert broker.wait_event("stopped")["released"] is True


def is_ready(url: str) -> bool:
    """Whether the broker says so; an error where nothing listens."""
    try:
        return urlopen(f"{url}/readyz").status == 200
    except HTTPError as error:
        with error:
            return False


def test_waiting_claim_is_answered_when_the_broker_stops(tmp_path: Path) -> None:
    with started_broker(tmp_path) as broker:
        request = msgspec.json.encode({"workerId": "w", "limit": 1, "waitMs": 60_000})
        head = (
            f"POST /v1/jobs/claim HTTP/1.1\r\nHost: 127.0.0.1:{broker.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(request)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", int(broker.port))) as connection:
            connection.settimeout(20)
            connection.sendall(head.encode() + request)
            submit(broker.url)  # Claimed at once: then the first claim has been heard.
            connection.recv(65_536)
            connection.sendall(head.encode() + request)
            broker.send(signal.SIGTERM)
            answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 ")
        assert broker.wait_ended() == 0


class BreakingBroker(Broker):
    """A broker with a bug that shows while it leads."""

    async def wait_lead_lost(self) -> None:
        raise AssertionError("a bug")


class SignallingStore(MemoryStore):
    """A store that is closed while somebody asks its process to stop."""

    async def aclose(self) -> None:
        signal.raise_signal(signal.SIGTERM)
        await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize("kind", [MemoryStore, SignallingStore])
async def test_bug_anywhere_ends_the_process_with_its_traceback(kind: type[MemoryStore]) -> None:
    settings = Settings(broker_port=0)
    broker = BreakingBroker(
        kind(),
        settings,
        BrokerIdentity(name="00" * 8, address="127.0.0.1:1", host="test"),
        clock=SystemClock(),
        random=random.Random(1),
    )
    server = Server(broker, settings, random=random.Random(1))
    server.bind()
    with trio.fail_after(10), pytest.raises(BaseExceptionGroup) as caught:
        await BrokerProcess(server, settings).run()
    assert caught.group_contains(AssertionError, match="a bug")
    assert not caught.group_contains(RuntimeError)
